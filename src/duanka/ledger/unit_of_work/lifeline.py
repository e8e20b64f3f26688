"""Which cards never get the lifeline: read from the police's standing words and the rules of open orders."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, select

from duanka.domain.lifeline import why_never
from duanka.domain.order import SYSTEM, Kind, NoLifeline, Order, Person, State
from duanka.ledger.db.bulk import among
from duanka.ledger.db.casework.cases import confirmations
from duanka.ledger.unit_of_work.batch_facts import TableFact


class LifelineUnit(Protocol):
    """The part of UnitOfWork that is needed here; UnitOfWork itself asks `check_lifeline`."""

    now: datetime

    def open_order(self, card: str, kind: Kind) -> Order | None:
        """Return the open order of this kind for the card."""

    def about_cards(self, fact: TableFact[bool], card: str) -> bool:
        """Return a fact about this card."""

    def write_prepared(self) -> None:
        """Insert queued rows now."""

    def change(self, order: Order, by: Person, what: str, why: str, **facts: Any) -> Order:
        """Change fields of an order without changing its state."""


def _confirmed(connection: Connection, of: Collection[str]) -> dict[str, bool]:
    standing = (among(connection, confirmations.c.card, of), confirmations.c.withdrawn_at.is_(None))
    return dict.fromkeys(connection.execute(select(confirmations.c.card).where(*standing)).scalars(), True)


_CONFIRMED = TableFact(confirmations, _confirmed, absent=False)


def why_no_lifeline(unit: LifelineUnit, card: str, *rules: str) -> str:
    """Return why the card must not be in lifeline; "" if it may. `rules`: of an order that is not stored yet."""
    orders = (unit.open_order(card, kind) for kind in (Kind.VERIFICATION, Kind.RESTRICTION))
    hit = {rule for order in orders if order for rule in order.rules}
    return why_never({*hit, *rules}, confirmed=unit.about_cards(_CONFIRMED, card))


def check_lifeline(unit: LifelineUnit, after: Order) -> None:
    """NoLifeline if the restriction `after` would put a card into lifeline that never gets it."""
    if after.state is State.LIFELINE and (why := why_no_lifeline(unit, after.card, *after.rules)):
        raise NoLifeline(f"{after.card} never gets the lifeline (保底服务): {why}; suspend it instead")


def end_lifeline(unit: LifelineUnit, card: str, why: str) -> None:
    """Let the next stage come now for a card in lifeline that must not be in it any more; else do nothing.

    The clock carries it on, so that its stop is stored and told like every other.
    """
    restriction = unit.open_order(card, Kind.RESTRICTION)
    if restriction is None or restriction.state is not State.LIFELINE:
        return
    unit.write_prepared()  # a confirmation of this transaction
    if not why_no_lifeline(unit, card):
        return
    if restriction.due_at is None or restriction.due_at > unit.now:
        unit.change(restriction, SYSTEM, "lifeline_over", why, due_at=unit.now)
