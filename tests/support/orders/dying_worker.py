"""All that a worker does once, in a process of its own that ends by kill -9 at a step of it, or at any moment."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from duanka.domain.order import Order
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.unit_of_work.unit_of_work import Terms
from duanka.orders.dispatch.element_worker import ElementDispatcher
from duanka.orders.dispatch.notice_worker import NoticeDispatcher
from duanka.orders.dispatch.outbox import Outbox
from duanka.orders.service import OrderService
from support.fakes import FakeElement, FakeSender
from support.order_policies import AT_ONCE
from support.orders.books import KEY

NAMES = ("home_register", "call_proxy")
STEPS = (
    *("the trail is to be written", "the trail is written", "the stop is stored"),
    *("an element is to be told", "an element was told", "one element is done", "both elements are done"),
    *("a notice is to be sent", "a notice was sent", "a notice is stored"),
)
Reached = Callable[[str], None]
Decides = Callable[[OrderService], object]  # what stops a card


def never(_: str) -> None:
    """Reaches every step, and goes on."""


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


def work(
    url: str, folder: Path, worker: str, at: datetime, decides: Decides, reached: Reached = never
) -> None:
    """What `decides` does, and all that a worker then does, once. `folder`: journals of elements and centre."""
    store = Store(url)
    book = OrderService(store, Terms(AT_ONCE, _Trail(KEY, reached), NAMES))
    alarms = AlarmService(store, lambda _: None, timedelta(minutes=5))
    decides(book)
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


def killed_at(step: str, url: str, folder: Path, at: datetime, decides: Decides) -> None:
    """A first worker that ends by kill -9 at this step."""

    def reached(name: str) -> None:
        if name == step:
            os.kill(os.getpid(), signal.SIGKILL)

    with _child(lambda: work(url, folder, "first", at, decides, reached)) as child:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, step


def killed_after(wait: Callable[[], object], does: Callable[[], object]) -> bool:
    """Whether kill -9 came, once `wait` returned, before a process of its own had done all that it `does`."""
    with _child(does) as child:
        wait()
        os.kill(child, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@contextmanager
def _child(does: Callable[[], object]) -> Iterator[int]:
    code = 1
    if not (child := os.fork()):
        try:
            does()
            code = 0
        finally:
            os._exit(code)
    yield child
