"""One client of the message proxy and its own connection to the SMSC."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple, cast

from duanka.network.smpp import codec as smpp
from duanka.network.sms.proxy.outstanding import OutstandingSubmissions
from duanka.network.sms.proxy.relay import Relay
from duanka.network.sms.proxy.verdict import NOT_COUNTED

_BUFFER_BYTES = 256 * 1024  # bytes buffered for a slow reader before its writer is paused
_CLOSE_SECONDS = 5.0
# A client that sends without pause yields to the other clients of the event loop after some milliseconds.
_TURN_SECONDS, _TURN_BYTES = 0.005, 64 * 1024
_HEAD, _HEAD_OF = smpp.HEAD.size, smpp.HEAD.unpack_from
_MAX_ACCOUNT_CHARS = 64  # characters; SMPP allows 15


def _answers(*commands: int) -> frozenset[int]:
    return frozenset(one | smpp.RESPONSE for one in commands)


_SUBMISSIONS = smpp.SUBMISSIONS | {smpp.REPLACE_SM}
_TRANSMITTER_ONLY = frozenset((smpp.SUBMIT_SM, smpp.SUBMIT_MULTI, smpp.REPLACE_SM))
_UNBOUND = smpp.UNBIND | smpp.RESPONSE
_MULTI = smpp.SUBMIT_MULTI | smpp.RESPONSE
_MAX_LEFT_OUT = 1_000  # partly forwarded submit_multi of a link that await their response
_OF_CLIENT = smpp.BINDS | {_UNBOUND}
_BOUND = _answers(*smpp.BINDS)
_TAKEN = _answers(*_SUBMISSIONS)
_OF_CENTRE = _BOUND | _TAKEN | {_UNBOUND, smpp.GENERIC_NACK}


class _Binding(NamedTuple):
    """A bind that waits for the SMSC's response."""

    sequence: int
    command: int
    account: str


class Link:
    """One client and its own connection to the SMSC.

    Submissions are judged only after the SMSC accepted the client's bind; what follows a bind waits for the response.
    """

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.client, self.centre = _ClientSide(self), _CentreSide(self)
        self.bound = 0  # the command by which it bound; 0: unbound
        self.account = ""
        self.binding: _Binding | None = None
        self.outstanding = OutstandingSubmissions()
        self.instead = b""  # a refused submit_multi reduced to its emergency numbers, to forward instead
        self._left_out: dict[int, list[bytes]] = {}  # sequence number -> destinations that were removed
        self._host = ""
        self._unbound_since = 0.0
        self._connecting: asyncio.Task[None] | None = None
        self._closing_at: float | None = None

    def begun(self, host: str) -> None:
        """Register the client's connection and connect to the SMSC."""
        self._host, self._unbound_since = host, asyncio.get_running_loop().time()
        if not self.relay.admit(self, host):
            self.client.abort()
            return
        self.client.hold()
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    def close(self) -> None:
        """Close both connections after flushing what is written."""
        if self._closing_at is None:
            self._closing_at = asyncio.get_running_loop().time()
        if self._connecting and not self._connecting.done():
            self._connecting.cancel()
        self.client.close()
        self.centre.close()
        if self.client.gone and self.centre.gone:
            self.relay.discard(self)

    def abort(self) -> None:
        """Close both connections at once."""
        self.close()
        self.client.abort()
        self.centre.abort()
        self.relay.discard(self)

    def look(self) -> None:
        """Close the link on a time-out: no bind, an incomplete PDU, or idle."""
        now, limits = asyncio.get_running_loop().time(), self.relay.limits
        client, centre = self.client, self.centre
        if self._closing_at is not None:
            if now - self._closing_at > _CLOSE_SECONDS:
                self.abort()
        elif (not self.bound and now - self._unbound_since > limits.begin) or (
            client.rest and not client.held and now - client.rest_since > limits.rest
        ):
            client.complain()
        elif now - max(client.heard_at, centre.heard_at) > limits.idle:
            self.close()

    def judged(self, command: int, sequence: int, unit: bytes) -> bytes | None:
        """Return the response to a refused submission; None: it goes on to the SMSC."""
        if not self.bound or (self.bound == smpp.BIND_RECEIVER and command in _TRANSMITTER_ONLY):
            return self.relay.refuse_unbound(unit)
        answer, position = self.relay.refuse(unit, self.account)
        if answer is None:
            self.outstanding.sent(sequence, position)
        elif command == smpp.SUBMIT_MULTI and (helping := self.relay.for_emergency(unit)):
            self.instead, left_out = helping
            self.outstanding.sent(sequence, NOT_COUNTED)
            if len(self._left_out) >= _MAX_LEFT_OUT:
                del self._left_out[next(iter(self._left_out))]
            self._left_out[sequence] = left_out
        return answer

    @property
    def leaves_out(self) -> bool:
        """Whether a partly forwarded submit_multi awaits its response."""
        return bool(self._left_out)

    def completed(self, status: int, sequence: int, answer: bytes) -> bytes:
        """Add the removed destinations to the SMSC's response to a submit_multi."""
        left_out = self._left_out.pop(sequence, None)
        if left_out is None or status != smpp.OK:
            return answer
        return smpp.partly(answer, left_out, smpp.REFUSED_BY_APPLICATION)

    def passes(self, command: int, sequence: int, unit: bytes) -> bool:
        """Note a bind or unbind_resp; return whether further input must wait."""
        if command == _UNBOUND:
            self._unbind()
        elif not self.bound:
            self.binding = _Binding(sequence, command, _account(unit))
            self.client.hold()
            return True
        return False

    def answered(self, command: int, status: int, sequence: int, unit: bytes) -> None:
        """Handle an SMSC response or unbind once it was forwarded. `unit`: only of a submit_multi_resp."""
        if command in _TAKEN:
            position = self.outstanding.answered(sequence)
            if position == NOT_COUNTED:
                return
            if status != smpp.OK:
                self.relay.judge.not_taken(position)
            elif command == _MULTI and (unsuccessful := unit[_HEAD:].partition(b"\0")[2][:1]):
                self.relay.judge.not_taken(position, unsuccessful[0])
        elif command == _UNBOUND:
            if status == smpp.OK:
                self._unbind()
        elif (binding := self.binding) and sequence == binding.sequence:
            self.binding = None
            if command in _BOUND and status == smpp.OK:
                self.bound, self.account = binding.command, binding.account
                self.relay.unbound.discard(self)
            self.client.go_on()

    def _unbind(self) -> None:
        if self.bound and self in self.relay.links:
            self.bound, self._unbound_since = 0, asyncio.get_running_loop().time()
            self.relay.watch_unbound(self, self._host)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.relay.limits.connect):
                await loop.create_connection(lambda: self.centre, *self.relay.centre)
        except (OSError, TimeoutError):
            self.close()  # the client notices, and retries
            return
        self.client.go_on()


class _Side(asyncio.Protocol):
    """One of the two connections of a link: splits the input into PDUs."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._transport: asyncio.Transport | None = None
        self.rest = b""
        self.held = 0
        self.heard_at = 0.0
        self.rest_since = 0.0
        self.gone = True
        self._time: Callable[[], float] = asyncio.get_running_loop().time

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_BUFFER_BYTES)
        _keep_alive(transport.get_extra_info("socket"))
        self.gone = False
        self.heard_at = self._time()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self.rest = b""
        self._link.close()

    def hold(self) -> None:
        """Pause reading; calls are counted."""
        self.held += 1
        if self.held == 1 and self._transport and not self._transport.is_closing():
            self._transport.pause_reading()

    def release(self) -> None:
        """Resume reading once every `hold` is released."""
        self.held -= 1
        self.heard_at = self.rest_since = self._time()
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
        """Send generic_nack for input that is not SMPP or came too late; close the link."""
        if not self.gone:
            self.write(smpp.unit(smpp.GENERIC_NACK, 0, status=smpp.BAD_LENGTH))
        self._link.close()


class _ClientSide(_Side):
    """Judges submissions on their way to the SMSC."""

    _waits_for_turn = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._link.begun(str(peer[0]) if peer else "")

    def hold_once(self) -> None:
        """Pause again: a new connection may have ignored the first pause."""
        if self._transport and not self._transport.is_closing():
            self._transport.pause_reading()

    def go_on(self) -> None:
        """Continue after a wait: SMSC connected, bind answered, or the next turn has come."""
        self._waits_for_turn = False
        self.release()
        self.data_received(b"")  # process what arrived before the pause took effect

    def pause_writing(self) -> None:
        # our own responses are buffered too, so stop reading from a client that does not read them
        self.hold()
        self._link.centre.hold()

    def resume_writing(self) -> None:
        self.release()
        self._link.centre.release()

    def data_received(self, data: bytes) -> None:
        self.heard_at = self._time()
        begun = not self.rest
        if self.rest:
            data = self.rest + data
        if self._link.centre.gone or self._link.binding or self._waits_for_turn:
            self.rest = data
            self.hold_once()
            return
        at = self._carry(data)
        self.rest = data[at:]
        if begun or at:
            self.rest_since = self.heard_at

    def _carry(self, data: bytes) -> int:
        """Forward or answer the whole PDUs in `data`; return where the rest begins."""
        link, centre = self._link, self._link.centre
        longest, size = link.relay.limits.longest, len(data)
        turn_ends = monotonic() + _TURN_SECONDS  # finer than loop.time(), which counts milliseconds
        passing = at = 0  # passing: start of the bytes not forwarded yet
        while at + _HEAD <= size and not self._waits_for_turn:
            length, command, _, sequence = _HEAD_OF(data, at)
            end = at + length
            if end > size or not _HEAD <= length <= longest:
                break
            if command in _SUBMISSIONS:
                self._waits_for_turn = monotonic() > turn_ends
                if answer := link.judged(command, sequence, data[at:end]):
                    if passing < at:
                        centre.write(data[passing:at])
                    if link.instead:
                        centre.write(link.instead)
                        link.instead = b""
                    else:
                        self.write(answer)
                    passing = end
            elif command in _OF_CLIENT and link.passes(command, sequence, data[at:end]):
                at = end
                break
            at = end
        if not (self._waits_for_turn or link.binding) and _is_no_unit(data, at, longest):
            centre.write(data[passing:at])
            self.complain()
            return size
        if self._waits_for_turn:
            self.hold()
            asyncio.get_running_loop().call_soon(self.go_on)
        if passing < at:
            centre.write(data if at - passing == size else data[passing:at])
        return at


class _CentreSide(_Side):
    """Forwards whole PDUs of the SMSC, so that our responses never split one."""

    def pause_writing(self) -> None:
        self._link.client.hold()

    def resume_writing(self) -> None:
        self._link.client.release()

    def data_received(self, data: bytes) -> None:
        self.heard_at = self._time()
        if self.rest:
            data = self.rest + data
        longest, at, size = self._link.relay.limits.longest, 0, len(data)
        told: list[tuple[int, int, int, bytes]] = []
        changed: list[bytes] = []
        begin = 0  # start of the bytes that are forwarded unchanged
        while at + _HEAD <= size:
            length, command, status, sequence = _HEAD_OF(data, at)
            end = at + length
            if end > size or not _HEAD <= length <= longest:
                break
            if command in _OF_CENTRE:
                told.append((command, status, sequence, data[at:end] if command == _MULTI else b""))
                if command == _MULTI and self._link.leaves_out:
                    changed += data[begin:at], self._link.completed(status, sequence, data[at:end])
                    begin = end
            at = end
        if changed:
            self._link.client.write(b"".join((*changed, data[begin:at])))
        elif at:
            self._link.client.write(data if at == size else data[:at])
        if _is_no_unit(data, at, longest):
            self._link.close()
            return
        self.rest = data[at:]
        answered = self._link.answered
        for one in told:  # after forwarding: held input is processed after the response
            answered(*one)
        if size >= _TURN_BYTES:
            self.hold()
            asyncio.get_running_loop().call_soon(self.release)


def _is_no_unit(data: bytes, at: int, longest: int) -> bool:
    """Return whether the length at `at` is impossible; the PDU may be incomplete."""
    return at + 4 <= len(data) and not _HEAD <= int.from_bytes(data[at : at + 4], "big") <= longest


def _account(bind: bytes) -> str:
    """Return a bind's system_id in lower case: not every SMSC is case-sensitive."""
    return bind[_HEAD:].partition(b"\0")[0][:_MAX_ACCOUNT_CHARS].decode("latin-1").strip().casefold()


def _keep_alive(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, option):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
