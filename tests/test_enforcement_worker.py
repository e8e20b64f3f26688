"""The worker as a whole: duties beside each other, what fails and comes back, and an end in order."""

from __future__ import annotations

import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from duanka.application.enforcement_worker import PURGE, Duty, Enforcement, Enforcing, duties
from duanka.domain.network import NetworkState
from duanka.domain.order import Kind, Person, Role
from duanka.domain.order_decision import OrderDecision, RequestedAction
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import outbox
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.unit_of_work.unit_of_work import Terms
from duanka.orders.dispatch.element_worker import ElementDispatcher
from duanka.orders.dispatch.outbox import Outbox, PendingWorkProbe
from duanka.orders.monitoring.reconciliation import Reconciling
from duanka.orders.service import OrderService
from support import databases
from support.databases import Postgres
from support.enacted import enacted
from support.fakes import FakeElement
from support.orders.books import receive
from support.parts import needed
from support.waiting import HANG, until

ONE = "home_register"
POLICE = Person("liaison", Role.POLICE)
TRAIL = Trail(b"a key of a test, thirty-two bytes")
WITHIN = HANG


@dataclass
class Heard:
    """What the worker says about itself."""

    done: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def succeeded(self, duty: str, seconds: float) -> None:
        assert seconds >= 0
        self.done.append(duty)

    def failed(self, duty: str, error: Exception) -> None:
        self.errors.append(f"{duty}: {error}")


@dataclass
class Nothing:
    """A part that does what it is told to, and counts."""

    name: str = ONE
    work_it: Callable[[], bool] = lambda: False
    worked: int = 0
    stopped: bool = False
    closed: bool = False

    def work(self, now: datetime) -> bool:
        assert now.tzinfo is UTC
        self.worked += 1
        return self.work_it()

    def watch(self, now: datetime) -> None: ...

    def stop(self) -> None:
        self.stopped = True

    def close(self) -> None:
        self.closed = True


def parts(heard: Heard, said: list[str], **changes: object) -> Enforcement:
    facts: dict[str, object] = {
        "sweep": lambda now, limit: 0,
        "carry_out": lambda now: 0,
        "elements": {},
        "look": lambda now: [],
        "clock": lambda: datetime.now(UTC),
        "ticks": time.monotonic,
        "say": said.append,
        "watch": heard,
    }
    return Enforcement(**{**facts, **changes})  # type: ignore[arg-type]


@contextmanager
def running(enforcing: Enforcing) -> Iterator[Enforcing]:
    thread = threading.Thread(target=enforcing.run)
    thread.start()
    try:
        yield enforcing
    finally:
        enforcing.stop()
        thread.join(WITHIN)
        assert not thread.is_alive()


def book_of(store: Store) -> OrderService:
    return OrderService(store, Terms(OrderPolicy(), TRAIL, (ONE,)))


def real(store: Store, book: OrderService, element: FakeElement, heard: Heard, said: list[str]) -> Enforcing:
    alarms = AlarmService(store, said.append, timedelta(minutes=5))
    enacting = ElementDispatcher(Outbox(store, ONE, "w"), element, alarms)
    look = PendingWorkProbe(store, (ONE,))
    enforcing = Enforcing(parts(heard, said, sweep=book.sweep, elements={ONE: enacting}, look=look))
    book.wake = enforcing.wake
    return enforcing


def stop_card(book: OrderService, number: int) -> str:
    card = str(8613000000000 + number)
    book.police_stop(card, "A1", POLICE, "notice", datetime.now(UTC))
    return card


def undone(store: Store) -> int:
    with store.reading() as connection:
        waiting = select(func.count()).select_from(outbox).where(outbox.c.done_at.is_(None))
        return connection.execute(waiting).scalar_one()


def test_one_duty_that_fails_is_said_once_counted_and_stops_no_other() -> None:
    heard, said, left = Heard(), list[str](), [3]

    def sweep(now: datetime, limit: int) -> int:
        del now, limit
        left[0] -= 1
        if left[0] >= 0:
            raise OSError("the disk is full")
        return 0

    element = Nothing()
    enforcing = Enforcing(parts(heard, said, sweep=sweep, elements={ONE: element}, look=lambda now: [ONE]))
    with running(enforcing):
        until(lambda: "deadlines" in heard.done)
    assert enforcing.failures == {"deadlines": 3}
    assert said == ["deadlines: the disk is full; it is tried again", "deadlines: works again"]
    assert element.worked > 5, "the element went on meanwhile"
    assert len(heard.errors) == 3


def test_looking_that_fails_does_not_end_the_worker() -> None:
    heard, said, fails = Heard(), list[str](), [True]

    def look(now: datetime) -> list[str]:
        del now
        if fails[0]:
            raise OSError("away")
        return [ONE]

    element = Nothing()
    with running(Enforcing(parts(heard, said, elements={ONE: element}, look=look))):
        until(lambda: said)
        fails[0] = False
        before = element.worked
        until(lambda: element.worked > before + 1)
    assert said == ["look: away; it is tried again", "look: works again"]


def test_it_ends_in_order_and_gives_everything_back() -> None:
    inside, leave = threading.Event(), threading.Event()

    def act() -> bool:
        inside.set()
        leave.wait(WITHIN)
        return True

    slow, notices = Nothing(work_it=act), Nothing("notices")
    enforcing = Enforcing(parts(Heard(), [], elements={ONE: slow}, notices=notices))
    thread = threading.Thread(target=enforcing.run)
    thread.start()
    assert inside.wait(WITHIN)
    enforcing.stop()
    assert slow.stopped
    assert notices.stopped
    assert not slow.closed, "the act in hand is not over"
    leave.set()
    thread.join(WITHIN)
    assert (slow.worked, slow.closed, notices.closed) == (1, True, True)


def test_every_duty_is_there_and_the_comparison_comes_as_often_as_the_policy_says() -> None:
    @dataclass
    class Other:
        name: str = ONE

        def read(self, now: datetime) -> bool:
            return False

        def compare(self, now: datetime) -> object: ...

        def look(self, now: datetime) -> None: ...

        def close(self) -> None: ...

    whole = parts(
        Heard(), [], elements={ONE: Nothing()}, notices=Nothing(), refusals=[Other()], compared=[Other()],
        compare_every=60.0, purge=lambda now: 0, lists=[Other()],
    )  # fmt: skip
    found = {duty.name: duty.every for duty in duties(whole)}
    assert found[f"comparison of {ONE}"] == 60.0
    assert set(found) == {
        *("deadlines", "acts", "notices", "alarms", PURGE, ONE),
        *(f"refusals of {ONE}", f"comparison of {ONE}", f"list of {ONE}"),
    }
    assert found[PURGE] <= 60.0, "pictures go within a minute after their order closed"
    assert isinstance(duties(whole)[0], Duty)
    without = {duty.name for duty in duties(parts(Heard(), []))}
    assert without == {"deadlines", "acts", "alarms"}


def test_what_is_kept_no_longer_goes_until_nothing_is_left() -> None:
    heard, left = Heard(), [3]

    def purge(now: datetime) -> int:
        assert now.tzinfo is UTC
        left[0] -= 1
        return left[0]

    with running(Enforcing(parts(heard, [], purge=purge))):
        until(lambda: left[0] == 0)  # at once again while there is more
        until(lambda: heard.done.count(PURGE) == 3)
    assert heard.errors == []


def test_work_of_this_process_is_begun_at_once_and_of_another_soon(database_url: str) -> None:
    store, other = Store(database_url), Store(database_url)
    element, book = FakeElement(ONE), book_of(store)
    heard = Heard()
    with running(real(store, book, element, heard, [])):
        until(lambda: heard.done.count("look") > 2)  # at rest
        mine = stop_card(book, 1)
        until(lambda: element.state_of(mine) is NetworkState.SUSPENDED)
        theirs = stop_card(book_of(other), 2)
        until(lambda: element.state_of(theirs) is NetworkState.SUSPENDED)
        until(lambda: undone(store) == 0)
    store.close()
    other.close()


def test_five_hundred_at_once_are_all_in_the_network(database_url: str) -> None:
    """With an element that does 500 acts a second, as the home register does; how fast, journeys/test_network says."""
    store, element = Store(database_url), FakeElement(ONE)
    element.faults.delay = 0.002
    book = book_of(store)
    cards = [str(8613000000000 + number) for number in range(500)]
    reason = BilingualText("公安机关确认", "the police confirmed it")
    with running(real(store, book, element, Heard(), [])):
        begun = datetime.now(UTC)
        stop = OrderDecision(
            "",
            RequestedAction.STOP,
            "extreme",
            reason,
            cases=("A1",),
            id="run:1",
            signed_by=("bureau",),
        )
        receive(book, [replace(stop, card=card) for card in cards], begun)
        until(lambda: undone(store) == 0)
        done = enacted(store, begun)
    assert len(done) == 500
    store.close()


def test_a_postgresql_that_is_started_again_is_waited_for() -> None:
    needed(databases.missing())
    server, heard, said = Postgres(), Heard(), list[str]()
    try:
        server.start()
        with server.database() as url:
            store = Store(url)
            book, element = book_of(store), FakeElement(ONE)
            with running(real(store, book, element, heard, said)):
                first = stop_card(book, 1)
                until(lambda: element.state_of(first) is NetworkState.SUSPENDED)
                server.stop()
                until(lambda: heard.errors)
                server.start()
                second = stop_card(book, 2)
                until(lambda: element.state_of(second) is NetworkState.SUSPENDED)
                until(lambda: undone(store) == 0)
                until(lambda: any("works again" in line for line in said))
            store.close()
    finally:
        server.close()


FULL = """
import resource, signal, sys
from duanka.ledger.audit.trail import Fault
from test_enforcement_worker import *

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails instead
store = Store(sys.argv[1])
book, element, heard, said = book_of(store), FakeElement(ONE), Heard(), []
with running(real(store, book, element, heard, said)):
    first = stop_card(book, 1)
    until(lambda: element.state_of(first) is NetworkState.SUSPENDED)
    element.faults.down = True
    for number in range(2, 60):
        stop_card(book, number)
    until(lambda: undone(store) == 58)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    element.faults.down = False
    try:
        stop_card(book, 90)
    except Exception:
        pass
    else:
        raise AssertionError("the disk is not full")
    until(lambda: heard.errors)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    until(lambda: undone(store) == 0)
    last = stop_card(book, 91)
    until(lambda: element.state_of(last) is NetworkState.SUSPENDED)
    until(lambda: any("works again" in line for line in said))
assert not [one for one in TRAIL.verify(store) if isinstance(one, Fault)]
assert len(list(element.restricted())) == 60
print("went on")
"""


def test_a_disk_that_was_full_is_waited_for(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL, f"sqlite:///{tmp_path / 'orders.sqlite'}"]
    done = subprocess.run(
        command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=WITHIN, check=False
    )
    assert done.stdout.strip() == "went on", done.stderr
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(hours=1)])
def test_a_clock_that_jumps_stops_nothing(database_url: str, jump: timedelta) -> None:
    store, element, offset = Store(database_url), FakeElement(ONE), [timedelta(0)]
    book, heard = book_of(store), Heard()
    enforcing = real(store, book, element, heard, [])

    def clock() -> datetime:
        return datetime.now(UTC) + offset[0]

    enforcing.parts = Enforcement(**{**vars(enforcing.parts), "clock": clock})
    with running(enforcing):
        first = stop_card(book, 1)
        until(lambda: element.state_of(first) is NetworkState.SUSPENDED)
        offset[0] = jump
        second = "8613000000002"
        book.police_stop(second, "A1", POLICE, "notice", clock())
        until(lambda: element.state_of(second) is NetworkState.SUSPENDED)
        book.police_release(first, POLICE, "consent", clock())
        until(lambda: element.state_of(first) is NetworkState.ACTIVE)
    assert heard.errors == []
    store.close()


def test_what_was_changed_behind_our_back_is_mended_by_the_worker(database_url: str) -> None:
    store, element = Store(database_url), FakeElement(ONE)
    book, heard, said = book_of(store), Heard(), list[str]()
    card = "8613000000001"
    past = datetime.now(UTC) - timedelta(minutes=1)
    book.police_stop(card, "A1", POLICE, "notice", past)
    enforcing = real(store, book, element, heard, said)
    comparing = Reconciling(store, TRAIL, element)
    changes = {"compared": [comparing], "compare_every": 0.1}
    enforcing.parts = Enforcement(**{**vars(enforcing.parts), **changes})
    with running(enforcing):
        until(lambda: element.state_of(card) is NetworkState.SUSPENDED)
        element.restore(card)
        until(lambda: element.state_of(card) is NetworkState.SUSPENDED)
        until(lambda: undone(store) == 0)
    assert heard.errors == []
    order = book.transaction(lambda unit: unit.open_order(card, Kind.RESTRICTION), past)
    assert order is not None
    store.close()
