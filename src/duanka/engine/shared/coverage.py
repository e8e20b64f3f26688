"""Which event time the records cover, and the views that hide everything else.

Records of a wrong clock (1970, 2099, one switch that is a year ahead) must not make every card look asleep or every
silence certain. So in a table of any size, days that lie more than a week off the rest, none of which holds half of the
median day, are strays: counted, reported, not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from statistics import median
from typing import NamedTuple

from duanka.domain.errors import UnreadableInput
from duanka.domain.ports import RecordCoverage
from duanka.domain.schema import TABLES, ColumnKind, Table
from duanka.engine.shared.duckdb_database import Rows

__all__ = [
    "Day",
    "Rows",
    "Run",
    "by_day",
    "end_of_records",
    "known",
    "of_records",
    "seen",
    "since",
    "without_strays",
]

Run = Callable[[str], Rows]
_MOMENT, _HOUR = timedelta(microseconds=1), timedelta(hours=1)
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)
_SOLID_SHARE = 0.5  # of the median day: less is what one switch of many may send with a wrong clock
_STRAYS_FROM = 100  # records on the median day; a smaller table is too thin to tell strays from days
_USE = ("calls", "messages", "data_days")  # an absence of use is certain only where all of these reach


class Day(NamedTuple):
    """How many records a day has, and the last of them."""

    day: date
    records: int
    last: datetime


def of_records(sources: Mapping[str, str], as_of: datetime | None, run: Run) -> RecordCoverage:
    """Find the Span of record tables (`sources`: name -> SQL source); UnreadableInput when all are empty."""
    days = {
        name: [Day(*row) for row in run(_DAYS.format(moment=TABLES[name].time, source=source))]
        for name, source in sources.items()
    }
    days = {name: of_table for name, of_table in days.items() if of_table}
    if not days:
        raise UnreadableInput("no usable record in any of the record tables: nothing can be judged")
    covered = {name: without_strays(of_table) for name, of_table in days.items()}
    first = {name: datetime.combine(of_table[0].day, time()) for name, of_table in covered.items()}
    reach, midnight = end_of_records({name: of_table[-1].last for name, of_table in covered.items()})
    until = as_of or midnight
    outside = sum(
        day.records
        for name, of_table in days.items()
        for day in of_table
        if day.day < min(first.values()).date() or datetime.combine(day.day, time()) >= until
    )
    return RecordCoverage(
        first=min(first.values()),
        since=since(first),
        until=until,
        certain=as_of or reach,  # whoever says what "now" is says that the records reach it
        outside=outside,
        reach=reach,
        as_of=as_of,
        days={
            name: sum(datetime.combine(day.day, time()) < until for day in of_table)
            for name, of_table in covered.items()
        },
    )


_DAYS = (
    "SELECT CAST({moment} AS DATE) AS day, count(*), CAST(max({moment}) AS TIMESTAMP)"
    " FROM {source} GROUP BY ALL ORDER BY day"
)


def without_strays(days: Sequence[Day]) -> Sequence[Day]:
    """The days of a table, in their order, without those of a wrong clock."""
    typical = median(d.records for d in days)
    if typical < _STRAYS_FROM:
        return days
    solid = [i for i, d in enumerate(days) if d.records >= _SOLID_SHARE * typical]
    start, end = solid[0], solid[-1]
    while start > 0 and days[start].day - days[start - 1].day <= _WEEK:
        start -= 1
    while end + 1 < len(days) and days[end + 1].day - days[end].day <= _WEEK:
        end += 1
    return days[start : end + 1]


def by_day(table: str) -> bool:
    """Whether records of `table` speak for a whole day."""
    moment = TABLES[table].time
    return moment is not None and TABLES[table].column(moment).kind is ColumnKind.DAY


def since(first: Mapping[str, datetime]) -> datetime:
    """From when on every kind of use is in the records; `first`: record table -> the begin of its first day."""
    return max([first[name] for name in _USE if name in first] or first.values())


def end_of_records(lasts: Mapping[str, datetime]) -> tuple[datetime, datetime]:
    """Where all records reach, and the midnight after it; `lasts`: record table -> its last event."""
    reach = max(_end(table, last) for table, last in lasts.items())
    return reach, datetime.combine(reach - _MOMENT, time()) + _DAY


def _end(table: str, last: datetime) -> datetime:
    """The full hour after the last record; data volumes speak for their whole day."""
    return last + _DAY if by_day(table) else last.replace(minute=0, second=0, microsecond=0) + _HOUR


def known(
    table: Table, source: str, until: datetime, columns: Sequence[str] = (), passes: str | None = None
) -> str:
    """A SELECT of a register's rows, of `columns` or all, that shows what is known at `until`.

    `passes`: a source of who passed the second verification, for the register of cards; None: nobody did.
    """
    now = f"TIMESTAMP '{until}'"
    if table.name != "cards":
        when = f" WHERE {table.time} IS NULL OR {table.time} <= {now}" if table.time else ""
        return f"SELECT {', '.join(columns) or '*'} FROM {source}{when}"
    later = {c: f"CASE WHEN {c} <= {now} THEN {c} END AS {c}" for c in ("last_used_at", "verified_at")}
    if passes:
        last = f"(SELECT max(p.passed_at) FROM {passes} AS p WHERE p.card = register.card)"
        in_register = f"CASE WHEN verified_at <= {now} THEN verified_at END"
        later["verified_at"] = (
            f"coalesce(greatest({in_register}, {last}), {in_register}, {last}) AS verified_at"
        )
    shown = ", ".join(later.get(c, c) for c in columns) or f"* REPLACE ({', '.join(later.values())})"
    return f"SELECT {shown} FROM {source} AS register WHERE opened_at IS NULL OR opened_at <= {now}"


def seen(
    table: Table, source: str, span: RecordCoverage, columns: Sequence[str] = (), passes: str | None = None
) -> str:
    """A SELECT over `source` that shows what is known at `span.until`, and nothing after it.

    `columns`: all columns of `source`, for an engine whose SQL has no `* REPLACE`. `passes`: as of `known`. Who passed
    did, whether or not the records reach that moment; only an `as_of` that a person said hides what came after it.
    """
    if table.name == "cases" and span.as_of is None:
        # the police confirmed it, whether or not the records reach that moment: the card is to be stopped now
        return f"SELECT {', '.join(columns) or '*'} FROM {source}"
    if not table.record:
        if passes and span.as_of:
            passes = f"(SELECT * FROM {passes} WHERE passed_at <= TIMESTAMP '{span.as_of}')"
        return known(table, source, span.until, columns, passes)
    first, until = f"TIMESTAMP '{span.first}'", f"TIMESTAMP '{span.until}'"
    if by_day(table.name):  # a day's total is known when the day is over
        return (
            f"SELECT * FROM {source} WHERE {table.time} >= CAST({first} AS DATE)"
            f" AND {table.time} < CAST({until} AS DATE)"
        )
    return f"SELECT * FROM {source} WHERE {table.time} >= {first} AND {table.time} <= {until}"
