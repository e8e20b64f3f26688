"""Calls by SIPp: one that calls from a list of numbers, one that answers. Its scenarios are in `sipp/`."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from duanka.network.process import OwnProcess, free_port
from support.waiting import HANG

Address = tuple[str, int]
SCENARIOS = Path(__file__).parent / "sipp"
NO_HEADER = "X-Test: none"


@dataclass(frozen=True)
class Called:
    """What came of a call. `answer`: the code; `info`: the Call-Info header of the answer."""

    number: int
    answer: int
    caller: str
    callee: str
    info: str


@dataclass
class Calling:
    """A SIPp that calls, in `folder`."""

    process: subprocess.Popen[bytes]
    folder: Path

    def results(self, within: float = HANG) -> list[Called]:
        """What came of all calls, in their order; waits until they are over."""
        self.process.wait(within)
        return sorted(self.so_far(), key=lambda one: one.number)

    def so_far(self) -> list[Called]:
        """What came of the calls that are logged."""
        log = self.folder / "calls.log"
        lines = log.read_text().splitlines() if log.exists() else []
        parts = [line.split(";", 4) for line in lines if line.count(";") >= 4]
        return [Called(int(n), int(a), caller, callee, info.strip()) for n, a, caller, callee, info in parts]


def missing() -> str:
    """What must be installed; empty when nothing."""
    kamailio = shutil.which("kamailio", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    return (
        ""
        if kamailio and shutil.which("sipp")
        else "apt-get install kamailio kamailio-sqlite-modules sip-tester"
    )


@contextlib.contextmanager
def answering(folder: Path) -> Iterator[Address]:
    """A far end that answers every call; its address."""
    folder.mkdir(parents=True, exist_ok=True)
    address = ("127.0.0.1", free_port(socket.SOCK_DGRAM))
    process = OwnProcess([*_sipp("answering", address)], folder / "answering.log", folder)
    try:
        process.until(lambda: _bound(address))
        yield address
    finally:
        process.end()


@contextlib.contextmanager
def calling(
    folder: Path,
    proxy: Address,
    numbers: Sequence[tuple[str, ...]],
    *,
    rate: int = 200,
    count: int | None = None,
    scenario: str = "calling",
) -> Iterator[Calling]:
    """Call (who, whom[, another header line]) in turn, `count` calls, `rate` a second."""
    folder.mkdir(parents=True)
    lines = (";".join((*row, NO_HEADER)[:3]) for row in numbers)
    (folder / "numbers.csv").write_text("SEQUENTIAL\n" + "\n".join(lines) + "\n")
    command = [
        *_sipp(scenario, ("127.0.0.1", free_port(socket.SOCK_DGRAM))),
        *(
            "-inf",
            "numbers.csv",
            "-trace_logs",
            "-log_file",
            "calls.log",
            "-trace_err",
            "-error_file",
            "err.log",
        ),
        *("-m", str(count or len(numbers)), "-r", str(rate), "-l", str(max(100, rate * 10))),
        *("-recv_timeout", str(int(HANG * 1000))),
        f"{proxy[0]}:{proxy[1]}",
    ]
    with (folder / "sipp.log").open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield Calling(process, folder)
    finally:
        process.kill()
        process.wait()


def call(
    folder: Path, proxy: Address, numbers: Sequence[tuple[str, ...]], *, scenario: str = "calling"
) -> list[Called]:
    """Call (who, whom[, another header line]) in turn; what came of it."""
    with calling(folder, proxy, numbers, scenario=scenario) as run:
        return run.results()


def _sipp(scenario: str, address: Address) -> list[str]:
    scenario_file = str(SCENARIOS / f"{scenario}.xml")
    return ["sipp", "-sf", scenario_file, "-i", address[0], "-p", str(address[1]), "-nostdin", "-nd"]


def _bound(address: Address) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tried:
        try:
            tried.bind(address)
        except OSError:
            return True
    return False
