"""Days, hours and months of the operator's calendar, as numbers; days since 1970-01-01, months since year 0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from duanka.domain.local_time import operator_zone

_FIRST = date(1970, 1, 1)
_HOUR = timedelta(hours=1)


def day_of(at: datetime) -> int:
    """The day of an aware time."""
    return (operator_zone().local(at).date() - _FIRST).days


def midnight(day: int) -> datetime:
    """The beginning of a day, in UTC."""
    of = _FIRST + timedelta(days=day)
    return datetime(of.year, of.month, of.day, tzinfo=operator_zone().info).astimezone(UTC)


def month_of(day: int) -> int:
    """The month of a day."""
    of = _FIRST + timedelta(days=day)
    return of.year * 12 + of.month - 1


def first_day(month: int) -> int:
    """The first day of a month."""
    return (date(month // 12, month % 12 + 1, 1) - _FIRST).days


def month_text(month: int) -> str:
    """A month as people write it: 2026-10."""
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


def day_text(day: int) -> str:
    """A day as people write it: 2026-10-01."""
    return (_FIRST + timedelta(days=day)).isoformat()


def hour_of(at: datetime) -> datetime:
    """The beginning of the hour of an aware time, in UTC; hours are those of the operator's clock."""
    local = operator_zone().local(at)
    return at.astimezone(UTC) - timedelta(
        minutes=local.minute, seconds=local.second, microseconds=local.microsecond
    )


def next_hour(at: datetime) -> datetime:
    """`at`, if an hour begins there, else the beginning of the next one."""
    begin = hour_of(at)
    return begin if begin == at else begin + _HOUR


@dataclass(frozen=True)
class CountedPeriod:
    """`since` <= time < `until`, and the whole days in it: `first` <= day < `last`; none if they are equal."""

    since: datetime
    until: datetime
    first: int
    last: int

    @classmethod
    def of(cls, since: datetime, until: datetime) -> CountedPeriod:
        """The period with its whole days."""
        first = day_of(since)
        if midnight(first) < since:
            first += 1
        last = day_of(until)
        return cls(since, until, first, max(first, last))

    @property
    def edges(self) -> tuple[tuple[datetime, datetime], ...]:
        """The parts that are no whole days."""
        if self.first >= self.last:
            return ((self.since, self.until),) if self.since < self.until else ()
        head, tail = (self.since, midnight(self.first)), (midnight(self.last), self.until)
        return tuple((begin, end) for begin, end in (head, tail) if begin < end)

    def months(self) -> tuple[CountedPeriod, ...]:
        """The parts of each month, in order."""
        return self._parts(lambda day: first_day(month_of(day) + 1))

    def days(self) -> tuple[CountedPeriod, ...]:
        """The parts of each day, in order."""
        return self._parts(lambda day: day + 1)

    def _parts(self, next_first: Callable[[int], int]) -> tuple[CountedPeriod, ...]:
        found, begin = list[CountedPeriod](), self.since
        while begin < self.until:
            end = min(midnight(next_first(day_of(begin))), self.until)
            found.append(CountedPeriod.of(begin, end))
            begin = end
        return tuple(found)
