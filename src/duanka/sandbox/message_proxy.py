"""Sandbox message proxy: the real process on loopback."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from duanka.domain.lifeline import GOVERNMENT_ALONE, OpenLines
from duanka.domain.network import NetworkError
from duanka.domain.order_policy import MessagePolicy
from duanka.network.deadline_socket import Address
from duanka.network.process import OWN_PART_SECONDS, OwnPart, OwnProcess, answers, free_port
from duanka.network.sms.element import MessageProxy
from duanka.network.sms.proxy.process import ProxySettings, make_private
from duanka.network.sms.proxy.relay import LinkLimits


class OwnMessageProxy(OwnPart):
    """Message proxy in `folder`, in front of the SMSC at `smsc`. `listen`: None for a free loopback port."""

    def __init__(
        self,
        folder: Path,
        smsc: Address,
        policy: MessagePolicy | None = None,
        *,
        listen: Address | None = None,
        emergency: tuple[str, ...] = (),
        limits: LinkLimits | None = None,
        lines: OpenLines = GOVERNMENT_ALONE,
    ) -> None:
        self.folder = folder.resolve()
        make_private(self.folder)
        self.address = listen or ("127.0.0.1", free_port())
        self._settings = ProxySettings(
            self.folder,
            self.address,
            smsc,
            policy or MessagePolicy(),
            emergency,
            limits=limits or LinkLimits(),
            lines=lines,
        )

    def start(self) -> None:
        """Start the process and wait until it relays messages and accepts commands."""
        self._settings.write()
        command = [sys.executable, "-m", "duanka.network.sms.proxy.process", str(self.folder)]
        self._process = OwnProcess(command, self.folder / "proxy.log")
        self._process.until(self._ready)

    def element(self, seconds: float = OWN_PART_SECONDS) -> MessageProxy:
        """Client of the proxy, as the worker uses it."""
        return MessageProxy(self.folder, seconds=seconds)

    def _ready(self) -> bool:
        with contextlib.closing(self.element(0.5)) as asking, contextlib.suppress(NetworkError):
            asking.status()
            return answers(*self.address)
        return False
