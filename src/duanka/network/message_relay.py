"""Carries SMPP between clients and the message centre, unit by unit and unchanged; answers what it refuses."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, cast

from duanka.domain.network import RefusalReason
from duanka.network import smpp
from duanka.network.message_verdict import Judge

_AHEAD = 256 * 1024  # bytes that wait for a slow reader before its writer is held back
_CLOSES_WITHIN = 5.0
_LOOKED_AT = {command.to_bytes(4, "big") for command in smpp.SUBMISSIONS}
_LENGTHS = int.from_bytes


class Keeping(Protocol):
    """Where refusals are kept."""

    def add(self, at: datetime, card: str, peer: str, reason: RefusalReason, detail: str) -> None:
        """Keep one."""


@dataclass(frozen=True)
class Limits:
    """What a link may cost. Seconds, and bytes of one unit."""

    links: int = 500
    longest: int = smpp.LONGEST
    connect: float = 5.0
    begin: float = 10.0  # until the first whole unit
    rest: float = 30.0  # until the rest of a unit that has begun
    idle: float = 900.0  # without a byte in either direction


class Relay:
    """All links between clients and the message centre at `centre`."""

    def __init__(
        self,
        centre: tuple[str, int],
        judge: Judge,
        kept: Keeping,
        now: Callable[[], datetime],
        limits: Limits | None = None,
    ) -> None:
        self.centre, self.judge, self.kept, self.now = centre, judge, kept, now
        self.limits = limits or Limits()
        self.passed = 0
        self.malformed = 0
        self.refused: Counter[str] = Counter()
        self.links: set[Link] = set()

    def client(self) -> asyncio.Protocol:
        """The protocol of a new connection from a client."""
        return Link(self).client

    def refuse(self, unit: bytes) -> bytes | None:
        """The answer to a submission that does not pass; None: it passes."""
        try:
            submission = smpp.submission(unit)
        except smpp.Malformed:
            self.malformed += 1
            return smpp.answer(unit, smpp.BAD_LENGTH)
        refused = self.judge.of(submission)
        if refused is None:
            self.passed += 1
            return None
        self.refused[refused.reason.value] += 1
        self.kept.add(self.now(), refused.card, refused.peer, refused.reason, refused.detail)
        return smpp.answer(unit, smpp.REFUSED_BY_APPLICATION)

    async def watch(self) -> None:
        """End links that are half open or stuck; for ever."""
        while True:
            await asyncio.sleep(min(1.0, self.limits.begin / 4, self.limits.rest / 4))
            for link in list(self.links):
                link.look()

    def close(self) -> None:
        """End all links."""
        for link in list(self.links):
            link.close()


class Link:
    """One client and its own connection to the centre."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.client, self.centre = _ClientSide(self), _CentreSide(self)
        self._connecting: asyncio.Task[None] | None = None
        self._closing_at: float | None = None

    def begun(self) -> None:
        """The client is there."""
        if len(self.relay.links) >= self.relay.limits.links:
            self.client.abort()
            return
        self.relay.links.add(self)
        self.client.hold()
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    def close(self) -> None:
        """What is written still goes out, then both connections end."""
        if self._closing_at is None:
            self._closing_at = asyncio.get_running_loop().time()
        if self._connecting and not self._connecting.done():
            self._connecting.cancel()
        self.client.close()
        self.centre.close()
        if self.client.gone and self.centre.gone:
            self.relay.links.discard(self)

    def look(self) -> None:
        """Close it where nothing came for too long."""
        now, limits = asyncio.get_running_loop().time(), self.relay.limits
        if self._closing_at is not None:
            if now - self._closing_at > _CLOSES_WITHIN:
                self.client.abort()
                self.centre.abort()
                self.relay.links.discard(self)
            return
        client, centre = self.client, self.centre
        quiet = now - client.heard_at
        if not client.held and (
            (not client.units and quiet > limits.begin) or (client.rest and quiet > limits.rest)
        ):
            client.complain()
        elif now - max(client.heard_at, centre.heard_at) > limits.idle:
            self.close()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.relay.limits.connect):
                await loop.create_connection(lambda: self.centre, *self.relay.centre)
        except (OSError, TimeoutError):
            self.close()  # the client sees it, and tries again
            return
        self.client.release()
        self.client.data_received(b"")  # what came before it could be held


class _Side(asyncio.Protocol):
    """One of the two connections of a link: cuts what comes into units."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._transport: asyncio.Transport | None = None
        self.rest = b""
        self.units = 0
        self.held = 0
        self.heard_at = 0.0
        self.gone = True
        self._time: Callable[[], float] = asyncio.get_running_loop().time

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_AHEAD)
        _keep_alive(transport.get_extra_info("socket"))
        self.gone = False
        self.heard_at = self._time()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self.rest = b""
        self._link.close()

    def hold(self) -> None:
        """Read no more for now."""
        self.held += 1
        if self.held == 1 and self._transport and not self._transport.is_closing():
            self._transport.pause_reading()

    def release(self) -> None:
        """Read on, when nobody else holds it."""
        self.held -= 1
        self.heard_at = self._time()
        if self.held == 0 and self._transport and not self._transport.is_closing():
            self._transport.resume_reading()

    def write(self, data: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        if self._transport:
            self._transport.close()

    def abort(self) -> None:
        if self._transport:
            self._transport.abort()

    def complain(self) -> None:
        """What came is no SMPP: say so, and end the link."""
        if not self.gone:
            self.write(smpp.unit(smpp.GENERIC_NACK, 0, status=smpp.BAD_LENGTH))
        self._link.close()


class _ClientSide(_Side):
    """Looks at submissions on their way to the centre."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._link.begun()

    def hold_once(self) -> None:
        """Ask again: a connection that has just begun may not have heard that it is held."""
        if self._transport and not self._transport.is_closing():
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        # its own answers wait for it too: a client that reads nothing may not write either
        self.hold()
        self._link.centre.hold()

    def resume_writing(self) -> None:
        self.release()
        self._link.centre.release()

    def data_received(self, data: bytes) -> None:
        self.heard_at = self._time()
        if self.rest:
            data = self.rest + data
        if self._link.centre.gone:
            self.rest = data
            self.hold_once()
            return
        refuse, longest = self._link.relay.refuse, self._link.relay.limits.longest
        passing = at = 0  # passing: where what may go on in one piece begins
        size = len(data)
        while at + 4 <= size:
            length = _LENGTHS(data[at : at + 4], "big")
            if not smpp.HEAD.size <= length <= longest:
                self._link.centre.write(data[passing:at])
                self.complain()
                return
            end = at + length
            if end > size:
                break
            self.units += 1
            if data[at + 4 : at + 8] in _LOOKED_AT and (answer := refuse(data[at:end])):
                if passing < at:
                    self._link.centre.write(data[passing:at])
                self.write(answer)
                passing = end
            at = end
        if passing < at:
            self._link.centre.write(data if at - passing == size else data[passing:at])
        self.rest = data[at:]


class _CentreSide(_Side):
    """Passes on what the centre says, in whole units, so that an answer of ours never falls into one of its own."""

    def pause_writing(self) -> None:
        self._link.client.hold()

    def resume_writing(self) -> None:
        self._link.client.release()

    def data_received(self, data: bytes) -> None:
        self.heard_at = self._time()
        if self.rest:
            data = self.rest + data
        longest, at, size = self._link.relay.limits.longest, 0, len(data)
        while at + 4 <= size:
            length = _LENGTHS(data[at : at + 4], "big")
            if not smpp.HEAD.size <= length <= longest:
                self._link.client.write(data[:at])
                self._link.close()
                return
            if at + length > size:
                break
            at += length
        if at:
            self._link.client.write(data if at == size else data[:at])
        self.rest = data[at:]


def _keep_alive(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, option):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
