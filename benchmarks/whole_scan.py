"""One `duanka scan` in this process, and what each of its phases costs.

Progress tells the phases apart. What overlaps with another phase tells by itself: writing canonical files and looking
for repeated records is the phase `store`, opening the records in the engine belongs to the rollups. Into a store, the
phase `store` also sorts the records by day and card and makes their partial rollups; `rollups` then opens and merges.

    python benchmarks/whole_scan.py DATA [--store STORE] [--memory 1GB]     # one line of JSON
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, ParamSpec, TypeVar

from as_installed import hide_test_packages
from measuring import forget_peak, peak_mb

from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.scan import scan
from duanka.bootstrap.settings import Settings
from duanka.domain.findings import Findings
from duanka.domain.schema import TABLES
from duanka.engine.batch.base import BatchEngine
from duanka.ingest.storage import deduplication, parquet_store

_P = ParamSpec("_P")
_R = TypeVar("_R")

PHASES = ("reading", "store", "rollups", "rules", "decisions", "report")
JUDGING = ("rollups", "rules", "decisions")  # from canonical records to the list of cards at risk
_PHASE_OF = {
    "reading records": "reading",
    "rollup": "rollups",
    "rule": "rules",
    "store": "store",
    "writing the store": "store",
    "writing hits": "decisions",
    "judging cards": "decisions",
    "writing lists": "decisions",
    "writing the report": "report",
}
# What runs beside the phase that Progress named: whose it is, the function, and the clock that counts it alone.
_BESIDE: tuple[tuple[str, Any, str, Callable[[], float]], ...] = (
    ("store", parquet_store, "_write", time.thread_time),
    ("store", deduplication, "settle", time.process_time),
    ("rollups", BatchEngine, "load", time.process_time),
)


@dataclass(frozen=True)
class Phase:
    """`cpu`: seconds of CPU; `peak`: MB resident at most while it ran."""

    cpu: float
    peak: float


@dataclass(frozen=True)
class WholeScan:
    """`records` of all usage tables; `phases` by name, in order; `ran` of `rules` rules."""

    records: dict[str, int]
    phases: dict[str, Phase]
    clock: float
    ran: int
    rules: int

    @property
    def cpu(self) -> float:
        """CPU seconds of all phases."""
        return sum(phase.cpu for phase in self.phases.values())

    def cpu_of(self, *names: str) -> float:
        """CPU seconds of the phases `names`."""
        return sum(phase.cpu for name, phase in self.phases.items() if name in names)


class PhaseMeter:
    """Progress that counts CPU and memory by phase."""

    def __init__(self) -> None:
        self._cpu: dict[str, float] = defaultdict(float)
        self._peak: dict[str, float] = defaultdict(float)
        self._lock = Lock()
        self._at, self._since = "reading", time.process_time()
        forget_peak()

    def step(self, what: str, done: float, total: float | None = None) -> None:
        """Begin the phase of `what`, if it is another."""
        whole = what if what in _PHASE_OF else what.partition(" ")[0].removesuffix("s")
        if (phase := _PHASE_OF.get(whole, what)) != self._at:
            self._end()
            self._at = phase

    def _end(self) -> None:
        now = time.process_time()
        with self._lock:
            self._cpu[self._at] += now - self._since
        self._since = now
        self._peak[self._at] = max(self._peak[self._at], peak_mb())
        forget_peak()

    def beside(self, phase: str, work: Callable[_P, _R], clock: Callable[[], float]) -> Callable[_P, _R]:
        """`work`, whose CPU time counts for `phase` instead of the phase it runs in."""

        def counted(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            begun = clock()
            try:
                return work(*args, **kwargs)
            finally:
                spent = clock() - begun
                with self._lock:  # several tables are written at once
                    self._cpu[phase] += spent
                    self._cpu[self._at] -= spent

        return counted

    def phases(self) -> dict[str, Phase]:
        """What each phase cost until now; those that Progress named in other words come last."""
        self._end()
        names = [*PHASES, *(name for name in self._cpu if name not in PHASES)]
        return {name: Phase(self._cpu[name], self._peak[name]) for name in names if name in self._cpu}


def whole_scan(data: Path, out: Path, memory: str, store: Path | None) -> WholeScan:
    """Scan `data` into `out`, and into `store` if given, once, in this process, which does nothing else."""
    meter = PhaseMeter()
    for phase, owner, name, clock in _BESIDE:
        setattr(owner, name, meter.beside(phase, getattr(owner, name), clock))
    begun = time.perf_counter()
    national = policy_named("national")
    found = scan(Settings(), data, out, policy=national, progress=meter, memory=memory, store=store)
    clock_seconds = time.perf_counter() - begun
    ran = sum(run.ran for run in found.runs)
    return WholeScan(_records(found), meter.phases(), clock_seconds, ran, len(found.runs))


def _records(found: Findings) -> dict[str, int]:
    """Record table -> records delivered."""
    return {
        name: records
        for name, table in TABLES.items()
        if table.record
        and (records := sum(file.records for file in found.intake.files if file.table == name))
    }


def lines_of(done: WholeScan) -> list[str]:
    """A line for each phase: CPU seconds, us a record, peak."""
    records = sum(done.records.values())
    return [
        f"    {name:<24} {phase.cpu:7.1f} CPU s  {phase.cpu / records * 1e6:5.2f} us a record, peak "
        + (f"{phase.peak:,.0f} MB" if phase.peak else "with reading")
        for name, phase in done.phases.items()
    ]


def in_new_process(data: Path, memory: str, store: Path | None = None) -> WholeScan:
    """`whole_scan` in a process of its own."""
    into = ["--store", str(store)] if store else []
    command = [sys.executable, __file__, str(data), "--memory", memory, *into]
    told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    records, phases, clock, ran, rules = told
    return WholeScan(records, {name: Phase(*each) for name, each in phases.items()}, clock, ran, rules)


def main() -> None:
    """Scan once and print the costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--memory", default="1GB")
    given = parser.parse_args()
    hide_test_packages()
    with tempfile.TemporaryDirectory(dir=given.data.parent) as work:
        done = whole_scan(given.data, Path(work) / "out", given.memory, given.store)
    phases = {name: [phase.cpu, phase.peak] for name, phase in done.phases.items()}
    print(json.dumps([done.records, phases, done.clock, done.ran, done.rules]))


if __name__ == "__main__":
    main()
