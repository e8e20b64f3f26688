"""All rules on the embedded engine, on Sail and on a Spark of several processes, on the same invented worlds.

Interleaved rounds, medians; wall time, and the CPU time of all processes involved, this one among them. Starting a
server is measured apart. The hits must be the same. Two sizes of one world part what grows with the records from what
does not.

    python benchmarks/cluster.py [--records 2000000] [--rounds 3] [--memory 2g]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from national import national
from worlds import DATA, busy_cards, many_cards

from duanka.domain.ports import Silent
from duanka.domain.schema import TABLES
from duanka.engine import Cluster, DuckDBEngine

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.servers import Server, missing, sail, spark

_TICK = os.sysconf("SC_CLK_TCK")
_printed: set[str] = set()
_GROWS = 4  # the larger world against the smaller


class Cost(NamedTuple):
    """Wall and CPU seconds."""

    wall: float
    cpu: float


def cpu_seconds(server: Server | None) -> float:
    """CPU time so far of this process, and of the server's with whatever they started."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        pid = int(stat.parent.name)
        parents[pid] = int(fields[1])
        used[pid] = (int(fields[11]) + int(fields[12])) / _TICK
    wanted = {os.getpid(), *(server.processes if server else ())}
    grown = True
    while grown and server:
        more = {pid for pid, parent in parents.items() if parent in wanted - {os.getpid()}}
        grown = not more <= wanted
        wanted |= more
    return sum(used.get(pid, 0.0) for pid in wanted)


def run_rules(world: Path, server: Server | None, memory: str) -> tuple[Cost, pa.Table]:
    """Run every rule of the national policy over `world`; its cost, and the hits."""
    given = national(world)
    tables, columns, policy, rules = given.tables, given.columns, given.policy, given.rules
    with tempfile.TemporaryDirectory(dir=DATA) as folder:
        work = Path(folder)
        wall, cpu = time.perf_counter(), cpu_seconds(server)
        with Cluster(work, server.remote) if server else DuckDBEngine(work, memory=memory) as engine:
            engine.load(tables, columns, policy.lists, None)
            engine.build(rules, Silent())
            written = _bytes(work)
            for rule, limits in rules:
                engine.run(rule, limits)
            engine.write_hits(work / "hits.parquet")
            cost = Cost(time.perf_counter() - wall, cpu_seconds(server) - cpu)
        if server and not _printed & {world.name}:
            _printed.add(world.name)
            per = [size / records_in(world) for size in (sum(map(_bytes, records_of(world))), written)]
            print(
                f"  {world.name}: {per[0]:.0f} bytes a record, {per[1]:.0f} for its rollups, by {server.name}"
            )
        return cost, pq.read_table(work / "hits.parquet")


def measure(world: Path, engines: dict[str, Server | None], rounds: int, memory: str) -> dict[str, Cost]:
    """Print and return the medians of each engine over `world`."""
    costs: dict[str, list[Cost]] = {name: [] for name in engines}
    expected: pa.Table | None = None
    for _ in range(rounds):
        for name, server in engines.items():
            cost, hits = run_rules(world, server, memory)
            expected = hits if expected is None else expected
            if not hits.equals(expected):
                raise SystemExit(f"{name} found other hits in {world.name} than the embedded engine")
            costs[name].append(cost)
    median = {
        name: Cost(statistics.median(c.wall for c in of), statistics.median(c.cpu for c in of))
        for name, of in costs.items()
    }
    here = median["embedded"]
    found = expected.num_rows if expected is not None else 0
    print(f"{world.name}: {records_in(world):,} records, {found:,} hits, the same for all")
    for name, (wall, cpu) in median.items():
        ratio = f"{wall / here.wall:6.1f} x {cpu / here.cpu:6.1f} x"
        print(f"  {name:<9} {wall:7.1f} s {cpu:7.1f} CPU s   {ratio}", flush=True)
    return median


def records_of(world: Path) -> list[Path]:
    """The files of `world` with usage records."""
    records = {name for name, table in TABLES.items() if table.record}
    return [p for p in world.rglob("*.parquet") if {p.stem, p.parent.name} & records]


def records_in(world: Path) -> int:
    """How many usage records `world` holds."""
    return sum(pq.read_metadata(path).num_rows for path in records_of(world))


def _bytes(path: Path) -> int:
    return (
        path.stat().st_size
        if path.is_file()
        else sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    )


def main() -> None:
    """Make the worlds that are not there yet, start the servers, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--records", type=int, default=2_000_000, help="call records of the smaller worlds")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--memory", default="2g", help="memory of the Spark executor, and of the embedded engine"
    )
    given = parser.parse_args()
    worlds = [
        many_cards(given.records, DATA / f"many-{given.records}"),
        many_cards(_GROWS * given.records, DATA / f"many-{_GROWS * given.records}"),
        busy_cards(given.records, DATA / f"busy-{given.records}"),
    ]
    logs = Path(tempfile.mkdtemp(prefix="duanka-servers-"))
    print(
        f"{os.cpu_count()} cores; medians of {given.rounds} interleaved rounds; memory {given.memory}",
        flush=True,
    )
    engines: dict[str, Server | None] = {"embedded": None}
    with ExitStack() as stack:
        for name in ("Sail", "Spark"):
            if name == "Spark" and (lack := missing()):
                print(f"  without Spark: {lack}")
                continue
            begun = time.perf_counter()
            starting = (
                sail(logs / name) if name == "Sail" else spark(logs / name, memory=given.memory, brief=False)
            )
            server = engines[name] = stack.enter_context(starting)
            first, _ = run_rules(worlds[0], server, given.memory)  # Java compiles what it runs often
            start = time.perf_counter() - begun - first.wall
            print(f"  {name} started in {start:.1f} s; its first scan took {first.wall:.1f} s")
        medians = [measure(world, engines, given.rounds, f"{given.memory}b") for world in worlds]
    small, large = (records_in(world) for world in worlds[:2])
    for name in engines:
        growing = (medians[1][name].cpu - medians[0][name].cpu) / (large - small) * 1e6
        fixed = medians[0][name].cpu - growing * small / 1e6
        print(f"  {name:<9} {growing:6.2f} CPU s per million records more, {fixed:.1f} CPU s for any number")
    shutil.rmtree(logs)


if __name__ == "__main__":
    main()
