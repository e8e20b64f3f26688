"""Disavowals: a registrant says that a number is not theirs, at a counter or on the page.

Who has the card, or its link, need not be the registrant: what they say opens a claim, which stops nothing. It is
confirmed by the document at a counter, seen by two of the staff as every stop that rests on one person's word, or by
the check online: the machine, and where the tier wants a person, a reviewer. Only then is the card stopped.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import insert

from duanka.domain.authority import Permission, at_counter, authorize
from duanka.domain.bounds import reason_for
from duanka.domain.counter_check import CounterCheck, digest_of, without_document_number
from duanka.domain.disavowal import DisavowalSeen
from duanka.domain.order import (
    Event,
    Kind,
    NoSuchTransition,
    Order,
    OrderError,
    Person,
    State,
)
from duanka.ledger.audit.row_digests import COUNTER_CHECKS, found
from duanka.ledger.db.tables_identity import counter_checks
from duanka.ledger.unit_of_work.four_eyes import PASSED, check_waits, needs_two_people
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.disavowals.claims import claim, confirmed_by_check
from duanka.orders.effects import apply_event
from duanka.orders.service import OrderService

_SAID_ON_PAGE = "said on the page: this number is not mine"


class Disavowals:
    """Records, confirms and takes back disavowals; every method is one transaction."""

    def __init__(self, order_service: OrderService) -> None:
        self._orders = order_service

    def record(self, card: str, seen: DisavowalSeen, by: Person, why: str, now: datetime) -> Order:
        """Record what a registrant says at a counter; somebody else of the staff confirms it.

        Return the disavowal: again, and once it is confirmed, as it is. Under a policy with `two_people = false` it is
        confirmed at once. OrderError: something is missing. NoSuchTransition: the card is cancelled, or a record
        waits already. PermissionDenied, ProtectedCard.
        """
        permission = Permission.RECORD_DISAVOWAL
        why, by = _said(why, by, permission), at_counter(by)

        def work(unit: UnitOfWork) -> Order | OrderError:
            unit.authorize(by, permission, card)
            earlier = unit.open_order(card, Kind.DISAVOWAL)
            if earlier and earlier.state is State.CONFIRMED:
                return earlier
            try:
                seen.complete()
            except OrderError as error:
                return _refused(unit, by, earlier.id if earlier else card, seen.missing, error, _facts(seen))
            order = claim(unit, card, by, why)
            _nothing_waits(unit, order)
            alone = not unit.policy.two_people
            row = {
                "document": seen.document.value,
                "counter": seen.counter.strip(),
                "outlet": seen.outlet.strip(),
                "person_present": 1,
                "card_in_hand": 0,  # not asked for: mostly somebody else has it
                "notice_signed": 1,
                "words": digest_of(unit.policy.disowned_statement),
            }
            _keep(unit, order, row, by, alone=alone)
            unit.note(by, "counter.not_mine", order.id, why, {}, {**row, "in_register": 1, "alone": alone})
            if alone:
                return apply_event(unit, order, Event.CONFIRM, by, why)
            return unit.change(order, by, "waits", "for a second member of staff", due_at=None)

        return self._orders.transaction_then_raise(work, now)

    def take_back(self, order_id: str, seen: CounterCheck, by: Person, why: str, now: datetime) -> Order:
        """Take a disavowal back for the registrant, who is verified in person: the card works again at once.

        Where the tier takes two people, when somebody else has confirmed it. A claim that nobody confirmed is taken
        back without. OrderError: something is missing. NoSuchTransition: it is over, or a record waits already.
        """
        permission = Permission.RECORD_DISAVOWAL
        why, by = _said(why, by, permission), at_counter(by)

        def work(unit: UnitOfWork) -> Order | OrderError:
            order = _disavowal(unit, order_id)
            authorize(by, permission, order)
            if order.closed_at:
                raise NoSuchTransition(f"{order_id} is {order.state}: nothing is left to take back")
            if order.state is State.CLAIMED:
                return apply_event(unit, order, Event.WITHDRAW, by, why)
            _nothing_waits(unit, order)
            try:
                seen.complete()
            except OrderError as error:
                return _refused(unit, by, order_id, seen.missing, error, _facts(seen))
            alone = not needs_two_people(unit, order.card, order)
            row = {"document": seen.document.value, "counter": seen.counter.strip(), **_facts(seen)}
            row["words"] = digest_of(unit.policy.identity.legal_notice)
            was = found(unit.connection, COUNTER_CHECKS, order_id)
            _keep(unit, order, row, by, alone=alone)
            unit.note(by, "counter.mine", order_id, why, {}, {**row, "alone": alone}, was)
            if alone:
                return apply_event(unit, order, Event.WITHDRAW, by, why)
            # The card stays stopped meanwhile; it is not cancelled while we are waited for.
            return unit.change(order, by, "waits", "for a second member of staff", due_at=None)

        return self._orders.transaction_then_raise(work, now)

    def confirm_reviewed(self, order_id: str, by: Person, why: str, now: datetime) -> Order:
        """Confirm, as the reviewer of a check online, what the holder said in it; return the disavowal.

        NoSuchTransition: no such check waits. NeedsSecondPerson: `by` had a hand in the verification.
        """
        authorize(by, Permission.DISAVOWAL_CONFIRM)
        why = reason_for(why, f"{order_id} is decided")

        def work(unit: UnitOfWork) -> Order:
            order = unit.order(order_id)
            authorize(by, Permission.DISAVOWAL_CONFIRM, order)
            if order.closed_at or order.state is not State.UNDER_REVIEW:
                raise NoSuchTransition(f"{order_id} is {order.state}: no check online waits for a person")
            return confirmed_by_check(unit, order, by, why)

        return self._orders.transaction(work, now)

    def say(self, order: Order, by: Person, now: datetime) -> Order:
        """Open the claim of whoever has the link of `order`; it stops nothing. Again joins the open one."""
        authorize(by, Permission.CLAIM_DISAVOWAL)
        return self._orders.transaction(lambda unit: claim(unit, order.card, by, _SAID_ON_PAGE), now)

    def unsay(self, order: Order, by: Person, now: datetime) -> Order:
        """Take a claim back that nobody confirmed. NoSuchTransition: there is none; the counter takes it back."""
        authorize(by, Permission.CLAIM_DISAVOWAL)

        def work(unit: UnitOfWork) -> Order:
            said = unit.open_order(order.card, Kind.DISAVOWAL)
            if said is None:
                raise NoSuchTransition(
                    "nobody said that this number is not theirs: nothing is left to take back"
                )
            if said.state is not State.CLAIMED or check_waits(unit, said):
                raise NoSuchTransition(
                    "it was said at a counter, or confirmed: go to a counter with your document and this card"
                )
            return apply_event(unit, said, Event.WITHDRAW, by, "taken back on the page")

        return self._orders.transaction(work, now)


def _said(why: str, by: Person, permission: Permission) -> str:
    authorize(by, permission)
    return without_document_number(reason_for(why))


def _disavowal(unit: UnitOfWork, order_id: str) -> Order:
    order = unit.order(order_id)
    if order.kind is not Kind.DISAVOWAL:
        raise NoSuchTransition(f"{order_id} is a {order.kind}: give the id of a disavowal (D...)")
    return order


def _nothing_waits(unit: UnitOfWork, order: Order) -> None:
    if check_waits(unit, order):
        raise NoSuchTransition(f"{order.id} waits for a second member of staff: confirm or reject that")


def _keep(unit: UnitOfWork, order: Order, row: Mapping[str, object], by: Person, *, alone: bool) -> None:
    first = {"first_by": by.id, "first_at": unit.now, "outcome": PASSED if alone else None}
    unit.connection.execute(insert(counter_checks).values(order_id=order.id, **row, **first))


def _refused(
    unit: UnitOfWork,
    by: Person,
    subject: str,
    missing: tuple[str, ...],
    error: OrderError,
    facts: dict[str, object],
) -> OrderError:
    """Write down who tried, but nothing of what they wrote; return the error to raise."""
    if missing:
        unit.note(by, "counter.refused", subject, "something is missing", {}, facts)
    return error


def _facts(seen: CounterCheck | DisavowalSeen) -> dict[str, object]:
    names = ("person_present", "card_in_hand", "notice_signed", "in_register", "statement_signed")
    return {name: int(getattr(seen, name)) for name in names if hasattr(seen, name)}
