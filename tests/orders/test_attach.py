"""A repeated hit joins the open order; two at once make one; what the records take back is taken back."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import func, select

from duanka.domain.order import SYSTEM, Event, Kind, NoSuchTransition, OrderError, State
from duanka.domain.order_decision import OrderDecision, RequestedAction
from duanka.domain.person import HOLDER
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import Fault, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit, notices, orders
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.intake.receiving import Received
from support.orders.books import (
    DESK,
    HOUR,
    KEY,
    NOW,
    POLICE,
    SECOND,
    book_on,
    card,
    delivered,
    demand,
    receive,
    restriction,
    verification,
)


def _notices(store: Store) -> list[str]:
    with store.reading() as connection:
        return list(connection.execute(select(notices.c.template).order_by(notices.c.id)).scalars())


def test_a_repeated_hit_joins_the_order_and_moves_no_deadline(store: Store) -> None:
    book = book_on(store)
    first = delivered(book)
    receive(book, [demand(rules=("one_way_calls",), tier="low")], NOW + HOUR)
    order = verification(book)
    assert (order.id, order.hits, order.due_at) == (first.id, 2, first.due_at)
    assert (order.rules, order.tier) == (("one_way_calls", "fan_out"), "medium")
    assert _notices(store) == ["verify"]
    assert book.sweep(NOW + 24 * HOUR) == 1


def test_a_heavier_hit_sends_to_the_counter_and_says_so_once(store: Store) -> None:
    book = book_on(store)
    receive(book, [demand()], NOW)
    for _ in range(2):
        receive(book, [demand(asked=RequestedAction.VERIFY_AT_COUNTER, tier="high")], NOW + HOUR)
    receive(book, [demand()], NOW + HOUR)
    order = verification(book)
    assert (order.asked, order.tier, order.hits) == (RequestedAction.VERIFY_AT_COUNTER, "high", 4)
    assert _notices(store) == ["verify", "verify_at_counter"]


def test_the_same_card_twice_in_one_delivery_is_one_order(store: Store) -> None:
    received = receive(book_on(store), [demand(), demand(), demand(1)], NOW)
    assert received == Received(opened=2, attached=1)


def test_what_the_records_take_back_is_taken_back_from_whom_we_only_asked(store: Store) -> None:
    book = book_on(store)
    for number in range(4):
        delivered(book, number)
    book.apply(verification(book, 1).id, Event.BEGIN, DESK, "came", NOW)
    book.apply(verification(book, 2).id, Event.WITHDRAW, DESK, "in error", NOW)
    book.sweep(NOW + 24 * HOUR)
    receive(book, [demand(5)], NOW + 24 * HOUR)
    taken = receive(book, [demand(n, RequestedAction.NOTHING) for n in range(6)], NOW + 25 * HOUR)
    assert taken == Received(withdrawn=1, left=5), "who is stopped for it waits for a person"
    assert restriction(book, 0)


def test_who_passes_late_is_restored_at_once(store: Store) -> None:
    book = book_on(store)
    order = delivered(book)
    book.sweep(NOW + 24 * HOUR)
    assert restriction(book)
    book.apply(order.id, Event.PASS, DESK, "it is them", NOW + 100 * HOUR)
    assert restriction(book) is None
    assert _notices(store) == ["verify", "suspended", "restored"]


def test_what_was_asked_in_error_is_withdrawn_with_its_stop(store: Store) -> None:
    book = book_on(store)
    order = delivered(book)
    book.sweep(NOW + 24 * HOUR)
    book.apply(order.id, Event.WITHDRAW, DESK, "a test line of ours", NOW + 25 * HOUR)
    assert restriction(book) is None
    with pytest.raises(NoSuchTransition, match="closed"):
        book.apply(order.id, Event.PASS, DESK, "again", NOW + 26 * HOUR)


def test_a_review_takes_no_hours_and_the_counter_gives_them_anew(store: Store) -> None:
    book = book_on(store)
    order = delivered(book)
    book.apply(order.id, Event.BEGIN, DESK, "came", NOW + HOUR)
    book.apply(order.id, Event.SUBMIT, DESK, "sent", NOW + 2 * HOUR)
    assert book.sweep(NOW + 1000 * HOUR) == 0
    late = NOW + 1000 * HOUR
    sent = book.apply(order.id, Event.TO_COUNTER, SECOND, "unclear picture", late)
    assert sent.due_at == late + 24 * HOUR
    assert _notices(store) == ["verify", "verify_at_counter"]
    assert book.sweep(late + 24 * HOUR) == 1


def test_a_card_cancelled_is_asked_nothing_any_more(store: Store) -> None:
    book = book_on(store)
    acts = BulkActionService(book)
    for event in (Event.SUSPEND, Event.CANCEL):
        act = acts.propose(event, [card(0)], BilingualText("窝点", "a farm"), DESK, NOW)
        acts.approve(act.id, SECOND, "fine", NOW)
        acts.carry_out(NOW)
    asked = [
        demand(),
        demand(asked=RequestedAction.STOP, cases=("case",)),
        demand(asked=RequestedAction.VERIFY_AT_COUNTER),
    ]
    assert receive(book, asked, NOW) == Received(left=3)
    with pytest.raises(NoSuchTransition, match="cancelled"):
        book.police_stop(card(0), "case", POLICE, "why", NOW)
    assert restriction(book) is None


# --- clocks ---


@pytest.mark.parametrize(
    ("receipt", "counts"),
    [
        (NOW - timedelta(days=20_000), NOW),  # a message centre that begins at 1970
        (NOW + timedelta(minutes=5), NOW + timedelta(minutes=5)),
        (NOW + timedelta(days=3), NOW + HOUR),  # and one that is ahead
    ],
)
@pytest.mark.requirement("R1.5")
def test_a_receipt_with_a_wrong_time_starts_no_deadline_early(
    store: Store, receipt: Any, counts: Any
) -> None:
    book = book_on(store)
    receive(book, [demand()], NOW)
    number = verification(book).id
    order = book.apply(number, Event.DELIVERED, SYSTEM, "receipt", NOW + HOUR, delivered_at=receipt)
    assert (order.delivered_at, order.due_at) == (counts, counts + 24 * HOUR)


@pytest.mark.requirement("R1.5")
def test_a_clock_that_jumps_back_fires_nothing_twice(store: Store) -> None:
    book = book_on(store)
    order = delivered(book)
    assert book.sweep(NOW + 24 * HOUR) == 1
    stopped = restriction(book)
    for hours in (-100, 0, 23, 24, 25):
        assert book.sweep(NOW + hours * HOUR) == 0
    assert restriction(book) == stopped
    book.apply(order.id, Event.PASS, DESK, "it is them", NOW - 10 * HOUR)
    assert restriction(book) is None
    receive(book, [demand(tier="high")], NOW - 20 * HOUR)
    again = book.apply(verification(book).id, Event.BEGIN, HOLDER, "came", NOW - 30 * HOUR)
    assert again.delivered_at == again.opened_at
    assert again.due_at == again.opened_at + 24 * HOUR


# --- at once ---


def _at_once(*works: Callable[[], Any]) -> list[BaseException | None]:
    barrier = Barrier(len(works))
    failed: list[BaseException | None] = [None] * len(works)

    def one(at: int, work: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            work()
        except BaseException as error:  # told to the one who waits
            failed[at] = error

    threads = [Thread(target=one, args=(at, work)) for at, work in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def test_the_same_demands_received_at_once_make_one_order_each(store: Store) -> None:
    book = book_on(store)
    for round_ in range(5):
        asked = [demand(round_ * 100 + n) for n in range(60)]
        received: list[Received] = []
        orders_of_work = (asked, asked[::-1], [*asked[30:], *asked[:30]], asked)

        def take(part: list[OrderDecision], received: list[Received] = received) -> None:
            received.append(receive(book, part, NOW))

        assert _at_once(*(partial(take, part) for part in orders_of_work)) == [None] * 4
        assert sum(r.opened for r in received) == 60
        assert sum(r.attached for r in received) == 180
        assert verification(book, round_ * 100).hits == 4
    with store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(orders)).scalar_one() == 300
    assert not [found for found in Trail(KEY).verify(store) if isinstance(found, Fault)]


def test_of_two_who_act_on_one_order_at_once_one_acts(store: Store) -> None:
    book = book_on(store)
    for number in range(10):
        order = delivered(book, number)
        book.apply(order.id, Event.BEGIN, DESK, "came", NOW)
        failed = _at_once(
            lambda number=order.id: book.apply(number, Event.PASS, DESK, "it is them", NOW),  # type: ignore[misc]
            lambda number=order.id: book.apply(number, Event.FAIL, SECOND, "another face", NOW),  # type: ignore[misc]
            lambda: book.sweep(NOW),
        )
        state = book.transaction(lambda unit, number=order.id: unit.order(number).state, NOW)  # type: ignore[misc]
        if state is State.PASSED:  # who passes late is restored: FAIL first, or PASS alone
            assert failed[0] is None
            assert isinstance(failed[1], OrderError | None)
        else:
            raise AssertionError(state)
        assert restriction(book, number) is None


def test_a_stop_and_the_same_stop_at_once_are_one(store: Store) -> None:
    book = book_on(store)
    for number in range(8):
        failed = _at_once(
            lambda n=number: book.police_stop(card(n), "a", SECOND, "why", NOW),  # type: ignore[misc]
            lambda n=number: receive(book, [demand(n, RequestedAction.STOP, cases=("b",))], NOW),  # type: ignore[misc]
            lambda n=number: receive(book, [demand(n)], NOW),  # type: ignore[misc]
        )
        assert [isinstance(one, OrderError) for one in failed] == [
            True,
            False,
            False,
        ]  # a supervisor is no police
        with store.reading() as connection:
            which = (orders.c.card == card(number), orders.c.kind == Kind.RESTRICTION.value)
            assert connection.execute(select(func.count()).where(*which)).scalar_one() == 1


def test_the_trail_says_what_a_hit_that_joined_changed(store: Store) -> None:
    book = book_on(store)
    receive(book, [demand()], NOW)
    more = demand(asked=RequestedAction.VERIFY_AT_COUNTER, tier="high", rules=("sim_box",), id="")
    receive(book, [more], NOW + HOUR, DESK)
    with store.reading() as connection:
        row = connection.execute(select(audit).where(audit.c.what == "verification.attach")).one()
    before, after = json.loads(row.before), json.loads(row.after)
    assert (row.who, before["tier"], after["tier"]) == ("wang", "medium", "high")
    assert (before["asked"], after["asked"]) == ("verify", "verify_at_counter")
    assert (before["rules"], after["rules"]) == ("fan_out", "sim_box, fan_out")
