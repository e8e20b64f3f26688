"""The five headline figures of a period: counted from the events that reached us, and how sure each is.

Calls and messages count by the refusals of the proxies, which are measured where a proxy was read. The others count
from the audit trail, which has everything since the first entry. What nothing measured is unknown, and never zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from duanka.assessment.figures.known_places import check_known
from duanka.assessment.figures.outlets import by_outlet
from duanka.assessment.figures.rows import HeadlinePage, page_of
from duanka.domain.authority import Permission, authorize
from duanka.domain.bounds import bounded
from duanka.domain.card_facts import CardFacts
from duanka.domain.headline import (
    ANYWHERE,
    INTERCEPTED,
    FigurePlace,
    FigureSplit,
    HeadlineCount,
    HeadlineFigure,
    HeadlineFigures,
)
from duanka.domain.network import RefusalArchive
from duanka.domain.order import OrderError, Person
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit
from duanka.ledger.figures.calendar import (
    CountedPeriod,
    day_of,
    day_text,
    hour_of,
    midnight,
    month_of,
    month_text,
)
from duanka.ledger.figures.counted import CountedEvents, behind
from duanka.ledger.figures.coverage import KnownLosses, Span, covered, losses, share
from duanka.ledger.figures.distinct import distinct
from duanka.ledger.figures.events import VICTIMS_LOOKED_FOR
from duanka.ledger.figures.refused import intercepted, moved

MOST = 200  # rows of a page
_MOST_PARTS = 120  # months or days of one answer
_PASSES_BEHIND = 4  # of the trail, that a reader counts at most before it answers
_PLACES = {FigureSplit.OPERATOR: "operator", FigureSplit.CITY: "city"}


# Entries of the trail that say that a figure is measured from then on.
_FIRST_USE = {
    HeadlineFigure.CLUES: ("clue.build",),
    HeadlineFigure.DISSUADED: VICTIMS_LOOKED_FOR,
}


@dataclass(frozen=True)
class _Measured:
    """When each figure was measured. `late`: the trail is not counted up to its end."""

    spans: Mapping[HeadlineFigure, Sequence[Span]]
    now: datetime
    late: bool

    @classmethod
    def of(cls, connection: Connection, now: datetime) -> _Measured:
        """What the order database says of it."""
        spans = {one: _spans(connection, one, now) for one in HeadlineFigure}
        return cls(spans, now, behind(connection) > 0)

    def told(
        self,
        connection: Connection,
        figure: HeadlineFigure,
        counts: Iterable[tuple[str | None, int]],
        period: CountedPeriod,
    ) -> Iterator[HeadlineCount]:
        """The figure by group, with what is known of it in the period."""
        carried = INTERCEPTED.get(figure)
        measured = share(self.spans[figure], period.since, period.until, self.now)
        lost = losses(connection, carried, period.since, period.until) if carried else KnownLosses(0, 0)
        if self.late and carried is None:  # what is not counted yet makes it a lower bound
            lost = KnownLosses(1, 0)
        for name, count in counts:
            known = count if count or measured > 0 else None
            yield HeadlineCount(figure, name, known, measured, lost.losses, lost.events)


class HeadlineQueries:
    """Reads the headline figures, within the scope of who asks."""

    def __init__(
        self,
        store: Store,
        trail: Trail,
        archive: Callable[[], RefusalArchive | None] = lambda: None,
        register: Callable[[], CardFacts | None] = lambda: None,
    ) -> None:
        """`archive`: returns the store with the older refusals; `register`: that of cards. None: there is none."""
        self._store, self._trail, self._archive, self._register = store, trail, archive, register
        self._events = CountedEvents(store)

    def counts(
        self,
        since: datetime,
        until: datetime,
        by: Person,
        now: datetime,
        split: FigureSplit | None = None,
        place: FigurePlace = ANYWHERE,
    ) -> HeadlineFigures:
        """Count `since` <= time < `until`; with `split` also by it, the largest first, months and days in order.

        What went into the store of records is counted by the hour: bounds in such hours go back to the full hour.
        PermissionDenied; OrderError: the period does not end after it begins; no such operator or city.
        """
        authorize(by, Permission.READ_FIGURES)
        by, asking = place.narrowed(by), by
        since, until = bounded(since), bounded(until)
        if since >= until:
            raise OrderError("the period has to end after it begins: give --since before --until")
        for _ in range(_PASSES_BEHIND):
            if not self._events.follow():
                break
        with self._store.reading() as connection:
            check_known(connection, place, asking)
            period = _period(connection, since, until)
            measured = _Measured.of(connection, now)
            found = list(self._whole(connection, period, by, measured))
            if split:
                found += self._split(connection, period, by, measured, split)
        return HeadlineFigures(period.since, period.until, tuple(found))

    def rows(
        self,
        figure: HeadlineFigure,
        since: datetime,
        until: datetime,
        by: Person,
        now: datetime,
        after: str = "",
        limit: int = 50,
        place: FigurePlace = ANYWHERE,
    ) -> HeadlinePage:
        """Return what a figure counts, the earliest first; numbers masked. It stands in the trail.

        `after`: `next` of the page before. PermissionDenied; OrderError: no such period, page, operator or city.
        """
        authorize(by, Permission.OPEN_FIGURE)
        since, until = bounded(since), bounded(until)
        self._events.follow()
        asked = {"figure": figure.value, "since": since.isoformat(), "until": until.isoformat()}
        asked |= {name: value for name, value in vars(place).items() if value is not None}
        theirs = place.narrowed(by)
        entry = AuditEntry(now, by, "read.figure", figure.value, after=asked)
        self._store.transact(lambda connection: self._trail.append(connection, [entry]))
        with self._store.reading() as connection:
            check_known(connection, place, by)
            period = _period(connection, since, until)
            return page_of(connection, figure, period, theirs, after, max(1, min(limit, MOST)), self._archive)

    def _whole(
        self,
        connection: Connection,
        period: CountedPeriod,
        by: Person,
        measured: _Measured,
        name: str | None = None,
    ) -> Iterator[HeadlineCount]:
        for figure in HeadlineFigure:
            count = _counted(connection, figure, period, by).get("", 0)
            yield from measured.told(connection, figure, [(name, count)], period)

    def _split(
        self,
        connection: Connection,
        period: CountedPeriod,
        by: Person,
        measured: _Measured,
        split: FigureSplit,
    ) -> Iterator[HeadlineCount]:
        if split in (FigureSplit.MONTH, FigureSplit.DAY):
            parts = period.months() if split is FigureSplit.MONTH else period.days()
            if len(parts) > _MOST_PARTS:
                raise OrderError(f"{len(parts)} rows are more than {_MOST_PARTS}: give a shorter period")
            for part in parts:
                day = day_of(part.since)
                name = month_text(month_of(day)) if split is FigureSplit.MONTH else day_text(day)
                yield from self._whole(connection, part, by, measured, name)
            return
        for figure in HeadlineFigure:
            if split in _PLACES:
                counts = _counted(connection, figure, period, by, _PLACES[split])
            elif split is FigureSplit.OUTLET and figure is HeadlineFigure.NUMBERS:
                counts = by_outlet(connection, period, by, self._register())
            else:  # nothing says which outlet or platform these are of
                counts = _counted(connection, figure, period, by)
            largest_first = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
            yield from measured.told(connection, figure, largest_first, period)


def _counted(
    connection: Connection,
    figure: HeadlineFigure,
    period: CountedPeriod,
    by: Person,
    group: str | None = None,
) -> dict[str, int]:
    if carried := INTERCEPTED.get(figure):
        return intercepted(connection, carried, period, by, group)
    return distinct(connection, figure, period, by, group)


def _period(connection: Connection, since: datetime, until: datetime) -> CountedPeriod:
    """The period as it can be counted: what went into the store of records, by the hour."""
    gone = moved(connection).until

    def countable(at: datetime) -> datetime:
        return hour_of(at) if hour_of(at) < gone else at

    return CountedPeriod.of(countable(since), countable(until))


def _spans(connection: Connection, figure: HeadlineFigure, now: datetime) -> Sequence[Span]:
    """When a figure was measured; one of the trail, from the day of its first entry on."""
    if carried := INTERCEPTED.get(figure):
        return covered(connection, carried)
    if whats := _FIRST_USE.get(figure):
        first = connection.execute(select(func.min(audit.c.at)).where(audit.c.what.in_(whats))).scalar()
    else:
        first = connection.execute(select(audit.c.at).order_by(audit.c.seq).limit(1)).scalar()
    return [(midnight(day_of(first)), now)] if first and first <= now else []
