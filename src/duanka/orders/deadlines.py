"""Deadlines: the response time of a verification, the stages of a restriction."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from duanka.domain.network import NetworkState
from duanka.domain.objection import unanswered
from duanka.domain.order import STAFF, SYSTEM, Event, Kind, NoSuchTransition, Order, OrderError, Person, State
from duanka.domain.order_decision import RequestedAction
from duanka.domain.restriction_states import in_the_network
from duanka.ledger.db.tables import audit
from duanka.ledger.unit_of_work.four_eyes import check_waits
from duanka.ledger.unit_of_work.lifeline import why_no_lifeline
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork

STAGE_EVENT = {
    NetworkState.OUTGOING_BARRED: Event.BAR_OUTGOING,
    NetworkState.LIFELINE: Event.LIFELINE,
    NetworkState.SUSPENDED: Event.SUSPEND,
}
_STOPS_THE_CLOCK = (Event.SUBMIT, Event.NOT_DELIVERED, Event.EXPIRE, Event.FAIL, Event.TO_FRAUD_CENTRE)
MOST_DELAYS = 2  # pauses of a verification's response time that staff may cause
_DELAYS = ("verification.submit", "counter.reject")


def changed_deadlines(
    unit: UnitOfWork, order: Order, event: Event, by: Person, facts: dict[str, Any]
) -> dict[str, object]:
    """Return the changed deadline fields; removes the keys it uses from `facts`."""
    policy, clock = unit.policy, dict[str, object]()
    match order.kind, event:
        case Kind.VERIFICATION, Event.DELIVERED:
            clock = _delivered(unit, order, facts.pop("delivered_at", None))
        case Kind.VERIFICATION, Event.BEGIN if not order.delivered_at and by.role not in STAFF:
            # The response time starts once, at delivery. Whoever answers before the receipt arrives has
            # received the notice.
            at = max(order.opened_at, unit.now)  # the system clock may have been set back
            clock = {"delivered_at": at, "due_at": at + policy.answer_within}
        case Kind.VERIFICATION, Event.TO_COUNTER:
            # The requested action is now a counter visit: pending notices of another one are not sent.
            clock = {"asked": RequestedAction.VERIFY_AT_COUNTER.value}
            if order.state is State.UNDER_REVIEW:
                # The response time stood still during the review; now it is the holder's turn again.
                clock |= hours_anew(unit, order)
        case Kind.VERIFICATION, Event.EXTEND:
            if order.due_at is None:
                raise NoSuchTransition(
                    f"no response time runs for {order.id} now: it can be extended once a notice is"
                    " delivered, or once the pending review or counter check is decided"
                )
            clock = {"due_at": order.due_at + timedelta(hours=policy.hardship_hours)}
        case Kind.VERIFICATION, Event.FAIL if not facts.get("evidence"):
            # A failure on one person's word has no evidence, so it must not stop the clock: the order would
            # never end.
            clock = hours_anew(unit, order) if order.due_at is None else {}
        case Kind.VERIFICATION, _ if event in _STOPS_THE_CLOCK:
            clock = {"due_at": None}
        case Kind.OBJECTION, Event.ACCEPT | Event.TO_FRAUD_CENTRE if order.state is State.FILED:
            clock = _term(unit, order)
        case Kind.DISAVOWAL, Event.CONFIRM:
            clock = days_to_take_back(unit, order.card)
        case Kind.RESTRICTION, _:
            clock = _of_restriction(order, event, facts)
    return clock


def _term(unit: UnitOfWork, objection: Order) -> dict[str, object]:
    """Return the term of an objection that is taken up: the one that began when it was filed, also where it is over.

    One of a version that gave it no term has it from now.
    """
    if unanswered(objection):
        return {}
    ends = unit.policy.working_days_after(unit.now, unit.policy.objection_days)
    return {"due_at": objection.due_at or ends}


def _of_restriction(order: Order, event: Event, facts: dict[str, Any]) -> dict[str, object]:
    if event is not Event.PUNISH:
        return {"due_at": None}
    if not facts.get("until"):
        raise OrderError(f"a punishment needs the day until which {order.card} stays stopped")
    return {"due_at": facts["until"]}


def _delivered(unit: UnitOfWork, order: Order, at: datetime | None) -> dict[str, object]:
    """Start the response time at the first receipt; while staff are awaited, record it only."""
    if order.receipt_at:
        return {}
    # A receipt with a wrong clock must not predate the order or lie in the future.
    at = max(order.opened_at, min(at or unit.now, unit.now))
    clock: dict[str, object] = {"receipt_at": at}
    if order.delivered_at is None:
        clock["delivered_at"] = at
    if order.state is not State.UNDER_REVIEW and not check_waits(unit, order):
        ends = at + unit.policy.answer_within
        clock["due_at"] = max(order.due_at, ends) if order.due_at else ends
    return clock


def hours_anew(unit: UnitOfWork, order: Order) -> dict[str, object]:
    """Restart the response time; not before delivery, or while a counter check waits."""
    if order.delivered_at is None or check_waits(unit, order):
        return {}
    return {"due_at": unit.now + unit.policy.answer_within}


def days_to_take_back(unit: UnitOfWork, card: str) -> dict[str, object]:
    """Return when a disowned card is cancelled; never while the police stop it."""
    restriction = unit.open_order(card, Kind.RESTRICTION)
    if restriction and restriction.state is State.FORCED_STOP:
        return {"due_at": None, "until": None}
    ends = unit.now + timedelta(days=unit.policy.disowned_days)
    return {"due_at": ends, "until": ends}


def stage_due(
    unit: UnitOfWork, order: Order, state: NetworkState, restriction: Order | None = None
) -> datetime | None:
    """Return when the stage after `state` begins, never before now; None: no stage.

    The hours between two stages are what the holder was told, so a late first stage (extension, review, worker
    outage) does not shorten them. They run from the `restriction` that this verification already led to, else from
    now.
    """
    following = unit.policy.after(state)
    if following is None:
        return None
    began = restriction.opened_at if restriction and restriction.parent == order.id else unit.now
    between = timedelta(hours=unit.policy.hours_until_next(state))
    delivered_at = order.delivered_at or unit.now
    return max(unit.now, began + between, delivered_at + timedelta(hours=following.hours))


def stage_of(unit: UnitOfWork, card: str, state: NetworkState, *rules: str) -> NetworkState:
    """Return the state that a stage with `state` gives the card: a stricter one if it never gets the lifeline."""
    if state is NetworkState.LIFELINE and why_no_lifeline(unit, card, *rules):
        return unit.policy.stage_without_lifeline(state)
    return state


def next_stage(unit: UnitOfWork, order: Order) -> tuple[Event, datetime | None] | None:
    """Return the event of a restriction that falls due, and the deadline after it.

    It is the next stage, or the end of a punishment. Where no stage follows, a card that must not stay in lifeline is
    suspended, and any other stays as it is.
    """
    if order.state is State.PUNISHED:
        return Event.RESTORE, None
    if order.state not in (State.OUTGOING_BARRED, State.LIFELINE):
        return None
    following = unit.policy.after(in_the_network(order.state))
    if following is None:
        over = order.state is State.LIFELINE and why_no_lifeline(unit, order.card)
        return (Event.SUSPEND, None) if over else None
    state = stage_of(unit, order.card, following.state)
    later = unit.policy.hours_until_next(state)
    return STAGE_EVENT[state], unit.now + timedelta(hours=later) if later else None


def may_delay(unit: UnitOfWork, order: Order) -> bool:
    """Whether staff may pause the response time of this verification once more.

    While it waits for staff its response time is paused, and afterwards the holder gets the full time again. One person
    alone can cause this, by a submission without an online check or by discarding a counter record: without a limit,
    that person could keep a verification from ever running out.
    """
    mine = (audit.c.subject == order.id, audit.c.what.in_(_DELAYS), audit.c.role != SYSTEM.role.value)
    return unit.connection.execute(select(func.count()).where(*mine)).scalar_one() < MOST_DELAYS
