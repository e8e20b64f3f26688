"""NATS session: reads a stream from a position on, and survives lost connections."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nats.errors import Error, NoServersError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, RetentionPolicy
from nats.js.errors import APIError, NotFoundError

from duanka.domain.errors import DuankaError
from duanka.ingest.live.nats.client import Pulling, TolerantClient
from duanka.ingest.live.nats.messages import Message, kind_of

if TYPE_CHECKING:
    from duanka.ingest.live.nats.config import BatchAssembler, BusAddress, ConsumerProgress, Subscription

_log = logging.getLogger(__name__)

_DURABLE = "duanka"  # name of the consumer
_ACKNOWLEDGE_SECONDS = 300.0  # until the server sends unacknowledged messages again
_CONNECT = 5.0  # timeout (s) of the first connection; reconnects are retried for ever
_ANEW = 1.0  # seconds until a broken client is replaced
_REQUEST_SECONDS = 0.5  # seconds that a request for messages stays open; also the pause between retries
_REQUEST_BYTES = 16 << 20  # bytes of messages per request, estimated from the last request
_REQUEST_MESSAGES = 5_000  # maximum messages per request
_BACKLOG_POLL_SECONDS = 1.0  # polling interval (s) of the backlog
_BACKOFF_SECONDS = (0.2, 2.0)  # range of the random back-off (s) in favour of another reader
# Error codes of the server: it cannot create the consumer, has one of this name, or no longer has ours.
_CONSUMER_GONE_CODES = frozenset((10012, 10013, 10014, 10105, 10148, 10149))
_CONNECTION_ERRORS = (Error, APIError, OSError, asyncio.TimeoutError)


@dataclass
class BusSession:
    """Reads until stopped or, if `course` does not wait, to the end of the stream."""

    address: BusAddress
    what: Subscription
    course: ConsumerProgress
    taking: BatchAssembler

    def __post_init__(self) -> None:
        self._fault = ""
        self._lost = False  # whether the connection was lost, perhaps with messages in flight
        self._next = 1  # expected number of the next delivery
        self._size = 1 << 18  # bytes of the largest message of the last request; at first a guess
        self._leaving = False
        self._made: object = None  # creation time of the consumer, which identifies it
        self._shared = False
        self._reply = (0, "")  # sequence number and reply subject of the last message taken
        self._replies: deque[tuple[int, str]] = deque()  # sequence number, subject to acknowledge

    async def run(self) -> None:
        """Connect and read; raises DuankaError, see feed.Bus."""
        client: TolerantClient | None = await self._connected()
        while client is not None and not await self._connection(client):
            _log.error("the client of the NATS server at %s broke; it connects anew", self.address)
            self._lost = True
            client = await self._anew()

    async def _anew(self) -> TolerantClient | None:
        """Reconnect, with retries for ever; None when stopped."""
        while not self.course.stop.is_set():
            await asyncio.sleep(_ANEW)
            with suppress(DuankaError):
                return await self._connected()
        return None

    async def _connection(self, client: TolerantClient) -> bool:
        """Read over one connection; False when the client broke."""
        self._leaving = False
        watcher = asyncio.create_task(self._watch(client))
        try:
            return await self._read(client)
        finally:
            self._leaving = True
            watcher.cancel()  # may be ignored: asyncio.wait_for in Python 3.11 can swallow a cancellation
            with suppress(asyncio.CancelledError, *_CONNECTION_ERRORS):
                await watcher
            with suppress(*_CONNECTION_ERRORS):
                await self._acknowledge(client)
                await asyncio.wait_for(client.close(), _CONNECT)

    async def _connected(self) -> TolerantClient:
        credentials = self.address.credentials
        client, self._fault = TolerantClient(), ""
        connecting = client.connect(
            self.address.servers,
            name=_DURABLE,
            error_cb=self._on_error,
            disconnected_cb=self._on_lost,
            reconnected_cb=self._on_back,
            max_reconnect_attempts=-1,
            reconnect_time_wait=1,
            user_credentials=None if credentials is None else str(credentials),
        )
        try:
            await asyncio.wait_for(connecting, _CONNECT)
        except (*_CONNECTION_ERRORS, NoServersError, ValueError) as fault:
            why = self._fault or str(fault) or "it does not answer"
            raise DuankaError(
                f"no NATS server at {self.address}: {why}; start it, or check the URL"
            ) from None
        return client

    async def _on_error(self, fault: Exception) -> None:
        if "authorization" not in self._fault.lower():  # keep an authorization error
            self._fault = str(fault) or type(fault).__name__

    async def _on_lost(self) -> None:
        if not self._leaving:
            _log.warning(
                "the NATS server at %s is gone (%s); waiting for it", self.address, self._fault or "closed"
            )

    async def _on_back(self) -> None:
        _log.warning("the NATS server at %s is back", self.address)
        self._lost = True

    async def _read(self, client: TolerantClient) -> bool:
        pulling: Pulling | None = None
        while not self.course.stop.is_set():
            if not client.is_reading:
                return False
            if pulling is None or self._lost:
                pulling = await self._aim(client, pulling)
                if pulling is None:
                    continue
            messages = await self._fetch(pulling)
            if messages and not await self._is_ours(client):
                continue  # sent from another reader's position: messages in between would be lost
            sound = await asyncio.to_thread(self._take, messages)
            if messages:
                self.course.pulse.beat()  # after `_take`: its wait for the rules is no stall of the stream
            if not sound:
                self._lost = True  # a delivery is missing: everything after the last one is requested again
            elif not messages and not self.course.wait and client.is_connected and not self._lost:
                info = await self._glance(client)
                if info is not None and self._has_all(info):
                    break
        if not self.course.stop.is_set():
            await asyncio.to_thread(self.taking.flush)
        return True

    async def _fetch(self, pulling: Pulling) -> list[Any]:
        many = max(min(_REQUEST_BYTES // self._size, _REQUEST_MESSAGES), 2)
        try:
            messages = await pulling.fetch(many, _REQUEST_SECONDS)
        except _CONNECTION_ERRORS:
            self._lost = True
            await asyncio.sleep(_REQUEST_SECONDS)
            return []
        if messages:
            self._size = max(64, *(len(message.data) for message in messages))
            await pulling.ask(many, _REQUEST_SECONDS)  # request the next ones while these are processed
        return messages

    def _take(self, messages: list[Any]) -> bool:
        """Take messages in order; False at a gap in the deliveries, and stop there."""
        taking, course = self.taking, self.course
        for message in messages:
            number, delivery = _numbers(message.reply)
            if delivery != self._next:
                taking.drain()
                return False
            self._next += 1
            if number <= course.read:
                if number <= course.committed:
                    self._replies.append((number, message.reply))
                continue  # redelivered, because not acknowledged in time
            course.read = number
            taking.messages.add(Message(number, message.subject, kind_of(message.headers), message.data))
            self._reply = (number, message.reply)
            if taking.full:
                self._replies.append(self._reply)
                taking.drain()
        if messages and self._reply[0]:
            self._replies.append(self._reply)
        taking.drain()
        return True

    async def _aim(self, client: TolerantClient, before: Pulling | None) -> Pulling | None:
        """Create the consumer after the last position read; None when not possible now."""
        self._lost = False
        try:
            if before is not None:
                await before.end()
            manager = client.jsm()
            state = await self._stream(manager)
            read = self.course.read
            if self.course.at_start is None:
                self.course.at_start = state.last_seq
            if state.last_seq < read:
                raise DuankaError(
                    f"stream {self.what.stream} ends at message {state.last_seq}, but {read} were read of it: it was "
                    "made anew; read it under another name, or begin with a new state"
                )
            if read and state.first_seq > read + 1:
                _log.error(
                    "stream %s no longer has messages %d to %d: they were never read",
                    *(self.what.stream, read + 1, state.first_seq - 1),
                )
            with suppress(NotFoundError):
                await manager.delete_consumer(self.what.stream, _DURABLE)
            made = await manager.add_consumer(self.what.stream, self._consumer(read))
            self._made = made.created
            pulling = Pulling(client, self.what.stream, _DURABLE)
            await pulling.begin()
        except _CONNECTION_ERRORS as fault:
            if isinstance(fault, APIError) and fault.err_code in _CONSUMER_GONE_CODES:
                await self._step_back()
            elif isinstance(fault, APIError) and fault.code is not None and 400 <= fault.code < 500:
                raise DuankaError(f"stream {self.what.stream}: {fault.description}") from None
            else:
                _log.warning(
                    "stream %s does not answer (%s)", self.what.stream, str(fault) or type(fault).__name__
                )
                await asyncio.sleep(_REQUEST_SECONDS)
            self._lost = True
            return before
        self._next = 1
        self._replies.clear()
        return pulling

    async def _is_ours(self, client: TolerantClient) -> bool:
        """Whether the consumer is still ours: another reader of the name replaces it."""
        try:
            info = await client.jsm().consumer_info(self.what.stream, _DURABLE)
        except NotFoundError:
            await self._step_back()
            return False
        except _CONNECTION_ERRORS:
            self._lost = True
            return False
        if info.created != self._made:
            await self._step_back()
            return False
        return True

    async def _step_back(self) -> None:
        """Back off for another reader, so that both progress; neither loses data."""
        self._lost = True
        if not self._shared:  # log once
            self._shared = True
            _log.error(
                "another run reads stream %s under the name %s: both are slow, and nothing is lost; end one of them",
                *(self.what.stream, _DURABLE),
            )
        await asyncio.sleep(random.uniform(*_BACKOFF_SECONDS))  # noqa: S311  # so that readers do not keep in step

    def _consumer(self, read: int) -> ConsumerConfig:
        return ConsumerConfig(
            durable_name=_DURABLE,
            ack_policy=AckPolicy.ALL,
            ack_wait=_ACKNOWLEDGE_SECONDS,
            max_ack_pending=self.what.held,
            filter_subject=self.what.subject,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE if read else DeliverPolicy.ALL,
            opt_start_seq=read + 1 if read else None,
        )

    async def _stream(self, manager: Any) -> Any:
        """State of the stream; DuankaError if missing or dropping acknowledged messages."""
        try:
            info = await manager.stream_info(self.what.stream)
        except NotFoundError:
            raise DuankaError(
                f"no stream {self.what.stream} at {self.address}; make it there, or check the name"
            ) from None
        kept = RetentionPolicy(info.config.retention or RetentionPolicy.LIMITS)
        if kept is not RetentionPolicy.LIMITS:
            raise DuankaError(
                f"stream {self.what.stream} drops messages by {kept.value}, so that nothing can be "
                "read again after a failure; give it retention by limits"
            )
        return info.state

    async def _watch(self, client: TolerantClient) -> None:
        """Acknowledge committed messages and poll the backlog."""
        while not self._leaving:
            await asyncio.sleep(_BACKLOG_POLL_SECONDS / 4)
            with suppress(*_CONNECTION_ERRORS):
                await self._acknowledge(client)
                info = await self._glance(client)
                if info is not None:
                    if not info.num_pending:
                        self.course.pulse.beat()
                    if self._has_all(info):
                        self.course.all_read()
                    self.course.lag = info.num_pending + max(self.course.read - self.course.handed_on, 0)

    async def _glance(self, client: TolerantClient) -> Any:
        with suppress(*_CONNECTION_ERRORS):
            return await client.jsm().consumer_info(self.what.stream, _DURABLE)
        return None

    def _has_all(self, info: Any) -> bool:
        """Whether the server has delivered every message, and each has been taken."""
        return bool(info.num_pending == 0 and info.delivered.consumer_seq < self._next)

    async def _acknowledge(self, client: TolerantClient) -> None:
        """Acknowledge all messages up to the last committed one.

        If the acknowledgement is lost, they are delivered again and recognised by sequence number.
        """
        reply = ""
        while self._replies and self._replies[0][0] <= self.course.committed:
            reply = self._replies.popleft()[1]
        if reply and client.is_connected:
            await client.publish(reply, b"+ACK")


def _numbers(reply: str) -> tuple[int, int]:
    """Sequence numbers of a message in the stream and of its delivery to the consumer."""
    tokens = reply.split(".")
    stream, delivery = tokens[-4:-2] if len(tokens) == 9 else tokens[7:9]
    return int(stream), int(delivery)
