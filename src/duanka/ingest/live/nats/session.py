"""A session with a NATS server: reads a stream behind a position, whatever happens to the server or the line."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nats.errors import Error, NoServersError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, RetentionPolicy
from nats.js.errors import APIError, NotFoundError

from duanka.domain.errors import DuankaError
from duanka.ingest.live.nats.client import TolerantClient
from duanka.ingest.live.nats.messages import Message, kind_of
from duanka.ingest.live.nats.pull import Pulling

if TYPE_CHECKING:
    from duanka.ingest.live.nats.config import BatchAssembler, BusAddress, ConsumerProgress, Subscription

_log = logging.getLogger(__name__)

_CONNECT = 5.0  # seconds for the first connection; later ones are tried for ever
_ANEW = 1.0  # seconds until a client that broke is replaced
_NAP = 0.5  # seconds that a question for messages stays open
_AT_ONCE = 16 << 20  # bytes of messages asked for at once, going by those before
_MOST = 5_000  # messages asked for at once
_GLANCE = 1.0  # seconds between looks at how much waits
_STEP_BACK = (0.2, 2.0)  # seconds
# Error codes of the server: a consumer exists already, is not found, does not exist, is another one.
_TAKEN_AWAY = frozenset((10012, 10013, 10014, 10105, 10148, 10149))
_TROUBLE = (Error, APIError, OSError, asyncio.TimeoutError)


class BusSession:
    """Reads until told to stop, or to the end of the stream where `course` does not wait."""

    def __init__(
        self, address: BusAddress, what: Subscription, course: ConsumerProgress, taking: BatchAssembler
    ) -> None:
        self._address = address
        self._what = what
        self._course = course
        self._taking = taking
        self._fault = ""
        self._lost = False  # the line was: what was under way may be lost with it
        self._next = 1  # the number that the server gives its next delivery to us
        self._size = 1 << 18  # bytes of a message, a cautious guess until some came
        self._leaving = False
        self._made: object = None  # when the server made our consumer: no other one has that moment
        self._shared = False
        self._reply = (0, "")  # of the last message taken
        self._replies: deque[tuple[int, str]] = deque()  # sequence number, where to acknowledge up to it

    async def run(self) -> None:
        """Connect and read. Raises DuankaError, see Bus."""
        client: TolerantClient | None = await self._connected()
        while client is not None and not await self._connection(client):
            _log.error("the client of the NATS server at %s broke; it connects anew", self._address)
            self._lost = True
            client = await self._anew()

    async def _anew(self) -> TolerantClient | None:
        """Connect again, however long that takes; None when told to stop."""
        while not self._course.stop.is_set():
            await asyncio.sleep(_ANEW)
            with suppress(DuankaError):
                return await self._connected()
        return None

    async def _connection(self, client: TolerantClient) -> bool:
        """Read over one connection; False when its reader ended before its time."""
        self._leaving = False
        watcher = asyncio.create_task(self._watch(client))
        try:
            return await self._read(client)
        finally:
            self._leaving = True
            watcher.cancel()  # which is lost where what it waits for comes at that moment (asyncio.wait_for in 3.11)
            with suppress(asyncio.CancelledError, *_TROUBLE):
                await watcher
            with suppress(*_TROUBLE):
                await self._acknowledge(client)
                await asyncio.wait_for(client.close(), _CONNECT)

    async def _connected(self) -> TolerantClient:
        options: dict[str, Any] = {}
        if self._address.credentials is not None:
            options["user_credentials"] = str(self._address.credentials)
        if (tls := self._address.tls()) is not None:
            options["tls"] = tls
        client, self._fault = TolerantClient(), ""
        connecting = client.connect(
            self._address.servers,
            name=self._what.durable,
            error_cb=self._on_error,
            disconnected_cb=self._on_lost,
            reconnected_cb=self._on_back,
            max_reconnect_attempts=-1,
            reconnect_time_wait=1,
            **options,
        )
        try:
            await asyncio.wait_for(connecting, _CONNECT)
        except (*_TROUBLE, NoServersError, ValueError) as fault:
            why = self._fault or str(fault) or "it does not answer"
            raise DuankaError(
                f"no NATS server at {self._address}: {why}; start it, or check the URL"
            ) from None
        return client

    async def _on_error(self, fault: Exception) -> None:
        if "authorization" not in self._fault.lower():  # which tells more than that the line broke behind it
            self._fault = str(fault) or type(fault).__name__

    async def _on_lost(self) -> None:
        if not self._leaving:
            _log.warning(
                "the NATS server at %s is gone (%s); waiting for it", self._address, self._fault or "closed"
            )

    async def _on_back(self) -> None:
        _log.warning("the NATS server at %s is back", self._address)
        self._lost = True

    async def _read(self, client: TolerantClient) -> bool:
        pulling: Pulling | None = None
        while not self._course.stop.is_set():
            if not client.is_reading:
                return False
            if pulling is None or self._lost:
                pulling = await self._aim(client, pulling)
                if pulling is None:
                    continue
            messages = await self._fetch(pulling)
            if messages and not await self._is_ours(client):
                continue  # of another reader's position: taken as ours, what lies between would be lost
            sound = await asyncio.to_thread(self._take, messages)
            if messages:
                self._course.moved()  # behind what waited for the rules
            if not sound:
                self._lost = True  # a delivery never came: everything behind the last one is asked for again
            elif not messages and not self._course.wait and client.is_connected and not self._lost:
                info = await self._glance(client)
                if info is not None and self._has_all(info):
                    break
        if not self._course.stop.is_set():
            await asyncio.to_thread(self._taking.flush)
        return True

    async def _fetch(self, pulling: Pulling) -> list[Any]:
        many = max(min(_AT_ONCE // self._size, _MOST), 2)
        try:
            messages = await pulling.fetch(many, _NAP)
        except _TROUBLE:
            self._lost = True
            await asyncio.sleep(_NAP)
            return []
        if messages:
            self._size = max(64, *(len(message.data) for message in messages))
            await pulling.ask(many, _NAP)  # the next come while these are read
        return messages

    def _take(self, messages: list[Any]) -> bool:
        """Take what came; False when a delivery before one of them is missing, which is then not taken."""
        taking, course = self._taking, self._course
        for message in messages:
            number, delivery = _numbers(message.reply)
            if delivery != self._next:
                taking.settle_up()
                return False
            self._next += 1
            if number <= course.read:
                if number <= course.committed:
                    self._replies.append((number, message.reply))
                continue  # sent again, for want of our word
            course.read = number
            taking.messages.add(Message(number, message.subject, kind_of(message.headers), message.data))
            self._reply = (number, message.reply)
            if taking.full:
                self._replies.append(self._reply)
                taking.settle_up()
        if messages and self._reply[0]:
            self._replies.append(self._reply)
        taking.settle_up()
        return True

    async def _aim(self, client: TolerantClient, before: Pulling | None) -> Pulling | None:
        """Have the server begin behind what was read; None when it cannot now."""
        self._lost = False
        try:
            if before is not None:
                await before.end()
            manager = client.jsm()
            state = await self._stream(manager)
            read = self._course.read
            if self._course.at_start is None:
                self._course.at_start = state.last_seq
            if state.last_seq < read:
                raise DuankaError(
                    f"stream {self._what.stream} ends at message {state.last_seq}, but {read} were read of it: it was "
                    "made anew; read it under another name, or begin with a new state"
                )
            if read and state.first_seq > read + 1:
                _log.error(
                    "stream %s no longer has messages %d to %d: they were never read",
                    *(self._what.stream, read + 1, state.first_seq - 1),
                )
            with suppress(NotFoundError):
                await manager.delete_consumer(self._what.stream, self._what.durable)
            made = await manager.add_consumer(self._what.stream, self._consumer(read))
            self._made = made.created
            pulling = Pulling(client, self._what.stream, self._what.durable)
            await pulling.begin()
        except _TROUBLE as fault:
            if isinstance(fault, APIError) and fault.err_code in _TAKEN_AWAY:
                await self._step_back()
            elif isinstance(fault, APIError) and fault.code is not None and 400 <= fault.code < 500:
                raise DuankaError(f"stream {self._what.stream}: {fault.description}") from None
            else:
                _log.warning(
                    "stream %s does not answer (%s)", self._what.stream, str(fault) or type(fault).__name__
                )
                await asyncio.sleep(_NAP)
            self._lost = True
            return before
        self._next = 1
        self._replies.clear()
        return pulling

    async def _is_ours(self, client: TolerantClient) -> bool:
        """Whether the consumer is still the one that we made: another reader of its name makes its own in its place."""
        try:
            info = await client.jsm().consumer_info(self._what.stream, self._what.durable)
        except NotFoundError:
            await self._step_back()
            return False
        except _TROUBLE:
            self._lost = True
            return False
        if info.created != self._made:
            await self._step_back()
            return False
        return True

    async def _step_back(self) -> None:
        """Let the other reader go on for a moment: both come forward so, and neither loses anything."""
        self._lost = True
        if not self._shared:  # said once
            self._shared = True
            _log.error(
                "another run reads stream %s under the name %s: both are slow, and nothing is lost; end one of them",
                *(self._what.stream, self._what.durable),
            )
        await asyncio.sleep(random.uniform(*_STEP_BACK))  # noqa: S311  # so that two do not keep step

    def _consumer(self, read: int) -> ConsumerConfig:
        begin: dict[str, Any] = {}
        if read:
            begin = {"deliver_policy": DeliverPolicy.BY_START_SEQUENCE, "opt_start_seq": read + 1}
        return ConsumerConfig(
            durable_name=self._what.durable,
            ack_policy=AckPolicy.ALL,
            ack_wait=self._what.acknowledge,
            max_ack_pending=self._what.held,
            filter_subject=self._what.subject,
            **begin,
        )

    async def _stream(self, manager: Any) -> Any:
        """The state of the stream; DuankaError when there is none, or one that forgets what was acknowledged."""
        try:
            info = await manager.stream_info(self._what.stream)
        except NotFoundError:
            if not self._what.create or self._course.read:
                raise DuankaError(
                    f"no stream {self._what.stream} at {self._address}; make it there, or check the name"
                ) from None
            info = await manager.add_stream(name=self._what.stream, subjects=[self._what.subject])
        kept = RetentionPolicy(info.config.retention or RetentionPolicy.LIMITS)
        if kept is not RetentionPolicy.LIMITS:
            raise DuankaError(
                f"stream {self._what.stream} drops messages by {kept.value}, so that nothing can be "
                "read again after a failure; give it retention by limits"
            )
        return info.state

    async def _watch(self, client: TolerantClient) -> None:
        """Acknowledge what is committed, and look at how much waits."""
        while not self._leaving:
            await asyncio.sleep(_GLANCE / 4)
            with suppress(*_TROUBLE):
                await self._acknowledge(client)
                info = await self._glance(client)
                if info is not None:
                    if not info.num_pending:
                        self._course.moved()
                    if self._has_all(info):
                        self._course.all_read()
                    self._course.lag = info.num_pending + max(self._course.read - self._course.handed_on, 0)

    async def _glance(self, client: TolerantClient) -> Any:
        with suppress(*_TROUBLE):
            return await client.jsm().consumer_info(self._what.stream, self._what.durable)
        return None

    def _has_all(self, info: Any) -> bool:
        """Whether nothing is left at the server, and nothing on its way to us."""
        return bool(info.num_pending == 0 and info.delivered.consumer_seq < self._next)

    async def _acknowledge(self, client: TolerantClient) -> None:
        """One word for all messages up to the last committed one; should it get lost, they come again and are known."""
        reply = ""
        while self._replies and self._replies[0][0] <= self._course.committed:
            reply = self._replies.popleft()[1]
        if reply and client.is_connected:
            await client.publish(reply, b"+ACK")


def _numbers(reply: str) -> tuple[int, int]:
    """The sequence number of a message in the stream, and that of its delivery to us."""
    tokens = reply.split(".")
    stream, delivery = tokens[-4:-2] if len(tokens) == 9 else tokens[7:9]
    return int(stream), int(delivery)
