"""A thread that reads ahead, but never far: what lands faster than it is used waits outside, not in memory."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable, Iterator
from threading import Event, Thread

from duanka.domain.streaming import Batch

DEPTH = 2  # batches read and not yet asked for
ENDS_WITHIN = 10.0  # seconds that the thread has to end when it is told to
_NAP = 0.1  # seconds; how soon a thread that waits for the other sees that it is to stop

_log = logging.getLogger(__name__)

HandOn = Callable[[Batch], bool]


def ahead(work: Callable[[HandOn], None], stop: Event, seconds: float) -> Iterator[Batch]:
    """Yield the batches that `work`, in a thread of its own, hands on; after `seconds` of silence an empty one.

    `work` is given what takes a batch, waits until there is room for it, and returns False once `stop` is set: the
    batch is then not taken and `work` should end. Its error is raised here, behind the batches before it.
    """
    line: queue.Queue[Batch | None] = queue.Queue(DEPTH)
    faults: list[BaseException] = []

    def put(batch: Batch | None) -> bool:
        while not stop.is_set():
            try:
                line.put(batch, timeout=_NAP)
            except queue.Full:
                continue
            return True
        return False

    def run() -> None:
        try:
            work(put)
        except BaseException as fault:  # whatever it is, the caller must hear of it
            faults.append(fault)
        put(None)

    thread = Thread(target=run, name="duanka-intake", daemon=True)
    thread.start()
    quiet = time.monotonic()
    try:
        while not stop.is_set():
            try:
                batch = line.get(timeout=min(_NAP, seconds))
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
        if thread.is_alive():  # in a call to the system or a library; as a daemon it ends with the process
            _log.warning("reading does not end within %.0f s; it is left behind", ENDS_WITHIN)
    if faults:
        raise faults[0]
