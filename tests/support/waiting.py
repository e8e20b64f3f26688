"""Waiting for what happens elsewhere: by looking, with a bound that only a hang reaches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

HANG = 120.0  # seconds that nothing takes, however busy the machine is; who waits this long waits for ever


def until(true: Callable[[], object], within: float = HANG) -> float:
    """Wait until it is true, at most `within` seconds; the seconds that it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < within, "it did not happen"
        time.sleep(0.01)
    return time.monotonic() - began


def seconds_without_a_core(*processes: int) -> float:
    """Seconds that the threads of these processes and of their children could run, and others had the cores.

    Taken from what something took, it leaves what it would have taken on a machine of its own. 0 where Linux does
    not tell. The thread that asks is left out: it only looks on.
    """
    mine, waited = threading.get_native_id(), 0
    for process in _with_children(processes):
        for task in Path(f"/proc/{process}/task").glob("*"):
            with suppress(OSError):  # it ended meanwhile
                if int(task.name) != mine:
                    waited += int((task / "schedstat").read_text().split()[1])
    return waited / 1e9


def _with_children(processes: Iterable[int]) -> Iterator[int]:
    for process in processes:
        yield process
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            with suppress(OSError):
                yield from _with_children(map(int, children.read_text().split()))
