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
from duanka.ledger.unit_of_work.four_eyes import takes_two
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork, cancelled
from duanka.orders.daily_limit import within_a_day
from duanka.orders.effects import apply_event, grounds
from duanka.orders.intake.passed_cards import passed_lately
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


def receive_in(unit: UnitOfWork, demands: Sequence[OrderDecision], by: Person = SYSTEM) -> Received:
    """Turn decisions into orders, as part of a unit of work.

    `by`: who took them, in the audit trail of each order; also recorded as opener of orders from unsealed decisions.
    """
    authorize(by, Permission.TAKE_DECISIONS)
    unit.lock([demand.card for demand in demands])
    asked = {
        demand.card
        for demand in demands
        if not demand.decision and demand.asked is not RequestedAction.NOTHING
    }
    within_a_day(unit, by, len(asked))
    gone = cancelled(unit.connection, (demand.card for demand in demands))
    counts = Counter(receive_one(unit, demand, gone, by) for demand in demands)
    counts["unsealed"] = sum(not demand.decision for demand in demands)
    counts["unsealed_stops"] = sum(
        demand.asked is RequestedAction.STOP and not demand.police_stop for demand in demands
    )
    return Received(**counts)


def receive_one(unit: UnitOfWork, demand: OrderDecision, gone: frozenset[str], by: Person) -> str:
    """Open or extend an order for one decision; return the field of Received to count.

    A stop signed by the police is carried out by the system, so no person's scope limits it.
    """
    card = demand.card
    if not by.scope.everywhere and not demand.police_stop:
        within(by, "a card of these decisions", *(demand.place.values() or unit.place(card)))
    if demand.decision and demand.place:
        _follow_place(unit, demand)
    if demand.asked is RequestedAction.NOTHING:
        return _recall(unit, demand, by)
    restriction = unit.open_order(card, Kind.RESTRICTION)
    by_police = restriction is not None and restriction.state is State.FORCED_STOP
    if unit.policy.protects(card):
        unit.note(by, "demand.protected", card, demand.reason.en, {}, {"asked": demand.asked.value})
        return "protected"
    if demand.asked is not RequestedAction.STOP:
        # A card stopped by the police gets no new verification; to an open one the hit is attached.
        asked = unit.open_order(card, Kind.VERIFICATION)
        return "left" if card in gone or (by_police and asked is None) else _ask(unit, demand, by)
    if card in gone or by_police:
        return "left"
    if not demand.police_stop:
        return _ask(unit, as_question(demand), by)
    case = ", ".join(demand.cases) or "公安机关确认"
    why = f"confirmed by the police in case {case}, signed by {', '.join(demand.signed_by)}"
    why = why if by is SYSTEM else f"{why}; taken by {by.id}"
    stopped = police_stop(unit, card, case, SYSTEM, why, **demand.place)
    unit.of_decisions.append((stopped, "stopped"))
    return "stopped"


def _follow_place(unit: UnitOfWork, demand: OrderDecision) -> None:
    """Set operator and city of the open orders as in the latest sealed decision."""
    for kind in Kind:
        order = unit.open_order(demand.card, kind)
        if order and (order.operator, order.city) != (demand.operator, demand.city):
            unit.change(order, SYSTEM, "place", "as the register says", **demand.place)


def as_question(demand: OrderDecision) -> OrderDecision:
    """Turn a stop without police signature into a request to verify at a counter."""
    return replace(demand, asked=RequestedAction.VERIFY_AT_COUNTER, tier="high", cases=(), signed_by=())


def _ask(unit: UnitOfWork, demand: OrderDecision, by: Person) -> str:
    card = demand.card
    order = unit.open_order(card, Kind.VERIFICATION)
    if order is None and (passed := passed_lately(unit, demand)):
        unit.note(by, "demand.passed", passed, demand.reason.en, {}, {"card": card, "tier": demand.tier})
        return "left"
    if order is None:
        order = unit.open(
            Kind.VERIFICATION,
            card,
            grounds(unit, demand.reason),
            by,
            demand.reason.en,
            tier=demand.tier,
            asked=demand.asked.value,
            rules=demand.rules,
            hit_summaries=encoded_summaries(demand.hit_summaries),
            **demand.place,
            opened_by=SYSTEM.id if demand.decision else by.id,
            decision=demand.decision,
        )
        unit.notify(order, demand.asked.value)
        unit.of_decisions.append((order, "opened"))
        return "opened"
    _attach(unit, order, demand, by)
    unit.of_decisions.append((order, "attached"))
    return "attached"


def _recall(unit: UnitOfWork, demand: OrderDecision, by: Person) -> str:
    """Withdraw a verification whose hit late records removed, if it has not begun.

    An unsealed decision counts as a withdrawal by `by`, who must be staff and allowed to do it alone.
    """
    order = unit.open_order(demand.card, Kind.VERIFICATION)
    if order is None or order.state not in NOT_BEGUN:
        return "left"
    if not demand.decision and (by.role not in STAFF or takes_two(unit, demand.card)):
        return "left"
    who = SYSTEM if demand.decision else by
    apply_event(unit, order, Event.WITHDRAW, who, "the records no longer say so")
    return "withdrawn"


def _attach(unit: UnitOfWork, order: Order, demand: OrderDecision, by: Person) -> None:
    """Attach a repeated hit to the open order; a heavier one needs a counter visit.

    A sealed decision takes over an order that an unsealed one opened: its reason replaces the former, a new notice
    tells the holder, and the response time restarts with that notice.
    """
    rules = tuple(dict.fromkeys((*demand.rules, *order.rules)))
    tier = max(order.tier, demand.tier, key=TIERS.index)
    heavier = demand.asked is RequestedAction.VERIFY_AT_COUNTER and order.asked == RequestedAction.VERIFY
    asked = demand.asked.value if heavier else order.asked
    facts: dict[str, Any] = {"hits": order.hits + 1, "rules": rules, "tier": tier, "asked": asked}
    if demand.hit_summaries:
        facts["hit_summaries"] = joined(order.hit_summaries, demand.hit_summaries)
    takes_over = bool(demand.decision and not order.decision and not ran_out(order))
    if takes_over:
        facts |= {"decision": demand.decision, "receipt_at": None, "grounds": grounds(unit, demand.reason)}
        if order.state in NOT_BEGUN:
            facts |= {"delivered_at": None, "due_at": None}
    after = unit.change(order, by, "attach", demand.reason.en, **facts)
    if (heavier or takes_over) and after.state in NOT_BEGUN:
        unit.notify(after, asked)
