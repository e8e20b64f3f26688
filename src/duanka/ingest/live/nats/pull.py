"""Pulls messages from a JetStream consumer, many at a time.

The client's own `fetch` waits for each message by itself and holds back what came until its time is over: with one
record a message that is most of the time there is.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

_GRACE = 2.0  # seconds beyond the end of a request, until it is taken for lost


class Pulling:
    """Asks a consumer for messages and collects them. Make it with `begin`."""

    def __init__(self, client: Any, stream: str, durable: str) -> None:
        self._client = client
        self._ask_at = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._inbox = client.new_inbox()
        self._subscription: Any = None
        self._came: list[Any] = []
        self._news = asyncio.Event()
        self._open = 0  # messages asked for that may still come
        self._until = 0.0

    async def begin(self) -> None:
        """Listen."""
        self._subscription = await self._client.subscribe(self._inbox, cb=self._on)

    async def end(self) -> None:
        """Listen no longer."""
        await self._subscription.unsubscribe()

    async def _on(self, message: Any) -> None:
        if message.reply:
            self._came.append(message)
            self._open -= 1
        else:
            self._open = 0  # the server says that nothing more comes of what was asked
        if self._open <= 0 or len(self._came) == 1:
            self._news.set()

    async def fetch(self, many: int, seconds: float) -> list[Any]:
        """Return what is there, up to about `many` messages; nothing after `seconds` without any."""
        if not self._came:
            self._news.clear()
            await self.ask(many, seconds)
            try:
                await asyncio.wait_for(self._news.wait(), seconds)
            except TimeoutError:
                return []
        # The rest of what the server has is on its way: it comes together, or the server says that there is none.
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
        """Ask for messages, unless some that were asked for may still come."""
        if self._open > 0 and time.monotonic() < self._until:
            return
        wish = {"batch": many, "expires": int(seconds * 1e9)}
        self._open, self._until = many, time.monotonic() + seconds + _GRACE
        await self._client.publish(self._ask_at, json.dumps(wish).encode(), self._inbox)
