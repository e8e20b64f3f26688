"""`duanka demo --network`: simulated fraud cards in a real network on loopback.

Home register, proxies, message centre and worker are the real programs; only the people are simulated.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from duanka import simulator
from duanka.bootstrap import orders as app_orders
from duanka.bootstrap import scan as app
from duanka.bootstrap import serve as app_serve
from duanka.bootstrap.orders import OrderDesk
from duanka.bootstrap.settings import Settings
from duanka.domain.errors import DuankaError
from duanka.domain.network import NetworkState
from duanka.domain.order import SYSTEM, Event, Kind, OrderError, Person, Role, State
from duanka.domain.ports import Silent
from duanka.domain.sign_in import new_password_half
from duanka.ingest.delivery.signatures import public_key_of
from duanka.orders.queries.service import Filter, ViewerContext
from duanka.orders.views import FiguresShown
from duanka.sandbox.network import OwnNetwork
from duanka.sandbox.phones import send_message

_CARDS, _DAYS, _SEED = 3_000, 7, 3
_CARDS_SHOWN = 5  # fraud cards shown in the demonstration
_WAIT_SECONDS = 60.0
_CLERK = Person("counter-clerk", Role.DESK, "counter clerk (invented)")
_VICTIM = "8613911112222"
_IN_FORCE = {
    NetworkState.OUTGOING_BARRED: "calls and messages of the card are refused (单停)",
    NetworkState.LIFELINE: "the card has its lines and no data (保底服务)",
    NetworkState.SUSPENDED: "dark in register, calls and messages (双停)",
}
_TEXT = "【公安局】您涉嫌洗钱，请将资金转入安全账户，配合调查"


@dataclass
class DemoClock:
    """Clock of the demonstration, which can be advanced by a day."""

    moved: timedelta = timedelta()

    def __call__(self) -> datetime:
        """Current time of the demonstration."""
        return app_orders.now() + self.moved


@dataclass
class Story:
    """Output and services of the demonstration."""

    say: Callable[[str], None]
    network: OwnNetwork
    here: OrderDesk
    wake: Callable[[], None]
    clock: DemoClock
    seconds: dict[str, float] = field(default_factory=dict)

    def call(self, card: str, peer: str) -> str:
        """Place a call; returns its outcome as text."""
        with self.network.phone() as phone:
            answer = phone.call(card, peer)
        return f"{answer.code} {answer.reason}" + (
            " → Call-Info says how to object" if answer.code == 608 else ""
        )

    def text(self, card: str, peer: str, text: str) -> str:
        """Send a message through the message proxy; returns its outcome as text."""
        password = self.network.centre.behaviour.password
        status = send_message(self.network.messages.address, card, peer, text, password=password)
        return f"status {status:#04x} " + ("accepted" if status == 0 else "refused")

    def until(self, what: str, true: Callable[[], bool]) -> None:
        """Wait for a condition and record how long it took; DuankaError after _WAIT_SECONDS."""
        began = time.monotonic()
        while not true():
            if time.monotonic() - began > _WAIT_SECONDS:
                raise DuankaError(
                    f"{what} did not happen within {_WAIT_SECONDS:.0f} s; the logs are beside the parts"
                )
            time.sleep(0.01)
        self.seconds[what] = time.monotonic() - began


def demo_network(settings: Settings, folder: Path, say: Callable[[str], None]) -> None:
    """Run the demonstration in `folder`, which must be new or empty.

    DuankaError: the folder is not empty, or a required program is not installed.
    """
    if folder.exists() and any(folder.iterdir()):
        raise DuankaError(f"{folder} is not empty; choose another with --out")
    say(f"1. An invented province of {_CARDS:,} cards with fraud gangs, and a scan of its records ...")
    province = folder / "province"
    simulator.simulate(province, cards=_CARDS, days=_DAYS, seed=_SEED, strategy="mixed", progress=Silent())
    policy = app.policy_named(settings.policy)
    ours = settings.model_copy(update={"orders": folder / "orders"})
    trust_invented_police(ours, province / simulator.PUBLIC_KEY, lambda _: None)
    app.scan(ours, province, folder / "scan", policy=policy, progress=Silent())
    with _town(settings, folder, say) as story:
        gang, honest = _asked(story, province, folder / "scan")
        _before(story, gang, honest)
        _dark(story, gang, honest)
        _back(story, honest)
        _counted(story)


def trust_invented_police(settings: Settings, public_key: Path, say: Callable[[str], None]) -> None:
    """Create an order database that trusts the key of the simulated police.

    Two simulated supervisors propose and approve it; `say` is given their logins. DuankaError: the order database
    already has persons.
    """
    with app_orders.desk(settings, app.policy_named(settings.policy), create=True) as here:
        moment = app_orders.now()
        try:
            key, invitation = here.persons.begin("li.invented", "Li (invented)", "the demonstration", moment)
        except OrderError:
            raise DuankaError(
                f"the order database {here.store.name} has people, and an invented police is for a database of its own:"
                f" name a new folder, DUANKA_ORDERS=FOLDER duanka demo --trust {public_key}; or let two of its"
                " supervisors register the key (`duanka keys add-source`)"
            ) from None
        second = here.persons.join(invitation, "wang.invented", "Wang (invented)", moment)
        first, other = here.keys.who(key), here.keys.who(second)
        assert first is not None  # noqa: S101  # both keys were just created
        assert other is not None  # noqa: S101
        number = here.case_sources.propose(
            "invented.police", public_key_of(public_key.read_bytes()), first, moment
        )
        here.case_sources.approve(number, other, "for the demonstration", moment)
        app_orders.write_sources(here, settings.sources_file)
        for person in (first, other):
            say(f"   {person.id}  {password_of(here, person)}")


def password_of(here: OrderDesk, person: Person) -> str:
    """Give an invented person a random password to sign in with, under their id."""
    made = f"{new_password_half()}-{new_password_half()}"
    here.sign_in.credentials.set_password(person.id, made, "", person, here.now())
    return made


@contextmanager
def _town(settings: Settings, folder: Path, say: Callable[[str], None]) -> Iterator[Story]:
    policy, clock = app.policy_named(settings.policy), DemoClock()
    say("2. Starting OsmoHLR, Kamailio, a message proxy and a message centre on loopback ...")
    with OwnNetwork(folder / "network", policy) as network:
        cards = pl.read_parquet(folder / "province" / "cards.parquet", columns=["card"])["card"].to_list()
        network.register.add(cards)
        own = network.settings(folder / "orders", policy=settings.policy)
        say(f"   {app_serve.Network(own).said()}; {len(cards):,} cards registered")
        with (
            app_orders.desk(own, policy, create=True) as here,
            app_serve.working(here, policy.orders, app_serve.Network(own), lambda _: None, clock) as worker,
        ):
            yield Story(say, network, here, worker.wake, clock)


def _asked(story: Story, province: Path, scan: Path) -> tuple[list[str], str]:
    """Open orders, send notices; return some fraud cards that are asked, and an honest one."""
    received = app_orders.take(story.here, scan, SYSTEM).received
    story.say(
        f"3. {received.opened} holders are asked to prove who they are; {received.stopped} cards that the police"
    )
    story.say("   confirmed are stopped at once. Notices go out, and their receipts come back ...")
    truth = pl.read_parquet(province / "truth.parquet")
    fraud = dict(truth.select("card", "fraud").iter_rows())
    orders = _open(story, State.OPENED, State.NOTIFIED)
    gang = [card for card in orders if fraud.get(card)][:_CARDS_SHOWN]
    honest = [card for card in orders if not fraud.get(card)]
    if not gang or not honest:
        raise DuankaError("this invented province has no gang card or no wrongly asked one; this is a defect")
    story.until("notices delivered", lambda: not _open(story, State.OPENED))
    taken = story.network.centre.accepted
    first = "".join(one.text for one in taken if one.destination.removeprefix("+") == gang[0])
    story.say(f"   {len(_open(story, State.NOTIFIED))} delivered; the hours run from now. For example:")
    story.say(f"   {first}")
    return gang, honest[0]


def _before(story: Story, gang: list[str], honest: str) -> None:
    story.say("4. Meanwhile the gang goes on:")
    story.say(f"   gang card calls a victim          {story.call(gang[0], _VICTIM)}")
    story.say(f"   gang card sends a scam text       {story.text(gang[0], _VICTIM, _TEXT)} (the text check)")
    story.say(f"   gang card sends a plain text      {story.text(gang[0], _VICTIM, '晚上一起吃饭吗')}")
    story.say(f"   honest card that was asked calls  {story.call(honest, _VICTIM)}")


def _dark(story: Story, gang: list[str], honest: str) -> None:
    cards, before = [*gang, honest], 0.0
    for at, stage in enumerate(story.here.orders.terms.policy.stages):
        hours = stage.hours - before
        begin = "   Still nobody answers" if at else "5. Nobody answers"
        story.say(f"{begin}. The clock is moved on by {hours:g} hours ...")
        story.clock.moved += timedelta(hours=hours, minutes=1)
        story.wake()
        _stage(story, cards, stage.state)
        before = stage.hours
        story.say(f"   gang card calls a victim          {story.call(gang[0], _VICTIM)}")
        story.say(f"   victim calls the gang card        {story.call(_VICTIM, gang[0])}")
    story.say(f"   gang card sends a plain text      {story.text(gang[0], _VICTIM, '晚上一起吃饭吗')}")
    story.say(
        f"   gang card calls 110               {story.call(gang[0], '110')} (emergency numbers always pass)"
    )


def _stage(story: Story, cards: list[str], state: NetworkState) -> None:
    """Wait until every element reports `state` for the cards; print the time it took."""
    what = f"hours over → {state} everywhere"
    story.until(what, lambda: story.network.in_force(cards, state))
    story.say(f"   {_IN_FORCE[state]} after {story.seconds[what]:.2f} s")


def _back(story: Story, honest: str) -> None:
    story.say(
        "6. One of them was honest. The holder comes to the counter with document and card, and passes:"
    )
    order = story.here.reading.last(honest, Kind.VERIFICATION)
    assert order is not None  # noqa: S101  # the card has an order
    story.here.orders.apply(order.id, Event.PASS, _CLERK, "document, person and card in hand", story.clock())
    story.until("passed → restored everywhere", lambda: story.network.in_force([honest], NetworkState.ACTIVE))
    story.say(f"   restored everywhere after {story.seconds['passed → restored everywhere']:.2f} s")
    story.say(f"   the honest card calls             {story.call(honest, _VICTIM)}")
    story.say(f"   the honest card sends a text      {story.text(honest, _VICTIM, '晚上一起吃饭吗')}")


def _counted(story: Story) -> None:
    story.until("refusals recorded", lambda: len(_figures(story).refused) >= 3)
    figures = _figures(story)
    story.say("7. The books:")
    story.say(f"   numbers handled 处置号码 {figures.handled}")
    for one in figures.refused:
        story.say(f"   {one.carried}s refused, {one.reason}: {one.count}")
    verdict = story.here.trail.verdict(story.here.store, SYSTEM)
    for fault in verdict.faults:
        raise DuankaError(f"the audit trail does not hold at row {fault.seq}: {fault.what}")
    story.say(f"   audit trail: {verdict.rows} rows, verified")


def _figures(story: Story) -> FiguresShown:
    until = story.clock() + timedelta(days=1)
    return story.here.reading.figures(until - timedelta(days=7), until, _CLERK)


def _open(story: Story, *states: State) -> list[str]:
    """Cards with an open verification in one of `states`."""
    reader = ViewerContext(_CLERK, unmasked=True, why="demonstration")
    found, after = list[str](), ""
    for state in states:
        while True:
            which = Filter(Kind.VERIFICATION, (state,), is_open=True)
            page = story.here.reading.orders(which, reader, story.clock(), after, 200)
            found += [order.card.removeprefix("+") for order in page.items]
            if not (after := page.next or ""):
                break
    return found
