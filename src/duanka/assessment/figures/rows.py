"""What lies behind a figure, page by page; numbers masked.

A page begins behind a moment: `next` names it and how many rows of it were shown, so it reveals no number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select

from duanka.domain.headline import INTERCEPTED, HeadlineFigure, HeadlineRow
from duanka.domain.network import Carried, Refusal, RefusalArchive, RefusalQuestion, RefusalReason
from duanka.domain.order import OrderError, Person
from duanka.ledger.db.assessment.figures import counted_events
from duanka.ledger.db.tables import refusals
from duanka.ledger.figures.calendar import CountedPeriod
from duanka.ledger.figures.distinct import rows_of
from duanka.ledger.figures.refused import moved
from duanka.ledger.lookups import Sight
from duanka.ledger.people.places import places_in

_CURSOR = re.compile(r"(\d{1,18})-(\d{1,9})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class HeadlinePage:
    """Rows behind a figure. `next`: where the next page begins; None: this is the last one."""

    items: Sequence[HeadlineRow]
    next: str | None


def page_of(
    connection: Connection,
    figure: HeadlineFigure,
    period: CountedPeriod,
    by: Person,
    after: str,
    limit: int,
    archive: Callable[[], RefusalArchive | None],
) -> HeadlinePage:
    """Return up to `limit` rows behind a figure. OrderError: `after` is of no page."""
    begin, skip = _behind(after, period.since)
    most = skip + limit + 1
    rest = CountedPeriod.of(max(begin, period.since), period.until)
    if carried := INTERCEPTED.get(figure):
        found = _refused(connection, carried, rest, by, most, archive)
    else:
        found = _counted(connection, figure, period, rest.since, by, most)
    rows = found[skip : skip + limit]
    return HeadlinePage(rows, _next(found, skip + limit) if len(found) > skip + limit else None)


def _behind(after: str, since: datetime) -> tuple[datetime, int]:
    if not after:
        return since, 0
    if not (found := _CURSOR.fullmatch(after)):
        raise OrderError("no such page: give `next` of the page before, as it was")
    return _EPOCH + int(found[1]) * _MICROSECOND, int(found[2])


def _next(found: Sequence[HeadlineRow], shown: int) -> str:
    """The cursor behind the first `shown` rows of `found`, which begins with the first row of a moment."""
    last = found[shown - 1].at
    of_moment = sum(row.at == last for row in found[:shown])
    return f"{(last - _EPOCH) // _MICROSECOND}-{of_moment}"


def _counted(
    connection: Connection,
    figure: HeadlineFigure,
    period: CountedPeriod,
    begin: datetime,
    by: Person,
    most: int,
) -> list[HeadlineRow]:
    of = counted_events.c
    query = rows_of(figure, period, by).where(of.at >= begin).order_by(of.at, of.key, of.seq).limit(most)
    sight = Sight(unmasked=False)
    return [
        HeadlineRow(
            row.at,
            sight.number(row.key) if figure is HeadlineFigure.NUMBERS else row.key,
            row.what,
            row.source,
            row.operator,
            row.city,
        )
        for row in connection.execute(query)
    ]


def _refused(
    connection: Connection,
    carried: Carried,
    rest: CountedPeriod,
    by: Person,
    most: int,
    archive: Callable[[], RefusalArchive | None],
) -> list[HeadlineRow]:
    """From the order database and, as far as they may be there, from the store of records; each once."""
    query = (
        select(refusals)
        .where(refusals.c.at >= rest.since, refusals.c.at < rest.until, refusals.c.carried == carried.value)
        .where(*places_in(by, refusals.c.operator, refusals.c.city))
        .order_by(refusals.c.at, refusals.c.element, refusals.c.key)
        .limit(most)
    )
    found = {(row.element, row.key): _shown(row) for row in connection.execute(query)}
    if rest.since < moved(connection).until and (store := archive()):
        scope = by.scope
        asked = RefusalQuestion(carried, rest.since, rest.until, scope.operators, scope.cities, most)
        found |= {(one.element, one.key): _shown(one) for one in store.page(asked)}
    ordered = sorted(found.items(), key=lambda one: (one[1].at, one[0]))
    return [row for _, row in ordered[:most]]


def _shown(one: Row[Any] | Refusal) -> HeadlineRow:
    """A row of `refusals`, or one of the store."""
    about = Sight(unmasked=False).number(one.card)
    return HeadlineRow(one.at, about, RefusalReason(one.reason).value, one.element, one.operator, one.city)
