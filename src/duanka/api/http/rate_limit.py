"""In-process rate limits: a token bucket per client.

Why not the library `limits` (MIT, well maintained): it counts in windows, which lets twice the rate through at their
edge, has no token bucket, and its memory store runs a timer thread. An adapter for it would be larger than this
module.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

_MAX_BUCKETS = 50_000  # buckets kept; beyond it the least recently used is reset


class Buckets:
    """A bucket per name: `burst` tokens at most, `per_minute` added, one per request."""

    def __init__(
        self,
        per_minute: float,
        burst: int,
        clock: Callable[[], float] = time.monotonic,
        most: int = _MAX_BUCKETS,
    ) -> None:
        self._rate, self._burst, self._clock, self._most = per_minute / 60, float(burst), clock, most
        self._held: OrderedDict[str, tuple[float, float]] = (
            OrderedDict()
        )  # name -> (tokens, time of that count)
        self._lock = Lock()

    def take(self, name: str) -> int:
        """Take a token for `name`; return 0, or the whole seconds until there is one."""
        with self._lock:
            now = self._clock()
            tokens, then = self._held.pop(name, (self._burst, now))
            tokens = min(self._burst, tokens + (now - then) * self._rate)
            wait = 0 if tokens >= 1 else max(1, math.ceil((1 - tokens) / self._rate))
            self._held[name] = (tokens if wait else tokens - 1, now)
            while len(self._held) > self._most:
                self._held.popitem(last=False)
        return wait
