"""The worker killed at random moments: each act on the network once in effect, and none lost."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from duanka.domain.network import NetworkState
from duanka.domain.order import SYSTEM, Event, Kind
from duanka.ledger.audit.trail import Fault, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import cards, outbox
from duanka.orders.effects import apply_event
from duanka.orders.service import OrderService
from support import ROOT
from support.fakes import FakeElement, read_journal
from support.orders.books import DESK, HOUR, book_on, card, demand, receive
from support.orders.worker_process import KEY
from support.waiting import HANG

NAMES = ("home_register", "call_proxy")
WORKER = ROOT / "tests/support/orders/worker_process.py"


class Worker:
    """The process, killed and started again."""

    def __init__(self, url: str, folder: Path) -> None:
        self._command = [sys.executable, str(WORKER), url, str(folder), *NAMES]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        here = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, env=here)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()


def notified(book: OrderService, count: int) -> None:
    """`count` orders whose notices were delivered a day and a bit ago: they are due."""
    then = datetime.now(UTC) - 25 * HOUR
    for begin in range(0, count, 500):
        some = range(begin, min(begin + 500, count))
        receive(book, [demand(number) for number in some], then)
        numbers = [card(number) for number in some]

        def deliver(unit: object, numbers: list[str] = numbers) -> None:
            unit.lock(numbers)  # type: ignore[attr-defined]
            for number in numbers:
                order = unit.open_order(number, Kind.VERIFICATION)  # type: ignore[attr-defined]
                apply_event(unit, order, Event.DELIVERED, SYSTEM, "receipt")  # type: ignore[arg-type]

        book.transaction(deliver, then)


def waiting(store: Store) -> int:
    with store.reading() as connection:
        undone = select(func.count()).select_from(outbox).where(outbox.c.done_at.is_(None))
        return int(connection.execute(undone).scalar_one())


def suspended(store: Store) -> int:
    with store.reading() as connection:
        stopped = select(func.count()).select_from(cards).where(cards.c.wanted == "suspended")
        return int(connection.execute(stopped).scalar_one())


def passes(book: OrderService, number: int) -> bool:
    """The holder passes; False: the clock has not come to the order yet."""
    order = book.transaction(lambda unit: unit.open_order(card(number), Kind.VERIFICATION), datetime.now(UTC))
    if order is None or order.state.value != "expired":
        return order is None
    book.apply(order.id, Event.PASS, DESK, "at the counter", datetime.now(UTC))
    return True


def done(store: Store) -> int:
    with store.reading() as connection:
        rows = select(func.count()).select_from(outbox).where(outbox.c.done_at.is_not(None))
        return int(connection.execute(rows).scalar_one())


def killed_while_it_works(url: str, folder: Path, orders: int, kills: int, seed: int) -> None:
    chance, store = random.Random(seed), Store(url)
    book = book_on(store, elements=NAMES)
    notified(book, orders)
    worker, to_pass = Worker(url, folder), list(range(orders // 2))  # half of the holders
    worker.start()
    try:
        for kill in range(kills):
            time.sleep(chance.uniform(0.1, 1.5))
            worker.kill()
            worker.start()
            upto = orders // 2 * (kill + 1) // kills  # they pass spread over the kills
            to_pass = [number for number in to_pass if number >= upto or not passes(book, number)]
        stood, since = (-1, -1), time.monotonic()
        while to_pass or waiting(store) or suspended(store) < orders - orders // 2:
            if (stands := (done(store), len(to_pass))) != stood:  # however slowly, it goes on
                stood, since = stands, time.monotonic()
            assert time.monotonic() - since < HANG, f"{waiting(store)} acts still wait"
            to_pass = [number for number in to_pass if not passes(book, number)]
            time.sleep(0.2)
    finally:
        worker.kill()
    check(store, folder, orders)
    store.close()


def check(store: Store, folder: Path, orders: int) -> None:
    with store.reading() as connection:
        wanted = {row.card: row.wanted for row in connection.execute(select(cards.c.card, cards.c.wanted))}
        rows = connection.execute(select(outbox.c.outcome, func.count()).group_by(outbox.c.outcome)).all()
    assert len(wanted) == orders
    assert {row[0] for row in rows} <= {"done", "superseded"}
    for name in NAMES:
        changed: dict[str, list[str]] = defaultdict(list)
        for line in read_journal(folder / name):
            if line["changed"]:
                changed[line["card"]].append(line["state"])
        for number, state in wanted.items():
            once = ["suspended"] if state == "suspended" else ["suspended", "active"]
            assert changed[number] in (once, [] if state == "active" else once), (
                name,
                number,
                changed[number],
            )
        element = FakeElement(name, folder / name)
        assert all(element.state_of(number) is NetworkState(state) for number, state in wanted.items())
        element.close()
    faults = [found for found in Trail(KEY).verify(store) if isinstance(found, Fault)]
    assert not faults


@pytest.mark.requirement("R2")
def test_five_kills_during_three_hundred_orders(database_url: str, tmp_path: Path) -> None:
    killed_while_it_works(database_url, tmp_path, orders=300, kills=5, seed=7)


@pytest.mark.long
def test_fifty_kills_during_two_thousand_orders(database_url: str, tmp_path: Path) -> None:
    killed_while_it_works(database_url, tmp_path, orders=2_000, kills=50, seed=11)
