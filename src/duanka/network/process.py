"""Start and stop of network programs on loopback, for demos, tests and benchmarks."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from duanka.domain.errors import DuankaError
from duanka.domain.private_files import UMASK, private_file

_LAST_WORDS_SECONDS = 2.0
OWN_PART_SECONDS = 120.0  # generous, for a loaded machine: only a hang takes so long


def program(name: str, package: str) -> str:
    """Return the path of a program; if it is missing, DuankaError names its package."""
    found = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin")
    if not found:
        raise DuankaError(f"{name} is not installed: apt-get install {package}")
    return found


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM, host: str = "127.0.0.1") -> int:
    """Return a loopback port that is free now."""
    with socket.socket(socket.AF_INET, kind) as free:
        free.bind((host, 0))
        return int(free.getsockname()[1])


def free_address(ports: Sequence[int]) -> str:
    """Return a loopback address at which these fixed `ports` are free."""
    for _ in range(200):
        host = f"127.{random.randint(1, 254)}.{random.randint(0, 255)}.{random.randint(1, 254)}"  # noqa: S311
        taken = 0
        for port in ports:
            with socket.socket() as tried:
                taken += tried.connect_ex((host, port)) == 0
        if not taken:
            return host
    raise DuankaError("no loopback address is free")


class OwnProcess:
    """A subprocess in its own process group, with its output in `log`."""

    def __init__(self, command: Sequence[str], log: Path, cwd: Path | None = None) -> None:
        self._log = log
        self._said_before = log.stat().st_size if log.exists() else 0
        with private_file(log).open("ab") as out:
            self._process = subprocess.Popen(  # noqa: S603  # our own command line
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=cwd,
                start_new_session=True,
                umask=UMASK,
            )
        self.pid = self._process.pid

    @property
    def running(self) -> bool:
        """Return whether the process has not ended."""
        return self._process.poll() is None

    def until(self, ready: Callable[[], bool], within: float = OWN_PART_SECONDS) -> None:
        """Wait until `ready`; DuankaError if the process ends or `within` seconds pass."""
        end = time.monotonic() + within
        while not ready():
            if not self.running or time.monotonic() > end:
                self.end(signal.SIGKILL)
                last = self._last_words()
                raise DuankaError(
                    f"{self._process.args!r} did not start: {' / '.join(last) or 'it said nothing'}"
                )
            time.sleep(0.02)

    def _last_words(self) -> list[str]:
        """Return the log's last lines as soon as there are some, or after 2 s.

        Output that passes through `process_logs.mask_stderr` arrives late.
        """
        until = time.monotonic() + _LAST_WORDS_SECONDS
        while self._log.stat().st_size <= self._said_before and time.monotonic() < until:
            time.sleep(0.02)
        return self._log.read_text(errors="replace").strip().splitlines()[-3:]

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop the process and its children."""
        self._signal(how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(OWN_PART_SECONDS)
        self._signal(signal.SIGKILL)  # children that ignored the first signal
        self._process.wait()

    def _signal(self, how: signal.Signals) -> None:
        try:
            os.killpg(self.pid, how)
        except ProcessLookupError:
            return


class OwnPart:
    """A network program in a process of its own, as a context manager."""

    _process: OwnProcess | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Id of the process that leads the group; also the id of the group."""
        assert self._process is not None, "it is not started"  # noqa: S101
        return self._process.pid

    def start(self) -> None:
        """Start the program and wait until it answers."""
        raise NotImplementedError

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop the program and its children."""
        if self._process:
            self._process.end(how)
        self._process = None


def answers(host: str, port: int) -> bool:
    """Return whether something listens at this TCP port."""
    with socket.socket() as tried:
        tried.settimeout(1)
        return tried.connect_ex((host, port)) == 0
