"""The worker dies by kill -9 at each step of a stop: the next one does what is left, and nothing twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from duanka.domain.order import Order, State
from duanka.ledger.audit.trail import AuditEntry, Fault, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import notices, orders, outbox
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.unit_of_work.unit_of_work import Terms
from duanka.orders.dispatch.element_worker import ElementDispatcher
from duanka.orders.dispatch.notice_worker import NoticeDispatcher
from duanka.orders.dispatch.outbox import Outbox
from duanka.orders.service import OrderService
from support.fakes import FakeElement, FakeSender, read_journal
from support.order_policies import AT_ONCE
from support.orders.books import HOUR, KEY, NOW, card, delivered

NAMES = ("home_register", "call_proxy")
STEPS = (
    *("the trail is to be written", "the trail is written", "the stop is stored"),
    *("an element is to be told", "an element was told", "one element is done", "both elements are done"),
    *("a notice is to be sent", "a notice was sent", "a notice is stored"),
)
Reached = Callable[[str], None]


class _Trail(Trail):
    """A trail that says where it is."""

    def __init__(self, key: bytes, reached: Reached) -> None:
        super().__init__(key)
        self._reached = reached

    def append(self, connection: Connection, entries: Sequence[AuditEntry]) -> None:
        self._reached("the trail is to be written")
        super().append(connection, entries)
        self._reached("the trail is written")


class _Element(FakeElement):
    """An element that says where it is."""

    reached: Reached

    def suspend(self, card: str) -> None:
        self.reached("an element is to be told")
        super().suspend(card)
        self.reached("an element was told")


class _Sender(FakeSender):
    """A message centre that says where it is."""

    reached: Reached

    def send(self, card: str, text: str) -> str:
        self.reached("a notice is to be sent")
        number = super().send(card, text)
        self.reached("a notice was sent")
        return number


def _written(_: Connection, template: str, order: Order, now: datetime) -> str:
    del now
    return f"{template} {order.id}"


def _work(url: str, folder: Path, worker: str, at: datetime, reached: Reached) -> None:
    """All that a worker does for what is due, once."""
    store = Store(url)
    book = OrderService(store, Terms(AT_ONCE, _Trail(KEY, reached), NAMES))
    alarms = AlarmService(store, lambda _: None, timedelta(minutes=5))
    book.sweep(at)
    reached("the stop is stored")
    for name, then in zip(NAMES, ("one element is done", "both elements are done"), strict=True):
        element = _Element(name, folder / name)
        element.reached = reached
        ElementDispatcher(Outbox(store, name, worker), element, alarms).work(at)
        reached(then)
    sender = _Sender("centre", folder / "centre", auto=False)
    sender.reached = reached
    NoticeDispatcher(book, worker, sender, _written, alarms).work(at)
    reached("a notice is stored")
    store.close()


def _killed_at(step: str, url: str, folder: Path, at: datetime) -> None:
    """A worker in a process of its own that ends by kill -9 at this step."""

    def reached(name: str) -> None:
        if name == step:
            os.kill(os.getpid(), signal.SIGKILL)

    if not (child := os.fork()):
        try:
            _work(url, folder, "first", at, reached)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, step


@pytest.mark.requirement("R2")
def test_the_next_worker_does_what_is_left_and_nothing_twice(
    store: Store, order_database_url: str, tmp_path: Path
) -> None:
    book = OrderService(store, Terms(AT_ONCE, Trail(KEY), NAMES))
    for number, step in enumerate(STEPS):
        begins = NOW + number * 48 * HOUR
        delivered(book, number, begins)
        store.transact(lambda connection: connection.execute(notices.delete()))  # of the question
        _killed_at(step, order_database_url, tmp_path, begins + 24 * HOUR)
        later = begins + 25 * HOUR  # every lease of the first one is over
        for _ in range(2):  # the second time nothing is left
            _work(order_database_url, tmp_path, "second", later, lambda _: None)
        for name in NAMES:
            told = [line for line in read_journal(tmp_path / name) if line["card"] == card(number)]
            assert [line["state"] for line in told if line["changed"]] == ["suspended"], step
        sent = [line["card"] for line in read_journal(tmp_path / "centre")].count(card(number))
        # between the centre's answer and our commit nobody knows: the holder reads it twice rather than never
        assert sent == (2 if step == "a notice was sent" else 1), step
    with store.reading() as connection:
        left = select(func.count()).select_from(outbox).where(outbox.c.done_at.is_(None))
        assert connection.execute(left).scalar_one() == 0
        states = connection.execute(select(orders.c.state, func.count()).group_by(orders.c.state)).all()
    assert {tuple(row) for row in states} == {(State.SUSPENDED, len(STEPS)), (State.EXPIRED, len(STEPS))}
    assert not [fault for fault in Trail(KEY).verify(store) if isinstance(fault, Fault)]
