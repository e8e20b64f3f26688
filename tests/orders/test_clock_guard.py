"""A clock that jumps, or was wrong at the start, restricts nobody; what gives back goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from duanka.domain.order import Event, OrderError, PermissionDenied, State
from duanka.domain.text import BilingualText
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import alarms
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.monitoring.clock_guard import ClockGuard
from duanka.orders.bulk_actions.service import BulkActionService
from support.orders.books import DESK, HOUR, NOW, SECOND, book_on, card, delivered, restriction, verification

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@dataclass
class Clocks:
    """The wall clock and the time since boot of one machine."""

    store: Store
    boot: float = 1000.0
    off: timedelta = timedelta()
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.alarms = AlarmService(self.store, self.said.append, MINUTE)
        self.guard = ClockGuard(self.store, self.alarms, self.now, lambda: self.boot)

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.boot - 1000) + self.off

    def pass_(self, time: timedelta) -> bool:
        """Time passes; whether the guard holds then."""
        self.boot += time.total_seconds()
        return self.guard.check()

    def jump(self, by: timedelta) -> bool:
        self.off += by
        return self.guard.check()


@pytest.fixture
def clocks(store: Store) -> Clocks:
    return Clocks(store)


def is_open(store: Store) -> bool:
    with store.reading() as connection:
        return bool(connection.execute(select(alarms.c.id).where(alarms.c.cleared_at.is_(None))).first())


@pytest.mark.parametrize("jump", [400 * DAY, DAY, 61 * timedelta(seconds=1), -3 * DAY, -2 * MINUTE])
def test_a_jump_holds_until_the_clocks_agreed_for_ten_minutes(clocks: Clocks, jump: timedelta) -> None:
    assert not clocks.pass_(HOUR)
    assert clocks.jump(jump)
    assert clocks.pass_(HOUR), "it does not become right by waiting"
    assert clocks.jump(-jump)
    assert clocks.pass_(9 * MINUTE)
    assert not clocks.pass_(2 * MINUTE)
    assert not is_open(clocks.store)
    assert len(clocks.said) == 2


def test_many_small_steps_add_up(clocks: Clocks) -> None:
    assert not clocks.jump(40 * timedelta(seconds=1))
    assert clocks.jump(40 * timedelta(seconds=1))


def test_a_time_server_may_set_the_clock_slowly_and_a_machine_may_sleep(clocks: Clocks) -> None:
    for _ in range(100):
        assert not clocks.jump(timedelta(seconds=4))
    assert not clocks.pass_(30 * DAY)


def test_it_does_not_agree_while_it_goes_to_and_fro(clocks: Clocks) -> None:
    clocks.jump(DAY)
    clocks.jump(-DAY)
    assert clocks.pass_(9 * MINUTE)
    assert clocks.jump(DAY)
    assert clocks.jump(-DAY)
    assert clocks.pass_(9 * MINUTE)


def test_a_supervisor_confirms_the_clock_and_the_trail_says_so(clocks: Clocks) -> None:
    book = book_on(clocks.store)
    assert clocks.jump(DAY)
    with pytest.raises(PermissionDenied):
        book.clear_alarm("clock", DESK, "right", clocks.now())
    with pytest.raises(OrderError, match="say why"):
        book.clear_alarm("clock", SECOND, " ", clocks.now())
    book.clear_alarm("clock", SECOND, "the battery was empty; set by radio", clocks.now())
    assert not clocks.guard.check()
    assert not clocks.pass_(HOUR)
    with pytest.raises(OrderError, match="no open alarm"):
        book.clear_alarm("clock", SECOND, "again", clocks.now())


@pytest.mark.parametrize(
    ("off", "holds"), [(-HOUR, True), (4 * DAY, True), (DAY, False), (timedelta(), False)]
)
def test_at_the_start_the_clock_is_held_against_the_trail(store: Store, off: timedelta, holds: bool) -> None:
    delivered(book_on(store))
    clocks = Clocks(store, off=off)
    clocks.guard.start()
    assert clocks.guard.check() is holds
    assert clocks.pass_(HOUR) is holds, "nothing says that it became right"


def test_while_it_holds_nobody_is_restricted_and_who_is_to_be_restored_is(clocks: Clocks) -> None:
    book = book_on(clocks.store)
    delivered(book, 1)
    acts = BulkActionService(book)
    act = acts.propose(Event.PUNISH, [card(2)], BilingualText("惩戒", "penalty"), DESK, NOW, NOW + 2 * HOUR)
    acts.approve(act.id, SECOND, "seen", NOW)
    acts.carry_out(NOW)
    later = NOW + 30 * HOUR
    assert book.sweep(later, restrict=False) == 1
    assert verification(book, 1).state is State.NOTIFIED
    assert restriction(book, 2) is None, "its punishment is over"
    assert book.sweep(later) == 1
    assert verification(book, 1).state is State.EXPIRED
