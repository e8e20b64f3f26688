"""A night on a cluster: day 15 into a store of 14 days, against a scan of the 15 days, each on the same engine.

Interleaved rounds, medians; the CPU time of the command and of the server together. The hits must be the same on all.

    python benchmarks/cluster_night.py [--cards 60000] [--rounds 3] [--engines embedded Sail Spark]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from cluster import cpu_seconds
from measuring import Cost, median
from night import Delivery, same_hits
from worlds import DATA, DAYS, dense_cards

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.servers import Server, sail, spark


def scan(data: Path, out: Path, server: Server | None, store: Path | None = None) -> Cost:
    """Run `duanka scan` as a command; what it and the server cost."""
    words = ["--store", str(store)] if store else []
    words += ["--engine", "spark", "--remote", server.remote] if server else []
    command = [sys.executable, "-m", "duanka", "scan", str(data), "--out", str(out), *words]
    clock, there = time.perf_counter(), cpu_seconds(server) if server else 0.0
    env = {**os.environ, "DUANKA_ORDERS": str(out.with_name("orders"))}
    with tempfile.TemporaryFile() as said:
        running = subprocess.Popen(command, stdout=said, stderr=said, env=env)
        _, status, used = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
        if running.returncode:
            said.seek(0)
            raise SystemExit(f"{' '.join(command)}\n{said.read().decode()}")
    there = cpu_seconds(server) - there if server else 0.0
    clock = time.perf_counter() - clock
    return Cost(used.ru_utime + used.ru_stime + there, clock, used.ru_maxrss / 1024)


def measure(world: Path, work: Path, engines: dict[str, Server | None], rounds: int) -> None:
    """Print what a night and a scan of all cost on each engine."""
    delivery, kept = Delivery(world, work / "delivered"), work / "store-of-14-days"
    before = delivery.bring(range(DAYS))
    scan(delivery.folder, work / "first", None, kept)
    added = delivery.bring(range(DAYS, DAYS + 1))
    print(f"{world.name}: {before:,} records of {DAYS} days, then {added:,} of one day", flush=True)
    nights: dict[str, list[Cost]] = {name: [] for name in engines}
    scans: dict[str, list[Cost]] = {name: [] for name in engines}
    for number in range(rounds + 1):
        for name, server in engines.items():
            store = work / "store"
            shutil.copytree(kept, store)
            night = scan(delivery.folder, work / f"night-{name}", server, store)
            shutil.rmtree(store)
            if number:  # the first night warms the server up: Java compiles what it runs often
                nights[name].append(night)
                scans[name].append(scan(delivery.folder, work / f"scan-{name}", server))
    for name in engines:
        hits = same_hits(work / f"night-{name}", work / "scan-embedded")
        night, whole = median(nights[name]), median(scans[name])
        print(
            f"  {name:<9} night {night.cpu:6.1f} CPU s {night.clock:6.1f} s, scan {whole.cpu:6.1f} CPU s"
            f" {whole.clock:6.1f} s: {night.cpu / whole.cpu:.1%}; {hits:,} hits",
            flush=True,
        )


def main() -> None:
    """Make the province if it is not there yet, start the servers, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cards", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", nargs="+", default=["embedded", "Sail", "Spark"])
    given = parser.parse_args()
    world = dense_cards(given.cards, DATA / f"dense-{given.cards}-{DAYS + 1}-days", DAYS + 1)
    engines: dict[str, Server | None] = {}
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=DATA))).absolute()
        for name in given.engines:
            if name == "embedded":
                engines[name] = None
            else:
                start = sail(work / name) if name == "Sail" else spark(work / name, memory="2g", brief=False)
                engines[name] = stack.enter_context(start)
        measure(world, work, engines, given.rounds)


if __name__ == "__main__":
    main()
