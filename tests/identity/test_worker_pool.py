"""Workers of the embedded check, as real processes: small, and replaced when they die, hang or lose their parent."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random

import pytest

from duanka.domain.identity import Check, CheckReason, Outcome, ReferenceUnusable, Verdict
from duanka.domain.identity_policy import IdentityPolicy
from duanka.identity import worker_pool as workers
from duanka.identity.embedded.checker import steps_of
from duanka.identity.embedded.weights import missing
from duanka.identity.worker_pool import OnWorkers, Process, Workers, without_information
from support import OWN_PROCESS, clips
from support.parts import needed
from support.waiting import HANG, until

POLICY = IdentityPolicy()
LOST = Verdict(Outcome.FAILED, (CheckReason.LOST,))
PASSED = Verdict(Outcome.PASSED, similarity=0.8)


@pytest.fixture(scope="module")
def real() -> Iterator[tuple[OnWorkers, Workers]]:
    needed(clips.missing())
    on, queue = workers.embedded(POLICY, 2)
    yield on, queue
    queue.close()


@pytest.fixture(scope="module")
def the_man() -> Check:
    needed(clips.missing())
    steps = steps_of(POLICY, Random(1))
    return Check("V1", steps, clips.reference(), clips.frames(clips.living(steps)))


def children(of: int) -> list[int]:
    """The worker processes of a process."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = stat.read_text().rpartition(")")[2].split()[1]
            command = (stat.parent / "cmdline").read_bytes()
            if parent == str(of) and b"spawn_main" in command:
                found.append(int(stat.parent.name))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_man_passes_on_a_worker_that_stays_small(real: tuple[OnWorkers, Workers], the_man: Check) -> None:
    on, queue = real
    on.enrol(the_man.reference)
    with pytest.raises(ReferenceUnusable, match="cannot be read"):
        on.enrol(b"no photo")
    assert on.challenge(Random(1)) == the_man.steps
    assert on.check(the_man).outcome is Outcome.PASSED
    answered: list[Verdict] = []
    queue.submit(the_man, answered.append)
    until(lambda: answered)
    assert answered[0].outcome is Outcome.PASSED
    for pid in children(os.getpid()):
        most = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        assert most
        # 110 MB of it can be the tests' own main module, which a worker loads too; make bench-face measures it alone
        assert int(most[1]) / 1024 < 410, "megabytes"


def test_a_worker_that_is_killed_costs_its_check_alone(
    real: tuple[OnWorkers, Workers], the_man: Check, caplog: pytest.LogCaptureFixture
) -> None:
    on, queue = real
    for _ in range(2):
        on.enrol(the_man.reference)
    answered: list[Verdict] = []
    for _ in range(5):
        queue.submit(the_man, answered.append)
    pids = children(os.getpid())
    busy: list[int] = []
    while not busy:
        busy = [pid for pid in pids if _busy(pid)]
    os.kill(busy[0], signal.SIGKILL)
    until(lambda: len(answered) == 5)
    assert sorted(verdict.reasons for verdict in answered) == [(), (), (), (), (CheckReason.LOST,)]
    assert "BrokenProcessPool" in caplog.text


def test_a_worker_that_died_while_nobody_asked_costs_nothing(
    real: tuple[OnWorkers, Workers], the_man: Check
) -> None:
    on, _ = real
    on.enrol(the_man.reference)
    pids = children(os.getpid())
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))  # the parent has seen it
    for _ in range(2):
        on.enrol(the_man.reference)


def test_the_keyboard_ends_no_worker(real: tuple[OnWorkers, Workers], the_man: Check) -> None:
    on, _ = real
    on.enrol(the_man.reference)
    pids = children(os.getpid())
    for pid in pids:
        os.kill(pid, signal.SIGINT)
    on.enrol(the_man.reference)
    assert set(pids) <= set(children(os.getpid()))


def _hangs(asked: Check) -> tuple[Verdict, float]:
    if asked.order_id == "hangs before it is timed":
        threading.Event().wait()
    with workers.in_time():
        if asked.order_id == "hangs":
            threading.Event().wait()
        return PASSED, 0.1


@pytest.mark.parametrize(
    ("order", "longest", "starts_within"), [("hangs", 2.0, HANG), ("hangs before it is timed", 2.0, 15.0)]
)
def test_a_check_that_hangs_is_lost_and_the_next_one_is_judged(
    order: str, longest: float, starts_within: float
) -> None:
    needed(missing() or "")
    answered: list[Verdict] = []
    queue = Workers(partial(Process, POLICY, longest, starts_within), _hangs, 1)
    for asked in (order, "V2"):
        queue.submit(Check(asked, (), b"", ()), answered.append)
    until(lambda: len(answered) == 2)
    queue.close()
    assert answered == [LOST, PASSED]


def test_workers_end_with_the_process_that_serves_however_it_ends() -> None:
    needed(clips.missing())
    command = [sys.executable, "-m", "support.identity.checking_process"]
    with subprocess.Popen(command, env=OWN_PROCESS, stdout=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stdout
            assert serving.stdout.readline() == "under way\n"
            pids = children(serving.pid)
            assert len(pids) == 2
        finally:
            serving.kill()
    until(lambda: not any(alive(pid) for pid in pids), within=HANG)


def test_no_picture_and_no_number_is_said(
    real: tuple[OnWorkers, Workers],
    the_man: Check,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    on, _ = real
    on.check(the_man)
    broken = bytearray(the_man.reference)
    broken[len(broken) // 2 :: 97] = b"\0" * len(broken[len(broken) // 2 :: 97])
    with contextlib.suppress(ReferenceUnusable):
        on.enrol(bytes(broken))
    assert caplog.text == ""
    assert "JPEG" not in capfd.readouterr().err
    assert "jpeg" not in repr(the_man.frames[0])


def _busy(pid: int) -> bool:
    """Whether it has used the processor for a while since a moment ago."""

    def used() -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = used()
    time.sleep(0.2)
    return used() > before


def test_libraries_tell_nothing_of_themselves_and_their_errors_are_seen(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with without_information():
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n")
        os.write(
            2, b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
        )
        os.write(2, b"I0000 00:00:1732780800.000000   1 delegate.cc:1] created\n")
        os.write(2, b"ERROR: the weights cannot be read\nE0000 00:00:1.0 1 a.cc:1] broken\n")
    with contextlib.suppress(ZeroDivisionError), without_information():
        os.write(2, b"what went before\n")
        raise ZeroDivisionError
    assert capfd.readouterr().err.splitlines() == [
        "ERROR: the weights cannot be read",
        "E0000 00:00:1.0 1 a.cc:1] broken",
        "what went before",
    ]
