"""Signal handling: Ctrl-C and SIGTERM shut a long run down gracefully."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def stopped_by_signals(stop: Callable[[], object], ending: Callable[[], None]) -> Iterator[None]:
    """Shut down gracefully at the first Ctrl-C or SIGTERM, at once at the second.

    Nothing is lost either way. A signal handler interrupts the main thread anywhere, possibly while it holds
    the lock that `stop` takes. The handler therefore only writes to a pipe, and a separate thread ends the
    run.
    """
    heard_here, told = os.pipe()

    def heard(number: int, frame: FrameType | None) -> None:
        del frame
        os.write(told, b".")
        signal.signal(number, signal.default_int_handler)

    def wait_for_one() -> None:
        if os.read(heard_here, 1):
            ending()
            stop()

    waiter = threading.Thread(target=wait_for_one, name="signals", daemon=True)
    waiter.start()
    before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(told)
        waiter.join()
        os.close(heard_here)
