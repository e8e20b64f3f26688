"""The live engine against a dictionary loop and bytewax; its worst batch, its growth with cards, a kill -9, its memory.

Every figure is of one run; ratios come first, for the absolute ones depend on the machine and on who else works on it.
The engine is paced as the command is in a backlog: batches of 100,000, committed every 5 and judged every 30 seconds.

    python benchmarks/live.py [--cards 1000000] [--batches 80]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import polars as pl
from live_rivals import AllLoop, HourLoop, bytewax_hours, plain_values
from live_stream import BATCH, Stream
from measuring import peak_mb

from duanka.bootstrap.scan import engine_memory, policy_named
from duanka.domain.rule import Rule
from duanka.domain.streaming import Batch, BatchResult
from duanka.engine.live import Live
from duanka.rules import RULES

NOW = datetime(2026, 1, 1)
SETTLE, PACE = 5.0, 30.0  # as in the command
_ROUNDS = 3
RIVALS = ("engine", "loop", "hourly engine", "hourly loop", "hourly bytewax")
_STEADY = 40  # batches that find the engine waiting for them, as in everyday work
_PACED, _FEW = (
    80,
    20,
)  # batches in each round: an engine works for a while between judgements, a loop does not


def live_engine(folder: Path, rules: tuple[Rule, ...], memory: str = "1GB") -> Live:
    """A live engine as the command makes it."""
    policy = policy_named("national")
    limits = {rule.id: policy.limits(rule) for rule in rules}
    return Live(folder, rules, limits, policy.lists, memory=engine_memory(memory))


def filled(folder: Path, stream: Stream, rules: tuple[Rule, ...] = RULES) -> Live:
    """One that knows the register and two calls of every card."""
    engine = live_engine(folder, rules)
    for batch in (*stream.register(), *stream.past(2 * stream.cards)):
        engine.take(batch, NOW, settle=True)
    engine.end_history()
    for _ in range(8):  # the first judgement
        engine.take(replace(next(iter(stream.batches(1))), pieces=(), records=0), NOW, settle=True)
    while engine.rest(10.0):  # the files of these calls are merged: those of the batches are what is measured
        pass
    return engine


class Paced:
    """An engine at the command's pace, by the seconds that it worked itself."""

    def __init__(self, engine: Live) -> None:
        self._engine = engine
        self._worked = self._settled = self._judged = 0.0

    def take(self, batch: Batch, *, last: bool = False) -> BatchResult:
        """Take a batch in; the last one judges what is left."""
        judge = last or self._worked - self._judged >= PACE
        settle = judge or self._worked - self._settled >= SETTLE
        taken = self._engine.take(batch, NOW, settle=settle, judge=judge)
        self._worked += taken.seconds
        self._settled = self._worked if settle else self._settled
        self._judged = self._worked if judge else self._judged
        return taken


def run_engine(cards: int, batches: int) -> dict[str, object]:
    """Batch seconds of the whole engine: six rollups, all rules, commits."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        stream = Stream(cards)
        engine = filled(Path(folder), stream)
        ready = time.perf_counter() - begin
        paced, took, changes = Paced(engine), [], 0
        judged = []
        for number, batch in enumerate(stream.batches(batches)):
            taken = paced.take(batch, last=number == batches - 1)
            took.append(taken.seconds)
            changes += sum(taken.changes.values())
            if taken.judged:
                judged.append(taken.seconds)
        while engine.evaluating:  # it takes turns with the batches that follow
            took.append(paced.take(next(stream.batches(1))).seconds)
        begin = time.perf_counter()
        engine.take(Batch(), NOW, settle=True)
        while engine.rest(10.0):
            pass
        merged = time.perf_counter() - begin
        size = sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file())
        steady = [engine.take(batch, NOW, settle=True).seconds for batch in stream.batches(_STEADY)]
        engine.close()
        return {
            "steady": steady,
            "took": took,
            "judged": judged,
            "ready": ready,
            "peak": peak_mb(),
            "disk": size / 1e6,
            "changes": changes,
            "merged": merged,
        }


def run_rival(name: str, batches: int, cards: int) -> dict[str, object]:
    """Records/s of one of RIVALS in a process of its own: by the clock, and by the seconds of CPU that it took."""
    hourly = tuple(replace(r, narrow={}) for r in RULES if r.id == "over_frequency")
    spent = {"clock": 0.0, "cpu": 0.0}

    def timed(work: Callable[[], object]) -> None:
        clock, cpu = time.perf_counter(), time.process_time()
        work()
        spent["clock"] += time.perf_counter() - clock
        spent["cpu"] += time.process_time() - cpu

    with tempfile.TemporaryDirectory() as folder:
        stream = Stream(cards)
        if name.endswith("engine"):
            engine = Paced(filled(Path(folder), stream, hourly if name.startswith("hourly") else RULES))
            for number, batch in enumerate(stream.batches(batches)):
                timed(partial(engine.take, batch, last=number == batches - 1))
        elif name.endswith("loop"):
            loop = HourLoop() if name.startswith("hourly") else AllLoop()
            for batch in stream.past(2 * cards):
                loop.take(plain_values(pl.DataFrame(batch.pieces[0].rows)))
            for batch in stream.batches(batches):
                timed(partial(loop.take, plain_values(pl.DataFrame(batch.pieces[0].rows))))
        else:  # keeps no state from one run to the next
            timed(
                partial(
                    bytewax_hours,
                    [plain_values(pl.DataFrame(b.pieces[0].rows)) for b in stream.batches(batches)],
                )
            )
    return {kind: batches * BATCH / seconds for kind, seconds in spent.items()}


def run_killed(cards: int) -> dict[str, object]:
    """Kill -9 an engine in the middle of its work, and time until another one stands."""
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, __file__, "--part", "victim", "--cards", str(cards), "--folder", folder]
        victim = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        for line in victim.stdout or ():
            if line.startswith("working"):
                break
        time.sleep(12.3)
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()
        begin = time.perf_counter()
        engine = live_engine(Path(folder), RULES)
        stands = time.perf_counter() - begin
        done = engine.positions()["stream"]
        engine.take(next(iter(Stream(cards).batches(1))), NOW, settle=True)
        first = time.perf_counter() - begin
        engine.close()
    return {"stands": stands, "first": first, "behind": done}


def victim(cards: int, folder: Path) -> None:
    """Work until killed."""
    stream = Stream(cards)
    engine = filled(folder, stream)
    print("working", flush=True)
    while True:
        for number, batch in enumerate(stream.batches(1000)):
            engine.take(batch, NOW, settle=number % 4 == 3)


def part(name: str, *more: str) -> dict[str, object]:
    """Run one part in a process of its own."""
    words = [sys.executable, __file__, "--part", name, *more]
    text = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, object] = json.loads(text.strip().splitlines()[-1])
    return found


def report(cards: int, batches: int) -> None:
    """Run all parts and print what they found."""
    pace = f"in a backlog committed every {SETTLE:.0f} s, judged every {PACE:.0f} s"
    print(f"{os.cpu_count()} cores; batches of {BATCH:,} calls; {pace}\n", flush=True)
    rates: dict[str, list[dict[str, object]]] = {name: [] for name in RIVALS}
    for _ in range(_ROUNDS):
        for name in RIVALS:
            rates[name].append(
                part(
                    "rival",
                    "--name",
                    name,
                    "--cards",
                    "500000",
                    "--batches",
                    str(_PACED if name.endswith("engine") else _FEW),
                )
            )
    print(f"500,000 cards, medians of {_ROUNDS} interleaved rounds, records/s by the clock, and by CPU:")
    rate = {
        name: [statistics.median(float(str(one[kind])) for one in runs) for kind in ("clock", "cpu")]
        for name, runs in rates.items()
    }
    for name, (clock, cpu) in rate.items():
        print(f"  {name:<15} {clock:10,.0f} {cpu:10,.0f}")
    for what, ours, theirs, goal in (
        ("all counters, rules, commits / dictionary loop of the same counters", "engine", "loop", "goal 4"),
        ("hourly count / dictionary loop of it", "hourly engine", "hourly loop", ""),
        ("hourly count / bytewax", "hourly engine", "hourly bytewax", "goal 2"),
    ):
        clock, cpu = (rate[ours][i] / rate[theirs][i] for i in (0, 1))
        print(f"  {what}: {clock:.2f} x by the clock, {cpu:.2f} x by CPU {goal}".rstrip())
    print(flush=True)
    means, everyday = {}, {}
    for size in (500_000, cards, 5_000_000):
        found = part("engine", "--cards", str(size), "--batches", str(batches))
        took = [float(t) for t in found["took"]]  # type: ignore[attr-defined]
        judged = [float(t) for t in found["judged"]]  # type: ignore[attr-defined]
        steady = [float(t) for t in found["steady"]]  # type: ignore[attr-defined]
        merged = float(str(found["merged"]))
        means[size] = (sum(took) + merged) / len(took)
        everyday[size] = statistics.median(steady)
        print(
            f"{size:,} cards, {len(took)} batches: mean {statistics.mean(took):.3f} s, with merging {means[size]:.3f} s"
            f" = {BATCH / means[size]:,.0f} records/s;"
            f" p50 {statistics.median(took):.3f}, p99 {percentile(took, 99):.3f}, worst {max(took):.3f} s;"
            f" {len(judged)} judged, mean {statistics.mean(judged):.2f} s"
        )
        print(
            f"  each batch judged and committed, as when nothing waits: p50 {everyday[size]:.3f},"
            f" p99 {percentile(steady, 99):.3f} s"
        )
        print(
            f"  ready after {float(str(found['ready'])):.0f} s, peak {float(str(found['peak'])):,.0f} MB,"
            f" {float(str(found['disk'])):,.0f} MB on disk, {found['changes']} changes of hits;"
            f" merging files took {merged:.1f} s in the quiet after it",
            flush=True,
        )
    backlog, daily = (of[5_000_000] / of[500_000] for of in (means, everyday))
    print(
        f"  batch at 5,000,000 cards / at 500,000: {backlog:.2f} x in a backlog (mean, merging included; goal 1.3),"
        f" {daily:.2f} x each judged (median)\n",
        flush=True,
    )
    killed = part("killed", "--cards", str(cards))
    print(
        f"kill -9 at {cards:,} cards: stands after {float(str(killed['stands'])):.1f} s (goal 10),"
        f" first batch in and judged after {float(str(killed['first'])):.1f} s"
    )


def percentile(values: list[float], at: int) -> float:
    """The value that `at` percent of `values` do not exceed."""
    return sorted(values)[max(0, -(-len(values) * at // 100) - 1)]


def main() -> None:
    """Run the whole, or one part of it for the whole."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cards", type=int, default=1_000_000)
    parser.add_argument("--batches", type=int, default=80)
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--name", choices=RIVALS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part == "victim":
        victim(given.cards, given.folder)
    elif given.part == "engine":
        print(json.dumps(run_engine(given.cards, given.batches)))
    elif given.part == "rival":
        print(json.dumps(run_rival(given.name, given.batches, given.cards)))
    elif given.part == "killed":
        print(json.dumps(run_killed(given.cards)))
    else:
        report(given.cards, given.batches)


if __name__ == "__main__":
    main()
