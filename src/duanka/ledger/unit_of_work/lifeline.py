"""Which cards never get the lifeline: by the police's standing words, and by rules that hit since the last pass."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, select

from duanka.domain.lifeline import NEVER_RULES, why_never
from duanka.domain.order import SYSTEM, Kind, NoLifeline, Order, Person, State
from duanka.ledger.db.bulk import among
from duanka.ledger.db.casework.cases import confirmations
from duanka.ledger.db.tables import orders
from duanka.ledger.unit_of_work.batch_facts import TableFact

Value = TypeVar("Value")


class LifelineUnit(Protocol):
    """The part of UnitOfWork that is needed here; UnitOfWork itself asks `check_lifeline`."""

    now: datetime

    def open_order(self, card: str, kind: Kind) -> Order | None:
        """Return the open order of this kind for the card."""

    def about_cards(self, fact: TableFact[Value], card: str) -> Value:
        """Return a fact about this card."""

    def write_prepared(self) -> None:
        """Insert queued rows now."""

    def change(self, order: Order, by: Person, what: str, why: str, **facts: Any) -> Order:
        """Change fields of an order without changing its state."""


def _confirmed(connection: Connection, of: Collection[str]) -> dict[str, bool]:
    standing = (among(connection, confirmations.c.card, of), confirmations.c.withdrawn_at.is_(None))
    return dict.fromkeys(connection.execute(select(confirmations.c.card).where(*standing)).scalars(), True)


def _hit_since_pass(connection: Connection, of: Collection[str]) -> dict[str, frozenset[str]]:
    """The rules of each card's verifications since its last pass, also of those that were withdrawn.

    Who withdraws one lifts no evidence: without this, a clerk alone could withdraw it and ease the card.
    """
    asked = (among(connection, orders.c.card, of), orders.c.kind == Kind.VERIFICATION.value)
    query = select(orders.c.card, orders.c.state, orders.c.rules).where(*asked).order_by(orders.c.opened_at)
    found = dict[str, frozenset[str]]()
    for card, state, rules in connection.execute(query):
        never = NEVER_RULES & set(rules.split())
        found[card] = frozenset() if state == State.PASSED.value else found.get(card, frozenset()) | never
    return found


_CONFIRMED = TableFact(confirmations, _confirmed, absent=False)
_HIT = TableFact(orders, _hit_since_pass, absent=frozenset[str]())


def why_no_lifeline(unit: LifelineUnit, card: str, *rules: str) -> str:
    """Return why the card must not be in lifeline; "" if it may. `rules`: of an order that is not stored yet."""
    open_ones = (unit.open_order(card, kind) for kind in (Kind.VERIFICATION, Kind.RESTRICTION))
    hit = {rule for order in open_ones if order for rule in order.rules}
    return why_never(
        {*hit, *rules, *unit.about_cards(_HIT, card)}, confirmed=unit.about_cards(_CONFIRMED, card)
    )


def check_lifeline(unit: LifelineUnit, after: Order) -> None:
    """NoLifeline if the restriction `after` would put a card into lifeline that never gets it."""
    if after.state is State.LIFELINE and (why := why_no_lifeline(unit, after.card, *after.rules)):
        raise NoLifeline(f"{after.card} never gets the lifeline (保底服务): {why}; suspend it instead")


def end_lifeline(unit: LifelineUnit, card: str, why: str, *rules: str) -> None:
    """Let the next stage come now for a card in lifeline that must not be in it any more; else do nothing.

    `rules`: of a decision; the restriction bears them, as no order may have been opened for it. The clock carries
    it on, so that its stop is stored and told like every other.
    """
    restriction = unit.open_order(card, Kind.RESTRICTION)
    if restriction is None or restriction.state is not State.LIFELINE:
        return
    unit.write_prepared()  # a confirmation of this transaction
    if not why_no_lifeline(unit, card, *rules):
        return
    new = sorted(NEVER_RULES & set(rules) - set(restriction.rules))
    if new or restriction.due_at is None or restriction.due_at > unit.now:
        facts = {"due_at": unit.now, "rules": (*restriction.rules, *new)}
        unit.change(restriction, SYSTEM, "lifeline_over", why, **facts)
