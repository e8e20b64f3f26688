"""Waiting for what happens elsewhere: by looking, with a bound that only a hang reaches."""

from __future__ import annotations

import time
from collections.abc import Callable

HANG = 120.0  # seconds that nothing takes, however busy the machine is; who waits this long waits for ever


def until(true: Callable[[], object], within: float = HANG) -> float:
    """Wait until it is true, at most `within` seconds; the seconds that it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < within, "it did not happen"
        time.sleep(0.01)
    return time.monotonic() - began
