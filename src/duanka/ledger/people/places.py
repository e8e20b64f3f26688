"""Places of cards (operator and city), and which of them a person may see."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, exists, not_, or_, select

from duanka.domain.person import Person, Scope
from duanka.ledger.db.bulk import among
from duanka.ledger.db.casework.cases import case_items, cases
from duanka.ledger.db.tables import act_places, orders

Place = tuple[str, str]  # operator, city; "" if unknown
NOWHERE: Place = ("", "")


def places_of(connection: Connection, cards: Iterable[str]) -> dict[str, Place]:
    """Map cards to the place of their latest order that has one; omit other cards."""
    query = (
        select(orders.c.card, orders.c.operator, orders.c.city)
        .where(among(connection, orders.c.card, cards), or_(orders.c.operator != "", orders.c.city != ""))
        .order_by(orders.c.opened_at)
    )
    return {row.card: (row.operator, row.city) for row in connection.execute(query)}


def orders_in(person: Person) -> list[ColumnElement[bool]]:
    """Conditions on `orders` rows: those in the scope of `person`."""
    return _covered(person.scope, orders.c.operator, orders.c.city)


def bulk_actions_within(person: Person, act_id: ColumnElement[str]) -> list[ColumnElement[bool]]:
    """Conditions on bulk actions: those with all cards in the scope of `person`."""
    if person.scope.everywhere:
        return []
    outside = place_outside(person, act_places.c.operator, act_places.c.city)
    return [not_(exists().where(act_places.c.act_id == act_id, outside))]


def cases_within(person: Person) -> list[ColumnElement[bool]]:
    """Conditions on `cases` rows: those with cards, all of them in the scope of `person`."""
    if person.scope.everywhere:
        return []
    theirs = (case_items.c.case_id == cases.c.id, case_items.c.kind == "card")
    outside = place_outside(person, case_items.c.operator, case_items.c.city)
    return [exists().where(*theirs), not_(exists().where(*theirs, outside))]


def cards_in(person: Person, card: ColumnElement[str]) -> list[ColumnElement[bool]]:
    """Conditions on rows about a card: one of its orders is in the scope of `person`."""
    if person.scope.everywhere:
        return []
    return [exists().where(orders.c.card == card, *orders_in(person))]


def places_in(
    person: Person, operator: ColumnElement[str], city: ColumnElement[str]
) -> list[ColumnElement[bool]]:
    """Conditions on rows with a place of their own: those in the scope of `person`."""
    return _covered(person.scope, operator, city)


def place_outside(
    person: Person, operator: ColumnElement[str], city: ColumnElement[str]
) -> ColumnElement[bool]:
    """Condition on rows with a place of their own: outside the scope of `person`, which has limits."""
    return or_(*(not_(one) for one in _covered(person.scope, operator, city)))


def _covered(
    scope: Scope, operator: ColumnElement[str], city: ColumnElement[str]
) -> list[ColumnElement[bool]]:
    named = ((scope.operators, operator), (scope.cities, city))
    return [column.in_(sorted(places)) for places, column in named if places]
