"""Bounded prefetch: a thread reads up to two batches ahead."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable, Iterator
from threading import Event, Thread

from duanka.domain.streaming import Batch

DEPTH = 2  # batches read ahead
ENDS_WITHIN = 10.0  # timeout (s) for the thread to end when stopped
_POLL_SECONDS = 0.1  # polling interval (s) for `stop` while one thread waits for the other

_log = logging.getLogger(__name__)

HandOn = Callable[[Batch], bool]


class Pulse:
    """Time of the last progress of reading; written by one thread, read by any.

    Progress is reading records, scanning the folder, or hearing that the server has no more.
    """

    def __init__(self) -> None:
        self.beat()

    def beat(self) -> None:
        """Record progress."""
        self._at = time.monotonic()

    @property
    def stalled(self) -> float:
        """Seconds since the last progress."""
        return time.monotonic() - self._at


def prefetch(work: Callable[[HandOn], None], stop: Event, seconds: float) -> Iterator[Batch]:
    """Yield the batches of `work`, run in a thread; an empty one after idle `seconds`.

    `work` receives a function that takes a batch, blocks until there is room and returns True. Once `stop` is
    set, it drops the batch and returns False: `work` should end. Its error is raised after its last batch.
    """
    line: queue.Queue[Batch | None] = queue.Queue(DEPTH)
    faults: list[BaseException] = []

    def put(batch: Batch | None) -> bool:
        while not stop.is_set():
            try:
                line.put(batch, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False

    def run() -> None:
        try:
            work(put)
        except BaseException as fault:  # any error must reach the caller
            faults.append(fault)
        put(None)

    thread = Thread(target=run, name="duanka-intake", daemon=True)
    thread.start()
    quiet = time.monotonic()
    try:
        while not stop.is_set():
            try:
                batch = line.get(timeout=min(_POLL_SECONDS, seconds))
            except queue.Empty:
                if time.monotonic() - quiet < seconds:
                    continue
                batch = Batch()
            if batch is None:
                break
            yield batch
            quiet = time.monotonic()
    finally:
        stop.set()
        thread.join(ENDS_WITHIN)
        if thread.is_alive():  # blocked in a call; ends with the process, as a daemon
            _log.warning("reading does not end within %.0f s; it is left behind", ENDS_WITHIN)
    if faults:
        raise faults[0]
