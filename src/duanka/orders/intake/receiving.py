"""Turn decisions into orders: open, attach, stop, or withdraw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from duanka.domain.authority import Permission, authorize, within
from duanka.domain.evidence import ran_out
from duanka.domain.hit_summary import encoded_summaries, joined
from duanka.domain.order import STAFF, SYSTEM, Event, Kind, Order, Person, State
from duanka.domain.order_decision import OrderDecision, RequestedAction
from duanka.domain.take import TIERS
from duanka.ledger.unit_of_work.confirmations import ConfirmationSource
from duanka.ledger.unit_of_work.four_eyes import needs_two_people
from duanka.ledger.unit_of_work.lifeline import end_lifeline
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork, cancelled
from duanka.orders.daily_limit import within_a_day
from duanka.orders.effects import apply_event, grounds
from duanka.orders.intake.new_evidence import heavier_since
from duanka.orders.intake.passed_cards import answered_lately, given_back_for
from duanka.orders.own_request import confirmed_disavowal
from duanka.orders.police_stops import police_stop

NOT_BEGUN = (State.OPENED, State.UNDELIVERABLE, State.NOTIFIED)


@dataclass(frozen=True)
class Received:
    """Number of decisions by outcome.

    Each decision counts in one field; the last two, which are no outcomes, count some of them again.
    """

    opened: int = 0
    attached: int = 0
    stopped: int = 0
    protected: int = 0
    withdrawn: int = 0  # verifications not begun that the records no longer support
    aside: int = 0  # cannot be processed; an alarm names each
    kept: int = 0  # no order for now: not chosen, held, or a withdrawal on narrower records
    left: int = 0  # nothing to do, or the card is cancelled or stopped by the police already
    unsealed: int = 0  # without our seal: they ask the holder to verify, and alone never stop a card
    unsealed_stops: int = 0  # stops without a police signature: turned into a verification at a counter


def receive_in(unit: UnitOfWork, decisions: Sequence[OrderDecision], by: Person = SYSTEM) -> Received:
    """Turn decisions into orders, as part of a unit of work.

    `by`: who took them, in the audit trail of each order; also recorded as opener of orders from unsealed decisions.
    """
    authorize(by, Permission.TAKE_DECISIONS)
    unit.lock([decision.card for decision in decisions])
    asked = {
        decision.card
        for decision in decisions
        if not decision.id and decision.asked is not RequestedAction.NOTHING
    }
    within_a_day(unit, by, len(asked))
    gone = cancelled(unit.connection, (decision.card for decision in decisions))
    counts = Counter(receive_one(unit, decision, gone, by) for decision in decisions)
    counts["unsealed"] = sum(not decision.id for decision in decisions)
    counts["unsealed_stops"] = sum(
        decision.asked is RequestedAction.STOP and not decision.police_stop for decision in decisions
    )
    return Received(**counts)


def receive_one(unit: UnitOfWork, decision: OrderDecision, gone: frozenset[str], by: Person) -> str:
    """Open or extend an order for one decision; return the field of Received to count.

    A stop signed by the police is carried out by the system, so no person's scope limits it.
    """
    card = decision.card
    if not by.scope.everywhere and not decision.police_stop:
        within(by, "a card of these decisions", *(decision.place.values() or unit.place(card)))
    if decision.id and decision.place:
        _follow_place(unit, decision)
    if decision.asked is RequestedAction.NOTHING:
        return _recall(unit, decision, by)
    restriction = unit.open_order(card, Kind.RESTRICTION)
    by_police = restriction is not None and restriction.state is State.FORCED_STOP
    disowned = confirmed_disavowal(unit, card) is not None  # nothing is left to ask its registrant
    if unit.policy.protects(card):
        unit.note(by, "demand.protected", card, decision.reason.en, {}, {"asked": decision.asked.value})
        return "protected"
    if decision.asked is not RequestedAction.STOP:
        # A card stopped by the police gets no new verification; to an open one the hit is attached.
        asked = unit.open_order(card, Kind.VERIFICATION)
        over = card in gone or disowned or (by_police and asked is None)
        return "left" if over else _asked(unit, decision, by)
    if card in gone or by_police or (disowned and not decision.police_stop):
        return "left"
    if not decision.police_stop:
        return _asked(unit, as_question(decision), by)
    case = ", ".join(decision.cases) or "公安机关确认"
    why = f"confirmed by the police in case {case}, signed by {', '.join(decision.signed_by)}"
    why = why if by is SYSTEM else f"{why}; taken by {by.id}"
    source = ConfirmationSource.SIGNED_FILE
    stopped = police_stop(unit, card, case, SYSTEM, why, source=source, **decision.place)
    unit.of_decisions.append((stopped, "stopped"))
    return "stopped"


def _follow_place(unit: UnitOfWork, decision: OrderDecision) -> None:
    """Set operator and city of the open orders as in the latest sealed decision."""
    for kind in Kind:
        order = unit.open_order(decision.card, kind)
        if order and (order.operator, order.city) != (decision.operator, decision.city):
            unit.change(order, SYSTEM, "place", "as the register says", **decision.place)


def as_question(decision: OrderDecision) -> OrderDecision:
    """Turn a stop without police signature into a request to verify at a counter."""
    return replace(decision, asked=RequestedAction.VERIFY_AT_COUNTER, tier="high", cases=(), signed_by=())


def _asked(unit: UnitOfWork, decision: OrderDecision, by: Person) -> str:
    """Ask the holder; a card in lifeline that must not be in it any more moves on.

    What one person wrote into a list without a seal restricts nothing.
    """
    became = _ask(unit, decision, by)
    if decision.id:
        end_lifeline(unit, decision.card, decision.reason.en, *decision.rules)
    return became


def _ask(unit: UnitOfWork, decision: OrderDecision, by: Person) -> str:
    card = decision.card
    order = unit.open_order(card, Kind.VERIFICATION)
    if order is None and (answered := answered_lately(unit, decision)):
        what = "demand.passed" if answered.passed else "demand.restored"
        unit.note(by, what, answered.order, decision.reason.en, {}, {"card": card, "tier": decision.tier})
        return "left"
    if order is None and (given_back := given_back_for(unit, decision)):
        told: dict[str, object] = {"card": card, "tier": decision.tier}
        unit.note(by, "demand.given_back", given_back, decision.reason.en, {}, told)
        return "left"
    if order is None:
        order = unit.open(
            Kind.VERIFICATION,
            card,
            grounds(unit, decision.reason),
            by,
            decision.reason.en,
            tier=decision.tier,
            asked=decision.asked.value,
            rules=decision.rules,
            hit_summaries=encoded_summaries(decision.hit_summaries),
            **decision.place,
            opened_by=SYSTEM.id if decision.id else by.id,
            decision=decision.id,
        )
        unit.notify(order, decision.asked.value)
        unit.of_decisions.append((order, "opened"))
        return "opened"
    _attach(unit, order, decision, by)
    unit.of_decisions.append((order, "attached"))
    return "attached"


def _recall(unit: UnitOfWork, decision: OrderDecision, by: Person) -> str:
    """Withdraw a verification whose hit late records removed, if it has not begun.

    An unsealed decision counts as a withdrawal by `by`, who must be staff and allowed to do it alone.
    """
    order = unit.open_order(decision.card, Kind.VERIFICATION)
    if order is None or order.state not in NOT_BEGUN:
        return "left"
    if not decision.id and (by.role not in STAFF or needs_two_people(unit, decision.card)):
        return "left"
    who = SYSTEM if decision.id else by
    apply_event(unit, order, Event.WITHDRAW, who, "the records no longer say so")
    return "withdrawn"


def _attach(unit: UnitOfWork, order: Order, decision: OrderDecision, by: Person) -> None:
    """Attach a repeated hit to the open order; what is heavier by new evidence alone needs a counter visit.

    A sealed decision takes over an order that an unsealed one opened: its reason replaces the former, a new notice
    tells the holder, and the response time restarts with that notice.
    """
    rules = tuple(dict.fromkeys((*decision.rules, *order.rules)))
    takes_over = bool(decision.id and not order.decision and not ran_out(order))
    rises = takes_over or heavier_since(unit, decision, order.tier, order.opened_at)
    tier = max(order.tier, decision.tier, key=TIERS.index) if rises else order.tier
    counter = decision.asked is RequestedAction.VERIFY_AT_COUNTER
    heavier = rises and counter and order.asked == RequestedAction.VERIFY
    asked = decision.asked.value if heavier else order.asked
    facts: dict[str, Any] = {"hits": order.hits + 1, "rules": rules, "tier": tier, "asked": asked}
    if decision.hit_summaries:
        facts["hit_summaries"] = joined(order.hit_summaries, decision.hit_summaries)
    if takes_over:
        facts |= {"decision": decision.id, "receipt_at": None, "grounds": grounds(unit, decision.reason)}
        if order.state in NOT_BEGUN:
            facts |= {"delivered_at": None, "due_at": None}
    after = unit.change(order, by, "attach", decision.reason.en, **facts)
    if (heavier or takes_over) and after.state in NOT_BEGUN:
        unit.notify(after, asked)
