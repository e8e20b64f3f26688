"""Distinct things of a period: whole days from the counts by day, the rest from events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    cast,
    exists,
    func,
    or_,
    select,
    type_coerce,
)

from duanka.domain.headline import HeadlineFigure
from duanka.domain.order import Person
from duanka.ledger.db.assessment.figures import (
    counted_again_days,
    counted_again_months,
    counted_days,
    counted_events,
)
from duanka.ledger.figures.calendar import CountedPeriod, first_day, midnight, month_of
from duanka.ledger.people.places import places_in

_OF = counted_events.c
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def distinct(
    connection: Connection,
    figure: HeadlineFigure,
    period: CountedPeriod,
    by: Person,
    group: str | None = None,
) -> dict[str, int]:
    """Count the things of a figure in a period. `group`: operator or city; None: all, under ""."""
    found = Counter[str]()
    for sign, query in _parts(figure.value, period, by, group):
        for *names, count in connection.execute(query):
            found[names[-1] if group else ""] += sign * int(count or 0)
    return {name: count for name, count in found.items() if count or not group}


def _parts(
    figure: str, period: CountedPeriod, by: Person, group: str | None
) -> Iterator[tuple[int, Select[Any]]]:
    """Queries whose counts are added, or taken off."""
    since, until = period.since, period.until
    mine = (_OF.figure == figure, *places_in(by, _OF.operator, _OF.city))
    columns = (_OF[group],) if group else ()

    def events(number: ColumnElement[Any], *where: ColumnElement[bool]) -> Select[Any]:
        return select(*columns, number).where(*mine, *where).group_by(*columns)

    several = func.count(_OF.key.distinct())
    yield 1, events(several, _OF.at >= since, _OF.at < until, _OF.places > 1)
    first_time = or_(_OF.previous.is_(None), _OF.previous < since)
    for begin, end in period.edges:
        yield 1, events(func.count(), _OF.at >= begin, _OF.at < end, _OF.places == 1, first_time)
    if period.first >= period.last:
        return
    yield 1, _sums(counted_days, figure, by, group, counted_days.c.day.between(period.first, period.last - 1))
    for table, where in _again(period.first, period.last):
        yield -1, _sums(table, figure, by, group, where)
    head = midnight(period.first)
    if since < head:  # counted before in the first part of the period
        again = (_OF.previous >= since, _OF.previous < head, _OF.at >= head, _OF.at < midnight(period.last))
        yield -1, events(func.count(), *again, _OF.places == 1)


def _again(first: int, last: int) -> Iterator[tuple[Table, ColumnElement[bool]]]:
    """What was counted before, from day `first` on, among what was counted before day `last`.

    Pairs of whole months by month; those of the days before and behind them by day.
    """
    day = counted_again_days.c
    begin = month_of(first) if first_day(month_of(first)) == first else month_of(first) + 1
    end = month_of(last)
    if begin >= end:
        yield counted_again_days, and_(day.day >= first, day.day < last, day.previous >= first)
        return
    month = counted_again_months.c
    yield counted_again_months, and_(month.month < end, month.month >= begin, month.previous >= begin)
    head, tail = first_day(begin), first_day(end)
    if first < head:
        yield counted_again_days, and_(day.previous >= first, day.previous < head, day.day < last)
    if tail < last:
        yield counted_again_days, and_(day.day >= tail, day.day < last, day.previous >= head)


def _sums(
    table: Table, figure: str, by: Person, group: str | None, where: ColumnElement[bool]
) -> Select[Any]:
    columns = (table.c[group],) if group else ()
    total = cast(func.sum(table.c.count), BigInteger).label("count")
    return (
        select(*columns, total)
        .where(table.c.figure == figure, where, *places_in(by, table.c.operator, table.c.city))
        .group_by(*columns)
    )


def rows_of(figure: HeadlineFigure, period: CountedPeriod, by: Person) -> Select[Any]:
    """The first event in the period of each thing that the figure counts, in the scope of `by`; unordered."""
    inside = (_OF.figure == figure.value, _OF.at >= period.since, _OF.at < period.until)
    earlier = counted_events.alias()
    before = exists().where(
        earlier.c.figure == figure.value,
        earlier.c.key == _OF.key,
        # by the key, of which there are few: not by the time, which would be read for each of them
        (type_coerce(earlier.c.at, BigInteger) + 0) >= (period.since - _EPOCH) // _MICROSECOND,
        or_(
            earlier.c.at < _OF.at,
            and_(earlier.c.at == _OF.at, earlier.c.seq < _OF.seq),
            and_(earlier.c.at == _OF.at, earlier.c.seq == _OF.seq, _place(earlier.c) < _place(_OF)),
        ),
        *places_in(by, earlier.c.operator, earlier.c.city),
    )
    once = or_(
        and_(_OF.places == 1, or_(_OF.previous.is_(None), _OF.previous < period.since)),
        and_(_OF.places > 1, ~before),
    )
    return select(counted_events).where(*inside, once, *places_in(by, _OF.operator, _OF.city))


def _place(of: Any) -> Any:
    """The place as one text, which orders the rows of one event."""
    return of.operator + "|" + of.city
