"""From a hit to a dark card and back, in a real network: register, call proxy, message proxy, message centre."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from duanka.application.enforcement_worker import Enforcing
from duanka.bootstrap import serve as app_serve
from duanka.bootstrap.orders import OrderDesk, desk
from duanka.bootstrap.scan import policy_named
from duanka.bootstrap.settings import Settings
from duanka.domain.network import Element, ManyAtOnce, NetworkState
from duanka.domain.order import SYSTEM, Event, Kind, Order, Person, Role, State
from duanka.domain.order_decision import OrderDecision, RequestedAction
from duanka.domain.text import BilingualText
from duanka.ledger.figures.refused import by_reason
from duanka.sandbox.network import OwnNetwork
from duanka.sandbox.phones import send_message
from support.enacted import EnactedRow, enacted
from support.network.sipp_calls import call
from support.orders.books import receive
from support.parts import needed
from support.switches import Switch, missing
from support.waiting import HANG, until

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
HONEST, PEER = "8613900000000", "8613911111111"
DESK = Person("wang", Role.DESK)
MANY = 500
MANY_TAKE = 5 * HANG  # seconds: all of them, one after another


def card(number: int) -> str:
    return str(8613800000000 + number)


@dataclass
class Clock:
    """A clock of its own day that runs on, and can be moved."""

    began: float = field(default_factory=time.monotonic)
    moved: timedelta = timedelta()

    def __call__(self) -> datetime:
        return NOW + self.moved + timedelta(seconds=time.monotonic() - self.began)


@dataclass(frozen=True)
class Told:
    """When an element was told about a card, and when it had answered."""

    begun: datetime
    ended: datetime


class Timed:
    """An element that notes when it was told, and is otherwise the element."""

    def __init__(
        self, element: Element, told: dict[tuple[str, str], Told], clock: Callable[[], datetime]
    ) -> None:
        self._element, self._told, self._clock = element, told, clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._element, name)

    def suspend(self, card: str) -> None:
        self._tell(self._element.suspend, card, [card])

    def restore(self, card: str) -> None:
        self._tell(self._element.restore, card, [card])

    def _tell(self, act: Callable[[Any], object], asked: object, about: Collection[str]) -> None:
        begun = self._clock()
        act(asked)
        self._told |= dict.fromkeys(((self._element.name, one) for one in about), Told(begun, self._clock()))


class TimedTogether(Timed):
    """One that takes many at once."""

    def put(self, cards: Mapping[str, NetworkState]) -> None:
        element: Any = self._element
        self._tell(element.put, cards, cards)


class TimedNetwork(app_serve.Network):
    """The real network, whose elements note when they were told; the last time of each card is kept in `told`."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        super().__init__(settings)
        self.told: dict[tuple[str, str], Told] = {}
        self._clock = clock

    def elements(self) -> list[Element]:
        return [
            (TimedTogether if isinstance(one, ManyAtOnce) else Timed)(one, self.told, self._clock)
            for one in super().elements()
        ]


@dataclass
class Town:
    """The network, the order database and its worker."""

    network: OwnNetwork
    here: OrderDesk
    worker: Enforcing
    clock: Clock
    imsis: dict[str, str]
    told: dict[tuple[str, str], Told]

    def demand(self, *numbers: int) -> None:
        reason = BilingualText("一天外呼80个陌生号码，接通率9%", "80 strangers called in a day, 9% answered")
        demands = [
            OrderDecision(card(n), RequestedAction.VERIFY, "medium", reason, ("fan_out",), id="run:1")
            for n in numbers
        ]
        receive(self.here.orders, demands, self.clock())
        self.worker.wake()

    def order(self, number: int, kind: Kind = Kind.VERIFICATION) -> Order | None:
        return self.here.orders.transaction(lambda unit: unit.open_order(card(number), kind), self.clock())

    def after(self, passed: timedelta) -> None:
        self.clock.moved += passed
        self.worker.wake()

    def legs(self) -> list[EnactedRow]:
        return enacted(self.here.store, NOW - HOUR)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """One for each test: a card that has passed is not asked again, so no other finds it as it was."""
    needed(missing())
    folder = tmp_path / "town"
    policy = policy_named("national")
    clock = Clock()
    with OwnNetwork(folder, policy) as network:
        imsis = network.register.add([card(n) for n in range(MANY + 10)] + [HONEST])
        settings = network.settings(folder / "orders")
        timed = TimedNetwork(settings, clock)
        with (
            desk(settings, policy, create=True) as here,
            app_serve.working(here, policy.orders, timed, print, clock) as worker,
        ):
            yield Town(network, here, worker, clock, imsis, timed.told)


@pytest.mark.requirement("R1")
@pytest.mark.requirement("R2")
@pytest.mark.requirement("R7.1")
@pytest.mark.requirement("R7.2")
def test_a_hit_goes_dark_after_a_day_and_comes_back(
    town: Town, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds: dict[str, float] = {}
    with Switch(town.network.register.gsup) as switch, town.network.phone() as phone:
        assert switch.attach(town.imsis[card(0)]) is None, "an honest card is admitted"
        assert phone.call(card(0), HONEST).code == 200

        town.demand(0)
        seconds["hit to notice delivered"] = until(
            lambda: (order := town.order(0)) and order.state is State.NOTIFIED
        )
        notice = town.network.centre.accepted[-1]
        assert notice.destination.lstrip("+") == card(0)

        town.after(timedelta(hours=23, minutes=59))
        time.sleep(0.5)
        assert town.order(0, Kind.RESTRICTION) is None, "a minute is left"
        assert phone.call(card(0), HONEST).code == 200

        town.after(timedelta(minutes=2))
        seconds["24 hours over to barred everywhere"] = until(
            lambda: _is(town, 0, NetworkState.OUTGOING_BARRED)
        )
        until(lambda: "起限制呼出（单停）" in _told(town, 0))
        assert "前未通过核验将停机（双停）" in _told(town, 0)
        assert phone.call(card(0), HONEST).code == 608
        assert phone.call(HONEST, card(0)).code == 200, "单停: it can still be called"
        assert switch.attach(town.imsis[card(0)]) is None, "and stays in the register"

        town.after(timedelta(hours=24))
        seconds["48 hours over to suspended everywhere"] = until(lambda: _is(town, 0, NetworkState.SUSPENDED))
        assert switch.detached(town.imsis[card(0)]), "the switch that it is attached to is told"
        assert switch.attach(town.imsis[card(0)]) is not None, "the register refuses it"
        calls = [(card(0), HONEST), (HONEST, card(0)), (card(0), "110"), (HONEST, PEER)]
        called = call(tmp_path / "sipp", town.network.calls.address, calls)
        assert [one.answer for one in called] == [608, 608, 200, 200], "under SIPp"
        refused = phone.call(card(0), HONEST)
        assert refused.code == 608
        assert "purpose=jcard" in refused.headers["call-info"]
        assert phone.call(HONEST, card(0)).code == 608
        assert phone.call(card(0), "110").code == 200, "emergency numbers always pass"
        assert send_message(town.network.messages.address, card(0), PEER, "你好") == 0x66
        assert send_message(town.network.messages.address, HONEST, PEER, "你好") == 0

        order = town.order(0)
        assert order is not None
        assert order.state is State.EXPIRED
        town.here.orders.apply(order.id, Event.PASS, DESK, "verified at the counter", town.clock())
        town.worker.wake()
        seconds["passed to restored everywhere"] = until(lambda: _is(town, 0, NetworkState.ACTIVE))
        assert switch.attach(town.imsis[card(0)]) is None
        called = call(tmp_path / "sipp-again", town.network.calls.address, calls)
        assert [one.answer for one in called] == [200, 200, 200, 200]
        assert send_message(town.network.messages.address, card(0), PEER, "你好") == 0
        until(lambda: any("恢复" in one.text or "复" in one.text for one in town.network.centre.accepted[1:]))
        until(lambda: _refused(town) >= 3)
    tell(capsys, [f"{leg}: {took:.2f} s" for leg, took in seconds.items()])


@pytest.mark.requirement("R2")
def test_five_hundred_orders_at_once(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = range(1, MANY + 1)
    town.demand(*numbers)
    until(lambda: _verifying(town, State.NOTIFIED) >= MANY, MANY_TAKE)
    began = town.clock()
    town.after(timedelta(hours=24, minutes=1))
    until(lambda: _waiting(town) == 0 and _restricted(town) >= MANY, MANY_TAKE)
    for number in (1, MANY // 2, MANY):
        assert _is(town, number, NetworkState.OUTGOING_BARRED)
    second = town.clock()
    town.after(timedelta(hours=24))
    until(lambda: _waiting(town) == 0 and _is(town, MANY, NetworkState.SUSPENDED), MANY_TAKE)
    told = [f"{MANY} orders at once, decision to enforced:", *shares(town, second, NetworkState.SUSPENDED)]

    orders, acts = [town.order(number) for number in numbers], list[float]()
    for order in orders:
        assert order is not None
        acting = time.perf_counter()
        town.here.orders.apply(order.id, Event.PASS, DESK, "verified", town.clock())
        town.worker.wake()
        acts.append(time.perf_counter() - acting)
    until(lambda: _waiting(town) == 0 and _restricted(town) == 0, MANY_TAKE)
    told += [
        f"{MANY} passes one after another within {sum(acts):.2f} s, passed to restored:",
        *shares(town, began, NetworkState.ACTIVE),
    ]
    tell(capsys, told)


def shares(town: Town, since: datetime, wanted: NetworkState) -> list[str]:
    """What the seconds of each element consist of, and of all together."""
    legs = [leg for leg in town.legs() if leg.decided_at > since and leg.wanted is wanted]
    assert len(legs) == 3 * MANY
    with town.here.store.reading() as connection:
        found = connection.exec_driver_sql("SELECT id, card FROM orders")
        cards = {str(order): str(card) for order, card in found}
    lines = [f"  all: {_spread([leg.seconds for leg in legs])}"]
    for element in sorted({leg.element for leg in legs}):
        mine = [(leg, town.told[element, cards[leg.order_id]]) for leg in legs if leg.element == element]
        first = min(told.begun - leg.decided_at for leg, told in mine).total_seconds()
        parts = {
            "transaction and queue": [told.begun - leg.decided_at for leg, told in mine],
            "told": [told.ended - told.begun for leg, told in mine],
            "rest of the batch": [leg.enforced_at - told.ended for leg, told in mine],
        }
        lines.append(
            f"  {element}: {_spread([leg.seconds for leg, _ in mine])}; first told after {first:.2f} s"
        )
        lines += [
            f"    {what}: {_spread([one.total_seconds() for one in took])}" for what, took in parts.items()
        ]
    return lines


def _spread(seconds: Sequence[float]) -> str:
    return f"median {statistics.median(seconds):.3f} s, P95 {statistics.quantiles(seconds, n=20)[-1]:.3f} s"


def tell(capsys: pytest.CaptureFixture[str], lines: Sequence[str]) -> None:
    """Print what was measured, also where the test passes."""
    with capsys.disabled():
        sys.stderr.write("\n" + "".join(f"  {line}\n" for line in lines))


def _told(town: Town, number: int) -> str:
    """All that this holder was told, the parts of messages joined."""
    taken = town.network.centre.accepted
    return "".join(one.text for one in taken if one.destination.removeprefix("+") == card(number))


def _is(town: Town, number: int, state: NetworkState) -> bool:
    return town.network.in_force([card(number)], state)


def _refused(town: Town) -> int:
    ever = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    with town.here.store.reading() as connection:
        return sum(by_reason(connection, *ever, SYSTEM).values())


def _count(town: Town, query: str) -> int:
    with town.here.store.reading() as connection:
        return int(connection.exec_driver_sql(query).scalar() or 0)


def _waiting(town: Town) -> int:
    return _count(town, "SELECT count(*) FROM outbox WHERE done_at IS NULL")


def _restricted(town: Town) -> int:
    return _count(town, "SELECT count(*) FROM cards WHERE wanted <> 'active'")


def _verifying(town: Town, state: State) -> int:
    return _count(town, f"SELECT count(*) FROM orders WHERE closed_at IS NULL AND state = '{state.value}'")
