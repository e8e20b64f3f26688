"""Measures work: CPU seconds of the process, seconds by the clock, peak memory."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

_RESET_PEAK = "5"  # written to clear_refs: VmHWM begins anew at the memory held now


@dataclass(frozen=True)
class Cost:
    """`cpu`, `clock`: seconds; `peak`: MB resident at most, of the whole process."""

    cpu: float
    clock: float
    peak: float

    def as_json(self) -> str:
        """One line for the process that asked."""
        return json.dumps(asdict(self))


def cost_of(work: Callable[[], object]) -> Cost:
    """Do `work` in this process and return what it cost."""
    forget_peak()
    cpu, clock = time.process_time(), time.perf_counter()
    work()
    return Cost(time.process_time() - cpu, time.perf_counter() - clock, peak_mb())


def command(environment: dict[str, str], *words: str) -> Cost:
    """What a command of duanka costs, from its start to its end; CalledProcessError where it fails.

    Its bytecode is kept, as an installed package has it: compiling all modules anew takes a third of a second.
    """
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "duanka.cli.main", *words],
        env={**ours, **environment},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    clock, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu, clock, after.ru_maxrss / 1024)


def median(costs: Sequence[Cost]) -> Cost:
    """The median of each figure; of the peak the largest."""
    return Cost(
        statistics.median(c.cpu for c in costs),
        statistics.median(c.clock for c in costs),
        max(c.peak for c in costs),
    )


def peak_mb() -> float:
    """Peak resident memory of this process; getrusage would count what the parent held at the fork."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


def forget_peak() -> None:
    """Let `peak_mb` count from now on; where the system does not allow it, the peak stays that of all work."""
    try:
        Path("/proc/self/clear_refs").write_text(_RESET_PEAK)
    except OSError:
        return
