"""What a scan costs, world by world, against the plain scan: an operator's evening.

`dense` is the density of an operator: 250,000 cards with five to six calls a day each, and all other tables. `many`
are the same calls of many more cards, and a register only. The plain scan (benchmarks/reference.py) is one GROUP BY
card with 12 aggregates over the calls as canonical text; of all tables: the same over every record table. Each scan
runs in a process of its own, interleaved with the plain scans; medians; ratios in CPU time.

    python benchmarks/scan.py [--cards 250000] [--records 20000000] [--rounds 3] [--memory 1GB]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from measuring import Cost, median
from reference import records_in, text_of
from whole_scan import JUDGING, Phase, WholeScan, in_new_process, lines_of
from worlds import DATA, dense_cards, many_cards

from duanka.bootstrap.scan import engine_memory

_REFERENCE = Path(__file__).with_name("reference.py")


def measure(world: Path, rounds: int, memory: str) -> None:
    """Print the medians for `world`: the plain scans, a scan by phases, their ratios."""
    text = text_of(world)
    plain: dict[str, list[Cost]] = {"calls": [], "all": []}
    scans: dict[str, list[WholeScan]] = {"scan": [], "scan --store, the first": []}
    for _ in range(rounds):
        for tables, costs in plain.items():
            asked = [str(text), tables, "--memory", engine_memory(memory)]
            command = [sys.executable, str(_REFERENCE), *asked]
            told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            costs.append(Cost(**json.loads(told)))
        for name, of in scans.items():
            with tempfile.TemporaryDirectory(dir=DATA) as folder:
                store = Path(folder) / "store" if "--store" in name else None
                of.append(in_new_process(world, memory, store))
    first = scans["scan"][0]
    if first.records != records_in(text):
        raise SystemExit(f"{text} holds other records than {world}: delete both, they are made again")
    tables = ", ".join(f"{table} {count:,}" for table, count in first.records.items())
    print(f"{world.name}: {tables}; {first.ran} of {first.rules} rules ran")
    medians = {name: median(costs) for name, costs in plain.items()}
    for of_tables, what in (("calls", "plain scan of the calls"), ("all", "plain scan of all tables")):
        cost = medians[of_tables]
        print(f"  {what:<26} {cost.cpu:7.1f} CPU s {cost.clock:7.1f} s")
    for name, of in scans.items():
        _print(name, medians, _median(of))


def _print(name: str, plain: dict[str, Cost], scan: WholeScan) -> None:
    records = sum(scan.records.values())
    print(
        f"  {name:<26} {scan.cpu:7.1f} CPU s {scan.clock:7.1f} s   {scan.cpu / records * 1e6:5.2f} us a record"
    )
    print(*lines_of(scan), sep="\n")
    judging = scan.cpu_of(*JUDGING)
    print(
        f"  {', '.join(JUDGING)} / plain scan of all tables: {judging / plain['all'].cpu:.2f} x in CPU time"
    )
    print(
        f"  {', '.join(JUDGING)} / plain scan of the calls: {judging / plain['calls'].cpu:.2f} x in CPU time"
    )
    print(f"  peak of the scan {max(p.peak for p in scan.phases.values()):,.0f} MB", flush=True)


def _median(scans: Sequence[WholeScan]) -> WholeScan:
    """The median of each figure; of the peaks the largest."""
    phases = {
        name: Phase(
            statistics.median(one.phases[name].cpu for one in scans),
            max(one.phases[name].peak for one in scans),
        )
        for name in scans[0].phases
    }
    clock = statistics.median(one.clock for one in scans)
    return WholeScan(scans[0].records, phases, clock, scans[0].ran, scans[0].rules)


def main() -> None:
    """Make the worlds that are not there yet, and measure each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--cards", type=int, default=250_000, help="cards of the world of an operator's density"
    )
    parser.add_argument(
        "--records", type=int, default=20_000_000, help="calls of the first world of many cards"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", default="1GB")
    parser.add_argument("--only", choices=("dense", "many"), help="measure the worlds of this kind alone")
    given = parser.parse_args()
    print(
        f"{os.cpu_count()} cores; medians of {given.rounds} interleaved rounds; memory {given.memory}",
        flush=True,
    )
    if given.only != "many":
        measure(dense_cards(given.cards, DATA / f"dense-{given.cards}"), given.rounds, given.memory)
    if given.only != "dense":
        for records in (given.records, 2 * given.records):
            measure(many_cards(records, DATA / f"many-{records}"), given.rounds, given.memory)


if __name__ == "__main__":
    main()
