"""Order service: decisions become orders; people and deadlines move them on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, and_, or_, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from duanka.domain.authority import Permission, authorize, within
from duanka.domain.evidence import ran_out
from duanka.domain.hit_summary import encoded_summaries, joined
from duanka.domain.order import (
    STAFF,
    SYSTEM,
    Event,
    Grounds,
    Kind,
    NoSuchTransition,
    Order,
    OrderDecision,
    OrderError,
    Person,
    RequestedAction,
    Role,
    State,
)
from duanka.domain.take import TIERS
from duanka.domain.text import BilingualText
from duanka.ledger.audit.row_digests import ORDERS, found
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import orders
from duanka.ledger.monitoring.alarms import AlarmService, clear
from duanka.ledger.monitoring.isolation import each_alone, in_one_line
from duanka.ledger.unit_of_work.four_eyes import takes_two
from duanka.ledger.unit_of_work.unit_of_work import POLICE_NOTICE, Terms, UnitOfWork, cancelled
from duanka.orders.daily_limit import within_a_day
from duanka.orders.effects import grounds, happen, next_stage
from duanka.orders.passed_cards import passed_lately

SetAside = Callable[[BilingualText, str, Exception, datetime], None]
_ORDER = BilingualText("到期工单", "the order that is due,")
NOT_BEGUN = (State.OPENED, State.UNDELIVERABLE, State.NOTIFIED)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Received:
    """Counts of what became of decisions.

    The fields add up to their number, except the last two, which count some of them again.
    """

    opened: int = 0
    attached: int = 0
    stopped: int = 0
    protected: int = 0
    withdrawn: int = 0  # the records no longer support it, and the holder has not begun
    aside: int = 0  # cannot be processed; an alarm names each
    kept: int = 0  # no order for now: not chosen, held, or a withdrawal on narrower records
    left: int = 0  # nothing to ask, or the card is cancelled or stopped by the police already
    unsealed: int = 0  # without our seal: their holders are asked, and nothing is stopped for it alone
    unsealed_stops: int = 0  # of those, stops; also stops without a signature of the police


class OrderService:
    """Orders of one operator.

    `now` is aware. Every method is one transaction and safe beside other processes.
    """

    def __init__(self, store: Store, terms: Terms) -> None:
        self.store = store
        self.terms = terms
        # callback for a row that cannot be processed and left its queue: queue, id, error, time
        self.set_aside: SetAside = AlarmService(store, lambda _: None, timedelta()).set_aside
        # callback after a transaction that leaves work for the worker
        self.wake: Callable[[], None] = lambda: None

    def turn(self, work: Callable[[UnitOfWork], Result], now: datetime) -> Result:
        """Run `work` in one transaction at `now`; retries when two writers conflict."""

        def whole(connection: Connection) -> tuple[Result, bool]:
            turn = UnitOfWork(connection, self.terms, now)
            result = work(turn)
            turn.write()
            return result, turn.leaves_work

        # IntegrityError: both opened the one order of a kind that a card may have
        result, leaves_work = self.store.transact(whole, again=(OperationalError, IntegrityError))
        if leaves_work:
            self.wake()
        return result

    def turn_kept(self, work: Callable[[UnitOfWork], Result | OrderError], now: datetime) -> Result:
        """As `turn`, but commits if `work` returns an OrderError, and then raises it."""
        answer = self.turn(work, now)
        if isinstance(answer, OrderError):
            raise answer
        return answer

    def receive(self, demands: Sequence[OrderDecision], now: datetime, by: Person = SYSTEM) -> Received:
        """Turn decisions into orders; a hit joins the card's open order of the kind."""
        return self.turn(lambda turn: receive_in(turn, demands, by), now)

    def act(self, number: str, event: Event, by: Person, why: str, now: datetime, **facts: Any) -> Order:
        """Apply `event` to an order, with its effects. OrderError: why it is not possible."""
        if not why.strip():
            raise OrderError(f"say why you {event} {number}: the reason stays in the audit trail")
        return self.turn(lambda turn: happen(turn, turn.order(number), event, by, why.strip(), **facts), now)

    def extend(self, number: str, hardship: str, by: Person, why: str, now: datetime) -> Order:
        """Extend the deadline of a holder in hardship, once."""

        if not why.strip():
            raise OrderError(f"say why {number} is given more time: the reason stays in the audit trail")

        def work(turn: UnitOfWork) -> Order:
            order = turn.order(number)
            authorize(by, Permission.VERIFICATION_EXTEND, order)
            if hardship not in turn.policy.hardships:
                raise OrderError(
                    f"no hardship {hardship!r}: the policy knows {', '.join(turn.policy.hardships)}"
                )
            if order.extended:
                raise OrderError(
                    f"{number} was extended before, for {order.extended}: once is what the policy allows"
                )
            return happen(turn, order, Event.EXTEND, by, why, extended=hardship)

        return self.turn(work, now)

    def police_stop(self, card: str, case: str, by: Person, why: str, now: datetime) -> Order:
        """Stop a card at once on a police notice, whose number is stored in the order."""
        if not case.strip():
            raise OrderError("a police stop needs the number of the notice or case")
        return self.turn(lambda turn: _police_stop(turn, card, case, by, why), now)

    def police_release(self, card: str, by: Person, why: str, now: datetime) -> Order:
        """Lift a police stop with the consent of the police."""

        def work(turn: UnitOfWork) -> Order:
            turn.authorize(by, Permission.RESTRICTION_POLICE_RELEASE, card)
            order = turn.open_order(card, Kind.RESTRICTION)
            if order is None:
                raise NoSuchTransition(f"{card} is not stopped; there is nothing to release")
            return happen(turn, order, Event.POLICE_RELEASE, by, why)

        return self.turn(work, now)

    def object(self, card: str, text: str, by: Person, now: datetime) -> Order:
        """File an objection to the card's open order; a second one joins the first."""

        def work(turn: UnitOfWork) -> Order:
            turn.authorize(by, Permission.FILE_OBJECTION, card)
            about = turn.open_order(card, Kind.RESTRICTION) or turn.open_order(card, Kind.VERIFICATION)
            if about is None:
                raise NoSuchTransition(f"there is no open order about {card} to object to")
            if earlier := turn.open_order(card, Kind.OBJECTION):
                return turn.change(earlier, by, "attach", text, hits=earlier.hits + 1)
            reason = BilingualText(text.strip() or "机主提出异议", text.strip() or "the holder objects")
            told = replace(about.grounds, reason=reason)
            return turn.open(Kind.OBJECTION, card, told, by, text, parent=about.id, tier=about.tier)

        return self.turn(work, now)

    def sweep(self, now: datetime, limit: int = 500, *, restrict: bool = True) -> int:
        """Move on up to `limit` orders that are due; return how many, 0: none is left.

        Concurrent sweeps do nothing twice. An order that cannot be read or moved on loses its deadline, and an alarm
        names it. A stage that becomes due by this sweep is left for the next one. `restrict` False skips what would
        restrict a card, for a clock that cannot be trusted; lifting continues.
        """
        is_due: tuple[ColumnElement[bool], ...] = (orders.c.due_at <= now, orders.c.closed_at.is_(None))
        if not restrict:
            gives_back = (orders.c.kind == Kind.RESTRICTION.value, orders.c.state == State.PUNISHED.value)
            is_due = (*is_due, or_(and_(*gives_back), orders.c.kind == Kind.OBJECTION.value))
        due = select(orders.c.id, orders.c.card).where(*is_due).order_by(orders.c.due_at).limit(limit)
        with self.store.reading() as connection:
            found = [(row.id, row.card) for row in connection.execute(due)]

        def move_on(some: Sequence[tuple[str, str]]) -> None:
            def work(turn: UnitOfWork) -> set[str]:
                turn.lock([card for _, card in some])
                changed = turn.not_as_told([number for number, _ in some])
                for number, _ in some:
                    if number not in changed:
                        _fall_due_alone(turn, turn.order(number), now)
                return changed

            # A deadline or decision written into the database from outside must stop no card.
            for number in sorted(self.turn(work, now)):
                self._without_deadline(number, OrderError("it was changed past the audit trail"), now)

        each_alone(found, move_on, lambda one, error: self._without_deadline(one[0], error, now))
        return len(found)

    def clear_alarm(self, source: str, by: Person, why: str, now: datetime) -> None:
        """Clear an alarm that a supervisor has handled; the trail records who and why."""
        authorize(by, Permission.CLEAR_ALARM)
        if not why.strip():
            raise OrderError(f"say why the alarm {source} is cleared: the reason stays in the audit trail")

        def work(turn: UnitOfWork) -> None:
            if not clear(turn.connection, source, now):
                raise OrderError(f"no open alarm {source!r}; `duanka orders alarms` names them")
            turn.note(by, "alarm.clear", source, why.strip(), {"open": True}, {"open": False})

        self.turn(work, now)

    def _without_deadline(self, number: str, error: Exception, now: datetime) -> None:
        """Remove the deadline of an order that cannot be moved on, without parsing it."""

        def work(turn: UnitOfWork) -> None:
            this = orders.c.id == number
            due_at = turn.connection.execute(select(orders.c.due_at).where(this).with_for_update()).scalar()
            was = found(turn.connection, ORDERS, number)
            turn.connection.execute(update(orders).where(this).values(due_at=None))
            before = {"due_at": due_at.isoformat()} if due_at else {}
            turn.note(SYSTEM, "order.set_aside", number, in_one_line(error), dict(before), {}, was)

        self.turn(work, now)
        self.set_aside(_ORDER, number, error, now)


def receive_in(turn: UnitOfWork, demands: Sequence[OrderDecision], by: Person = SYSTEM) -> Received:
    """Turn decisions into orders, as part of a unit of work.

    `by`: who took them, recorded for each; the author of unsealed ones.
    """
    authorize(by, Permission.TAKE_DECISIONS)
    turn.lock([demand.card for demand in demands])
    asked = {
        demand.card
        for demand in demands
        if not demand.decision and demand.asked is not RequestedAction.NOTHING
    }
    within_a_day(turn, by, len(asked))
    gone = cancelled(turn.connection, (demand.card for demand in demands))
    counts = Counter(receive_one(turn, demand, gone, by) for demand in demands)
    counts["unsealed"] = sum(not demand.decision for demand in demands)
    counts["unsealed_stops"] = sum(
        demand.asked is RequestedAction.STOP and not demand.police_stop for demand in demands
    )
    return Received(**counts)


def receive_one(turn: UnitOfWork, demand: OrderDecision, gone: frozenset[str], by: Person) -> str:
    """Open or extend an order for one decision; return the field of Received to count.

    A stop signed by the police is carried out by the system, so no person's scope limits it.
    """
    card = demand.card
    if not by.scope.everywhere and not demand.police_stop:
        within(by, "a card of these decisions", *(demand.place.values() or turn.place(card)))
    if demand.decision and demand.place:
        _follow_place(turn, demand)
    if demand.asked is RequestedAction.NOTHING:
        return _recall(turn, demand, by)
    restriction = turn.open_order(card, Kind.RESTRICTION)
    by_police = restriction is not None and restriction.state is State.FORCED_STOP
    if turn.policy.protects(card):
        turn.note(by, "demand.protected", card, demand.reason.en, {}, {"asked": demand.asked.value})
        return "protected"
    if demand.asked is not RequestedAction.STOP:
        # A card stopped by the police gets no new verification; an open one takes the hit.
        asked = turn.open_order(card, Kind.VERIFICATION)
        return "left" if card in gone or (by_police and asked is None) else _ask(turn, demand, by)
    if card in gone or by_police:
        return "left"
    if not demand.police_stop:
        return _ask(turn, as_question(demand), by)
    case = ", ".join(demand.cases) or "公安机关确认"
    why = f"confirmed by the police in case {case}, signed by {', '.join(demand.signed_by)}"
    why = why if by is SYSTEM else f"{why}; taken by {by.id}"
    stopped = _police_stop(turn, card, case, SYSTEM, why, **demand.place)
    turn.of_decisions.append((stopped, "stopped"))
    return "stopped"


def _follow_place(turn: UnitOfWork, demand: OrderDecision) -> None:
    """Move the card's open orders to the place in the latest sealed decision."""
    for kind in Kind:
        order = turn.open_order(demand.card, kind)
        if order and (order.operator, order.city) != (demand.operator, demand.city):
            turn.change(order, SYSTEM, "place", "as the register says", **demand.place)


def as_question(demand: OrderDecision) -> OrderDecision:
    """Turn a stop without police signature into a request to verify at a counter."""
    return replace(demand, asked=RequestedAction.VERIFY_AT_COUNTER, tier="high", cases=(), signed_by=())


def _ask(turn: UnitOfWork, demand: OrderDecision, by: Person) -> str:
    card = demand.card
    order = turn.open_order(card, Kind.VERIFICATION)
    if order is None and (passed := passed_lately(turn, demand)):
        turn.note(by, "demand.passed", passed, demand.reason.en, {}, {"card": card, "tier": demand.tier})
        return "left"
    if order is None:
        order = turn.open(
            Kind.VERIFICATION,
            card,
            grounds(turn, demand.reason),
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
        turn.notify(order, demand.asked.value)
        turn.of_decisions.append((order, "opened"))
        return "opened"
    _attach(turn, order, demand, by)
    turn.of_decisions.append((order, "attached"))
    return "attached"


def _recall(turn: UnitOfWork, demand: OrderDecision, by: Person) -> str:
    """Withdraw a verification that has not begun: late records removed the hit.

    An unsealed decision counts as a withdrawal by a person, who may not do so alone for every tier.
    """
    order = turn.open_order(demand.card, Kind.VERIFICATION)
    if order is None or order.state not in NOT_BEGUN:
        return "left"
    if not demand.decision and (by.role not in STAFF or takes_two(turn, demand.card)):
        return "left"
    who = SYSTEM if demand.decision else by
    happen(turn, order, Event.WITHDRAW, who, "the records no longer say so")
    return "withdrawn"


def _attach(turn: UnitOfWork, order: Order, demand: OrderDecision, by: Person) -> None:
    """Attach a repeated hit to the open order; a heavier one asks for a counter visit.

    A sealed decision takes over what was opened by an unsealed one: the holder is told its reason, and the hours
    restart with that notice.
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
        facts |= {"decision": demand.decision, "receipt_at": None, "grounds": grounds(turn, demand.reason)}
        if order.state in NOT_BEGUN:
            facts |= {"delivered_at": None, "due_at": None}
    after = turn.change(order, by, "attach", demand.reason.en, **facts)
    if (heavier or takes_over) and after.state in NOT_BEGUN:
        turn.notify(after, asked)


def _police_stop(turn: UnitOfWork, card: str, case: str, by: Person, why: str, **place: str) -> Order:
    """Stop a card for the police; the holder is told so, and of no detection rule."""
    turn.authorize(by, Permission.RESTRICTION_POLICE_STOP, card)
    reason = BilingualText(f"公安机关确认涉案（{case}）", f"confirmed by the police in case {case}")
    why_told = Grounds(reason, turn.policy.police_redress, turn.policy.papers).complete()
    if card in cancelled(turn.connection, [card]):
        raise NoSuchTransition(f"{card} is cancelled; it is out of the network already")
    order = turn.open_order(card, Kind.RESTRICTION)
    if order and order.state is State.FORCED_STOP:
        return turn.change(order, by, "attach", f"{case}: {why}", hits=order.hits + 1)
    carried_by = POLICE_NOTICE + case
    # Where lifting takes two people, an officer who stops the card may not also release it.
    mine = (by.id,) if by.role is Role.POLICE else ()
    released_by_another = mine if takes_two(turn, card) else ()
    if order is None:
        facts = {"tier": "extreme", "carried_by": carried_by, **place}
        order = turn.open(Kind.RESTRICTION, card, why_told, by, why, **facts)
    stop = {"carried_by": carried_by, "grounds": why_told, "tier": "extreme"}
    helped_by = (*order.helped_by, *released_by_another)
    order = happen(turn, order, Event.POLICE_STOP, by, why, **stop, helped_by=helped_by)
    verification = turn.open_order(card, Kind.VERIFICATION)
    if verification and verification.state is not State.SENT_TO_FRAUD_CENTRE:
        helped_by = (*verification.helped_by, *mine)
        happen(
            turn, verification, Event.TO_FRAUD_CENTRE, SYSTEM, f"police notice {case}", helped_by=helped_by
        )
    return order


def _fall_due_alone(turn: UnitOfWork, order: Order, now: datetime) -> None:
    """Apply a due deadline; if that fails, remove it and leave the order to a person."""
    try:
        with turn.attempt(order.card):
            _fall_due(turn, order, now)
    except OrderError as error:
        turn.change(order, SYSTEM, "overdue", str(error), due_at=None)


def _fall_due(turn: UnitOfWork, order: Order, now: datetime) -> None:
    if order.closed_at or order.due_at is None or order.due_at > now:
        return  # moved by the effects of another deadline of this transaction
    if order.kind is Kind.VERIFICATION:
        happen(
            turn, order, Event.EXPIRE, SYSTEM, f"no answer by {turn.policy.local_time.written(order.due_at)}"
        )
    elif order.kind is Kind.RESTRICTION and (event := next_stage(turn, order)):
        happen(
            turn,
            order,
            event,
            SYSTEM,
            f"the stage of {turn.policy.local_time.written(order.due_at)} has come",
        )
    else:  # an objection not answered in time: a person must look, notified once
        turn.change(order, SYSTEM, "overdue", "the days to answer are over", due_at=None)
