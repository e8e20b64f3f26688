"""Conditions for proposing, approving and rejecting a bulk action."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import RowMapping, func, select

from duanka.domain.authority import Permission, authorize, move_permission
from duanka.domain.bulk_action import LIFTS, MOST_CARDS, BulkActionState, can_be_asked
from duanka.domain.evidence import had_a_hand_in, ran_out
from duanka.domain.order import (
    Event,
    Kind,
    NeedsSecondPerson,
    NoLifeline,
    NoSuchTransition,
    OrderError,
    PermissionDenied,
    Person,
    ProtectedCard,
    Role,
    State,
)
from duanka.domain.order_commands import only_the_police
from duanka.domain.person import same_person
from duanka.ledger.db.bulk import among
from duanka.ledger.db.tables import acts, orders
from duanka.ledger.unit_of_work.four_eyes import needs_two_people
from duanka.ledger.unit_of_work.lifeline import why_no_lifeline
from duanka.ledger.unit_of_work.locks import lock_person
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork, cancelled

_NEVER = "never given the lifeline"  # how a reason begins why a card is left out
MOST_WAITING, MOST_CARDS_WAITING = 500, 2 * MOST_CARDS  # acts and cards awaiting approval, per proposer


def may_ask(event: Event, by: Person) -> None:
    """Check that `by` may propose `event` for a list of cards."""
    if not can_be_asked(event):
        raise NoSuchTransition(f"{event} cannot be asked for a list of cards")
    authorize(by, Permission.PROPOSE_BULK_ACTION)
    authorize(by, move_permission(Kind.VERIFICATION if event is Event.WITHDRAW else Kind.RESTRICTION, event))


def one_person_suffices(unit: UnitOfWork, event: Event, numbers: Iterable[str]) -> bool:
    """Whether one person suffices. Lifts: by tier of the cards; others: by policy."""
    if event in LIFTS:
        unit.lock(list(numbers))
        return not any(needs_two_people(unit, card) for card in numbers)
    return not unit.policy.two_people


def still_to_decide(unit: UnitOfWork, row: RowMapping, by: Person) -> None:
    """Check that the verification is undecided, and the approver took no part in it."""
    order = unit.order(row["verification"])
    if not ran_out(order):
        raise NoSuchTransition(f"{order.id} is {order.state}: nothing is left to decide; reject {row['id']}")
    if had_a_hand_in(order, by.id):
        raise NeedsSecondPerson(f"{by.id} had a hand in {order.id}: somebody else must approve {row['id']}")


def may_reject(unit: UnitOfWork, row: RowMapping, by: Person) -> None:
    """Check that `by` is a supervisor or the proposer.

    A bulk action about a verification: neither its proposer nor who took part in the verification may reject it.
    """
    if row["verification"] and had_a_hand_in(unit.order(row["verification"]), by.id, row["proposed_by"]):
        raise NeedsSecondPerson(
            f"{by.id} had a hand in {row['verification']}: somebody else must reject {row['id']}"
        )
    if by.role is not Role.SUPERVISOR and not same_person(by.id, row["proposed_by"]):
        raise PermissionDenied(
            f"{by.id} may not reject {row['id']}; it takes a supervisor, or who proposed it"
        )


def not_too_many(unit: UnitOfWork, by: Person, more: int) -> None:
    """OrderError if too many proposals of `by` wait: nobody may fill the database."""
    lock_person(unit.connection, by)
    waiting = select(func.count(), func.coalesce(func.sum(acts.c.total), 0)).where(
        acts.c.proposed_by == by.id, acts.c.state == BulkActionState.PROPOSED.value
    )
    count, total = unit.connection.execute(waiting).one()
    if count >= MOST_WAITING or total + more > MOST_CARDS_WAITING:
        raise OrderError(
            f"{count} acts of {by.id} on {total} cards wait for a second person, and at most {MOST_WAITING} on"
            f" {MOST_CARDS_WAITING} cards wait at once: let some be approved or rejected first"
        )


def left_out(unit: UnitOfWork, numbers: Collection[str], event: Event) -> dict[str, str]:
    """Map the cards that no bulk action may touch, or not by `event`, to the reason.

    Whoever proposes reads at once what would be skipped when it is carried out, which is asked again then.
    """
    gone = dict.fromkeys(cancelled(unit.connection, numbers), "cancelled for good")
    mine = {card: "on the protected list: never touched" for card in numbers if unit.policy.protects(card)}
    return _out_of_lifeline(unit, numbers, event) | _of_the_police(unit, numbers, event) | gone | mine


def _of_the_police(unit: UnitOfWork, numbers: Collection[str], event: Event) -> dict[str, str]:
    """Cards that the police stopped: a bulk action cancels them, and changes nothing else about them."""
    if event in (Event.CANCEL, Event.WITHDRAW):
        return {}
    stopped = select(orders.c.card, orders.c.id).where(
        among(unit.connection, orders.c.card, numbers),
        orders.c.kind == Kind.RESTRICTION.value,
        orders.c.state == State.FORCED_STOP.value,
        orders.c.closed_at.is_(None),
    )
    return {
        card: f"stopped by police notice; {only_the_police(order_id)}"
        for card, order_id in unit.connection.execute(stopped)
    }


def _out_of_lifeline(unit: UnitOfWork, numbers: Collection[str], event: Event) -> dict[str, str]:
    if event not in (Event.LIFELINE, Event.EASE_TO_LIFELINE):
        return {}
    unit.lock(numbers)
    found = {card: why_no_lifeline(unit, card) for card in numbers}
    return {card: f"never given the lifeline (保底服务): {why}" for card, why in found.items() if why}


def nothing_left(unit: UnitOfWork, skipped: dict[str, str]) -> OrderError:
    """Return the error for a bulk action whose cards are all skipped."""
    card, why = next(iter(skipped.items()))
    more = f"; {len(skipped) - 1} more skipped" if len(skipped) > 1 else ""
    kind: type[OrderError] = ProtectedCard if unit.policy.protects(card) else NoSuchTransition
    kind = NoLifeline if why.startswith(_NEVER) else kind
    return kind(f"nothing is left to do: {card} is {why}{more}")
