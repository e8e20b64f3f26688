"""Whom we ask: not who passed, not a whole city by one key, in words that no person wrote; and nobody is forgotten."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest

from duanka.domain.holder_grounds import grounds_for_holder
from duanka.domain.network import NetworkState
from duanka.domain.order import SYSTEM, Event, Order, TooManyHolders
from duanka.domain.order_decision import OrderDecision, RequestedAction
from duanka.domain.order_policy import DeadlineStage, OrderPolicy
from duanka.domain.person import HOLDER
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.dispatch.notice_texts import NoticeTexts
from duanka.orders.intake.receiving import Received
from duanka.orders.monitoring.waiting import WaitingOrders
from duanka.orders.queries.service import Filter, OrderQueries, ViewerContext
from duanka.orders.queries.statistics import alarms as raised
from duanka.orders.service import OrderService
from support.orders.books import (
    DESK,
    HOUR,
    KEY,
    NOW,
    POLICE,
    SECOND,
    book_on,
    card,
    decided_by_second,
    delivered,
    demand,
    receive,
    restriction,
    verification,
)
from support.waiting import HANG

DAY = 24 * HOUR
LURE = BilingualText("账户风险 请速拨 139 0000 1111 转人工解除", "call 13900001111 now")


# --- who passed ---


def _passed(store: Store, **asked: object) -> OrderService:
    book = book_on(store)
    receive(book, [demand(**asked)], NOW)  # type: ignore[arg-type]
    for event in (Event.BEGIN, Event.PASS):
        book.apply(verification(book).id, event, SYSTEM, "the check online", NOW + HOUR)
    return book


@pytest.mark.parametrize(
    ("again", "after", "asked"),
    [
        (demand(), DAY, False),
        (demand(rules=("one_way",)), DAY, False),  # another rule, within the days
        (demand(rules=("one_way",)), 91 * DAY, True),
        (demand(), 91 * DAY, True),
        (demand(tier="high"), DAY, True),
        (demand(rules=("fan_out", "device_changed")), DAY, True),
        (demand(asked=RequestedAction.VERIFY_AT_COUNTER), DAY, False),
        (demand(seen_until=NOW.replace(tzinfo=None)), 400 * DAY, False),  # known at the pass: never again
        (demand(seen_until=NOW.replace(tzinfo=None) + 91 * DAY), 91 * DAY, True),
        (demand(rules=("one_way",), seen_until=NOW.replace(tzinfo=None)), 91 * DAY, True),
    ],
)
def test_who_passed_is_not_asked_again_for_the_same(
    store: Store, again: OrderDecision, after: timedelta, asked: bool
) -> None:
    book = _passed(store)
    expected = Received(opened=1) if asked else Received(left=1)
    assert receive(book, [again], NOW + after) == expected


def test_what_is_known_at_the_pass_counts_in_the_operators_time(store: Store) -> None:
    book = _passed(store)  # at 17:00 in Shanghai
    local = (NOW + 8 * HOUR).replace(tzinfo=None)
    before, behind = local + 0.9 * HOUR, local + 1.1 * HOUR
    assert receive(book, [demand(seen_until=before)], NOW + 91 * DAY) == Received(left=1)
    assert receive(book, [demand(seen_until=behind)], NOW + 91 * DAY) == Received(opened=1)


def test_a_pass_holds_no_police_stop_up(store: Store) -> None:
    book = _passed(store)
    assert receive(book, [demand(asked=RequestedAction.STOP, cases=("A1",))], NOW + DAY).stopped == 1


# --- one key ---


def test_one_person_asks_only_so_many_holders_a_day(store: Store) -> None:
    book = book_on(store, OrderPolicy(holders_a_day=3))
    receive(book, [demand(n, id="") for n in range(2)], NOW, DESK)
    with pytest.raises(TooManyHolders, match="3 holders a day"):
        receive(book, [demand(n, id="") for n in range(2, 4)], NOW, DESK)
    receive(book, [demand(2, id="")], NOW, DESK)
    with pytest.raises(TooManyHolders):
        receive(book, [demand(3, id="")], NOW + HOUR, DESK)
    receive(book, [demand(3, id="")], NOW, SECOND)
    receive(
        book, [demand(n) for n in range(10, 20)], NOW, DESK
    )  # sealed: it is not who brings them that asks
    midnight = NOW.replace(hour=16)  # in Shanghai
    with pytest.raises(TooManyHolders):
        receive(book, [demand(4, id="")], midnight - HOUR, DESK)
    assert receive(book, [demand(4, id="")], midnight, DESK).opened == 1


def _told(order: Order) -> str:
    policy = OrderPolicy()
    grounds = grounds_for_holder(order, policy)
    link = "https://verify.operator.example/v#AAAA"
    texts = [
        NoticeTexts(policy).text("verify", order, NOW, link),
        NoticeTexts(policy).text("suspended", order, NOW),
    ]
    return "".join([*texts, *grounds.reason, *grounds.redress])


def test_what_a_person_wrote_reaches_no_holder(store: Store) -> None:
    book = book_on(store)
    receive(book, [demand(0, id="", reason=LURE)], NOW, DESK)
    book.apply(verification(book).id, Event.DELIVERED, SYSTEM, "receipt", NOW)
    book.sweep(NOW + DAY)
    decided_by_second(book, at=NOW + DAY)
    acts = BulkActionService(book)
    act = acts.propose(Event.SUSPEND, [card(1)], replace(verification(book).grounds, redress=LURE), DESK, NOW)
    acts.approve(act.id, SECOND, "fine", NOW)
    acts.carry_out(NOW)
    for order in (verification(book), restriction(book), restriction(book, 1)):
        assert order
        told = _told(order)
        assert "139" not in told.replace(" ", "")
        assert "账户风险" not in told
        assert "号码使用情况须核实" in told
    assert "实人核验" in _told(restriction(book) or verification(book)), "that it ran out is ours to say"


@pytest.mark.parametrize("written", ["suspected_fraud", "涉嫌被用于电信网络诈骗"])
def test_a_person_names_a_reason_of_the_policy(store: Store, written: str) -> None:
    book = book_on(store)
    receive(book, [demand(id="", reason=BilingualText(written, "because"))], NOW, DESK)
    assert (
        grounds_for_holder(verification(book), OrderPolicy()).reason.en
        == "it is suspected of being used for fraud"
    )


def test_what_rules_and_police_say_is_told(store: Store) -> None:
    book = book_on(store)
    delivered(book)
    assert "80个陌生号码" in _told(verification(book))
    book.sweep(NOW + DAY)
    assert "80个陌生号码" in _told(restriction(book) or verification(book))
    assert "公诈7号" in _told(book.police_stop(card(1), "公诈7号", POLICE, "confirmed", NOW))


def test_a_stop_by_people_over_one_by_a_rule_tells_the_policys_reason(store: Store) -> None:
    book = book_on(store, OrderPolicy(stages=(DeadlineStage(24, NetworkState.OUTGOING_BARRED),)))
    delivered(book)
    book.sweep(NOW + DAY)
    acts = BulkActionService(book)
    act = acts.propose(Event.SUSPEND, [card(0)], LURE, DESK, NOW + DAY)
    acts.approve(act.id, SECOND, "fine", NOW + DAY)
    acts.carry_out(NOW + DAY)
    assert "账户风险" not in _told(restriction(book) or verification(book))
    acts.undo(act.id, DESK, "an error", NOW + DAY)
    assert "80个陌生号码" in _told(restriction(book) or verification(book)), "as it was told before"


# --- nobody is forgotten ---


def _waiting(store: Store) -> list[str]:
    reading = OrderQueries(store, Trail(KEY))
    page = reading.orders(Filter(waiting=True), ViewerContext(SECOND, unmasked=True, why="list"), NOW)
    return sorted(order.card.removeprefix("+") for order in page.items)


def test_an_order_that_no_clock_moves_stands_in_a_list_and_becomes_an_alarm(store: Store) -> None:
    book = book_on(store)
    alarms = AlarmService(store, lambda _: None, timedelta())
    watch = WaitingOrders(store, alarms, 24 * HOUR)
    for number in range(3):
        delivered(book, number)
    parked = verification(book, 0).id
    for event in (Event.BEGIN, Event.SUBMIT):
        book.apply(parked, event, DESK, "to look at", NOW)
    receive(book, [demand(3)], NOW)
    book.apply(verification(book, 3).id, Event.NOT_DELIVERED, SYSTEM, "no such number", NOW)
    book.object(card(1), "why me", HOLDER, NOW)
    assert _waiting(store) == [card(0), card(1), card(3)]
    watch.watch(NOW + 23 * HOUR)
    with store.reading() as connection:
        assert not raised(connection, True, 9)
    watch.watch(NOW + 25 * HOUR)
    with store.reading() as connection:
        (alarm,) = raised(connection, True, 9)
    assert (alarm.source, alarm.detail.split()[0]) == ("orders waiting", "3")
    book.sweep(NOW + 25 * HOUR)
    assert card(2) not in _waiting(store), "who is stopped for it waits for nobody"
    for number in (0, 3):
        book.apply(verification(book, number).id, Event.WITHDRAW, DESK, "in error", NOW + 26 * HOUR)
    book.apply(book.object(card(1), "again", HOLDER, NOW).id, Event.ACCEPT, DESK, "we look", NOW + 26 * HOUR)
    watch.watch(NOW + 26 * HOUR)
    with store.reading() as connection:
        assert not raised(connection, True, 9)


def test_one_person_who_asks_at_many_doors_at_once_asks_no_more_holders_a_day(store: Store) -> None:
    many, most = 6, 2
    book, together = book_on(store, OrderPolicy(holders_a_day=most)), Barrier(many)

    def ask(number: int) -> bool:
        together.wait(timeout=HANG)
        try:
            return receive(book, [demand(number, id="")], NOW, DESK).opened == 1
        except TooManyHolders:
            return False

    with ThreadPoolExecutor(many) as threads:
        assert sum(threads.map(ask, range(many))) == most
