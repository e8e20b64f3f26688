"""Sandbox network: home register, both proxies, message centre, telephones."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path

from pydantic import SecretStr

from duanka.bootstrap.settings import Settings
from duanka.domain.network import NetworkState, Services
from duanka.domain.policy import Policy
from duanka.network.hlr.services_file import ServicesFile
from duanka.network.sip.kamailio import OwnCallProxy
from duanka.sandbox.hlr import OwnRegister
from duanka.sandbox.message_proxy import OwnMessageProxy
from duanka.sandbox.phones import Phone, Switchboard
from duanka.sandbox.smsc import OwnShortMessageCentre


class _BothBefore(ServicesFile):
    """Every card of this network had calls and data: what the worker keeps elsewhere need not be asked."""

    def __init__(self) -> None:
        super().__init__(Path("unused"))

    def among(self, cards: Collection[str]) -> dict[str, Services]:
        """Return calls and data for each."""
        return dict.fromkeys(cards, (True, True))


class OwnNetwork:
    """The network's programs in `folder` on loopback; DuankaError: one is not installed."""

    def __init__(self, folder: Path, policy: Policy) -> None:
        self._parts = contextlib.ExitStack()
        self._folder, orders = folder, policy.orders
        emergency = orders.protected
        self.switchboard = Switchboard()
        self.register = OwnRegister(folder / "home-register")
        self.centre = OwnShortMessageCentre()
        self.calls = OwnCallProxy(
            folder / "call-proxy",
            self.switchboard.address,
            redress=f"{orders.site}/redress",
            emergency=emergency,
            lines=orders.lines,
        )
        self.messages = OwnMessageProxy(
            folder / "message-proxy",
            self.centre.address,
            policy.messages,
            emergency=emergency,
            lines=orders.lines,
        )

    def __enter__(self) -> OwnNetwork:
        with contextlib.ExitStack() as starting:
            for part in (self.switchboard, self.register, self.centre, self.calls, self.messages):
                starting.enter_context(part)
            self._parts = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.close()

    def settings(self, orders: Path, **more: object) -> Settings:
        """Settings that send orders to this network; order database in `orders`."""
        behaviour = self.centre.behaviour
        host, port = self.centre.address
        return Settings(
            orders=orders,
            home_register=f"{self.register.host}:{self.register.vty[1]}:{self.register.ctrl[1]}",
            call_proxy=self.calls.folder,
            message_proxy=self.messages.folder,
            message_centre=SecretStr(f"smpp://duanka:{behaviour.password}@{host}:{port}"),
            **more,  # type: ignore[arg-type]
        )

    def in_force(self, cards: Collection[str], state: NetworkState) -> bool:
        """Whether every element reports `state` for each of these cards."""
        register = self.register.element(services=_BothBefore())
        for element in (register, self.calls.element(), self.messages.element()):
            with contextlib.closing(element):
                if any(element.state_of(card) is not element.shows(state) for card in cards):
                    return False
        return True

    def phone(self) -> Phone:
        """A telephone that calls through the call proxy."""
        return Phone(self.calls.address)
