"""Verification at a counter: one or two staff (by tier) see person, papers, card."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import RowMapping, insert, select, update

from duanka.domain.authority import Permission, at_counter, authorize
from duanka.domain.bounds import reason_for
from duanka.domain.counter_check import CounterCheck, digest_of, without_document_number
from duanka.domain.evidence import lifted_by_passing
from duanka.domain.order import (
    Event,
    Kind,
    NeedsSecondPerson,
    NoSuchTransition,
    Order,
    OrderError,
    Person,
    State,
    UnknownOrder,
    states_before,
)
from duanka.domain.person import same_person
from duanka.ledger.audit.row_digests import COUNTER_CHECKS, found
from duanka.ledger.db.tables import orders
from duanka.ledger.db.tables_identity import counter_checks
from duanka.ledger.people.keys import require_still_permitted
from duanka.ledger.people.places import orders_in
from duanka.ledger.unit_of_work.four_eyes import PASSED, REJECTED
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.daily_limit import note_refused_number, require_tries_left
from duanka.orders.deadlines import hours_anew, may_delay
from duanka.orders.effects import apply_event
from duanka.orders.pagination import page, page_of
from duanka.orders.service import OrderService
from duanka.orders.verification.standing import (
    BEGUN_FROM,
    VERIFIED_FROM,
    CounterStandingShown,
    CounterWaitingShown,
    standing,
    waiting_shown,
)
from duanka.orders.views import Page

# What a confirmed record does, by the state of its order; other records pass a verification.
_CONFIRMED_BY = {State.CLAIMED: Event.CONFIRM, State.CONFIRMED: Event.WITHDRAW}
_HOURS_RUN = states_before(Kind.VERIFICATION, Event.EXPIRE)


class Counter:
    """Verifies holders in person, at any counter of their operator, in whichever city.

    Every method is one transaction and safe beside other processes.
    """

    def __init__(self, order_service: OrderService) -> None:
        self._orders = order_service

    def verify(self, order_id: str, seen: CounterCheck, by: Person, why: str, now: datetime) -> Order:
        """Record a verification in person; passes at once or after a second confirms it.

        `order_id`: as the holder's notice has it, of the verification or of the stop that followed from it.

        While the confirmation is pending the response time is paused, a limited number of times (`may_delay`).
        OrderError: something is missing. PermissionDenied. UnknownOrder. TooManyTries: `by`, of a narrower scope, gave
        too many numbers that lead nowhere. NoSuchTransition: the verification is closed, with the fraud centre, or
        pending already.
        """
        permission = Permission.RECORD_COUNTER_CHECK
        why, clerk, by = _said(why, by, permission), by, at_counter(by)

        def work(unit: UnitOfWork) -> Order | OrderError:
            named = _order_brought(unit, order_id, clerk)
            if isinstance(named, OrderError):
                return named
            order = _verification_of(unit, named)
            authorize(by, permission, order)
            try:
                seen.complete()
            except OrderError as error:
                if seen.missing:  # audit who tried, but nothing of what they wrote
                    unit.note(by, "counter.refused", order.id, "something is missing", {}, _facts(seen))
                return error
            _can_be_verified(order)
            if _waiting(unit, order.id):
                raise NoSuchTransition(
                    f"{order.id} waits for a second member of staff: confirm or reject that"
                )
            alone = order.tier not in unit.policy.identity.second_person_tiers
            words = digest_of(unit.policy.identity.legal_notice)
            told = {"document": seen.document.value, "counter": seen.counter.strip(), **_facts(seen)}
            told["words"] = words
            first = {"first_by": by.id, "first_at": now, "outcome": PASSED if alone else None}
            was = found(unit.connection, COUNTER_CHECKS, order.id)
            unit.connection.execute(insert(counter_checks).values(order_id=order.id, **told, **first))
            unit.note(by, "counter.verify", order.id, why, {}, {**told, "alone": alone}, was)
            if order.state in BEGUN_FROM:
                order = apply_event(unit, order, Event.BEGIN, by, "the holder is at the counter")
            if alone:
                return apply_event(unit, order, Event.PASS, by, why)
            # The pauses are limited: repeated records and rejections must not keep the order from expiring.
            stops: dict[str, None] = {"due_at": None} if may_delay(unit, order) else {}
            return unit.change(order, by, "waits", "for a second member of staff", **stops)

        return self._orders.transaction_then_raise(work, now)

    def confirm(self, order_id: str, by: Person, why: str, now: datetime) -> Order:
        """Confirm a record and pass the order; a disavowal is confirmed, or taken back.

        `order_id`: as for `verify`. NeedsSecondPerson: it is `by`'s own record.
        """
        permission = Permission.CONFIRM_COUNTER_CHECK
        why = _said(why, by, permission)

        def work(unit: UnitOfWork) -> Order | OrderError:
            pending = _pending(unit, order_id, by, permission)
            if isinstance(pending, OrderError):
                return pending
            order, row, clerk = pending.order, pending.row, pending.clerk
            if same_person(by.id, row["first_by"]):
                raise NeedsSecondPerson(f"{by.id} recorded {order.id}: somebody else must confirm it")
            require_still_permitted(unit.connection, row["first_by"], Permission.RECORD_COUNTER_CHECK)
            was = _over(unit, row, PASSED, clerk)
            unit.note(clerk, "counter.confirm", order.id, why, {}, {"first_by": row["first_by"]}, was)
            return apply_event(unit, order, _CONFIRMED_BY.get(order.state, Event.PASS), clerk, why)

        return self._orders.transaction_then_raise(work, now)

    def reject(self, order_id: str, by: Person, why: str, now: datetime) -> Order:
        """Discard a record, also one's own; the response time starts again in full. `order_id`: as for `verify`.

        A disavowal that was recorded so is discarded with it; one that was to be taken back stands.
        """
        permission = Permission.REJECT_COUNTER_CHECK
        why = _said(why, by, permission)

        def work(unit: UnitOfWork) -> Order | OrderError:
            pending = _pending(unit, order_id, by, permission)
            if isinstance(pending, OrderError):
                return pending
            order, row, clerk = pending.order, pending.row, pending.clerk
            was = _over(unit, row, REJECTED, clerk)
            unit.note(clerk, "counter.reject", order.id, why, {}, {"first_by": row["first_by"]}, was)
            if order.state is State.CLAIMED:
                return apply_event(unit, order, Event.DISCARD, clerk, why)
            if order.state is State.CONFIRMED:
                return _stands(unit, order, clerk)
            runs = order.state in _HOURS_RUN and not (order.state is State.FAILED and order.evidence)
            clock = hours_anew(unit, order) if runs and not (order.closed_at or order.due_at) else {}
            if clock:
                return unit.change(order, clerk, "goes_on", "the record was discarded", **clock)
            return order

        return self._orders.transaction_then_raise(work, now)

    def waiting(self, by: Person, after: str = "", limit: int = 50) -> Page[CounterWaitingShown]:
        """Return a page of records awaiting confirmation, oldest first.

        `after`: `next` of the previous page; UnknownOrder: invalid cursor.
        """
        authorize(by, Permission.LIST_COUNTER_CHECKS)
        columns = counter_checks.c
        query = (
            select(counter_checks, orders.c.card, orders.c.tier)
            .join(orders, orders.c.id == columns.order_id)
            .where(columns.outcome.is_(None), orders.c.closed_at.is_(None), *orders_in(by))
        )
        query = page_of(query, columns.first_at, columns.order_id, after, limit, oldest_first=True)
        with self._orders.store.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return page(rows, limit, waiting_shown, lambda one: (one.first_at, one.order_id))

    def standing(self, order_id: str, by: Person) -> CounterStandingShown | None:
        """Return how an order stands at a counter; not audited, as `by` was shown the order. None: an objection."""
        with self._orders.store.reading() as connection:
            return standing(connection, self._orders.terms.policy, order_id, by)


def _stands(unit: UnitOfWork, order: Order, by: Person) -> Order:
    """Let the days of a disavowal run again: a day at least, so that nobody loses them by our mistake."""
    if order.until is None:  # the police stop the card
        return order
    due_at = max(order.until, unit.now + timedelta(days=1))
    return unit.change(order, by, "goes_on", "the record was discarded", due_at=due_at)


def _said(why: str, by: Person, permission: Permission) -> str:
    authorize(by, permission)
    return without_document_number(reason_for(why))


def _order_brought(unit: UnitOfWork, number: str, by: Person) -> Order | OrderError:
    """Return the order with this number, or the UnknownOrder of a wrong one, for its entry in the trail.

    TooManyTries: `by`, out of whose scope it is, or would be, gave too many that lead nowhere.
    """
    try:
        order = unit.order(number)
    except UnknownOrder as error:
        if by.scope.everywhere:
            raise
        require_tries_left(unit, by, number)
        note_refused_number(unit, by, number, number)
        return error
    if not by.scope.covers(order.operator, order.city):
        require_tries_left(unit, by, number)
    return order


def _verification_of(unit: UnitOfWork, order: Order) -> Order:
    """Return the verification behind a stop: the notice of a stop has the number of the stop."""
    asked = unit.open_order(order.card, Kind.VERIFICATION)
    stops = order.kind is Kind.RESTRICTION and not order.closed_at
    return asked if stops and asked else order


def _can_be_verified(order: Order) -> None:
    if order.kind is Kind.RESTRICTION and not order.closed_at and not lifted_by_passing(order):
        raise NoSuchTransition(
            f"no verification is behind {order.id}, so proving who one is does not lift it: record their objection by"
            f" `duanka objections file {order.id} --text … --counter … --document …`"
        )
    if order.kind is not Kind.VERIFICATION or order.closed_at or order.state not in VERIFIED_FROM:
        closed = "; it is closed" if order.closed_at else ""
        raise NoSuchTransition(f"a {order.kind} that is {order.state} is not verified at a counter{closed}")


def _waiting(unit: UnitOfWork, order_id: str) -> RowMapping | None:
    mine = (counter_checks.c.order_id == order_id, counter_checks.c.outcome.is_(None))
    return unit.connection.execute(select(counter_checks).where(*mine)).mappings().first()


@dataclass(frozen=True)
class _Pending:
    """A record that waits for a second person, its order, and that person at the holder's counter."""

    order: Order
    row: RowMapping
    clerk: Person


def _pending(unit: UnitOfWork, order_id: str, by: Person, permission: Permission) -> _Pending | OrderError:
    """Return the record that waits, for who may decide on it; an error as `_order_brought` has it."""
    named = _order_brought(unit, order_id, by)
    if isinstance(named, OrderError):
        return named
    order = _verification_of(unit, named)
    clerk = _clerk(unit, order.id, by)
    authorize(clerk, permission, order)
    return _Pending(order, _recorded(unit, order), clerk)


def _clerk(unit: UnitOfWork, order_id: str, by: Person) -> Person:
    """Return `by` as a second at the counter where the holder stands, where a record waits for one."""
    return at_counter(by) if _waiting(unit, order_id) else by


def _recorded(unit: UnitOfWork, order: Order) -> RowMapping:
    """Return the pending record of a locked order."""
    row = _waiting(unit, order.id)
    if row is None:
        raise NoSuchTransition(
            f"nothing about {order.id} waits for a second member of staff; it is {order.state}"
        )
    return row


def _over(unit: UnitOfWork, row: RowMapping, outcome: str, by: Person) -> dict[str, str]:
    """Close the pending record; return the digest of the row before, for the audit."""
    was = found(unit.connection, COUNTER_CHECKS, row["order_id"])
    values = {"outcome": outcome, "second_by": by.id, "second_at": unit.now}
    unit.connection.execute(update(counter_checks).where(counter_checks.c.id == row["id"]).values(values))
    return was


def _facts(seen: CounterCheck) -> dict[str, object]:
    names = ("person_present", "card_in_hand", "notice_signed")
    return {name: int(getattr(seen, name)) for name in names}
