"""NATS client that accepts every message of a server, and pulls many at a time.

The original client stops reading at a subject that is not UTF-8. Its own `fetch` waits for each message separately and
returns only at the timeout; with one record per message, most time is spent waiting.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Any

from nats.aio.client import PING_PROTO, Client
from nats.errors import Error
from nats.protocol import parser

from duanka.domain.display import display_name

# The protocol separates fields by blanks and tabs only. The client's patterns also split at form feeds and vertical
# tabs, which a subject may contain, and the client then closes the connection.
_NAME = rb"[^ \t\r\n]+"
parser.MSG_RE = re.compile(rb"\AMSG[ \t]+(%b)[ \t]+(\d+)[ \t]+((%b)[ \t]+)?(\d+)\r\n" % (_NAME, _NAME))
parser.HMSG_RE = re.compile(
    rb"\AHMSG[ \t]+(%b)[ \t]+(\d+)[ \t]+((%b)[ \t]+)?(\d+)[ \t]+(\d+)\r\n" % (_NAME, _NAME)
)
_GRACE_SECONDS = 2.0  # time from the expiry of a request until it counts as lost


class TolerantClient(Client):
    """Client that decodes subjects with `display_name` and ignores invalid headers."""

    @property
    def is_reading(self) -> bool:
        """False if the reading task ended while connected: the client does not recover."""
        task = self._reading_task
        return not self.is_connected or (task is not None and not task.done())

    def _build_message(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: dict[str, str] | None
    ) -> Any:
        shown = display_name(subject.decode("utf-8", "surrogateescape"))
        reply_to = reply.decode("utf-8", "backslashreplace")
        return super()._build_message(sid, shown.encode(), reply_to.encode(), data, headers)

    async def _process_connect_init(self) -> None:
        """Sign in; raises Error or OSError when the server refuses."""
        transport: Any = self._transport
        held = list[bytes]()
        write = transport.write

        def together(data: bytes) -> None:
            """Hold the data back until PING, then send it in one write."""
            held.append(data)
            if data == PING_PROTO:
                write(b"".join(held))

        # If PING were written after the server hung up, the server's refusal would be lost.
        transport.write = together
        try:
            await super()._process_connect_init()
        finally:
            transport.write = write
        # the client reports success even if the server hangs up instead of answering
        if not self.is_connected:
            raise Error("the server hung up")

    async def _process_headers(self, headers: bytes | None) -> dict[str, str] | None:
        try:
            found: dict[str, str] | None = await super()._process_headers(headers)
        except Exception:  # headers of any publisher; the records are in the body
            return None
        return found


class Pulling:
    """Requests messages from a consumer and collects them; start it with `begin`."""

    def __init__(self, client: Any, stream: str, durable: str) -> None:
        self._client = client
        self._ask_at = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._inbox = client.new_inbox()
        self._subscription: Any = None
        self._came: list[Any] = []
        self._news = asyncio.Event()
        self._open = 0  # requested messages that may still come
        self._until = 0.0

    async def begin(self) -> None:
        """Subscribe to the inbox for responses."""
        self._subscription = await self._client.subscribe(self._inbox, cb=self._on)

    async def end(self) -> None:
        """Unsubscribe."""
        await self._subscription.unsubscribe()

    async def _on(self, message: Any) -> None:
        if message.reply:
            self._came.append(message)
            self._open -= 1
        else:
            self._open = 0  # the server ends the request
        if self._open <= 0 or len(self._came) == 1:
            self._news.set()

    async def fetch(self, many: int, seconds: float) -> list[Any]:
        """Return the messages that came, at most about `many`; [] if none in `seconds`."""
        if not self._came:
            self._news.clear()
            await self.ask(many, seconds)
            try:
                await asyncio.wait_for(self._news.wait(), seconds)
            except TimeoutError:
                return []
        # the other messages arrive together with the first one, or the server reports that there are none
        settled = time.monotonic() + seconds
        seen = -1
        while (
            self._open > 0
            and len(self._came) < many
            and len(self._came) != seen
            and time.monotonic() < settled
        ):
            seen = len(self._came)
            await asyncio.sleep(0.005)
        came, self._came = self._came, []
        return came

    async def ask(self, many: int, seconds: float) -> None:
        """Request messages, unless a request is still open."""
        if self._open > 0 and time.monotonic() < self._until:
            return
        wish = {"batch": many, "expires": int(seconds * 1e9)}
        self._open, self._until = many, time.monotonic() + seconds + _GRACE_SECONDS
        await self._client.publish(self._ask_at, json.dumps(wish).encode(), self._inbox)
