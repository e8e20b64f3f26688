"""The operator's time: what people read and type, whatever zone the machine is in.

A policy names the zone (`[orders] zone`), a mapping that of its records; without either it is Asia/Shanghai.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from duanka.domain.errors import DuankaError

DEFAULT_ZONE = "Asia/Shanghai"
_MARGIN = timedelta(days=2)  # from the ends of the calendar: no zone is further from UTC
_FIRST, _LAST = (end.replace(tzinfo=UTC) for end in (datetime.min + _MARGIN, datetime.max - _MARGIN))
_TYPED = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)?(?P<offset> ?(?:Z|[+-]\d{2}:?\d{2}))?"
)


class OperatorZone:
    """The zone that an operator's people live in. DuankaError where there is none of this name."""

    def __init__(self, name: str = DEFAULT_ZONE) -> None:
        try:
            self.info: tzinfo = ZoneInfo(name)
        except (ValueError, OSError) as error:  # no such key, or no key at all
            raise DuankaError(f"{name!r} is no time zone; write one such as {DEFAULT_ZONE!r}") from error
        except KeyError as error:  # ZoneInfoNotFoundError
            raise DuankaError(f"{name!r} is no time zone; write one such as {DEFAULT_ZONE!r}") from error
        self.name = name

    def local(self, at: datetime) -> datetime:
        """An aware time in this zone; one at the very end of the calendar, which has none here, two days from it."""
        return min(max(at, _FIRST), _LAST).astimezone(self.info)

    def now(self) -> datetime:
        """The clock on the wall, naive: as records say it."""
        return self.local(datetime.now(UTC)).replace(tzinfo=None)

    def written(self, at: datetime) -> str:
        """`2026-11-28 10:14:18+08:00`: to the second, with its offset."""
        return self.local(at).isoformat(" ", "seconds")

    def read(self, text: str, option: str) -> datetime:
        """The aware time that a person typed; without an offset it is of this zone. DuankaError says what to write."""
        found = _TYPED.fullmatch(text.strip())
        try:
            at = datetime.fromisoformat(text.strip().replace(" +", "+").replace(" -", "-"))
        except ValueError:
            found = None
        if not found:
            raise DuankaError(
                f"{option} {text!r} is no time; write it like 2026-12-31, 2026-12-31T18:00 or"
                f" 2026-12-31T18:00:00+08:00; without an offset it is of {self.name}"
            )
        return at if at.tzinfo else at.replace(tzinfo=self.info)

    def read_local(self, text: str, option: str) -> datetime:
        """What a person typed, naive and local to this zone, as records are."""
        at = self.read(text, option)
        return self.local(at).replace(tzinfo=None)

    def place(self, at: datetime) -> tuple[str, str]:
        """How to call the time in a sentence, Chinese and English: `北京时间`, `Beijing time`, or its offset."""
        if self.name == DEFAULT_ZONE:
            return "北京时间", "Beijing time"
        offset = self.local(at).isoformat()[-6:]
        return f"当地时间（UTC{offset}）", f"local time (UTC{offset})"


_process_zone = OperatorZone()


def use_zone(name: str) -> OperatorZone:
    """Make it the zone in which this process shows times to people."""
    global _process_zone  # noqa: PLW0603  # one operator to a process, as one language
    _process_zone = OperatorZone(name)
    return _process_zone


def operator_zone() -> OperatorZone:
    """The zone in which this process shows times to people."""
    return _process_zone
