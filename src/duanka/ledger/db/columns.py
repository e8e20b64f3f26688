"""Column types with the same limits on SQLite and PostgreSQL.

A value that does not fit is rejected on write, with a one-line message. Comparisons reject nothing: a time out of
bounds compares as the nearest bound, and a text that is too long equals no stored one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Dialect, TypeDecorator
from sqlalchemy import String as SQLString
from sqlalchemy import Text as SQLText
from sqlalchemy.exc import DontWrapMixin

from duanka.domain.bounds import FIRST_YEAR, LAST_YEAR
from duanka.domain.errors import DuankaError

_CACHED_TEXT_LENGTH = 1_000  # characters: longest text whose stored form is cached
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST, _LAST = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)
# Not quite the ends of the calendar: these times exist in every time zone.
_EARLIEST, _LATEST = datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)
_EARLIEST_STORED, _LATEST_STORED = ((end - _EPOCH) // _MICROSECOND for end in (_EARLIEST, _LATEST))


def in_bounds(at: datetime) -> bool:
    """Whether this aware time can be stored."""
    return _FIRST <= at < _LAST


class DoesNotFit(DuankaError, DontWrapMixin):
    """A value that the order database cannot store."""


class UtcMicroseconds(TypeDecorator[datetime]):
    """An aware time, stored as microseconds since 1970 UTC on both databases."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Encode. DoesNotFit: no offset, so the time is ambiguous, or out of bounds."""
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise DoesNotFit(
                f"{value.isoformat()} has no offset from UTC; write it like 2026-12-31T00:00+08:00"
            )
        if not in_bounds(value):
            raise DoesNotFit(
                f"{value.isoformat()} is not kept; give a time from {FIRST_YEAR}-01-01 to {LAST_YEAR}-12-31"
            )
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Decode to UTC; a value beyond the calendar becomes its nearest end."""
        del dialect
        return _at(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[int | None], datetime | None]:
        """As `process_result_value`, cached: the rows of a batch share most values."""
        del dialect, coltype
        return _at

    def coerce_compared_value(self, op: Any, value: Any) -> TypeDecorator[Any]:
        """Compare with any time."""
        del op, value
        return _ComparedMoment()


@lru_cache(maxsize=4096)
def _at(stored: int | None) -> datetime | None:
    if stored is None:
        return None
    return _EPOCH + min(max(stored, _EARLIEST_STORED), _LATEST_STORED) * _MICROSECOND


class _ComparedMoment(UtcMicroseconds):
    """A time to compare a stored one with."""

    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Encode the time, or the nearest bound."""
        del dialect
        if value is None:
            return None
        return min(max((value - _EPOCH) // _MICROSECOND, _EARLIEST_STORED), _LATEST_STORED)


class String(TypeDecorator[str]):
    """A text of at most `length` characters, checked alike on both databases."""

    impl = SQLString
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Encode. DoesNotFit (without the text): too long, or unstorable on PostgreSQL."""
        del dialect
        most = self.impl_instance.length  # type: ignore[attr-defined]  # set for every column
        if value is not None and len(value) > most:
            raise DoesNotFit(f"a text of {len(value)} characters does not fit where {most} are kept")
        if value is not None and storable(value) != value:
            raise DoesNotFit("a text with a zero byte, or with half a character, is not kept")
        return value

    def all_fit(self, values: Sequence[Any]) -> bool:
        """Whether all are stored unchanged, checked together; False: some may not be."""
        most = self.impl_instance.length  # type: ignore[attr-defined]  # set for every column
        texts = _plain_texts(values)
        return texts is not None and max(map(len, texts), default=0) <= most and _all_storable(texts)

    def coerce_compared_value(self, op: Any, value: Any) -> TypeDecorator[Any]:
        """Compare with any text."""
        del op, value
        return Text()


class Text(TypeDecorator[str]):
    """A text of any length; zero bytes and lone surrogates are replaced."""

    impl = SQLText
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Encode the text as both databases store it."""
        del dialect
        return None if value is None else storable(value)

    def all_fit(self, values: Sequence[Any]) -> bool:
        """As `String.all_fit`."""
        texts = _plain_texts(values)
        return texts is not None and _all_storable(texts)


def storable(text: str) -> str:
    """Return `text` with U+FFFD for zero bytes and lone surrogates."""
    if type(text) is not str:  # a member of an enumeration
        text = str.__str__(text)
    if text.isascii() and "\0" not in text:
        return text
    return _replaced(text) if len(text) < _CACHED_TEXT_LENGTH else _replaced.__wrapped__(text)


def _plain_texts(values: Sequence[Any]) -> Sequence[str] | None:
    """Return the values that are not None; None: not all of them are plain texts."""
    kinds = set(map(type, values))
    if kinds == {str}:
        return values
    return [value for value in values if value is not None] if kinds <= {str, type(None)} else None


def _all_storable(texts: Sequence[str]) -> bool:
    """Whether `storable` changes none of these."""
    together = "".join(texts)  # Lone surrogates of different texts do not combine: UTF-8 cannot encode them.
    if "\0" in together:
        return False
    if not together.isascii():
        try:
            together.encode()
        except UnicodeEncodeError:
            return False
    return True


@lru_cache(maxsize=1024)  # texts of a policy repeat
def _replaced(text: str) -> str:
    return text.replace("\0", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")
