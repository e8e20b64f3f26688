"""Every element behind the contract, each with a way to start it, to kill it and to bring it back."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from duanka.domain.network import Element
from duanka.network.sip.kamailio import OwnCallProxy
from duanka.sandbox.hlr import OwnRegister
from duanka.sandbox.message_proxy import OwnMessageProxy
from duanka.sandbox.smsc import OwnShortMessageCentre
from support.fakes import FakeElement

CARDS = tuple(str(8613800000000 + number) for number in range(60))


@dataclass
class Supplied:
    """An element, and what is behind it. `knows_cards`: whether a card that nobody registered is unknown to it."""

    element: Element
    kill: Callable[[], None]
    start: Callable[[], None]
    knows_cards: bool = False


@contextmanager
def fake(folder: Path) -> Iterator[Supplied]:
    element = FakeElement(journal=folder / "journal")
    element.faults.unknown.add("8600000000000")

    def set_down(down: bool) -> Callable[[], None]:
        return lambda: setattr(element.faults, "down", down)

    yield Supplied(element, set_down(True), set_down(False), knows_cards=True)
    element.close()


@contextmanager
def home_register(folder: Path) -> Iterator[Supplied]:
    with OwnRegister(folder / "hlr") as part:
        part.add(CARDS)
        element = part.element()
        yield Supplied(element, lambda: part.stop(signal.SIGKILL), part.start, knows_cards=True)
        element.close()


@contextmanager
def call_proxy(folder: Path) -> Iterator[Supplied]:
    with OwnCallProxy(folder / "calls", ("127.0.0.1", 9)) as part:
        element = part.element()
        yield Supplied(element, lambda: part.stop(signal.SIGKILL), part.start)
        element.close()


@contextmanager
def message_proxy(folder: Path) -> Iterator[Supplied]:
    with OwnShortMessageCentre() as centre, OwnMessageProxy(folder / "messages", centre.address) as part:
        element = part.element()
        yield Supplied(element, lambda: part.stop(signal.SIGKILL), part.start)
        element.close()


SUPPLIERS = {supplier.__name__: supplier for supplier in (fake, home_register, call_proxy, message_proxy)}
PROGRAMS = {"home_register": ["osmo-hlr"], "call_proxy": ["kamailio"]}  # that must be installed
