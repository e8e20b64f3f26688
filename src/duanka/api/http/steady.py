"""Answers that take equally long, so that their time tells nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from duanka.api.schemas.errors import Problem

Result = TypeVar("Result")


async def as_long(work: Callable[[], Result], seconds: float) -> Result:
    """Run `work` in the thread pool; answer, or fail, after `seconds` and not sooner. No thread waits meanwhile."""
    began = time.monotonic()
    try:
        return await to_thread.run_sync(work)
    finally:
        await asyncio.sleep(max(0.0, seconds - (time.monotonic() - began)))


class SteadyQueue:
    """Runs dear work, `at_once` in threads of its own, while at most `waiting` more wait. For one event loop."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._threads, self._most, self._inside = CapacityLimiter(at_once), at_once + waiting, 0

    async def as_long(self, work: Callable[[], Result], seconds: float) -> Result:
        """As the function `as_long`. Problem 503: too many wait."""
        if self._inside >= self._most:
            raise Problem(503, "too many sign in at once; try again", {"Retry-After": "3"})
        self._inside += 1
        began = time.monotonic()
        try:
            return await to_thread.run_sync(work, limiter=self._threads)
        finally:
            self._inside -= 1
            await asyncio.sleep(max(0.0, seconds - (time.monotonic() - began)))
