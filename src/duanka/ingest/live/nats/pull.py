"""Pulls many messages at a time from a JetStream consumer.

The client's own `fetch` waits for each message separately and returns only at the timeout, which with one record a
message costs most of the time.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

_GRACE_SECONDS = 2.0  # seconds after the end of a request until it counts as lost


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
        """Return about `many` messages; [] if none comes within `seconds`."""
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
