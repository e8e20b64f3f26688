"""Waiting for what happens elsewhere: by looking, not by the clock alone."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(true: Callable[[], object], within: float = 30.0) -> float:
    """Wait until it is true, at most `within` seconds; the seconds that it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < within, "it did not happen"
        time.sleep(0.01)
    return time.monotonic() - began
