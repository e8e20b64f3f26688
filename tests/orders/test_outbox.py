"""What the network still has to be told, under two workers, dead ones, sleeping ones and clocks that jump."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from duanka.domain.network import NetworkState
from duanka.domain.order import Event
from duanka.domain.order_decision import RequestedAction
from duanka.domain.phone_masking import masked_card
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import alarms as alarms_table
from duanka.ledger.db.tables import outbox as table
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.orders.dispatch.element_worker import ElementDispatcher
from duanka.orders.dispatch.outbox import (
    DEADLINES,
    NOTICES,
    Outbox,
    PendingWorkProbe,
    Task,
    TaskOutcome,
    TaskResult,
)
from duanka.orders.service import OrderService
from support.enacted import enacted
from support.fakes import FakeElement, Faults
from support.orders.books import (
    DESK,
    HOUR,
    NOW,
    POLICE,
    book_on,
    card,
    delivered,
    demand,
    receive,
    restriction,
)

SECOND = timedelta(seconds=1)
LEASE = timedelta(seconds=15)
ONE = ("home_register",)
ACTIVE, SUSPENDED = NetworkState.ACTIVE, NetworkState.SUSPENDED


def stopped(book: OrderService, number: int = 0, now: datetime = NOW) -> None:
    book.police_stop(card(number), "A1", POLICE, "notice", now)


def released(book: OrderService, number: int = 0, now: datetime = NOW) -> None:
    book.police_release(card(number), POLICE, "consent", now)


def rows(store: Store) -> list[Any]:
    with store.reading() as connection:
        return list(connection.execute(select(table).order_by(table.c.id)))


def outcomes(store: Store) -> list[tuple[str, str | None]]:
    return [(row.wanted, row.outcome) for row in rows(store)]


class Watched(FakeElement):
    """Tells which cards it was asked about, before it answers."""

    def __init__(self, faults: Faults) -> None:
        super().__init__(ONE[0], faults=faults)
        self.calls: list[str] = []
        self.asked: Callable[[str], None] = lambda _: None

    def suspend(self, card: str) -> None:
        self._note(card)
        super().suspend(card)

    def restore(self, card: str) -> None:
        self._note(card)
        super().restore(card)

    def _note(self, card: str) -> None:
        self.calls.append(card)
        self.asked(card)


class Together(Watched):
    """Takes many cards at once; the sizes of its groups."""

    def __init__(self, faults: Faults) -> None:
        super().__init__(faults)
        self.groups: list[int] = []

    def put(self, cards: Mapping[str, NetworkState]) -> None:
        self.groups.append(len(cards))
        for one in cards:
            self._note(one)
        self._reached(*cards)
        self._write(cards)
        self._answer()


@dataclass
class Bench:
    """An element, its worker, and the seconds that only grow."""

    store: Store
    faults: Faults = field(default_factory=Faults)
    seconds: float = 100.0
    said: list[str] = field(default_factory=list)
    kind: type[Watched] = Watched

    def __post_init__(self) -> None:
        self.element = self.kind(self.faults)
        self.calls = self.element.calls
        alarms = AlarmService(self.store, self.said.append, timedelta(minutes=5))
        self.worker = ElementDispatcher(
            Outbox(self.store, ONE[0], "w", LEASE), self.element, alarms, ticks=lambda: self.seconds
        )

    def drain(self, now: datetime) -> None:
        while self.worker.work(now):
            pass


def test_what_was_decided_is_done_and_how_long_it_took_is_known(store: Store) -> None:
    book, bench = book_on(store, elements=ONE), Bench(store)
    delivered(book)
    book.sweep(NOW + 24 * HOUR)
    bench.drain(NOW + 24 * HOUR + 2 * SECOND)
    assert bench.element.state_of(card(0)) is SUSPENDED
    (leg,) = enacted(store, NOW)
    assert (leg.wanted, leg.seconds) == (SUSPENDED, 2.0)
    order = restriction(book)
    assert order is not None
    book.apply(order.id, Event.RESTORE, DESK, "proved it", NOW + 25 * HOUR)
    bench.drain(NOW + 25 * HOUR + SECOND)
    assert bench.element.state_of(card(0)) is ACTIVE
    assert [(one.wanted, one.seconds) for one in enacted(store, NOW)] == [
        (SUSPENDED, 2.0),
        (ACTIVE, 1.0),
    ]


def test_two_workers_share_and_never_hold_the_same_card(store: Store) -> None:
    book = book_on(store, elements=ONE)
    for number in range(60):
        stopped(book, number)
    workers = [Outbox(store, ONE[0], name, LEASE) for name in ("a", "b", "c")]

    def take(worker: Outbox) -> list[Task]:
        taken = []
        while some := worker.claim(NOW, 7):
            taken += some
        return taken

    with ThreadPoolExecutor(3) as threads:
        found = [task.card for taken in threads.map(take, workers) for task in taken]
    assert sorted(found) == [card(number) for number in range(60)]


def test_of_a_card_the_last_counts_and_waits_for_what_is_on_its_way(store: Store) -> None:
    book = book_on(store, elements=ONE)
    first, other = Outbox(store, ONE[0], "first", LEASE), Outbox(store, ONE[0], "other", LEASE)
    stopped(book)
    (task,) = first.claim(NOW)
    released(book)
    assert other.claim(NOW) == [], "the suspension is on its way: the restoration must not overtake it"
    first.settle([TaskResult(task, TaskOutcome.UNREACHABLE, "silent", HOUR)], NOW)
    (later,) = other.claim(NOW)
    assert later.wanted is ACTIVE
    other.settle([TaskResult(later, TaskOutcome.DONE)], NOW)
    assert outcomes(store) == [("suspended", "superseded"), ("active", "done")]
    assert first.claim(NOW + 2 * HOUR) == [], "what failed must not come back after what followed it"


def test_a_worker_that_died_holds_nobody_up_for_long_and_a_sleeper_settles_nothing(store: Store) -> None:
    book = book_on(store, elements=ONE)
    dead, alive = Outbox(store, ONE[0], "dead", LEASE), Outbox(store, ONE[0], "alive", LEASE)
    stopped(book)
    (old,) = dead.claim(NOW)
    assert alive.claim(NOW + LEASE) == []
    (taken,) = alive.claim(NOW + LEASE + SECOND)
    dead.settle([TaskResult(old, TaskOutcome.REFUSED, "late")], NOW + LEASE + SECOND)
    assert outcomes(store) == [("suspended", None)]
    alive.settle([TaskResult(taken, TaskOutcome.DONE)], NOW + LEASE + 2 * SECOND)
    assert outcomes(store) == [("suspended", "done")]
    dead.settle([TaskResult(old, TaskOutcome.UNREACHABLE, "late", HOUR)], NOW + LEASE + 3 * SECOND)
    assert outcomes(store) == [("suspended", "done")]


def test_the_same_worker_that_slept_cannot_settle_its_second_lease_with_the_first(store: Store) -> None:
    book, worker = book_on(store, elements=ONE), Outbox(store, ONE[0], "w", LEASE)
    stopped(book)
    (first,) = worker.claim(NOW)
    worker.claim(NOW + LEASE + SECOND)
    for outcome in (TaskOutcome.DONE, TaskOutcome.REFUSED):
        worker.settle([TaskResult(first, outcome)], NOW + LEASE + SECOND)
        assert outcomes(store) == [("suspended", None)]


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_a_clock_that_jumps_holds_nothing_up(store: Store, jump: timedelta) -> None:
    book, worker = book_on(store, elements=ONE), Outbox(store, ONE[0], "w", LEASE)
    stopped(book, 0)
    worker.claim(NOW)  # and then it dies
    stopped(book, 1)
    second = worker.claim(NOW)
    stopped(book, 2)
    worker.settle([TaskResult(task, TaskOutcome.UNREACHABLE, "silent", 20 * SECOND) for task in second], NOW)
    taken = Outbox(store, ONE[0], "v", LEASE).claim(NOW + jump)
    assert sorted(task.card for task in taken) == [card(number) for number in range(3)]


def test_silence_is_probed_by_one_card_and_makes_only_this_element_wait(store: Store) -> None:
    book, bench = book_on(store, elements=(*ONE, "call_proxy")), Bench(store)
    for number in range(50):
        stopped(book, number)
    bench.faults.down = True
    bench.drain(NOW)
    assert len(bench.calls) == 1, "the first that failed speaks for all"
    for _ in range(600):
        bench.seconds += 1
        bench.drain(NOW + timedelta(seconds=bench.seconds - 100))
    assert len(bench.calls) < 60, "a minute in, it is asked twice a minute"
    assert {row.outcome for row in rows(store)} == {None}
    assert len(Outbox(store, "call_proxy", "x").claim(NOW)) == 50
    bench.faults.down = False
    for _ in range(31):  # the longest rest, and everything else at once
        bench.seconds += 1
        bench.drain(NOW + timedelta(seconds=bench.seconds - 100))
    assert [row.outcome for row in rows(store) if row.element == ONE[0]] == ["done"] * 50


def test_an_act_whose_answer_was_lost_is_asked_again_and_changes_nothing(store: Store) -> None:
    book, bench = book_on(store, elements=ONE), Bench(store)
    stopped(book)
    bench.faults.deaf = True
    bench.drain(NOW)
    bench.faults.deaf = False
    bench.seconds += 1
    bench.drain(NOW + SECOND)
    assert outcomes(store) == [("suspended", "done")]
    assert bench.element.state_of(card(0)) is SUSPENDED


@pytest.mark.parametrize("kind", [Watched, Together])
def test_one_card_that_never_answers_does_not_stop_the_rest(store: Store, kind: type[Watched]) -> None:
    book, bench = book_on(store, elements=ONE), Bench(store, kind=kind)

    def poisoned(one: str) -> None:
        if one == card(3):
            raise OSError("a defect")

    bench.element.asked = poisoned
    for number in range(40):
        stopped(book, number)
    for second in range(30):
        bench.seconds += 1
        bench.drain(NOW + second * SECOND)
    assert [row.card for row in rows(store) if row.outcome is None] == [card(3)]


def test_many_are_told_at_once_and_fewer_where_that_takes_too_long(store: Store) -> None:
    book, bench = book_on(store, elements=ONE), Bench(store, kind=Together)
    assert isinstance(bench.element, Together)
    groups = bench.element.groups
    for number in range(60):
        stopped(book, number)
    bench.faults.deaf = True  # it takes them all, and more than its seconds for it
    bench.drain(NOW)
    assert groups == [25], "the first that fell silent speaks for all"
    bench.faults.deaf = False
    bench.seconds += 1
    bench.drain(NOW + SECOND)
    assert groups[1:] == [12, 13, 14, 15, 5], "after one that answered alone"
    assert outcomes(store) == [("suspended", "done")] * 60
    assert {bench.element.state_of(card(number)) for number in range(60)} == {SUSPENDED}


@pytest.mark.parametrize("kind", [Watched, Together])
def test_refused_and_unknown_are_over_and_refused_raises_an_alarm(store: Store, kind: type[Watched]) -> None:
    book, bench = book_on(store, elements=ONE), Bench(store, kind=kind)
    bench.faults.unknown, bench.faults.refusing = {card(0)}, {card(1)}
    for number in range(3):
        stopped(book, number)
    bench.drain(NOW)
    assert [row.outcome for row in rows(store)] == ["unknown_card", "refused", "done"]
    assert card(1) not in rows(store)[1].error
    assert masked_card(card(1)) in rows(store)[1].error, "masked, wherever it is shown"
    assert len([told for told in bench.said if "refused" in told]) == 1
    with store.reading() as connection:
        assert {row.cleared_at for row in connection.execute(select(alarms_table))} == {None}


def test_a_police_stop_of_a_card_that_an_element_does_not_know_raises_an_alarm(store: Store) -> None:
    """By the police's key and by a case that they signed; not what follows from a verification of ours."""
    book, bench = book_on(store, elements=ONE), Bench(store)
    stopped(book, 0)
    receive(book, [demand(1, RequestedAction.STOP, tier="extreme", cases=("A1",))], NOW)
    delivered(book, 2)
    book.sweep(NOW + 24 * HOUR)
    bench.faults.unknown = {card(number) for number in range(3)}
    bench.drain(NOW + 24 * HOUR)
    assert [row.outcome for row in rows(store)] == ["unknown_card"] * 3
    assert len(bench.said) == 2
    for number, told in enumerate(bench.said):
        order = restriction(book, number)
        assert order
        assert order.id in told
        assert masked_card(card(number)) in told
        assert card(number) not in told
    with store.reading() as connection:
        assert {row.cleared_at for row in connection.execute(select(alarms_table))} == {None}


def test_the_alarm_is_raised_once_after_its_minutes_and_cleared_when_it_works(store: Store) -> None:
    book, bench = book_on(store, elements=ONE), Bench(store)
    stopped(book)
    bench.faults.down = True
    bench.drain(NOW)
    bench.worker.watch(NOW + timedelta(minutes=4, seconds=59))
    assert bench.said == []
    for minutes in (5, 6, 7):
        bench.worker.watch(NOW + timedelta(minutes=minutes))
    assert len(bench.said) == 1
    assert "home_register" in bench.said[0]
    other = Bench(store)  # started again: the alarm is known
    other.worker.watch(NOW + timedelta(minutes=8))
    assert other.said == []
    other.drain(NOW + timedelta(minutes=9))
    other.worker.watch(NOW + timedelta(minutes=9))
    assert len(other.said) == 1
    with store.reading() as connection:
        (row,) = connection.execute(select(alarms_table)).all()
    assert (row.since, row.cleared_at) == (NOW, NOW + timedelta(minutes=9))


def test_told_to_stop_it_ends_the_act_in_hand_and_gives_the_rest_back(store: Store) -> None:
    book, bench = book_on(store, elements=ONE), Bench(store)
    for number in range(10):
        stopped(book, number)

    def third(_: str) -> None:
        if len(bench.calls) == 3:
            bench.worker.stop()

    bench.element.asked = third
    bench.drain(NOW)
    assert [row.outcome for row in rows(store)].count("done") == 3
    assert all(row.leased_by is None for row in rows(store))


def test_no_act_begins_that_might_outlive_its_lease(store: Store) -> None:
    book, bench = book_on(store, elements=ONE), Bench(store)
    for number in range(10):
        stopped(book, number)

    def slow(_: str) -> None:
        bench.seconds += 4

    bench.element.asked = slow
    bench.worker.work(NOW)
    assert len(bench.calls) == 3, "the third begins after 8 of the 10 seconds that 15 leave for calls of 5"
    assert [row.leased_until for row in rows(store)] == [None] * 10


def test_looking_names_what_waits(store: Store) -> None:
    book = book_on(store)
    look = PendingWorkProbe(store, ("home_register", "call_proxy", "message_proxy"))
    assert list(look(NOW)) == []
    delivered(book)
    assert list(look(NOW + 23 * HOUR)) == [NOTICES]
    assert list(look(NOW + 24 * HOUR)) == [DEADLINES, NOTICES]
    book.sweep(NOW + 24 * HOUR)
    found = list(look(NOW + 24 * HOUR))
    assert found == ["home_register", "call_proxy", "message_proxy", NOTICES]


@pytest.mark.parametrize("wanted", ["suspended", "outgoing_barred", "active"])
def test_what_was_written_into_the_outbox_past_the_book_is_told_to_nobody(store: Store, wanted: str) -> None:
    """It would stop a card, or give one back, and nothing of it would stand in the trail."""
    book, said = book_on(store, elements=("home_register",)), list[str]()
    for number in range(3):
        book.police_stop(card(number), "A1", POLICE, "notice", NOW)
    element = FakeElement("home_register")
    enacting = ElementDispatcher(
        Outbox(store, ONE[0], "w"), element, AlarmService(store, said.append, timedelta(minutes=5))
    )
    enacting.work(NOW)
    victim = card(1) if wanted == "active" else card(77)
    row = {"order_id": "RFORGED", "step": 1, "element": "home_register", "card": victim, "wanted": wanted}
    with store.writing() as connection:
        connection.execute(insert(table).values(**row, created_at=NOW, next_try_at=NOW))
    book.police_stop(card(3), "A1", POLICE, "notice", NOW)
    while enacting.work(NOW):
        pass
    assert {n for n in (0, 1, 2, 3, 77) if element.state_of(card(n)) is SUSPENDED} == {0, 1, 2, 3}
    assert element.state_of(card(77)) is ACTIVE
    (told,) = said
    assert "RFORGED" in told
    assert card(77) not in told
