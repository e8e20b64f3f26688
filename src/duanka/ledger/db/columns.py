"""Column types of the order database: what SQLite takes PostgreSQL takes too, and what is stored can be read.

A value that does not fit is refused when it is written, with one line for a person. A comparison refuses nothing: a
time out of bounds is compared as the nearest bound, and a text that is too long is like no stored one.
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

_SHORT = 1_000  # characters of a text whose stored form is remembered
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST, _LAST = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)
# what is read can be shown in every zone: some hours from the ends of the calendar
_EARLIEST, _LATEST = datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)
_EARLIEST_STORED, _LATEST_STORED = ((end - _EPOCH) // _MICROSECOND for end in (_EARLIEST, _LATEST))


def in_bounds(at: datetime) -> bool:
    """Whether this aware time can be stored."""
    return _FIRST <= at < _LAST


class DoesNotFit(DuankaError, DontWrapMixin):
    """A value that the order database does not take."""


class UtcMicroseconds(TypeDecorator[datetime]):
    """An aware time, kept as microseconds since 1970 in UTC, so that both databases compare and keep it alike."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Refuse a time without an offset, which could mean anything, and one out of bounds; DoesNotFit."""
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
        """Give it back in UTC; what lies beyond the calendar, whoever wrote it, as its end."""
        del dialect
        return _at(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[int | None], datetime | None]:
        """As `process_result_value`, without a call for what was given back lately: a batch has most in common."""
        del dialect, coltype
        return _at

    def coerce_compared_value(self, op: Any, value: Any) -> TypeDecorator[Any]:
        """Compare with any time there is."""
        del op, value
        return _ComparedMoment()


@lru_cache(maxsize=4096)
def _at(stored: int | None) -> datetime | None:
    if stored is None:
        return None
    return _EPOCH + min(max(stored, _EARLIEST_STORED), _LATEST_STORED) * _MICROSECOND


class _ComparedMoment(UtcMicroseconds):
    """A time that a stored one is compared with."""

    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """The time, or the nearest that can be compared."""
        del dialect
        if value is None:
            return None
        return min(max((value - _EPOCH) // _MICROSECOND, _EARLIEST_STORED), _LATEST_STORED)


class String(TypeDecorator[str]):
    """A text of at most `length` characters, refused alike by both databases where it is longer; ids and numbers."""

    impl = SQLString
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """DoesNotFit where it is too long, or holds what PostgreSQL keeps in no text. The text is not shown."""
        del dialect
        most = self.impl_instance.length  # type: ignore[attr-defined]  # every column says it
        if value is not None and len(value) > most:
            raise DoesNotFit(f"a text of {len(value)} characters does not fit where {most} are kept")
        if value is not None and storable(value) != value:
            raise DoesNotFit("a text with a zero byte, or with half a character, is not kept")
        return value

    def all_fit(self, values: Sequence[Any]) -> bool:
        """Whether all of these are stored as they are: looked at together, in a fraction of the time. No: some may."""
        most = self.impl_instance.length  # type: ignore[attr-defined]  # every column says it
        texts = _plain_texts(values)
        return texts is not None and max(map(len, texts), default=0) <= most and _all_storable(texts)

    def coerce_compared_value(self, op: Any, value: Any) -> TypeDecorator[Any]:
        """Compare with any text."""
        del op, value
        return Text()


class Text(TypeDecorator[str]):
    """A text of any length; what PostgreSQL keeps in no text (zero bytes, halves of characters) is replaced."""

    impl = SQLText
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """The text as both databases keep it."""
        del dialect
        return None if value is None else storable(value)

    def all_fit(self, values: Sequence[Any]) -> bool:
        """As `String.all_fit`."""
        texts = _plain_texts(values)
        return texts is not None and _all_storable(texts)


def storable(text: str) -> str:
    """`text` with U+FFFD in place of zero bytes and of halves of surrogate pairs."""
    if type(text) is not str:  # a member of an enumeration
        text = str.__str__(text)
    if text.isascii() and "\0" not in text:
        return text
    return _replaced(text) if len(text) < _SHORT else _replaced.__wrapped__(text)


def _plain_texts(values: Sequence[Any]) -> Sequence[str] | None:
    """Those of the values that are there; None: not all are plain texts."""
    kinds = set(map(type, values))
    if kinds == {str}:
        return values
    return [value for value in values if value is not None] if kinds <= {str, type(None)} else None


def _all_storable(texts: Sequence[str]) -> bool:
    """Whether `storable` changes none of these."""
    together = "".join(
        texts
    )  # two halves of different texts would still be halves: UTF-8 has no code for them
    if "\0" in together:
        return False
    if not together.isascii():
        try:
            together.encode()
        except UnicodeEncodeError:
            return False
    return True


@lru_cache(maxsize=1024)  # the texts of a policy come again and again
def _replaced(text: str) -> str:
    return text.replace("\0", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")
