"""What a disavowal means for the other orders of its card."""

from __future__ import annotations

from duanka.domain.holder_grounds import DISOWNED
from duanka.domain.order import STAFF, Event, Grounds, Kind, NoSuchTransition, Order, Person, State
from duanka.domain.order_commands import typed
from duanka.ledger.unit_of_work.four_eyes import counter_passed, disowning_check_waits
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork


def not_against_registrant(unit: UnitOfWork, order: Order, event: Event, by: Person) -> None:
    """NoSuchTransition for what a disavowal alone decides."""
    disavowal = confirmed_disavowal(unit, order.card)
    if order.state is State.STOPPED_AT_REQUEST and event in (Event.RESTORE, Event.CANCEL) and disavowal:
        raise NoSuchTransition(
            f"{order.id} is a stop at the registrant's own request ({disavowal.id}): they take it back in person,"
            f" {typed(disavowal.kind, Event.WITHDRAW, disavowal.id)}, or the card is cancelled when the time is over"
        )
    decides = order.kind is Kind.VERIFICATION and event in (Event.PASS, Event.FAIL) and by.role in STAFF
    if decides and disowning_check_waits(unit, order) and not counter_passed(unit, order):
        raise NoSuchTransition(
            f"in {order.id} the holder says that the number is not theirs, which nobody passes or fails: if it is the"
            f" registrant, `duanka reviews decide {order.id} not_mine`; else `… to_counter`"
        )


def confirmed_disavowal(unit: UnitOfWork, card: str) -> Order | None:
    """Return the card's disavowal if it is confirmed and neither taken back nor over."""
    found = unit.open_order(card, Kind.DISAVOWAL)
    return found if found and found.state is State.CONFIRMED else None


def grounds_of_request(unit: UnitOfWork) -> Grounds:
    """Return what is told of a stop at the registrant's request."""
    return Grounds(DISOWNED, unit.policy.disowned_redress, unit.policy.papers).complete()
