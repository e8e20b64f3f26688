"""Notices out, receipts in: nothing but a receipt starts the hours of an order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from duanka.domain.network import ElementRefused, NetworkError, Receipt, UnknownCard, Unreachable
from duanka.domain.order import Event, Order, OrderError, State
from duanka.domain.order_decision import RequestedAction
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import alarms as alarms_table
from duanka.ledger.db.tables import notice_parts, notices
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.orders.dispatch.notice_worker import NoticeDispatcher
from duanka.orders.service import OrderService
from support.orders.books import DESK, HOUR, NOW, POLICE, book_on, card, demand, receive, verification

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


@dataclass
class Centre:
    """A message centre that does what a test says. `parts`: of each notice."""

    name: str = "message_centre"
    parts: int = 1
    fails: NetworkError | None = None
    refuses: dict[str, NetworkError] = field(default_factory=dict)
    sent: list[tuple[str, str]] = field(default_factory=list)
    came: list[Receipt] = field(default_factory=list)
    first: int = 1
    sending: Callable[[], object] = lambda: None

    def send(self, card: str, text: str) -> str:
        self.sending()
        if self.fails:
            raise self.fails
        if card in self.refuses:
            raise self.refuses[card]
        self.sent.append((card, text))
        ids = [f"m{self.first + at}" for at in range(self.parts)]
        self.first += self.parts
        return ",".join(ids)

    def receipts(self) -> Iterable[Receipt]:
        if self.fails:
            raise self.fails
        came, self.came = self.came, []
        return came

    def receipt(self, number: str, at: datetime, *, delivered: bool = True) -> None:
        self.came.append(Receipt(number, delivered, at, "" if delivered else "UNDELIV"))

    def close(self) -> None:
        pass


def wording(_: Connection, template: str, order: Order, now: datetime) -> str:
    del now
    if order.card == card(66):
        raise OrderError("no words")
    return f"{template} {order.id} https://verify.operator.example/v#secret-token"


@dataclass
class Desk:
    """The book, the centre, the worker between them."""

    store: Store
    centre: Centre = field(default_factory=Centre)
    seconds: float = 100.0
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.orders: OrderService = book_on(self.store)
        self.posting = self.worker("w")

    def worker(self, name: str) -> NoticeDispatcher:
        alarms = AlarmService(self.store, self.said.append, 5 * MINUTE)
        return NoticeDispatcher(self.orders, name, self.centre, wording, alarms, ticks=lambda: self.seconds)

    def work(self, now: datetime) -> None:
        while self.posting.work(now):
            pass

    def rows(self) -> list[Any]:
        with self.store.reading() as connection:
            return list(connection.execute(select(notices).order_by(notices.c.id)))


def test_the_hours_run_from_the_receipt(store: Store) -> None:
    desk = Desk(store)
    receive(desk.orders, [demand()], NOW)
    desk.work(NOW + SECOND)
    assert verification(desk.orders).state is State.OPENED, "handed in is not delivered"
    desk.centre.receipt("m1", NOW + 3 * HOUR)
    desk.work(NOW + 4 * HOUR)
    order = verification(desk.orders)
    assert (order.state, order.delivered_at) == (State.NOTIFIED, NOW + 3 * HOUR)
    assert order.due_at == NOW + 27 * HOUR
    assert [(row.outcome, row.receipt_at) for row in desk.rows()] == [("delivered", NOW + 3 * HOUR)]


def test_what_opens_the_link_is_sent_and_not_kept(store: Store) -> None:
    desk = Desk(store)
    receive(desk.orders, [demand()], NOW)
    desk.work(NOW)
    assert "#secret-token" in desk.centre.sent[0][1]
    assert "secret-token" not in desk.rows()[0].body
    assert desk.rows()[0].body.endswith("/v#…")


@pytest.mark.parametrize(
    ("told", "counted"),
    [(-2 * HOUR, timedelta(0)), (HOUR, HOUR), (9 * HOUR, 4 * HOUR)],
    ids=["before it was sent", "as it is", "in the future"],
)
def test_a_receipt_is_never_of_the_future_nor_before_the_notice(
    store: Store, told: timedelta, counted: timedelta
) -> None:
    desk = Desk(store)
    receive(desk.orders, [demand()], NOW)
    desk.work(NOW)
    desk.centre.receipt("m1", NOW + told)
    desk.work(NOW + 4 * HOUR)
    assert verification(desk.orders).delivered_at == NOW + counted
    assert desk.rows()[0].receipt_at == NOW + counted


def test_a_notice_is_delivered_when_all_its_parts_are(store: Store) -> None:
    desk = Desk(store, Centre(parts=3))
    receive(desk.orders, [demand()], NOW)
    desk.work(NOW)
    desk.centre.receipt("m3", NOW + 2 * HOUR)
    desk.centre.receipt("m1", NOW + HOUR)
    desk.work(NOW + 3 * HOUR)
    assert verification(desk.orders).state is State.OPENED
    desk.centre.receipt("m2", NOW + HOUR)
    desk.work(NOW + 3 * HOUR)
    assert verification(desk.orders).delivered_at == NOW + 2 * HOUR, "when the last part came"


def test_one_part_that_does_not_arrive_is_a_notice_that_does_not(store: Store) -> None:
    desk = Desk(store, Centre(parts=2))
    receive(desk.orders, [demand()], NOW)
    desk.work(NOW)
    desk.centre.receipt("m1", NOW + HOUR, delivered=False)
    desk.work(NOW + HOUR)
    desk.centre.receipt("m2", NOW + HOUR)
    desk.work(NOW + HOUR)
    order = verification(desk.orders)
    assert (order.state, order.due_at) == (State.UNDELIVERABLE, None)
    assert [(row.outcome, row.error) for row in desk.rows()] == [("undelivered", "UNDELIV")]


def test_the_same_receipt_twice_is_one(store: Store) -> None:
    desk = Desk(store)
    receive(desk.orders, [demand()], NOW)
    desk.work(NOW)
    for _ in range(2):
        desk.centre.receipt("m1", NOW + HOUR)
        desk.centre.receipt("m1", NOW + HOUR)
        desk.work(NOW + 2 * HOUR)
    assert verification(desk.orders).step == 1


def test_a_receipt_that_comes_before_its_notice_is_stored_waits_and_an_unknown_one_is_said(
    store: Store,
) -> None:
    desk = Desk(store)
    receive(desk.orders, [demand()], NOW)
    desk.centre.receipt("m1", NOW)
    desk.centre.receipt("stranger", NOW)
    desk.work(NOW)  # the receipt is read first, the notice goes after it
    desk.work(NOW + SECOND)
    assert verification(desk.orders).state is State.NOTIFIED
    assert desk.said == []
    desk.work(NOW + 11 * MINUTE)
    assert len(desk.said) == 1
    assert "stranger" in desk.said[0]
    desk.work(NOW + 12 * MINUTE)
    assert len(desk.said) == 1


def test_receipts_are_not_lost_when_the_database_is_away(store: Store) -> None:
    desk = Desk(store)
    receive(desk.orders, [demand()], NOW)
    desk.work(NOW)
    desk.centre.receipt("m1", NOW + HOUR)
    rename(store, "notice_parts", "away")
    with pytest.raises(DBAPIError):
        desk.work(NOW + HOUR)
    rename(store, "away", "notice_parts")
    desk.work(NOW + HOUR)
    assert verification(desk.orders).state is State.NOTIFIED


def rename(store: Store, table: str, to: str) -> None:
    with store.writing() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {to}")


def test_no_clock_starts_and_an_alarm_is_raised_while_the_centre_is_down(store: Store) -> None:
    desk = Desk(store)
    for number in range(20):
        receive(desk.orders, [demand(number)], NOW)
    desk.posting.work(NOW - MINUTE)  # nothing is due: the link was there once
    desk.centre.refuses = {card(number): Unreachable("silent") for number in range(20)}
    now = NOW
    while now < NOW + 6 * MINUTE:
        with suppress(Unreachable):
            desk.work(now)
        desk.posting.watch(now)
        desk.seconds += 1
        now += SECOND
    assert sum(row.tries for row in desk.rows()) < 40, "one is tried now and then, not all"
    assert len(desk.said) == 1
    assert desk.orders.sweep(NOW + 1000 * HOUR) == 0
    desk.centre.refuses = {}
    for _ in range(40):
        desk.seconds += 1
        desk.work(now)
    assert {row.outcome for row in desk.rows()} == {"sent"}
    assert len(desk.centre.sent) == 20
    desk.posting.watch(now + MINUTE)
    assert len(desk.said) == 2
    with store.reading() as connection:
        assert connection.execute(select(alarms_table.c.since, alarms_table.c.cleared_at)).all() == [
            (NOW, now + MINUTE)
        ]


def test_a_number_that_the_centre_does_not_know_is_for_a_person_to_look_at(store: Store) -> None:
    desk = Desk(store)
    receive(desk.orders, [demand(0), demand(1)], NOW)
    desk.centre.refuses = {card(0): UnknownCard("no such number"), card(1): ElementRefused("0x0C")}
    desk.work(NOW)
    assert [row.outcome for row in desk.rows()] == ["given_up", None], "a refusal is tried some times more"
    for minutes in range(1, 6):
        desk.work(NOW + minutes * MINUTE)
    assert [row.outcome for row in desk.rows()] == ["given_up", "given_up"]
    assert verification(desk.orders, 0).state is verification(desk.orders, 1).state is State.UNDELIVERABLE


def test_what_is_no_longer_asked_is_not_sent_and_what_cannot_be_written_stops_nobody(store: Store) -> None:
    desk = Desk(store)
    receive(desk.orders, [demand(0), demand(1), demand(66), demand(2)], NOW)
    desk.orders.apply(verification(desk.orders, 0).id, Event.WITHDRAW, DESK, "in error", NOW)
    receive(desk.orders, [demand(1, RequestedAction.VERIFY_AT_COUNTER, tier="high")], NOW)
    desk.work(NOW)
    assert [text.split()[0] for _, text in desk.centre.sent] == ["verify", "verify_at_counter"]
    assert [row.outcome for row in desk.rows()].count("given_up") == 3
    assert verification(desk.orders, 66).state is State.UNDELIVERABLE
    (row,) = [row for row in desk.rows() if row.card == card(66)]
    assert "no words" in row.error
    assert any("no words" in said for said in desk.said)


def test_who_is_sent_to_the_counter_is_told_where_to_go(store: Store) -> None:
    desk = Desk(store)
    receive(desk.orders, [demand(0)], NOW)
    desk.work(NOW)
    desk.orders.apply(verification(desk.orders).id, Event.TO_COUNTER, DESK, "unclear", NOW)
    desk.work(NOW)
    assert [text.split()[0] for _, text in desk.centre.sent] == ["verify", "verify_at_counter"]


def test_notices_of_a_card_go_one_after_the_other(store: Store) -> None:
    desk = Desk(store)
    desk.orders.police_stop(card(0), "A1", POLICE, "notice", NOW)
    desk.orders.police_release(card(0), POLICE, "consent", NOW)
    desk.centre.refuses = {card(0): Unreachable("silent")}
    with pytest.raises(Unreachable):
        desk.work(NOW)
    desk.centre.refuses, desk.seconds = {}, desk.seconds + 1
    desk.work(NOW)
    assert desk.centre.sent == [], "the second does not overtake the first, which is to be tried again later"
    desk.work(NOW + SECOND)
    assert [text.split()[0] for _, text in desk.centre.sent] == ["forced_stop", "restored"]


def test_two_workers_send_each_notice_once(store: Store) -> None:
    desk = Desk(store)
    receive(desk.orders, [demand(number) for number in range(60)], NOW)
    workers = [desk.worker("a"), desk.worker("b")]
    while sum(worker.work(NOW) for worker in workers):
        pass
    assert sorted(number for number, _ in desk.centre.sent) == [card(number) for number in range(60)]


def test_a_worker_that_died_leaves_notices_to_others_and_ids_of_old_are_forgotten(store: Store) -> None:
    desk = Desk(store)
    receive(desk.orders, [demand(0)], NOW)
    desk.posting._claim(NOW, 10)  # and then it dies
    other = desk.worker("other")
    other.work(NOW + 19 * SECOND)
    assert desk.centre.sent == []
    other.work(NOW + 21 * SECOND)
    assert len(desk.centre.sent) == 1
    desk.centre.first = 1  # the centre was installed anew and counts from one
    receive(desk.orders, [demand(1)], NOW)
    other.work(NOW + 22 * SECOND)
    with store.reading() as connection:
        assert connection.execute(select(notice_parts)).all() == [("m1", 2, None)]


def test_a_worker_that_slept_beyond_its_lease_leaves_the_others_lease_alone(store: Store) -> None:
    desk = Desk(store)
    receive(desk.orders, [demand(0)], NOW)
    other = desk.worker("other")
    desk.centre.refuses[card(0)] = ElementRefused("busy")
    desk.centre.sending = lambda: other._claim(NOW + 21 * SECOND, 10)
    desk.posting.work(NOW)
    (row,) = desk.rows()
    assert (row.leased_by, row.tries, row.error) == ("other", 0, None)


def test_told_to_stop_it_gives_back_what_it_has_not_begun(store: Store) -> None:
    desk = Desk(store)
    receive(desk.orders, [demand(number) for number in range(5)], NOW)
    desk.centre.sending = desk.posting.stop
    desk.work(NOW)
    assert len(desk.centre.sent) == 1
    assert {row.leased_by for row in desk.rows()} == {None}


def test_times_are_utc(store: Store) -> None:
    desk = Desk(store)
    receive(desk.orders, [demand()], NOW)
    desk.work(NOW)
    assert desk.rows()[0].sent_at.tzinfo is UTC
