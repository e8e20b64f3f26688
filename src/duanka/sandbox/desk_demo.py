"""`duanka demo --console`: the invented province at a desk, in the browser."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from duanka.bootstrap import orders as app_orders
from duanka.bootstrap import serve as app_serve
from duanka.bootstrap.links import building
from duanka.bootstrap.links.statements import NO_CARDS
from duanka.bootstrap.orders import OrderDesk
from duanka.bootstrap.settings import Settings
from duanka.domain.bulk_action import card_of
from duanka.domain.errors import DuankaError
from duanka.domain.order import SYSTEM, Event, Kind, Order, OrderError, Person, Role
from duanka.domain.policy import Policy
from duanka.domain.ports import Silent
from duanka.domain.streaming import LiveObserver
from duanka.domain.text import BilingualText
from duanka.ledger.people.requests import PersonProposal
from duanka.orders.queries.service import Filter, ViewerContext
from duanka.sandbox.demo import password_of

PORT, _PORTS = 8600, 100
_WHY = "the demonstration (invented)"
_LI = Person("li.invented", Role.SUPERVISOR, "Li (invented)")
_WANG = Person("wang.invented", Role.SUPERVISOR, "Wang (invented)")
_CLERKS = (
    Person("zhao.invented", Role.DESK, "Zhao (invented)"),
    Person("ministry.invented", Role.REGULATOR, "Ministry (invented)"),
)
# what people did with some orders, of each hundred
_DONE: tuple[tuple[int, tuple[Event, ...]], ...] = (
    (8, (Event.BEGIN, Event.PASS)),
    (6, (Event.BEGIN,)),
    (4, (Event.BEGIN, Event.SUBMIT)),
    (5, (Event.TO_COUNTER,)),
    (3, (Event.WITHDRAW,)),
)
_PROPOSED = 12  # cards whose stop waits for a second person
_OBJECTIONS = (
    "我在卖车，陌生人打来问价，我回电给他们。",
    "我是快递员，每天要给几十个收件人打电话。",
    "号码是给父亲用的，他不会用智能手机，平时很少打电话。",
)


def demo_console(
    settings: Settings,
    policy: Policy,
    folder: Path,
    show: Callable[[str], None],
    say: Callable[[str | BilingualText], None],
    watch: LiveObserver,
) -> None:
    """Fill the order database in `folder` with the decisions in `folder`/out, and serve the console until Ctrl-C.

    Where `folder`/store holds records, it is attached, and its graph is built into `folder`/links. `show`: what is
    for the person at the terminal alone, passwords among it; `say`, `watch`: as those of `serve`. DuankaError:
    there are no decisions, or the order database has people who are not invented.
    """
    store, links = folder / "store", folder / "links"
    found = {"store": store, "links": links} if store.is_dir() else {}
    ours = settings.model_copy(update={"orders": folder / "orders", **found})
    with app_orders.desk(ours, policy, create=True) as here:
        moment = app_orders.now()
        people = _people(here, moment)
        if found:  # before the orders: its register says of which operator and city a card is
            app_orders.attach_store(here, None, _WANG, _WHY)
        if here.reading.order_counts(Filter(), ViewerContext(_WANG), moment).total == 0:
            show(
                "Filling the desk: orders of the invented province, and what people did with some of them ..."
            )
            _fill(here, folder / "out", moment)
        passwords = {one: password_of(here, one) for one in people}
    if found and not links.is_dir():  # a graph answers lookups where its store was attached before
        show("Linking cards, devices and outlets ...")
        building.build(
            ours, store, links, policy, None, Silent(), stated=app_orders.stated_about(ours, store, NO_CARDS)
        )
    port = _free_port(settings.host)
    show(f"\nThe console: http://{settings.host}:{port}/console   (Ctrl-C ends it)")
    show("Sign in as one of these invented people:")
    for person, password in passwords.items():
        show(f"  {person.id:20} {password:32} {person.role.words.zh} {person.role.words.en}")
    app_serve.serve(ours, policy, app_serve.Serving(settings.host, port), say, watch)


def _people(here: OrderDesk, moment: datetime) -> tuple[Person, ...]:
    """The invented people, made where the order database is new."""
    try:
        _, invitation = here.persons.begin(_LI.id, _LI.display_name, _WHY, moment)
        here.persons.join(invitation, _WANG.id, _WANG.display_name, moment)
    except OrderError:  # the order database has people
        pass
    known = {one.person.id for one in here.persons.list(_LI)}
    if not {_LI.id, _WANG.id} <= known:
        raise DuankaError(
            f"the order database {here.store.name} has people who are not invented: name a folder of its own,"
            " duanka demo --console FOLDER"
        )
    for clerk in _CLERKS:
        if clerk.id not in known:
            asked, _ = here.persons.propose(PersonProposal.PERSON, clerk, _LI, moment)
            here.persons.approve(asked.id, _WANG, _WHY, moment)
    return _WANG, _LI, *_CLERKS


def _fill(here: OrderDesk, decisions: Path, moment: datetime) -> None:
    """Orders of a scan, in the states in which a desk has them: asked, passed, waiting, objected to, proposed."""
    app_orders.take(here, decisions, SYSTEM)
    # by the last digits of the number: in no order that a list shows, and the same at each run
    orders = sorted(_asked(here, moment), key=lambda order: order.card[::-1])
    place = 0
    for percent, events in _DONE:
        some = len(orders) * percent // 100
        for order in orders[place : place + some]:
            with suppress(OrderError):  # some tiers take two people: these stay as far as one can bring them
                for event in events:
                    here.orders.apply(order.id, event, _WANG, _WHY, moment)
        place += some
    for text, order in zip(_OBJECTIONS, orders[place:], strict=False):
        here.orders.object(card_of(order.card), text, _WANG, moment)
    place += len(_OBJECTIONS)
    cards = [order.card for order in orders[place : place + _PROPOSED]]
    here.bulk_actions.propose(
        Event.SUSPEND, cards, BilingualText("团伙停机（虚构）", "a gang's cards (invented)"), _LI, moment
    )


def _asked(here: OrderDesk, moment: datetime) -> list[Order]:
    """Every open verification, page by page."""
    found, after = list[Order](), ""
    reader = ViewerContext(_WANG, unmasked=True, why=_WHY)
    while True:
        page = here.reading.orders(Filter(kind=Kind.VERIFICATION, is_open=True), reader, moment, after, 200)
        found += page.items
        if not page.next:
            return found
        after = page.next


def _free_port(host: str) -> int:
    """The console's usual port, or the next one that is free. DuankaError: none of a hundred is."""
    for port in range(PORT, PORT + _PORTS):
        with socket.socket() as trying:
            try:
                trying.bind((host, port))
            except OSError:
                continue
            return port
    raise DuankaError(f"no port from {PORT} to {PORT + _PORTS - 1} of {host} is free")
