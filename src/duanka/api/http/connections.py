"""Connection limits: number, and time for headers, body and answer.

uvicorn closes idle connections, but waits without limit for one that sends a byte now and then. When all places are
taken, the connection that has waited longest for its request is closed in favour of the new one: clients that hold
connections without a request cannot lock others out.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Container
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from duanka.api.http.client_addresses import client_key


@dataclass(frozen=True)
class ConnectionLimits:
    """Numbers of connections, and time limits in seconds.

    A body may take `body_seconds`, plus a second for each `body_rate` bytes received. `answer_seconds`:
    how long the client may stop reading its answer. `per_address` does not apply to trusted proxies.
    """

    total: int = 512
    per_address: int = 128
    header_seconds: float = 10.0
    body_seconds: float = 20.0
    body_rate: int = 4096
    answer_seconds: float = 30.0


class _Phase(Enum):
    IDLE = auto()  # between two requests; uvicorn closes the connection after its keep-alive time
    HEADERS = auto()
    BODY = auto()
    ANSWER = auto()


class ConnectionGate:
    """The connections of one server; for use in its event loop only."""

    def __init__(self, limits: ConnectionLimits, trusted: Container[str] = ()) -> None:
        self.limits, self._trusted = limits, trusted
        self._held: dict[LimitedConnection, str] = {}
        self._of_address: Counter[str] = Counter()
        self._waiting: dict[LimitedConnection, None] = {}  # longest waiting first

    def admit(self, connection: LimitedConnection, host: str) -> bool:
        """Admit one more connection, if necessary by closing one that waits for a request."""
        address = "" if host in self._trusted else client_key(host)
        if address and self._of_address[address] >= self.limits.per_address and not self._evict(address):
            return False
        if len(self._held) >= self.limits.total and not self._evict():
            return False
        self._held[connection] = address
        self._of_address[address] += 1
        return True

    def wait(self, connection: LimitedConnection, *, waits: bool) -> None:
        """Set whether the connection waits for its request, and so may be evicted."""
        if not waits:
            self._waiting.pop(connection, None)
        elif connection in self._held:
            self._waiting.setdefault(connection)

    def release(self, connection: LimitedConnection) -> None:
        """Remove a closed connection."""
        self._waiting.pop(connection, None)
        address = self._held.pop(connection, None)
        if address is not None:
            self._of_address[address] -= 1
            if not self._of_address[address]:
                del self._of_address[address]

    def _evict(self, address: str | None = None) -> bool:
        for one in self._waiting:
            if address is None or self._held[one] == address:
                self.release(one)
                one.abort()
                return True
        return False


class LimitedConnection(H11Protocol):
    """A connection to the API, limited by its `gate`."""

    gate: ClassVar[ConnectionGate]
    _refused = False
    _phase = _Phase.IDLE
    _timer: asyncio.TimerHandle | None = None
    _writing: asyncio.TimerHandle | None = None
    _began, _received = 0.0, 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take a place, or answer 503."""
        peer = transport.get_extra_info("peername")
        self._refused = not self.gate.admit(self, str(peer[0]) if isinstance(peer, tuple) else "")
        if self._refused:
            self.transport = transport
            self._close(503, "UNAVAILABLE", "too many connections; try again")
            return
        super().connection_made(transport)
        self._enter(_Phase.HEADERS)

    def data_received(self, data: bytes) -> None:
        """Process request bytes and update the time limit."""
        if self._refused or self.transport.is_closing():
            return
        self._received = len(data) + (self._received if self._phase is _Phase.BODY else 0)
        if self._phase is _Phase.IDLE:
            self._enter(_Phase.HEADERS)
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Update the time limit after an answer; the next request may have begun."""
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        """Start the time limit for a client that does not read its answer."""
        super().pause_writing()
        self._writing = self.loop.call_later(self.gate.limits.answer_seconds, self.abort)

    def resume_writing(self) -> None:
        """Cancel the time limit of `pause_writing`: the client reads again."""
        super().resume_writing()
        self._writing = _cancelled(self._writing)

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the place."""
        self._timer, self._writing = _cancelled(self._timer), _cancelled(self._writing)
        self.gate.release(self)
        if not self._refused:
            super().connection_lost(exc)

    def abort(self) -> None:
        """Close at once and discard unsent data."""
        self.transport.abort()

    def _look(self) -> None:
        """Set the time limit for the present phase of the request."""
        if self.transport.is_closing():  # closing: unsent data gets the answer time limit
            self._timer = _cancelled(self._timer)
            self._timer = self.loop.call_later(self.gate.limits.answer_seconds, self.abort)
        elif cycle := self._running():
            self._enter(_Phase.BODY if cycle.more_body else _Phase.ANSWER)
        elif self._phase in (_Phase.BODY, _Phase.ANSWER):
            self._enter(_Phase.HEADERS if self.conn.trailing_data[0] else _Phase.IDLE)

    def _running(self) -> RequestResponseCycle | None:
        """Return the request that is not answered yet."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        return cycle if cycle and not cycle.response_complete else None

    def _enter(self, phase: _Phase) -> None:
        if phase is self._phase and self._timer:
            return
        self._timer = _cancelled(self._timer)
        self._phase = phase
        self.gate.wait(self, waits=phase in (_Phase.IDLE, _Phase.HEADERS))
        if phase is _Phase.HEADERS:
            self._timer = self.loop.call_later(self.gate.limits.header_seconds, self._too_slow)
        elif phase is _Phase.BODY:
            self._began = self.loop.time()
            self._timer = self.loop.call_later(self.gate.limits.body_seconds, self._body_is_late)

    def _body_is_late(self) -> None:
        limits = self.gate.limits
        left = limits.body_seconds + self._received / limits.body_rate - (self.loop.time() - self._began)
        if left <= 0:
            self._too_slow()
        else:
            self._timer = self.loop.call_later(max(left, 0.01), self._body_is_late)

    def _too_slow(self) -> None:
        self.gate.release(self)
        if (cycle := self._running()) and cycle.response_started:
            self.abort()
        else:
            self._close(408, "TIMEOUT", "the request took too long to arrive")

    def _close(self, status: int, code: str, message: str) -> None:
        """Answer without the application, and close the connection."""
        body = json.dumps({"status": status, "code": code, "message": message}).encode()
        phrase = {408: "Request Timeout", 503: "Service Unavailable"}[status]
        head = (
            f"HTTP/1.1 {status} {phrase}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        )
        extra = "Retry-After: 1\r\n" if status == 503 else ""
        self.transport.write(f"{head}{extra}Connection: close\r\n\r\n".encode() + body)
        self.transport.close()
        self._timer = _cancelled(self._timer)
        self._timer = self.loop.call_later(self.gate.limits.answer_seconds, self.abort)


def limited_connections(gate: ConnectionGate) -> type[LimitedConnection]:
    """Return a protocol class of connections that `gate` limits."""
    return type("GatedConnection", (LimitedConnection,), {"gate": gate})


def _cancelled(timer: asyncio.TimerHandle | None) -> Any:
    if timer is not None:
        timer.cancel()
