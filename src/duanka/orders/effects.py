"""Effects of an order event, shared by single commands, sweeps and bulk actions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from duanka.domain.evidence import Evidence, evidence_of, had_a_hand_in, ran_out
from duanka.domain.holder_grounds import NOT_PASSED, TOO_LATE
from duanka.domain.order import (
    STAFF,
    SYSTEM,
    Event,
    Grounds,
    Kind,
    NoSuchTransition,
    Order,
    PermissionDenied,
    Person,
    Role,
    State,
)
from duanka.domain.order_commands import only_the_police, typed
from duanka.domain.order_decision import RequestedAction
from duanka.domain.restriction_states import in_the_network
from duanka.domain.text import BilingualText
from duanka.ledger.unit_of_work.confirmations import withdraw
from duanka.ledger.unit_of_work.four_eyes import decided, two_looked, witnesses_of
from duanka.ledger.unit_of_work.lifeline import end_lifeline, why_no_lifeline
from duanka.ledger.unit_of_work.part_in_stop import not_by_who_stopped
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.deadlines import (
    MOST_DELAYS,
    STAGE_EVENT,
    changed_deadlines,
    days_to_take_back,
    may_delay,
    stage_due,
    stage_of,
)
from duanka.orders.holder_notices import notice_out, notify_limited
from duanka.orders.own_request import (
    confirmed_disavowal,
    grounds_of_request,
    not_against_registrant,
)
from duanka.orders.proposals import propose_after, settle_proposal

_LIFTED_BY_PASSING = (State.OUTGOING_BARRED, State.LIFELINE, State.SUSPENDED)
_STAGE_MAY_FOLLOW = (State.OUTGOING_BARRED, State.LIFELINE)


def apply_event(unit: UnitOfWork, order: Order, event: Event, by: Person, why: str, **facts: Any) -> Order:
    """Apply `event` to `order` with all its effects; return the order."""
    _may_wait_again(unit, order, event, by)
    not_against_registrant(unit, order, event, by)
    facts = _evidence(unit, order, event, by) | facts
    clock = changed_deadlines(unit, order, event, by, facts)
    after = unit.move(order, event, by, why, **{**clock, **facts})
    two_looked(unit, order, event, by)
    if order.kind is Kind.OBJECTION:
        not_by_who_stopped(unit, order, event, by)
    if follow := _FOLLOWS.get((order.kind, event)):
        follow(unit, after, by, why)
    if order.kind is Kind.VERIFICATION:
        decided(unit, order)
        settle_proposal(unit, after)
    return after


def _may_wait_again(unit: UnitOfWork, order: Order, event: Event, by: Person) -> None:
    """NoSuchTransition if staff submit the order too often without an online check."""
    leaves = (order.kind, event) == (Kind.VERIFICATION, Event.SUBMIT) and by.role in STAFF
    if leaves and not may_delay(unit, order):
        raise NoSuchTransition(
            f"{order.id} was left to a person {MOST_DELAYS} times without a check online, and no hours ran meanwhile:"
            " pass it, let it fail, or record what you see at the counter"
        )


def _evidence(unit: UnitOfWork, order: Order, event: Event, by: Person) -> dict[str, Any]:
    """Return the changed evidence fields: basis for a restriction, staff involved."""
    if order.kind is Kind.VERIFICATION and event in (Event.EXPIRE, Event.FAIL):
        # Decided once: a late submission that was not passed does not weaken the evidence of the missed
        # deadline.
        return {"evidence": order.evidence or evidence_of(order, event, witnesses_of(unit, order, by)) or ""}
    if (
        event in (Event.BEGIN, Event.SUBMIT, Event.ACCEPT)
        and by.role in STAFF
        and not had_a_hand_in(order, by.id)
    ):
        return {"helped_by": (*order.helped_by, by.id)}
    if event is Event.TO_FRAUD_CENTRE and order.kind is Kind.VERIFICATION and by.role is Role.POLICE:
        return {"helped_by": (*order.helped_by, by.id)}
    return {}


def _restrict(unit: UnitOfWork, order: Order, by: Person, why: str, because: BilingualText) -> None:
    """Apply the first stage of the timetable.

    A card that is already restricted at least as much stays as it is, but for its deadline. Without evidence, the
    restriction is only proposed to a second person.
    """
    if unit.policy.protects(order.card):
        return
    stage = stage_of(unit, order.card, unit.policy.stages[0].state)
    told = _told_because(because, order.grounds)
    restriction = unit.open_order(order.card, Kind.RESTRICTION)
    now_is = in_the_network(restriction.state) if restriction else None
    milder = (
        restriction and now_is and restriction.state in _STAGE_MAY_FOLLOW and now_is.is_milder_than(stage)
    )
    if not order.evidence:
        if restriction is None or milder:
            propose_after(unit, order, STAGE_EVENT[stage], told, by, why)
        return
    due = stage_due(unit, order, stage if milder or now_is is None else now_is, restriction)
    facts: dict[str, Any] = {
        "grounds": told,
        "parent": order.id,
        "carried_by": Evidence(order.evidence).of(order.id),
        "decision": order.decision,
    }
    if restriction is None:
        del facts["grounds"]
        opened = unit.open(
            Kind.RESTRICTION, order.card, told, SYSTEM, why, tier=order.tier, rules=order.rules, **facts
        )
        apply_event(unit, opened, STAGE_EVENT[stage], SYSTEM, why, due_at=due)
    elif milder:
        apply_event(unit, restriction, STAGE_EVENT[stage], SYSTEM, why, **facts, due_at=due)
    elif restriction.state in _STAGE_MAY_FOLLOW:
        # restricted by hand before: the timetable applies from now on
        unit.change(restriction, SYSTEM, "carried", why, **facts, due_at=due)
        end_lifeline(unit, order.card, why)


@lru_cache(maxsize=1024)  # orders that fall due together mostly have the same reasons
def _told_because(because: BilingualText, grounds: Grounds) -> Grounds:
    reason = BilingualText(*(began + rest for began, rest in zip(because, grounds.reason, strict=True)))
    return replace(grounds, reason=reason)


def stop_for(unit: UnitOfWork, verification: Order, why: str) -> Order | None:
    """Restrict the card of a verification that ran out; return the restriction if any."""
    because = TOO_LATE if verification.state is State.EXPIRED else NOT_PASSED
    _restrict(unit, verification, SYSTEM, why, because)
    return unit.open_order(verification.card, Kind.RESTRICTION)


def _passed(unit: UnitOfWork, order: Order, by: Person, why: str) -> None:
    restriction = unit.open_order(order.card, Kind.RESTRICTION)
    if restriction and restriction.state in _LIFTED_BY_PASSING:
        apply_event(unit, restriction, Event.RESTORE, SYSTEM, f"passed {order.id}: {why}")
    elif restriction is None:
        unit.notify(order, "passed")
    said = unit.open_order(order.card, Kind.DISAVOWAL)
    if (
        said and said.state is State.CLAIMED
    ):  # nobody confirmed it, and the registrant has proved the number theirs
        unit.move(said, Event.WITHDRAW, SYSTEM, f"passed {order.id}: {why}")
    del by


def _to_counter(unit: UnitOfWork, order: Order, by: Person, why: str) -> None:
    """Tell the holder which counter to visit."""
    del why
    notify_limited(unit, order, by, RequestedAction.VERIFY_AT_COUNTER.value)


def _submitted(unit: UnitOfWork, order: Order, by: Person, why: str) -> None:
    """Pause the next stage during review of a late check: the delay is the operator's.

    Not for a card that must leave the lifeline (`end_lifeline`).
    """
    del by
    restriction = _barred_for(unit, order)
    leaves = restriction and restriction.state is State.LIFELINE and why_no_lifeline(unit, order.card)
    if restriction and restriction.due_at and not leaves:
        unit.change(restriction, SYSTEM, "paused", f"{order.id} is looked at: {why}", due_at=None)


def _to_fraud_centre(unit: UnitOfWork, order: Order, by: Person, why: str) -> None:
    """Resume the stage that the review had paused."""
    del by
    restriction = _barred_for(unit, order)
    due = stage_due(unit, order, in_the_network(restriction.state), restriction) if restriction else None
    if restriction and due and not restriction.due_at:
        unit.change(restriction, SYSTEM, "resumed", f"{order.id} is passed on: {why}", due_at=due)


def _barred_for(unit: UnitOfWork, order: Order) -> Order | None:
    """Return this verification's restriction if a heavier stage may still come."""
    found = unit.open_order(order.card, Kind.RESTRICTION)
    return found if found and found.parent == order.id and found.state in _STAGE_MAY_FOLLOW else None


def _withdrawn(unit: UnitOfWork, order: Order, by: Person, why: str) -> None:
    """Lift what followed from a withdrawn verification, or tell its holder."""
    restriction = unit.open_order(order.card, Kind.RESTRICTION)
    if restriction and restriction.parent == order.id and restriction.state in _LIFTED_BY_PASSING:
        apply_event(unit, restriction, Event.RESTORE, by, f"withdrawn {order.id}: {why}")
    elif order.delivered_at or notice_out(unit, order):
        unit.notify(order, "withdrawn")


def _stopped(unit: UnitOfWork, order: Order, by: Person, why: str) -> None:
    del by, why
    unit.notify(order, order.state.value)


def _free(unit: UnitOfWork, order: Order, by: Person, why: str, template: str = "restored") -> None:
    """Close or withdraw the verification of a restored card; uphold its objection.

    `template`: the notice, unless its registrant wants the card stopped.
    """
    verification = unit.open_order(order.card, Kind.VERIFICATION)
    if verification and verification.state in (State.EXPIRED, State.FAILED, State.SENT_TO_FRAUD_CENTRE):
        # A pending proposal about the verification, unrelated to the restriction lifted here, still waits for
        # its second person.
        if verification.evidence or order.parent == verification.id or not ran_out(verification):
            settle_proposal(unit, unit.close(verification, by, why))
    elif verification and order.parent == verification.id:
        # A late check has reopened the verification: left open, its reviewer or its deadline would restrict
        # the card again.
        unit.move(verification, Event.WITHDRAW, SYSTEM, f"restored {order.id}: {why}")
    objection = unit.open_order(order.card, Kind.OBJECTION)
    if objection:
        unit.move(objection, Event.UPHOLD, SYSTEM, f"restored {order.id}: {why}")
    if disavowal := confirmed_disavowal(unit, order.card):  # its registrant wants it stopped all the same
        if disavowal.until is None:
            days = days_to_take_back(unit, order.card)
            disavowal = unit.change(disavowal, SYSTEM, "goes_on", f"{order.id} is lifted: {why}", **days)
        _stop_at_request(unit, disavowal, why)
        return
    unit.notify(order, template)


def _released_by_police(unit: UnitOfWork, order: Order, by: Person, why: str) -> None:
    """Free the card; it is 涉案 no more."""
    withdraw(unit, order.card, by, why)
    _free(unit, order, by, why)


def _cancelled(unit: UnitOfWork, order: Order, by: Person, why: str) -> None:
    verification = unit.open_order(order.card, Kind.VERIFICATION)
    if verification and verification.state in (State.EXPIRED, State.FAILED):
        settle_proposal(unit, unit.close(verification, by, why))
    elif verification and verification.state is not State.SENT_TO_FRAUD_CENTRE:
        # Its deadline would restrict a card that is cancelled for good, and a restriction can be lifted.
        unit.move(verification, Event.WITHDRAW, SYSTEM, f"cancelled {order.id}: {why}")
    if said := unit.open_order(order.card, Kind.DISAVOWAL):
        over = Event.CANCEL if said.state is State.CONFIRMED else Event.DISCARD
        unit.move(said, over, SYSTEM, f"cancelled {order.id}: {why}")
    unit.notify(order, "cancelled")


def _stopped_by_police(unit: UnitOfWork, order: Order, by: Person, why: str) -> None:
    """Tell the holder; a card that was disowned is not cancelled before the police release it."""
    if disavowal := confirmed_disavowal(unit, order.card):
        clock: dict[str, Any] = {"due_at": None, "until": None}
        unit.change(disavowal, SYSTEM, "waits", f"stopped by the police, {order.id}: {why}", **clock)
    _stopped(unit, order, by, why)


def _disowned(unit: UnitOfWork, order: Order, by: Person, why: str) -> None:
    """End the verification of a disowned card, neither passed nor failed, and stop the card at request."""
    del by
    verification = unit.open_order(order.card, Kind.VERIFICATION)
    if verification and verification.state is not State.SENT_TO_FRAUD_CENTRE:
        apply_event(unit, verification, Event.DISOWN, SYSTEM, f"{order.id}: {why}")
    _stop_at_request(unit, order, why)


def _stop_at_request(unit: UnitOfWork, disavowal: Order, why: str) -> None:
    """Stop the card for its registrant; a stop of the police or a punishment stays before it."""
    restriction = unit.open_order(disavowal.card, Kind.RESTRICTION)
    if restriction and restriction.state not in _LIFTED_BY_PASSING:
        return
    facts: dict[str, Any] = {
        "parent": disavowal.id,
        "carried_by": Evidence.OWN_REQUEST.of(disavowal.id),
        "tier": disavowal.tier,
    }
    told, until = grounds_of_request(unit), {"until": disavowal.until}
    if restriction is None:
        restriction = unit.open(Kind.RESTRICTION, disavowal.card, told, SYSTEM, why, **facts)
        apply_event(unit, restriction, Event.STOP_AT_REQUEST, SYSTEM, why, **until)
        return
    facts |= {"grounds": told, "decision": ""}
    apply_event(unit, restriction, Event.STOP_AT_REQUEST, SYSTEM, why, **facts, **until)


def _taken_back(unit: UnitOfWork, order: Order, by: Person, why: str) -> None:
    """Give a card back that is stopped at the request that was taken back; other stops stay."""
    restriction = unit.open_order(order.card, Kind.RESTRICTION)
    if restriction and restriction.state is State.STOPPED_AT_REQUEST:
        apply_event(unit, restriction, Event.RESTORE, SYSTEM, f"taken back {order.id} ({by.id}): {why}")


def _days_are_over(unit: UnitOfWork, order: Order, by: Person, why: str) -> None:
    """Cancel the card of a disavowal that nobody took back; NoSuchTransition: the police stop it."""
    del by
    restriction = unit.open_order(order.card, Kind.RESTRICTION)
    if restriction is None or restriction.state is State.FORCED_STOP:
        held = only_the_police(restriction.id) if restriction else "it is not stopped"
        raise NoSuchTransition(f"the card of {order.id} cannot be cancelled now; {held}")
    carried_by = Evidence.OWN_REQUEST.of(order.id)
    apply_event(unit, restriction, Event.CANCEL, SYSTEM, f"{order.id}: {why}", carried_by=carried_by)


def _upheld(unit: UnitOfWork, order: Order, by: Person, why: str) -> None:
    """Restore the card and withdraw its verification, unless the police stopped it."""
    restriction = unit.open_order(order.card, Kind.RESTRICTION)
    if restriction and restriction.state is State.FORCED_STOP:
        raise PermissionDenied(
            f"the card is stopped by police notice; {only_the_police(restriction.id)}; pass the objection on to them:"
            f" {typed(order.kind, Event.TO_FRAUD_CENTRE, order.id)}"
        )
    if restriction and restriction.state is State.STOPPED_AT_REQUEST:
        not_against_registrant(unit, restriction, Event.RESTORE, by)
    verification = unit.open_order(order.card, Kind.VERIFICATION)
    if verification and (restriction is None or not ran_out(verification)):
        after = unit.move(verification, Event.WITHDRAW, SYSTEM, f"objection {order.id} upheld: {why}")
        settle_proposal(unit, after)
    if restriction and restriction.state in (*_LIFTED_BY_PASSING, State.PUNISHED):
        apply_event(unit, restriction, Event.RESTORE, SYSTEM, f"upheld {order.id} ({by.id}): {why}")
    else:
        unit.notify(order, "upheld")


def _lapsed(unit: UnitOfWork, order: Order, by: Person, why: str) -> None:
    """Give the card back of an objection that nobody decided; nobody passed, so its verification is closed as it is."""
    restriction = unit.open_order(order.card, Kind.RESTRICTION)
    if restriction is None or restriction.state not in _LIFTED_BY_PASSING:
        raise NoSuchTransition(f"nothing that the clock may lift stops the card of {order.id}")
    why = f"{order.id} was not decided in its term: {why}"
    freed = unit.move(restriction, Event.RESTORE, SYSTEM, why, due_at=None)
    _free(unit, freed, by, why, "restored_undecided")


def _notify_outcome(unit: UnitOfWork, order: Order, by: Person, why: str) -> None:
    del why
    notify_limited(unit, order, by, f"objection_{order.state}")


def _passed_on(unit: UnitOfWork, order: Order, by: Person, why: str) -> None:
    """Pass the objection on to the police; NoSuchTransition: no police stop."""
    del why
    restriction = unit.open_order(order.card, Kind.RESTRICTION)
    if restriction is None or restriction.state is not State.FORCED_STOP:
        here = " or ".join(typed(order.kind, event, order.id) for event in (Event.UPHOLD, Event.REJECT))
        raise NoSuchTransition(f"{order.id} is about no stop of the police: it is decided here, by {here}")
    notify_limited(unit, order, by, "objection_passed_on")


_V, _R, _O, _D = Kind.VERIFICATION, Kind.RESTRICTION, Kind.OBJECTION, Kind.DISAVOWAL
_FOLLOWS: dict[tuple[Kind, Event], Callable[[UnitOfWork, Order, Person, str], None]] = {
    (_V, Event.EXPIRE): partial(_restrict, because=TOO_LATE),
    (_V, Event.FAIL): partial(_restrict, because=NOT_PASSED),
    (_V, Event.PASS): _passed,
    (_V, Event.SUBMIT): _submitted,
    (_V, Event.TO_COUNTER): _to_counter,
    (_V, Event.TO_FRAUD_CENTRE): _to_fraud_centre,
    (_V, Event.WITHDRAW): _withdrawn,
    (_R, Event.BAR_OUTGOING): _stopped,
    (_R, Event.LIFELINE): _stopped,
    (_R, Event.SUSPEND): _stopped,
    (_R, Event.EASE): _stopped,
    (_R, Event.EASE_TO_LIFELINE): _stopped,
    (_R, Event.POLICE_STOP): _stopped_by_police,
    (_R, Event.STOP_AT_REQUEST): _stopped,
    (_R, Event.PUNISH): _stopped,
    (_R, Event.RESTORE): _free,
    (_R, Event.POLICE_RELEASE): _released_by_police,
    (_R, Event.CANCEL): _cancelled,
    (_O, Event.UPHOLD): _upheld,
    (_O, Event.LAPSE): _lapsed,
    (_O, Event.ACCEPT): _notify_outcome,
    (_O, Event.REJECT): _notify_outcome,
    (_O, Event.TO_FRAUD_CENTRE): _passed_on,
    (_D, Event.CONFIRM): _disowned,
    (_D, Event.WITHDRAW): _taken_back,
    (_D, Event.CANCEL): _days_are_over,
}


def grounds(unit: UnitOfWork, reason: BilingualText) -> Grounds:
    """Return the reason with the policy's way of redress and the papers to bring."""
    return Grounds(reason, unit.policy.redress, unit.policy.papers).complete()
