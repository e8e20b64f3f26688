"""Order service: applies requests of people and due deadlines to orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, and_, or_, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from duanka.domain.authority import Permission, authorize
from duanka.domain.bounds import reason_for
from duanka.domain.fraud_kind import FraudKind
from duanka.domain.objection import CounterVisit
from duanka.domain.order import (
    SYSTEM,
    DoneBefore,
    Event,
    Kind,
    NoSuchTransition,
    Order,
    OrderError,
    Person,
    State,
)
from duanka.domain.record_lookups import MOST_LETTERS
from duanka.domain.text import BilingualText
from duanka.ledger.audit.row_digests import ORDERS, found
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import orders
from duanka.ledger.monitoring.alarms import AlarmService, clear
from duanka.ledger.monitoring.isolation import each_alone, in_one_line
from duanka.ledger.unit_of_work.unit_of_work import Terms, UnitOfWork
from duanka.orders.deadlines import next_stage
from duanka.orders.done_before import moved_before
from duanka.orders.effects import apply_event
from duanka.orders.objections.filing import file_objection
from duanka.orders.objections.undecided import term_is_over
from duanka.orders.police_stops import police_stop

SetAside = Callable[[BilingualText, str, Exception, datetime], None]
_ORDER = BilingualText("到期工单", "the order that is due,")

Result = TypeVar("Result")


class OrderService:
    """Orders of one operator.

    `now` has a time zone. Methods are safe with concurrent processes; all but `sweep` are one transaction.
    """

    def __init__(self, store: Store, terms: Terms) -> None:
        self.store = store
        self.terms = terms
        # callback (queue, id, error, time) after a row that cannot be processed was taken off its queue
        self.set_aside: SetAside = AlarmService(store).set_aside
        # callback after a transaction that leaves work for the worker
        self.wake: Callable[[], None] = lambda: None

    def transaction(self, work: Callable[[UnitOfWork], Result], now: datetime) -> Result:
        """Run `work` in one transaction at `now`; retries when two writers conflict."""

        def whole(connection: Connection) -> tuple[Result, bool]:
            unit = UnitOfWork(connection, self.terms, now)
            result = work(unit)
            unit.write()
            return result, unit.leaves_work

        # IntegrityError: both opened an order of one kind for a card, which may have only one open
        result, leaves_work = self.store.transact(whole, again=(OperationalError, IntegrityError))
        if leaves_work:
            self.wake()
        return result

    def transaction_then_raise(
        self, work: Callable[[UnitOfWork], Result | OrderError], now: datetime
    ) -> Result:
        """As `transaction`, but commits if `work` returns an OrderError, and then raises it."""
        answer = self.transaction(work, now)
        if isinstance(answer, OrderError):
            raise answer
        return answer

    def apply(self, number: str, event: Event, by: Person, why: str, now: datetime, **facts: Any) -> Order:
        """Apply `event` to an order, with its effects. OrderError: why it is not possible."""
        why = reason_for(why, f"you {event} {number}")
        return self.transaction(
            lambda unit: apply_event(unit, unit.order(number), event, by, why, **facts), now
        )

    def apply_once(
        self, number: str, event: Event, by: Person, why: str, now: datetime
    ) -> tuple[Order, DoneBefore | None]:
        """As `apply`; an order already in the state that `event` leads to stays as it is, then also who did it."""
        try:
            return self.apply(number, event, by, why, now), None
        except NoSuchTransition:
            order, before = self.transaction(
                lambda unit: (unit.order(number), moved_before(unit, number, event, by)), now
            )
            if before is None:
                raise
            return order, before

    def extend(self, number: str, hardship: str, by: Person, why: str, now: datetime) -> Order:
        """Extend the deadline of a holder in hardship, once; again for the same hardship gives the order."""
        reason_for(why, f"{number} is given more time")

        def work(unit: UnitOfWork) -> Order:
            order = unit.order(number)
            authorize(by, Permission.VERIFICATION_EXTEND, order)
            if hardship not in unit.policy.hardships:
                raise OrderError(
                    f"no hardship {hardship!r}: the policy knows {', '.join(unit.policy.hardships)}"
                )
            if order.extended == hardship:
                return order
            if order.extended:
                raise OrderError(
                    f"{number} was extended before, for {order.extended}: once is what the policy allows"
                )
            return apply_event(unit, order, Event.EXTEND, by, why, extended=hardship)

        return self.transaction(work, now)

    def police_stop(
        self,
        card: str,
        case: str,
        by: Person,
        why: str,
        now: datetime,
        fraud_kind: FraudKind | None = None,
    ) -> Order:
        """Stop a card at once on a police notice, whose number is stored in the order.

        `fraud_kind`: as the police say; warnings to victims have it in words.
        """
        if not case.strip() or len(case) > MOST_LETTERS or not case.isprintable():
            raise OrderError(
                f"a police stop needs the number of the notice or case, in at most {MOST_LETTERS} letters"
            )
        kind = fraud_kind.value if fraud_kind else ""
        return self.transaction(lambda unit: police_stop(unit, card, case, by, why, fraud_kind=kind), now)

    def police_release(self, card: str, by: Person, why: str, now: datetime) -> Order:
        """Lift a police stop with the consent of the police."""

        def work(unit: UnitOfWork) -> Order:
            unit.authorize(by, Permission.RESTRICTION_POLICE_RELEASE, card)
            order = unit.open_order(card, Kind.RESTRICTION)
            if order is None:
                raise NoSuchTransition(f"{card} is not stopped; there is nothing to release")
            return apply_event(unit, order, Event.POLICE_RELEASE, by, why)

        return self.transaction(work, now)

    def object(
        self, card: str, text: str, by: Person, now: datetime, visit: CounterVisit | None = None
    ) -> Order:
        """File an objection to the card's open order; a second one joins the first. `visit`: at a counter.

        There, out of the scope of `by`: PermissionDenied without the order number of the notice, UnknownOrder with
        another one, TooManyTries.
        """
        return self.transaction_then_raise(lambda unit: file_objection(unit, card, text, by, visit), now)

    def sweep(self, now: datetime, limit: int = 500, *, restrict: bool = True) -> int:
        """Move on up to `limit` orders that are due; return how many, 0: none is left.

        Concurrent sweeps do nothing twice. An order that cannot be read or moved on loses its deadline, and
        an alarm names it. A stage that becomes due by this sweep is left for the next one. `restrict`: False
        while the clock cannot be trusted; nothing then restricts a card, but restrictions are still lifted.
        """
        is_due: tuple[ColumnElement[bool], ...] = (orders.c.due_at <= now, orders.c.closed_at.is_(None))
        if not restrict:
            gives_back = (orders.c.kind == Kind.RESTRICTION.value, orders.c.state == State.PUNISHED.value)
            is_due = (*is_due, or_(and_(*gives_back), orders.c.kind == Kind.OBJECTION.value))
        due = select(orders.c.id, orders.c.card).where(*is_due).order_by(orders.c.due_at).limit(limit)
        with self.store.reading() as connection:
            found = [(row.id, row.card) for row in connection.execute(due)]

        def move_on(some: Sequence[tuple[str, str]]) -> None:
            def work(unit: UnitOfWork) -> set[str]:
                unit.lock([card for _, card in some])
                changed = unit.changed_past_trail([number for number, _ in some])
                for number, _ in some:
                    if number not in changed:
                        _fall_due_alone(unit, unit.order(number), now)
                return changed

            # A deadline or decision written into the database from outside must stop no card.
            for number in sorted(self.transaction(work, now)):
                self._without_deadline(number, OrderError("it was changed past the audit trail"), now)

        each_alone(found, move_on, lambda one, error: self._without_deadline(one[0], error, now))
        return len(found)

    def clear_alarm(self, source: str, by: Person, why: str, now: datetime) -> None:
        """Clear an alarm that a supervisor has handled; the trail records who and why."""
        authorize(by, Permission.CLEAR_ALARM)
        why = reason_for(why, f"the alarm {source} is cleared")

        def work(unit: UnitOfWork) -> None:
            if not clear(unit.connection, source, now):
                raise OrderError(f"no open alarm {source!r}; `duanka orders alarms` names them")
            unit.note(by, "alarm.clear", source, why, {"open": True}, {"open": False})

        self.transaction(work, now)

    def _without_deadline(self, number: str, error: Exception, now: datetime) -> None:
        """Remove the deadline of an order that cannot be moved on, without parsing it."""

        def work(unit: UnitOfWork) -> None:
            this = orders.c.id == number
            due_at = unit.connection.execute(select(orders.c.due_at).where(this).with_for_update()).scalar()
            was = found(unit.connection, ORDERS, number)
            unit.connection.execute(update(orders).where(this).values(due_at=None))
            before = {"due_at": due_at.isoformat()} if due_at else {}
            unit.note(SYSTEM, "order.set_aside", number, in_one_line(error), dict(before), {}, was)

        self.transaction(work, now)
        self.set_aside(_ORDER, number, error, now)


def _fall_due_alone(unit: UnitOfWork, order: Order, now: datetime) -> None:
    """Apply a due deadline; if that fails, remove it and leave the order to a person."""
    try:
        with unit.attempt(order.card):
            _fall_due(unit, order, now)
    except OrderError as error:
        unit.change(order, SYSTEM, "overdue", str(error), due_at=None)


def _fall_due(unit: UnitOfWork, order: Order, now: datetime) -> None:
    if order.closed_at or order.due_at is None or order.due_at > now:
        return  # moved by the effects of another deadline of this transaction
    written = unit.policy.local_time.written(order.due_at)
    if order.kind is Kind.VERIFICATION:
        apply_event(unit, order, Event.EXPIRE, SYSTEM, f"no answer by {written}")
    elif order.kind is Kind.RESTRICTION and (stage := next_stage(unit, order)):
        event, due_at = stage
        apply_event(unit, order, event, SYSTEM, f"the stage of {written} has come", due_at=due_at)
    elif order.kind is Kind.DISAVOWAL and order.state is State.CONFIRMED:
        apply_event(unit, order, Event.CANCEL, SYSTEM, f"not taken back by {written}")
    elif order.kind is Kind.DISAVOWAL:
        apply_event(unit, order, Event.DISCARD, SYSTEM, f"nobody confirmed it by {written}")
    else:
        term_is_over(unit, order)
