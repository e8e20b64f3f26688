"""Raw SIP through a call proxy: one message at a time, and what became of it."""

from __future__ import annotations

import itertools
import selectors
import socket
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from support.waiting import HANG

PASSED = "passed"
_PLAIN = "!*'()-._~+"
_NUMBERS = itertools.count(1)


def bound() -> socket.socket:
    """A UDP socket at a free port of loopback."""
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", 0))
    return one


def escaped(text: str) -> str:
    """The user part of a SIP URI: what may not stand in one as octets of UTF-8."""
    return "".join(
        one if one.isascii() and (one.isalnum() or one in _PLAIN) else _octets(one) for one in text
    )


def _octets(letter: str) -> str:
    return "".join(f"%{octet:02X}" for octet in letter.encode())


@dataclass
class RawCaller:
    """Sends to a proxy, and stands in for its next hop too. Passed messages are answered by nobody."""

    hop: socket.socket = field(default_factory=bound)
    own: socket.socket = field(default_factory=bound)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hop.close()
        self.own.close()

    @property
    def address(self) -> tuple[str, int]:
        """Where the proxy passes on to."""
        host, port = self.hop.getsockname()
        return host, port

    def send(
        self,
        proxy: tuple[str, int],
        whom: str = "sip:13900139000@op",
        who: str = "<sip:13900139001@op>",
        **more: str,
    ) -> str:
        """PASSED, or the status line of the answer. `more`: method, extra (headers), tag (of To), call (Call-ID)."""
        call = more.get("call") or f"call-{next(_NUMBERS)}"
        self.own.sendto(
            self.message(whom, who, call, **{k: v for k, v in more.items() if k != "call"}), proxy
        )
        return self.outcome(call)[0]

    def message(
        self, whom: str, who: str, call: str, method: str = "INVITE", extra: str = "", tag: str = ""
    ) -> bytes:
        """A request; every one has a branch of its own."""
        host, port = self.own.getsockname()
        return (
            f"{method} {whom} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{next(_NUMBERS)}\r\n"
            f"Max-Forwards: 70\r\nFrom: {who};tag=one\r\nTo: <sip:to@op>{f';tag={tag}' if tag else ''}\r\n"
            f"Call-ID: {call}\r\nCSeq: 1 {method}\r\n{extra}Content-Length: 0\r\n\r\n"
        ).encode("utf-8", "surrogateescape")

    def outcome(self, call: str) -> tuple[str, str]:
        """What became of the message with this Call-ID, and its whole text where it arrived."""
        until = time.monotonic() + HANG
        with selectors.DefaultSelector() as either:
            either.register(self.hop, selectors.EVENT_READ)
            either.register(self.own, selectors.EVENT_READ)
            while time.monotonic() < until:
                for key, _ in either.select(until - time.monotonic()):
                    got = key.fileobj.recv(65_536).decode("latin-1")  # type: ignore[union-attr]
                    if f"Call-ID: {call}\r\n" in got:
                        return (PASSED if key.fileobj is self.hop else got.partition("\r\n")[0]), got
        raise AssertionError(f"nothing became of {call}")

    def answer(self, request: str, status: str = "200 OK", tag: str = "two") -> bytes:
        """The next hop's answer to a request that arrived."""
        kept = [
            line for line in request.split("\r\n") if line.startswith(("Via:", "From:", "Call-ID:", "CSeq:"))
        ]
        return "\r\n".join(
            [f"SIP/2.0 {status}", *kept, f"To: <sip:to@op>;tag={tag}", "Content-Length: 0", "", ""]
        ).encode()
