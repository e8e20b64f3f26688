"""A client of SMPP that sends and sees bytes, for tests of the message path."""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections.abc import Callable
from types import TracebackType

from duanka.domain.order_policy import MessagePolicy
from duanka.network.smpp import codec as smpp
from duanka.network.smpp.codec import SmppAddress
from support import waiting

CARD, PEER = "8613900000001", "8613900000002"
POLICY = MessagePolicy.of(["安全账户+转账"], ["evil.com"], 5000, ["10086"], ["esme"])
BLOCKED = "8613800138000"
REFUSED = smpp.REFUSED_BY_APPLICATION


def number(written: str, ton: int = 1) -> SmppAddress:
    return SmppAddress(ton, 1, written)


def submit(sequence: int, text: str, source: str = CARD, destination: str = PEER, receipt: int = 0) -> bytes:
    """A submit_sm in UCS-2."""
    return smpp.submit_sm(
        sequence,
        number(source),
        number(destination),
        text.encode("utf-16-be"),
        data_coding=8,
        registered_delivery=receipt,
    )


def until(true: Callable[[], object], within: float = waiting.HANG) -> None:
    """As everywhere."""
    waiting.until(true, within)


class Esme:
    """A connection; bound as transceiver unless `bind` says otherwise."""

    def __init__(self, address: tuple[str, int], system_id: str = "esme", *, bind: bool = True) -> None:
        self.socket = socket.create_connection(address, timeout=waiting.HANG)
        self.numbers = itertools.count(1)
        self._read = b""
        if bind:
            body = smpp.text(system_id) + smpp.text("secret") + b"\0" + bytes((0x34, 0, 0)) + b"\0"
            answer = self.ask(smpp.unit(smpp.BIND_TRANSCEIVER, next(self.numbers), body))
            assert status(answer) == smpp.OK

    def __enter__(self) -> Esme:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self) -> bytes:
        """The next unit; EOFError when the other side is gone."""
        while True:
            for unit in smpp.units(self._read):
                self._read = self._read[len(unit) :]
                return unit
            try:
                block = self.socket.recv(1 << 16)
            except ConnectionResetError:
                block = b""
            if not block:
                raise EOFError
            self._read += block

    def until_closed(self) -> list[bytes]:
        """All that comes until the other side is gone."""
        units = []
        with contextlib.suppress(EOFError):
            while True:
                units.append(self.read())
        return units

    def ask(self, unit: bytes) -> bytes:
        """Send a unit, and the answer to it; what else comes meanwhile is passed over."""
        self.send(unit)
        while True:
            answer = self.read()
            if sequence(answer) == sequence(unit) and command(answer) & smpp.RESPONSE:
                return answer

    def says(self, text: str, source: str = CARD, destination: str = PEER) -> int:
        """The status of a message in UCS-2."""
        return status(self.ask(submit(next(self.numbers), text, source, destination)))


def command(unit: bytes) -> int:
    return int(smpp.HEAD.unpack_from(unit)[1])


def status(unit: bytes) -> int:
    return int(smpp.HEAD.unpack_from(unit)[2])


def sequence(unit: bytes) -> int:
    return int(smpp.HEAD.unpack_from(unit)[3])
