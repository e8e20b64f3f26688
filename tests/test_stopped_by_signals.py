"""Ctrl-C and SIGTERM end a live run, whatever the main thread was doing when they came."""

from __future__ import annotations

import subprocess
import sys

from support.waiting import HANG

_SCRIPT = """
import os, signal, threading
from duanka.bootstrap.live import stopped_by_signals
stop, said = threading.Event(), []
with stopped_by_signals(stop.set, lambda: said.append("ending")):
    with stop._cond:  # as within Event.set or Event.wait
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    stop.wait()
print(*said)
"""


def test_a_signal_that_comes_while_the_main_thread_holds_the_lock_ends_the_run_once() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _SCRIPT], capture_output=True, text=True, timeout=HANG, check=False
    )
    assert (ran.stdout, ran.returncode) == ("ending\n", 0), ran.stderr
