"""Commands in processes that have imported what commands import: importing is most of the time of a short one.

`python prepared.py FD` waits for requests on that socket, and forks for each: the child takes the request's words,
folder and environment, and the file mode and limits of the test process, and becomes `python -m duanka.cli.main WORDS`.
`duanka.cli` itself is not imported before: its consoles read the environment.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import json
import os
import resource
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TextIO

POSSIBLE = hasattr(os, "fork") and hasattr(os, "pidfd_open")  # else each command is a new process
_IMPORTED = (
    "pandas",
    "duanka.api.server",
    "duanka.bootstrap.doctor.checks",
    "duanka.bootstrap.links.answers",
    "duanka.bootstrap.live",
    "duanka.bootstrap.morning",
    "duanka.bootstrap.orders",
    "duanka.bootstrap.scan",
    "duanka.bootstrap.serve",
    "duanka.evaluation.measure",
    "duanka.ledger.db.database",
    "duanka.reports.page",
)
_LIMITS = (resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)
_REQUEST = 1 << 20  # bytes


class Running(Protocol):
    """A command that was started: what is used of `subprocess.Popen`."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def kill(self) -> None: ...


class Forked:
    """A command that the prepared process forked; `status` tells its pid and, later, how it ended."""

    def __init__(self, status: socket.socket) -> None:
        self._status, self._ended = status, threading.Lock()
        self._code: int | None = None
        self.pid = int(self._told())

    def poll(self) -> int | None:
        """Exit code (negative: signal); None: it runs."""
        with suppress(TimeoutError, BlockingIOError):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Exit code (negative: signal). TimeoutError: it runs still."""
        with self._ended:
            if self._code is None:
                self._status.settimeout(timeout)
                self._code = int(self._told())
                self._status.close()
            return self._code

    def send_signal(self, sig: int) -> None:
        """Send it a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def _told(self) -> bytes:
        told = self._status.recv(_REQUEST)
        assert told, "the prepared process is gone"
        return told


class PreparedProcess:
    """One process that forks for the commands of this test process."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={"PATH": "/usr/bin:/bin", "PYTHONUTF8": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )

    def close(self) -> None:
        """End it; commands that still run go on."""
        self._ours.close()
        self._process.wait()

    def start(
        self, words: Sequence[str], cwd: Path | None, environment: Mapping[str, str], out: int, err: int
    ) -> Forked:
        """Start `duanka WORDS` with these two for its output."""
        request = {"words": words, "cwd": str(cwd or Path.cwd()), "environment": environment, **_inherited()}
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            socket.send_fds(self._ours, [json.dumps(request).encode()], [out, err, theirs.fileno()])
        return Forked(ours)


def _inherited() -> dict[str, Any]:
    """What a process takes over from the one that starts it."""
    mask = next(line for line in Path("/proc/self/status").read_text().splitlines() if "Umask" in line)
    return {"umask": int(mask.split()[1], 8), "limits": [resource.getrlimit(limit) for limit in _LIMITS]}


@cache
def prepared_process() -> PreparedProcess:
    """That of this test process, started when it is first needed."""
    process = PreparedProcess()
    atexit.register(process.close)
    return process


def _serve(control: socket.socket) -> None:
    """Fork for each request until the other side closes; returns in the child only, which then is the command."""
    with selectors.DefaultSelector() as selector, _commands() as running:
        selector.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd in running:
                    selector.unregister(key.fd)
                    _tell_end(key.fd, *running.pop(key.fd))
                    continue
                content, fds, _, _ = socket.recv_fds(control, _REQUEST, 3)
                if not content:
                    os._exit(0)
                pid = os.fork()
                if pid == 0:
                    control.close()
                    _become(json.loads(content), *fds)
                    return
                os.close(fds[0])
                os.close(fds[1])
                status = socket.socket(fileno=fds[2])
                _tell(status, pid)
                ended = os.pidfd_open(pid)
                running[ended] = pid, status
                selector.register(ended, selectors.EVENT_READ)


@contextmanager
def _commands() -> Iterator[dict[int, tuple[int, socket.socket]]]:
    """Those that run: pidfd -> pid, where its end is told. A child closes those of the others."""
    running = dict[int, tuple[int, socket.socket]]()
    yield running
    for ended, (_, status) in running.items():
        os.close(ended)
        status.close()


def _tell(status: socket.socket, number: int) -> None:
    with suppress(BrokenPipeError):  # a test that no longer waits
        status.sendall(str(number).encode())


def _tell_end(ended: int, pid: int, status: socket.socket) -> None:
    _, how = os.waitpid(pid, 0)
    _tell(status, os.waitstatus_to_exitcode(how))
    os.close(ended)
    status.close()


def _become(request: dict[str, Any], out: int, err: int, status: int) -> None:
    os.dup2(out, 1)
    os.dup2(err, 2)
    for file in (out, err, status):
        os.close(file)
    # as a Python has them that begins in UTF-8 mode; those of before do not know what they write into now
    sys.stdout = _stream(1, "surrogateescape")
    sys.stderr = _stream(2, "backslashreplace", line_buffering=True)
    os.umask(request["umask"])
    for limit, values in zip(_LIMITS, request["limits"], strict=True):
        resource.setrlimit(limit, tuple(values))
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    os.chdir(request["cwd"])
    sys.argv[1:] = request["words"]
    sys.path[0] = str(Path.cwd())  # as `python -m`
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _stream(file: int, errors: str, *, line_buffering: bool = False) -> TextIO:
    written = io.FileIO(file, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(written), "utf-8", errors, line_buffering=line_buffering)


def _run() -> None:
    """Run the command, and leave as Python does, but for taking apart what was imported."""
    try:
        runpy.run_module("duanka.cli.main", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if not isinstance(end.code, int):
            raise
        threading._shutdown()  # type: ignore[attr-defined]  # as at the end of Python: threads,
        atexit._run_exitfuncs()  # then what is to be done at the end
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code)


if __name__ == "__main__":
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C goes to a whole group; the test process ends this one
    sys.path[0] = ""
    for _name in _IMPORTED:
        importlib.import_module(_name)
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))
    _run()
