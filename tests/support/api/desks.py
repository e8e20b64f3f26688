"""A desk and its API for tests, served by a real server on loopback."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from duanka.api import BASE, RequestLimits, create_api
from duanka.application.desk import DeskServices
from duanka.bootstrap.assessment.desk import assessment
from duanka.bootstrap.casework.accounts import account_services
from duanka.bootstrap.casework.clues import ClueWiring
from duanka.bootstrap.casework.desk import casework
from duanka.bootstrap.casework.victims import victim_services
from duanka.bootstrap.policies import policy_named
from duanka.casework.victims.recording import BookTerms
from duanka.casework.victims.searching import VictimSearch
from duanka.decision_log.reader import KeptLines
from duanka.domain.identity import Consent
from duanka.domain.identity_provider import IdentityProvider
from duanka.domain.order import Kind, Order, Role
from duanka.domain.order_decision import OrderDecision, RequestedAction
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.stop_text import RulesTold
from duanka.domain.text import BilingualText
from duanka.domain.victim_policy import VictimPolicy
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit, audit_head
from duanka.ledger.db.tables_people import invitations, keys, person_requests, persons
from duanka.ledger.unit_of_work.unit_of_work import Terms
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.bulk_actions.withdrawal import Withdrawals
from duanka.orders.disavowals.service import Disavowals
from duanka.orders.intake.takes import TakeService
from duanka.orders.papers.services import paper_services
from duanka.orders.queries.record_queries import RecordQueries
from duanka.orders.queries.ring_queries import RingQueries
from duanka.orders.queries.service import OrderQueries
from duanka.orders.service import OrderService
from duanka.orders.verification.counter import Counter
from duanka.orders.verification.links import Links
from duanka.orders.verification.online_checks import OnlineChecks
from duanka.orders.verification.pictures import KEY_BYTES, Pictures
from duanka.orders.verification.reviews import Reviews
from support.api.verifications import Way, way
from support.invented_lookups import InventedLookups
from support.invented_rings import InventedRings
from support.order_policies import AT_ONCE
from support.orders.books import Backup, backup_of, receive, restore
from support.people import People
from support.waiting import HANG

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)  # a Monday
HOUR = timedelta(hours=1)
KEY = b"a key of a test, thirty-two bytes"
ELEMENTS = ("home_register", "call_proxy", "message_proxy")
_OF_PEOPLE = (audit, audit_head, persons, keys, person_requests, invitations)
ROLES = (Role.DESK, Role.SUPERVISOR, Role.REGULATOR, Role.POLICE)
WHY = {"why": "a test"}
PLENTY = RequestLimits(
    per_key=1e9,
    per_key_burst=10**9,
    failed=1e9,
    failed_burst=10**9,
    holder=1e9,
    holder_burst=10**9,
    polling=1e9,
    polling_burst=10**9,
    pictures=1e9,
    pictures_burst=10**9,
    unlinked_begin=0.0,
    unlinked_submit=0.0,
    sign_in=1e9,
    sign_in_burst=10**9,
    sign_in_least=0.0,
)
_WITHIN = HANG
_CERTIFICATES = ssl.create_default_context()  # made once: each client would read them all for its own


def card(number: int = 0) -> str:
    return str(8613000000000 + number)


def phone(number: int = 0) -> str:
    return f"+{card(number)}"


def demand(number: int = 0, asked: RequestedAction = RequestedAction.VERIFY) -> OrderDecision:
    reason = BilingualText("一天外呼80个陌生号码", "80 strangers called")
    return OrderDecision(
        card(number), asked, "medium", reason, ("fan_out",), id=f"0123456789abcdef:{number + 1}"
    )


@dataclass
class Clock:
    """A clock that stands still until it is set."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Running(Clock):
    """A clock that goes on from there, for what takes its time on the holder's side."""

    began: float = field(default_factory=time.monotonic)

    def __call__(self) -> datetime:
        return self.now + timedelta(seconds=time.monotonic() - self.began)


@dataclass(frozen=True, kw_only=True)
class TestDesk(DeskServices):
    """Everything that acts on orders or reads them, on one database, and a key of each role."""

    __test__ = False

    people: People
    way: Way
    given: Mapping[Role, str]
    clock: Clock
    store_of_records: InventedLookups
    graph: InventedRings
    woken: list[int] = field(default_factory=list)

    def asked(self, number: int = 0) -> tuple[Order, str]:
        """An order, and the link token of its notice."""
        receive(self.orders, [demand(number)], self.clock())
        order = self.orders.transaction(lambda unit: unit.open_order(card(number), Kind.VERIFICATION), NOW)
        assert order is not None
        made = self.orders.transaction(
            lambda unit: self.links.make(unit.connection, order.id, self.clock()), NOW
        )
        return order, made

    def sits(self, number: int = 0) -> str:
        """The token of a session about the card."""
        _, link = self.asked(number)
        session = self.way.verification.agree(link, Consent(True, True, ""), self.clock(), browser="browser")
        assert session is not None
        return session.token

    def api(
        self,
        limits: RequestLimits = PLENTY,
        *,
        online: bool = True,
        provider: IdentityProvider | None = None,
    ) -> FastAPI:
        self.orders.wake = lambda: self.woken.append(1)
        verification = self.way.verification if online else None
        return create_api(self, self.clock, limits, verification, provider=provider)


# what a desk of this process found in its database when its people were there, and their keys
_BEGUN: list[tuple[Backup, Mapping[str, str]]] = []


def _people(store: Store, trail: Trail) -> People:
    """Somebody of each role: made as people are by the first desk of a process, and copied by all others."""
    assert trail.end(store)[0] == 0, "a desk is for an order book in which nothing was done yet"
    if _BEGUN:
        ((rows, given),) = _BEGUN
        restore(store, rows)
        return People(store, trail, given=dict(given))
    people = People(store, trail)
    for role in ROLES:
        people.add(f"the.{role}", role)
    _BEGUN.append((backup_of(store, _OF_PEOPLE), dict(people.given)))
    return people


def desk_on(
    store: Store,
    policy: OrderPolicy | None = None,
    clock: Clock | None = None,
    rules: Callable[[], RulesTold] = RulesTold,
) -> TestDesk:
    policy, trail = policy or AT_ONCE, Trail(KEY)
    book, people = OrderService(store, Terms(policy, trail, ELEMENTS, rules)), _people(store, trail)
    given = {role: people.given[f"the.{role}"] for role in ROLES}
    links, pictures, clock = Links(KEY, policy), Pictures(book, KEY[:KEY_BYTES]), clock or Clock()
    checks = OnlineChecks(book, links, pictures, KEY)
    acts, invented, graph = BulkActionService(book), InventedLookups(), InventedRings()
    rings = RingQueries(store, trail, lambda: graph)
    search = VictimSearch(store, trail, BookTerms(VictimPolicy(), policy, policy.local_time), ("95588",))
    victims = victim_services(search, lambda: invented)
    return TestDesk(
        store=store,
        policy=policy_named("national"),
        orders=book,
        bulk_actions=acts,
        keys=people.keys,
        sign_in=people.sign_in,
        people=people,
        links=links,
        reading=OrderQueries(store, trail, stop_texts=book.terms.stop_texts),
        records=RecordQueries(store, trail, lambda: invented),
        store_of_records=invented,
        rings=rings,
        make_casework=lambda: casework(
            book,
            rings,
            lambda: invented,
            victims,
            ClueWiring(KEY),
            account_services(store, trail, policy_named("national"), lambda: invented, KEY),
        ),
        make_assessment=lambda: assessment(store, trail, policy_named("national"), lambda: invented),
        graph=graph,
        trail=trail,
        checks=checks,
        counter=Counter(book),
        disavowals=Disavowals(book),
        papers=paper_services(book, lambda: invented, policy_named("national").store),
        reviews=Reviews(book, pictures),
        way=way(checks, clock),
        given=given,
        clock=clock,
        takes=TakeService(acts, KeptLines(KEY)),
        withdrawals=Withdrawals(acts),
    )


@contextmanager
def served(api: FastAPI) -> Iterator[str]:
    """The address of `api`, served until the end of the block."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(api, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=2)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            _until(lambda: server.started)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_WITHIN)


@dataclass(frozen=True)
class Caller:
    """Asks the API with one key."""

    client: httpx.Client

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.client.get(BASE + path, params=query)

    def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return self.client.post(BASE + path, json=WHY if body is None else body, headers=headers)


@contextmanager
def callers(api: FastAPI) -> Iterator[Callable[[str | None], Caller]]:
    """Gives a caller for a key, or without one."""
    opened = list[httpx.Client]()
    with served(api) as address:

        def caller(key: str | None) -> Caller:
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            opened.append(
                httpx.Client(base_url=address, headers=headers, timeout=_WITHIN, verify=_CERTIFICATES)
            )
            return Caller(opened[-1])

        try:
            yield caller
        finally:
            for client in opened:
                client.close()


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + _WITHIN
    while not holds():
        assert time.monotonic() < end, "it did not start"
        time.sleep(0.01)
