"""The number of the last change: asked of the database once a second, however many listen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fastapi.concurrency import run_in_threadpool

STEP = 1.0  # seconds for which an answer of the database holds


class LatestChange:
    """`ask`: reads the number. Used by the server's event loop alone."""

    def __init__(self, ask: Callable[[], int]) -> None:
        self._ask, self._found, self._until = ask, 0, 0.0
        self._asking = asyncio.Lock()

    async def number(self) -> int:
        """Return the number, at most a second old."""
        clock = asyncio.get_running_loop().time
        async with self._asking:
            if clock() >= self._until:
                self._found = await run_in_threadpool(self._ask)
                self._until = clock() + STEP
        return self._found
