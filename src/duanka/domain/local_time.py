"""The operator's time zone: times are read and typed in it, not in the machine's.

The policy sets the zone (`[orders] zone`), and a mapping the zone of its records; the default is Asia/Shanghai.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from duanka.domain.errors import DuankaError

DEFAULT_ZONE = "Asia/Shanghai"
_MARGIN = timedelta(days=2)  # distance from datetime's limits; larger than any UTC offset
_FIRST, _LAST = (end.replace(tzinfo=UTC) for end in (datetime.min + _MARGIN, datetime.max - _MARGIN))
_TYPED = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)?(?P<offset> ?(?:Z|[+-]\d{2}:?\d{2}))?"
)


class OperatorZone:
    """The operator's time zone. DuankaError if no zone has this name."""

    def __init__(self, name: str = DEFAULT_ZONE) -> None:
        try:
            self.info: tzinfo = ZoneInfo(name)
        except (ValueError, OSError) as error:  # malformed name, or not a zone file
            raise DuankaError(f"{name!r} is no time zone; write one such as {DEFAULT_ZONE!r}") from error
        except KeyError as error:  # ZoneInfoNotFoundError
            raise DuankaError(f"{name!r} is no time zone; write one such as {DEFAULT_ZONE!r}") from error
        self.name = name

    def local(self, at: datetime) -> datetime:
        """Convert an aware time to this zone, clamped two days inside datetime's limits."""
        return min(max(at, _FIRST), _LAST).astimezone(self.info)

    def now(self) -> datetime:
        """Return the current local time, naive like the times of records."""
        return self.local(datetime.now(UTC)).replace(tzinfo=None)

    def written(self, at: datetime) -> str:
        """Format as `2026-11-28 10:14:18+08:00`."""
        return self.local(at).isoformat(" ", "seconds")

    def read(self, text: str, option: str) -> datetime:
        """Parse a typed time as an aware one, in this zone if it has no offset. DuankaError."""
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
        """Parse a typed time into a naive one in this zone, like the times of records."""
        at = self.read(text, option)
        return self.local(at).replace(tzinfo=None)

    def place(self, at: datetime) -> tuple[str, str]:
        """Return the zone as `北京时间` and `Beijing time`, or with its UTC offset at `at`."""
        if self.name == DEFAULT_ZONE:
            return "北京时间", "Beijing time"
        offset = self.local(at).isoformat()[-6:]
        return f"当地时间（UTC{offset}）", f"local time (UTC{offset})"


_process_zone = OperatorZone()


def use_zone(name: str) -> OperatorZone:
    """Set the zone in which this process shows times to people."""
    global _process_zone  # noqa: PLW0603  # one operator per process
    _process_zone = OperatorZone(name)
    return _process_zone


def operator_zone() -> OperatorZone:
    """Return the zone in which this process shows times to people."""
    return _process_zone
