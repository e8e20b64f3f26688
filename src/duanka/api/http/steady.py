"""Answers that take equally long, so that their time tells nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from fastapi.concurrency import run_in_threadpool

Result = TypeVar("Result")


async def as_long(work: Callable[[], Result], seconds: float) -> Result:
    """Run `work` in the thread pool; answer, or fail, after `seconds` and not sooner. No thread waits meanwhile."""
    began = time.monotonic()
    try:
        return await run_in_threadpool(work)
    finally:
        await asyncio.sleep(max(0.0, seconds - (time.monotonic() - began)))
