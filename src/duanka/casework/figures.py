"""Figures of casework: clues to the police, victims warned and dissuaded; each opens to its rows.

A figure counts distinct things whose event lies in the period, so an event that was told twice counts once. By operator
or city a clue counts wherever one of its cards is; a person and a card have one place. The formulas are ours. A person
was warned if the message centre accepted a warning and did not report it undelivered (`ledger.figures.events`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, Subquery, cast, func, select

from duanka.domain.authority import Permission, authorize
from duanka.domain.order import Person
from duanka.domain.text import WordedEnum
from duanka.domain.victims import CallOutcome
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.casework.clues import clue_cards, clues
from duanka.ledger.db.casework.victims import forgotten_warnings, victim_messages, victim_outcomes
from duanka.ledger.db.database import Store
from duanka.ledger.figures.events import warned
from duanka.ledger.lookups import Sight
from duanka.ledger.people.places import places_in

MOST = 200  # rows of a page


class CaseworkFigure(WordedEnum):
    """What is counted of a period."""

    CLUES_SENT = "clues_sent", "移交线索", "clues sent to the police"
    CARDS_IN_CLUES = "cards_in_clues", "线索涉及号码", "cards in clues that were sent"
    CARDS_CONFIRMED = "cards_confirmed", "公安确认号码", "cards confirmed in answers to clues"
    VICTIMS_WARNED = "victims_warned", "预警受害人", "victims warned"
    VICTIMS_DISSUADED = "victims_dissuaded", "劝阻受害人", "victims dissuaded"
    VICTIMS_PAID = "victims_paid", "已转账受害人", "victims who had paid already"


class FigureGroup(WordedEnum):
    """By what figures are counted."""

    OPERATOR = "operator", "运营商"
    CITY = "city", "城市"


@dataclass(frozen=True)
class FigureCount:
    """One figure. `group`: an operator or a city, empty: unknown; None: of all together."""

    figure: CaseworkFigure
    group: str | None
    count: int


@dataclass(frozen=True)
class FigureRow:
    """One thing that a figure counts.

    `about`: a clue, a person's id, or a card, masked; `source`: the clue or the person.
    """

    at: datetime
    about: str
    source: str
    operator: str
    city: str


class CaseworkFigures:
    """Reads the figures of casework, within the scope of who asks."""

    def __init__(self, store: Store, trail: Trail) -> None:
        self._store, self._trail = store, trail

    def counts(
        self, since: datetime, until: datetime, by: Person, group: FigureGroup | None = None
    ) -> list[FigureCount]:
        """Count `since` <= time < `until`; with `group` also by operator or city, the largest first."""
        authorize(by, Permission.READ_FIGURES)
        found: list[FigureCount] = []
        with self._store.reading() as connection:
            for figure in CaseworkFigure:
                rows = _rows(figure, since, until, by)
                gone = _forgotten(connection, since, until, by, group) if figure is _WARNED else {}
                whole = connection.execute(select(func.count(rows.c.key.distinct()))).scalar_one()
                found.append(FigureCount(figure, None, whole + sum(gone.values())))
                if group is not None:
                    found += _grouped(connection, figure, rows, group, gone)
        return found

    def rows(
        self,
        figure: CaseworkFigure,
        since: datetime,
        until: datetime,
        by: Person,
        now: datetime,
        after: int = 0,
        limit: int = 50,
    ) -> tuple[list[FigureRow], int | None]:
        """Return what a figure counts, the earliest first, and where the next page begins (None: nowhere).

        `after`: rows to skip. Warnings whose persons were forgotten are counts alone. It stands in the trail.
        """
        authorize(by, Permission.LIST_HANDLED)
        limit = max(1, min(limit, MOST))
        asked = {"figure": figure.value, "since": since.isoformat(), "until": until.isoformat()}
        with self._store.writing() as connection:
            self._trail.append(connection, [AuditEntry(now, by, "read.figure", figure.value, after=asked)])
        rows = _rows(figure, since, until, by)
        first = (
            select(rows.c.key, func.min(rows.c.at).label("at"), func.min(rows.c.source).label("source"))
            .add_columns(func.min(rows.c.operator).label("operator"), func.min(rows.c.city).label("city"))
            .group_by(rows.c.key)
            .order_by("at", rows.c.key)
        )
        with self._store.reading() as connection:
            found = connection.execute(first.offset(after).limit(limit + 1)).all()
        sight = Sight(unmasked=False)
        listed = [
            FigureRow(
                row.at,
                sight.number(row.key) if figure in _OF_CARDS else row.key,
                row.source,
                row.operator,
                row.city,
            )
            for row in found[:limit]
        ]
        return listed, after + limit if len(found) > limit else None


_WARNED = CaseworkFigure.VICTIMS_WARNED
_OF_CARDS = frozenset({CaseworkFigure.CARDS_IN_CLUES, CaseworkFigure.CARDS_CONFIRMED})
_OUTCOMES = {
    CaseworkFigure.VICTIMS_DISSUADED: CallOutcome.DISSUADED,
    CaseworkFigure.VICTIMS_PAID: CallOutcome.ALREADY_PAID,
}


def _rows(figure: CaseworkFigure, since: datetime, until: datetime, by: Person) -> Subquery:
    """What is counted: key, at, source, operator, city. A key counts once; it has a row for each of its places."""
    named: tuple[Any, Any, Any, Any]
    if figure in _OUTCOMES:
        table, at = victim_outcomes, victim_outcomes.c.at
        named, which = (
            (table.c.victim_id, table.c.victim_id, table.c.operator, table.c.city),
            [table.c.outcome == _OUTCOMES[figure].value],
        )
        source: Select[Any] = select(*_columns(*named, at=at))
    elif figure is _WARNED:
        table, at = victim_messages, victim_messages.c.sent_at
        named = (table.c.victim_id, table.c.victim_id, table.c.operator, table.c.city)
        source, which = select(*_columns(*named, at=at)), warned(table.c.kind, table.c.outcome)
    else:
        table = clue_cards
        confirmed = figure is CaseworkFigure.CARDS_CONFIRMED
        at = clue_cards.c.answered_at if confirmed else clues.c.sent_at
        key = clues.c.id if figure is CaseworkFigure.CLUES_SENT else clue_cards.c.card
        named = (key, clues.c.id, table.c.operator, table.c.city)
        source = select(*_columns(*named, at=at)).join(clues, clues.c.id == clue_cards.c.clue_id)
        which = [clue_cards.c.answer == "confirmed"] if confirmed else []
    in_scope = places_in(by, table.c.operator, table.c.city)
    return source.where(at >= since, at < until, *which, *in_scope).subquery()


def _columns(key: Any, source: Any, operator: Any, city: Any, *, at: Any) -> tuple[Any, ...]:
    named = {"key": key, "at": at, "source": source, "operator": operator, "city": city}
    return tuple(column.label(name) for name, column in named.items())


def _grouped(
    connection: Connection, figure: CaseworkFigure, rows: Subquery, group: FigureGroup, gone: dict[str, int]
) -> Sequence[FigureCount]:
    column = rows.c[group.value].label("place")
    query = select(column, func.count(rows.c.key.distinct()).label("things")).group_by(column)
    counted: dict[str, int] = {row.place: row.things for row in connection.execute(query)}
    places = {place: counted.get(place, 0) + gone.get(place, 0) for place in counted.keys() | gone.keys()}
    return [
        FigureCount(figure, place, count)
        for place, count in sorted(places.items(), key=lambda one: (-one[1], one[0]))
    ]


def _forgotten(
    connection: Connection, since: datetime, until: datetime, by: Person, group: FigureGroup | None
) -> dict[str, int]:
    """Warnings of persons who were forgotten since, by place; of the hours that begin in the period."""
    table = forgotten_warnings.c
    column = table[(group or FigureGroup.OPERATOR).value].label("place")
    total = cast(func.sum(table.count), BigInteger).label("warnings")
    went = warned(table.kind, table.outcome)
    query = select(column, total).where(
        table.hour >= since, table.hour < until, *went, *places_in(by, table.operator, table.city)
    )
    return {row.place: row.warnings for row in connection.execute(query.group_by(column))}
