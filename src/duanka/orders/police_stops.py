"""Stop one card at once on a notice of the police."""

from __future__ import annotations

from duanka.domain.authority import Permission
from duanka.domain.order import SYSTEM, Event, Grounds, Kind, NoSuchTransition, Order, Person, Role, State
from duanka.domain.text import BilingualText
from duanka.ledger.unit_of_work.confirmations import ConfirmationSource, confirm
from duanka.ledger.unit_of_work.four_eyes import needs_two_people
from duanka.ledger.unit_of_work.restrictions import POLICE_NOTICE
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork, cancelled
from duanka.orders.effects import apply_event


def police_stop(
    unit: UnitOfWork,
    card: str,
    case: str,
    by: Person,
    why: str,
    *,
    source: ConfirmationSource = ConfirmationSource.POLICE_NOTICE,
    fraud_kind: str = "",
    origin: str = "",
    **place: str,
) -> Order:
    """Stop a card for the police; the notice names the case and no detection rule.

    `source`, `origin`, `fraud_kind`: how it became known, the clue that was answered, and the police's word for the
    fraud, as far as they say; kept with the confirmation.
    """
    unit.authorize(by, Permission.RESTRICTION_POLICE_STOP, card)
    reason = BilingualText(f"公安机关确认涉案（{case}）", f"confirmed by the police in case {case}")
    grounds = Grounds(reason, unit.policy.police_redress, unit.policy.papers).complete()
    if card in cancelled(unit.connection, [card]):
        raise NoSuchTransition(f"{card} is cancelled; it is out of the network already")
    confirm(unit, card, case, source, by, why, fraud_kind=fraud_kind, origin=origin)
    order = unit.open_order(card, Kind.RESTRICTION)
    if order and order.state is State.FORCED_STOP:
        return unit.change(order, by, "attach", f"{case}: {why}", hits=order.hits + 1)
    carried_by = POLICE_NOTICE + case
    # If lifting this card takes two people, the officer who stops it may not release it as well.
    mine = (by.id,) if by.role is Role.POLICE else ()
    released_by_another = mine if needs_two_people(unit, card) else ()
    if order is None:
        facts = {"tier": "extreme", "carried_by": carried_by, **place}
        order = unit.open(Kind.RESTRICTION, card, grounds, by, why, **facts)
    stop = {"carried_by": carried_by, "grounds": grounds, "tier": "extreme"}
    helped_by = (*order.helped_by, *released_by_another)
    order = apply_event(unit, order, Event.POLICE_STOP, by, why, **stop, helped_by=helped_by)
    verification = unit.open_order(card, Kind.VERIFICATION)
    if verification and verification.state is not State.SENT_TO_FRAUD_CENTRE:
        helped_by = (*verification.helped_by, *mine)
        apply_event(
            unit, verification, Event.TO_FRAUD_CENTRE, SYSTEM, f"police notice {case}", helped_by=helped_by
        )
    return order
