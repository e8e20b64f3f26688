"""Operators and cities that figures can be asked for: those that something was ever recorded under."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import Column, ColumnElement, Connection, exists, select

from duanka.domain.headline import FigurePlace
from duanka.domain.order import OrderError, Person
from duanka.ledger.db.assessment.figures import counted_days, counted_events, refusal_days
from duanka.ledger.db.assessment.listings import card_units
from duanka.ledger.db.tables import orders
from duanka.ledger.people.places import places_in

# The small tables first: an unknown name alone reads all of them. `card_units`: the register of cards, as runs of the
# assessment read it.
_NAMED_IN = (refusal_days, counted_days, card_units, orders, counted_events)
_MOST_NAMED = 20


def check_known(connection: Connection, place: FigurePlace, by: Person) -> None:
    """OrderError if nothing in the scope of `by` was ever recorded under this operator or city.

    A zero would be exact, and so say that nothing was refused in a place that a slip of the pen made.
    """
    if place.operator and not _is_known(connection, "operator", place.operator, by.scope.operators, by):
        raise OrderError(
            f"no such operator: {place.operator}; orders, refusals and the register name"
            f" {_known(connection, 'operator', by)}, and - stands for an unknown one"
        )
    if place.city and not _is_known(connection, "city", place.city, by.scope.cities, by):
        raise OrderError(
            f"no such city: {place.city}; orders, refusals and the register name"
            f" {_known(connection, 'city', by)}, and - stands for an unknown one"
        )


def _is_known(connection: Connection, what: str, name: str, own: Collection[str] | None, by: Person) -> bool:
    """Whether the scope of `by` names it, or something was recorded under it."""
    queries = (select(exists().where(of == name, *mine)) for of, mine in _columns(what, by))
    return name in (own or ()) or any(connection.execute(query).scalar() for query in queries)


def _known(connection: Connection, what: str, by: Person) -> str:
    found = set[str]()
    for of, mine in _columns(what, by):
        found.update(connection.execute(select(of).distinct().where(of != "", *mine)).scalars())
    named = sorted(found)
    return ", ".join([*named[:_MOST_NAMED], *(["…"] if len(named) > _MOST_NAMED else [])]) or "-"


def _columns(what: str, by: Person) -> Iterator[tuple[Column[str], list[ColumnElement[bool]]]]:
    for table in _NAMED_IN:
        yield table.c[what], places_in(by, table.c.operator, table.c.city)
