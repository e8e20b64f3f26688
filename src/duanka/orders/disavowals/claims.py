"""Open and confirm a disavowal within a unit of work; shared by counter, page and reviews."""

from __future__ import annotations

from datetime import timedelta

from duanka.domain.order import (
    SYSTEM,
    Event,
    Kind,
    NoSuchTransition,
    Order,
    Person,
    ProtectedCard,
    State,
)
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork, cancelled
from duanka.orders.effects import apply_event
from duanka.orders.own_request import grounds_of_request


def claim(unit: UnitOfWork, card: str, by: Person, why: str) -> Order:
    """Open the disavowal of a card, or join the open one; nothing is stopped by it.

    ProtectedCard. NoSuchTransition: the card is cancelled.
    """
    if unit.policy.protects(card):
        raise ProtectedCard(
            f"{card} is on the protected list (emergency, hotlines, police): it has no registrant"
        )
    if card in cancelled(unit.connection, [card]):
        raise NoSuchTransition("the card is cancelled already: nothing is left to stop")
    if earlier := unit.open_order(card, Kind.DISAVOWAL):
        if earlier.state is State.CONFIRMED:
            return earlier
        return unit.change(earlier, by, "attach", why, hits=earlier.hits + 1)
    about = unit.open_order(card, Kind.VERIFICATION) or unit.open_order(card, Kind.RESTRICTION)
    told = grounds_of_request(unit)
    tier, parent = (about.tier, about.id) if about else ("", None)
    lapses = unit.now + timedelta(days=unit.policy.disowned_days)
    return unit.open(Kind.DISAVOWAL, card, told, by, why, tier=tier, parent=parent, due_at=lapses)


def confirmed_by_check(unit: UnitOfWork, verification: Order, by: Person, why: str) -> Order:
    """Confirm what a holder said who passed the check online; also if the claim lapsed meanwhile."""
    return apply_event(unit, claim(unit, verification.card, SYSTEM, why), Event.CONFIRM, by, why)
