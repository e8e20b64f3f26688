"""Answers that take equally long, so that their time tells nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

Result = TypeVar("Result")


async def as_long(
    work: Callable[[], Result], seconds: float, threads: CapacityLimiter | None = None
) -> Result:
    """Run `work` in the thread pool; answer, or fail, after `seconds` and not sooner. No thread waits meanwhile.

    `threads`: those that may do such work; None: any of the pool.
    """
    began = time.monotonic()
    try:
        return await to_thread.run_sync(work, limiter=threads)
    finally:
        await asyncio.sleep(max(0.0, seconds - (time.monotonic() - began)))
