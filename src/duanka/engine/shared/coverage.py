"""Event time covered by the records, and views limited to it.

Records of a wrong clock (1970, 2099, one switch a year ahead) must not make every card look dormant or every absence
certain. Days are strays when a gap of more than a week separates them from the rest and none of them holds half as
many records as the median day. Strays are counted and reported, but no rule sees them.
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

Run = Callable[[str], Rows]
_MOMENT, _HOUR = timedelta(microseconds=1), timedelta(hours=1)
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)
_SOLID_SHARE = 0.5  # share of the median day; one switch of many with a wrong clock sends less
_STRAYS_FROM = 100  # minimum records on the median day; smaller tables are too sparse to find strays
_USE = ("calls", "messages", "data_days")  # an absence of use is certain only where all of these have records


class Day(NamedTuple):
    """Number of records of a day and the time of the last one."""

    day: date
    records: int
    last: datetime


def of_records(sources: Mapping[str, str], as_of: datetime | None, run: Run) -> RecordCoverage:
    """Find the coverage of record tables; UnreadableInput when all are empty.

    `sources`: table name -> SQL source; `as_of`: the current time as given by a person, if any.
    """
    return of_days(
        {
            name: [Day(*row) for row in run(_DAYS.format(moment=TABLES[name].time, source=source))]
            for name, source in sources.items()
        },
        as_of,
    )


def of_days(days: Mapping[str, Sequence[Day]], as_of: datetime | None) -> RecordCoverage:
    """The coverage of record tables by their `days`, in order; as `of_records`."""
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
        certain=as_of or reach,  # giving `as_of` asserts that the records are complete up to it
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
    """The days of a table, in order, without strays."""
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
    """Whether records of `table` are daily totals."""
    moment = TABLES[table].time
    return moment is not None and TABLES[table].column(moment).kind is ColumnKind.DAY


def since(first: Mapping[str, datetime]) -> datetime:
    """Time from which on every kind of use is covered; `first`: table -> first day."""
    return max([first[name] for name in _USE if name in first] or first.values())


def end_of_records(lasts: Mapping[str, datetime]) -> tuple[datetime, datetime]:
    """The end of all records and the midnight after it; `lasts`: table -> last event."""
    reach = max(_end(table, last) for table, last in lasts.items())
    return reach, datetime.combine(reach - _MOMENT, time()) + _DAY


def _end(table: str, last: datetime) -> datetime:
    """The full hour after the last record; for daily totals, the end of the day."""
    return last + _DAY if by_day(table) else last.replace(minute=0, second=0, microsecond=0) + _HOUR


def known(
    table: Table, source: str, until: datetime, columns: Sequence[str], passes: str | None = None
) -> str:
    """SELECT of `columns` of a register's rows as known at `until`.

    `passes`: SQL source (card, passed_at) of passed second verifications, for the register of cards; None: no passes.
    """
    now = f"TIMESTAMP '{until}'"
    if table.name != "cards":
        when = f" WHERE {table.time} IS NULL OR {table.time} <= {now}" if table.time else ""
        return f"SELECT {', '.join(columns)} FROM {source}{when}"
    later = {c: f"CASE WHEN {c} <= {now} THEN {c} END AS {c}" for c in ("last_used_at", "verified_at")}
    if passes:
        last = f"(SELECT max(p.passed_at) FROM {passes} AS p WHERE p.card = register.card)"
        in_register = f"CASE WHEN verified_at <= {now} THEN verified_at END"
        later["verified_at"] = (
            f"coalesce(greatest({in_register}, {last}), {in_register}, {last}) AS verified_at"
        )
    shown = ", ".join(later.get(c, c) for c in columns)
    return f"SELECT {shown} FROM {source} AS register WHERE opened_at IS NULL OR opened_at <= {now}"


def seen(table: Table, source: str, span: RecordCoverage, passes: str | None = None) -> str:
    """SELECT over `source`, with all columns of `table`, limited to what is known at `span.until`.

    `passes`: as in `known`. A pass counts even if it is later than the records; only an `as_of` given by a person
    hides later ones.
    """
    columns = [c.name for c in table.columns]
    if table.name == "cases" and span.as_of is None:
        # a case confirmed by the police counts even if it is later than the records: the card is to be stopped now
        return f"SELECT {', '.join(columns)} FROM {source}"
    if not table.record:
        if passes and span.as_of:
            passes = f"(SELECT * FROM {passes} WHERE passed_at <= TIMESTAMP '{span.as_of}')"
        return known(table, source, span.until, columns, passes)
    first, until = f"TIMESTAMP '{span.first}'", f"TIMESTAMP '{span.until}'"
    if by_day(table.name):  # a daily total is known at the end of the day
        return (
            f"SELECT * FROM {source} WHERE {table.time} >= CAST({first} AS DATE)"
            f" AND {table.time} < CAST({until} AS DATE)"
        )
    return f"SELECT * FROM {source} WHERE {table.time} >= {first} AND {table.time} <= {until}"
