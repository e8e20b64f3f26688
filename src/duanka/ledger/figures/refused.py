"""Refused calls and messages: counted once, when they are recorded; by hour and by day, operator and city.

`refusals` holds the last day of them, and the store of records the others. A refusal is in one of the two from the
moment that it counts, and is deleted from `refusals` only when the store has it. So whatever is delivered again, also
late, is found in one of them. `announce` says, before anything goes into the store, of which time it may be there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, cast, func, select, update

from duanka.domain.network import Carried, RefusalReason
from duanka.domain.order import Person
from duanka.ledger.db.assessment.figures import refusal_days
from duanka.ledger.db.bulk import add_to_counts, upsert
from duanka.ledger.db.tables import positions, refusal_hours, refusals
from duanka.ledger.figures.calendar import CountedPeriod, day_of, hour_of, next_hour
from duanka.ledger.people.places import NOWHERE, Place, places_in, places_of

# Row of `positions`: of which time they may be in the store, and how often some were deleted here.
_MOVED = "refusals moved"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Moved:
    """What went into the store of records. `until`: it is of before. `deletions`: how often some were deleted."""

    until: datetime
    deletions: int


def moved(connection: Connection, *, lock: bool = False) -> Moved:
    """What went into the store. `lock`: nothing more is announced or deleted before this transaction ends."""
    query = select(positions.c.position, positions.c.digest).where(positions.c.source == _MOVED)
    row = connection.execute(query.with_for_update(read=True) if lock else query).first()
    if row is None:
        return Moved(_EPOCH, 0)
    return Moved(_EPOCH + row.position * _MICROSECOND, int(row.digest or 0))


def prepare(connection: Connection) -> None:
    """Make the row that `moved` locks; at the start of whoever records refusals."""
    first = upsert(connection, positions).values(source=_MOVED, position=0, digest="0")
    connection.execute(first.on_conflict_do_nothing())


def announce(connection: Connection, until: datetime) -> None:
    """Say, before the store gets them, that refusals of before `until` may be there."""
    prepare(connection)
    position = (until - _EPOCH) // _MICROSECOND
    mine = (positions.c.source == _MOVED, positions.c.position < position)
    connection.execute(update(positions).where(*mine).values(position=position))


def count_deletion(connection: Connection) -> None:
    """Say that refusals are deleted here, in the transaction that deletes them and before it does."""
    now = moved(connection)
    mine = positions.c.source == _MOVED
    connection.execute(update(positions).where(mine).values(digest=str(now.deletions + 1)))


def places_at(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> list[Place]:
    """The place of each refusal: that of its card, else of who was called."""
    rows = list(rows)
    known = places_of(connection, {str(row[name]) for row in rows for name in ("card", "peer")})
    return [known.get(row["card"]) or known.get(row["peer"]) or NOWHERE for row in rows]


def add_counts(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Count refusals that were recorded now, in the transaction that records them; rows of `refusals`."""
    hours = Counter(
        (hour_of(row["at"]), row["carried"], row["reason"], row["operator"], row["city"]) for row in rows
    )
    days = Counter[tuple[object, ...]]()
    for (hour, carried, _, operator, city), count in hours.items():
        days[carried, day_of(hour), operator, city] += count
    add_to_counts(connection, refusal_hours, ("hour", "carried", "reason", "operator", "city"), hours)
    add_to_counts(connection, refusal_days, ("carried", "day", "operator", "city"), days)


def by_reason(
    connection: Connection, since: datetime, until: datetime, by: Person
) -> dict[tuple[Carried, RefusalReason], int]:
    """Count refusals of a period in the scope of `by`; of hours that went into the store those that begin in it."""
    found = Counter[tuple[str, str]]()
    for query in _by_hour(connection, since, until, by, (refusal_hours.c.reason,), (refusals.c.reason,)):
        for carried, reason, count in connection.execute(query):
            found[carried, reason] += int(count)
    return {(Carried(carried), RefusalReason(reason)): count for (carried, reason), count in found.items()}


def intercepted(
    connection: Connection, carried: Carried, period: CountedPeriod, by: Person, group: str | None = None
) -> dict[str, int]:
    """Count refused calls or messages of a period. `group`: operator or city; None: all, under ""."""
    found = Counter[str]()
    day = refusal_days.c
    where = (day.carried == carried.value, day.day >= period.first, day.day < period.last)
    columns = (day[group],) if group else ()
    whole = select(*columns, cast(func.sum(day.count), BigInteger).label("count")).where(
        *where, *places_in(by, day.operator, day.city)
    )
    queries = [whole.group_by(*columns)]
    for begin, end in period.edges:
        here, there = ((refusal_hours.c[group],), (refusals.c[group],)) if group else ((), ())
        queries += [
            query.where(query.selected_columns[0] == carried.value)
            for query in _by_hour(connection, begin, end, by, here, there)
        ]
    for query in queries:
        for *names, count in connection.execute(query):
            found[names[-1] if group else ""] += int(count or 0)
    return {name: count for name, count in found.items() if count or not group}


def _by_hour(
    connection: Connection,
    since: datetime,
    until: datetime,
    by: Person,
    of_hours: tuple[ColumnElement[Any], ...],
    of_rows: tuple[ColumnElement[Any], ...],
) -> list[Any]:
    """Queries of carried, the given columns and counts: whole hours, and what is left of the first and the last."""
    gone = moved(connection).until
    begin, end = next_hour(since), hour_of(until)
    parts = [(since, min(begin, until)), (max(end, since), until)] if begin <= end else [(since, until)]
    parts = [(a, b) for a, b in parts if a < b and hour_of(a) >= gone]
    if (
        hour_of(until) < gone
    ):  # the rows of the last hour are in the store: it counts if it begins in the period
        end = next_hour(until)
    hour, row = refusal_hours.c, refusals.c
    total = cast(func.sum(hour.count), BigInteger).label("count")
    queries: list[Any] = [
        select(hour.carried, *of_hours, total)
        .where(hour.hour >= begin, hour.hour < end, *places_in(by, hour.operator, hour.city))
        .group_by(hour.carried, *of_hours)
    ]
    for first, last in parts:
        queries.append(
            select(row.carried, *of_rows, func.count().label("count"))
            .where(row.at >= first, row.at < last, *places_in(by, row.operator, row.city))
            .group_by(row.carried, *of_rows)
        )
    return queries
