"""Counts of distinct things by day that stay exact: over any period a card, clue or victim counts once.

Each counted event keeps when the same thing was counted before; so the things of a period are its events whose
predecessor lies before the period. By day: how many were counted, and how many of these were counted before, on which
day. Things that were counted in several places are few, and are counted from their events.

What is kept follows from the audit trail: `follow` reads what is new there and counts the things concerned anew, so
an undone bulk action takes back what it counted, and nothing is counted twice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, delete, select, update

from duanka.domain.headline import HeadlineFigure
from duanka.domain.local_time import operator_zone
from duanka.ledger.db.assessment.figures import (
    counted_again_days,
    counted_again_months,
    counted_days,
    counted_events,
)
from duanka.ledger.db.bulk import add_to_counts, among, in_parts, put_rows, upsert
from duanka.ledger.db.casework.clues import clues
from duanka.ledger.db.casework.victims import victim_outcomes
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit, audit_head, orders, positions
from duanka.ledger.figures.calendar import day_of, month_of
from duanka.ledger.figures.events import ENDS, dissuaded, ended, sent_clues

_POSITION = (
    "figures"  # row of `positions`: the last entry of the trail that is counted, and the zone of the days
)
_ENTRIES = 5_000  # of the trail at once
_KEYS = 1_000  # that are counted anew at once
_OUTCOME, _CLUE, _RESTRICTION = "victims.outcome", "clue.", "restriction."
_TABLES = (counted_events, counted_days, counted_again_days, counted_again_months)
NUMBERS, CLUES, DISSUADED = (
    HeadlineFigure.NUMBERS.value,
    HeadlineFigure.CLUES.value,
    HeadlineFigure.DISSUADED.value,
)


class CountedEvents:
    """Keeps the counted events and their counts by day in step with the audit trail."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def behind(self) -> int:
        """How many entries of the trail are not counted yet."""
        with self._store.reading() as connection:
            return behind(connection)

    def follow(self, most: int = _ENTRIES) -> bool:
        """Count what is new in the trail, `most` entries at once; return whether there may be more."""
        if not self.behind():
            return False
        return self._store.transact(lambda connection: _follow(connection, most))


def behind(connection: Connection) -> int:
    """How many entries of the trail are not counted yet."""
    last = connection.execute(select(audit_head.c.seq)).scalar_one()
    row = connection.execute(select(positions).where(positions.c.source == _POSITION)).first()
    if row is None or row.digest != operator_zone().name:
        return int(last)
    return int(last - row.position)


def _follow(connection: Connection, most: int) -> bool:
    zone = operator_zone().name
    first = upsert(connection, positions).values(source=_POSITION, position=0, digest=zone)
    connection.execute(first.on_conflict_do_nothing())
    mine = positions.c.source == _POSITION
    at = connection.execute(select(positions).where(mine).with_for_update()).one()
    position = at.position
    if at.digest != zone:  # the days of another zone are other days
        position = 0
        for table in _TABLES:
            connection.execute(delete(table))
    query = select(audit.c.seq, audit.c.what, audit.c.subject).where(audit.c.seq > position)
    entries = connection.execute(query.order_by(audit.c.seq).limit(most)).all()
    for figure, keys in _concerned(connection, entries).items():
        for some in in_parts(sorted(keys), _KEYS):
            _count_anew(connection, figure, some)
    end = entries[-1].seq if entries else position
    connection.execute(update(positions).where(mine).values(position=end, digest=zone))
    return len(entries) == most


def _concerned(connection: Connection, entries: Sequence[Any]) -> dict[str, set[str]]:
    """The things whose events may have changed, by figure."""
    of: dict[str, set[str]] = {NUMBERS: set(), CLUES: set(), DISSUADED: set()}
    moved = set[str]()
    for _, what, subject in entries:
        if what in ENDS or what.startswith(_RESTRICTION):
            moved.add(subject)
        elif what == _OUTCOME:
            of[DISSUADED].add(subject)
        elif what.startswith(_CLUE):
            of[CLUES].add(subject)
    for some in in_parts(sorted(moved), _KEYS):
        theirs = select(orders.c.card).where(among(connection, orders.c.id, some))
        of[NUMBERS].update(connection.execute(theirs).scalars())
    return of


def _numbers(connection: Connection, keys: Collection[str]) -> Select[Any]:
    rows = ended(among(connection, orders.c.card, keys)).subquery().c
    return select(
        rows.card.label("key"), rows.seq, rows.at, rows.what, rows.order_id.label("source")
    ).add_columns(rows.operator, rows.city)


_EVENTS: Mapping[str, Callable[[Connection, Collection[str]], Select[Any]]] = {
    NUMBERS: _numbers,
    CLUES: lambda connection, keys: sent_clues(among(connection, clues.c.id, keys)),
    DISSUADED: lambda connection, keys: dissuaded(among(connection, victim_outcomes.c.victim_id, keys)),
}


def _count_anew(connection: Connection, figure: str, keys: Sequence[str]) -> None:
    """Let the events of these things, and the counts by day, be what the order database says now."""
    events = _by_key(connection.execute(_EVENTS[figure](connection, keys)))
    mine = (counted_events.c.figure == figure, among(connection, counted_events.c.key, keys))
    stored = _by_key(connection.execute(select(counted_events).where(*mine)))
    wanted = {key: _rows(figure, events[key]) for key in events}
    kept = {key: [dict(row._mapping) for row in rows] for key, rows in stored.items()}  # public
    changed = {key for key in wanted.keys() | kept.keys() if wanted.get(key) != kept.get(key)}
    if not changed:
        return
    gone = (counted_events.c.figure == figure, among(connection, counted_events.c.key, changed))
    connection.execute(delete(counted_events).where(*gone))
    new = [row for key in sorted(changed) for row in wanted.get(key, ())]
    put_rows(connection, counted_events, new)
    difference = _by_day(new)
    for name, counts in _by_day(row for key in changed for row in kept.get(key, ())).items():
        difference[name].subtract(counts)
    for table, names in _UNITS.items():
        changes = {(figure, *key): count for key, count in difference[table.name].items()}
        add_to_counts(connection, table, ("figure", *names), changes)


def _by_key(rows: Iterable[Row[Any]]) -> dict[str, list[Row[Any]]]:
    found: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        found[row.key].append(row)
    for some in found.values():
        some.sort(key=lambda row: (row.at, row.seq, row.operator, row.city))
    return found


def _rows(figure: str, events: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    """Rows of `counted_events` of one thing, in order of time."""
    places = min(len({(row.operator, row.city) for row in events}), 2)
    names = ("key", "seq", "operator", "city", "at", "what", "source")
    rows = [{name: getattr(row, name) for name in names} for row in events]
    for row in rows:
        row |= {"figure": figure, "previous": None, "places": places}
    for before, after in pairwise(rows):
        after["previous"] = before["at"]
    return rows


_UNITS: Mapping[Table, tuple[str, ...]] = {
    counted_days: ("day", "operator", "city"),
    counted_again_days: ("day", "previous", "operator", "city"),
    counted_again_months: ("month", "previous", "operator", "city"),
}


def _by_day(rows: Iterable[Mapping[str, Any]]) -> dict[str, Counter[Any]]:
    """Counts by table. Of a thing the first event of a day counts for this day."""
    found: dict[str, Counter[Any]] = {table.name: Counter() for table in _UNITS}
    for row in rows:
        if row["places"] > 1:
            continue
        day, place = day_of(row["at"]), (row["operator"], row["city"])
        if row["previous"] is None:
            found[counted_days.name][day, *place] += 1
        elif (before := day_of(row["previous"])) < day:
            found[counted_days.name][day, *place] += 1
            found[counted_again_days.name][day, before, *place] += 1
            found[counted_again_months.name][month_of(day), month_of(before), *place] += 1
    return found
