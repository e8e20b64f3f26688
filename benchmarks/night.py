"""A night: a day's files come on top of 14 days, and the lists are wanted by the morning.

First the same evening in two ways, interleaved, medians: `duanka scan DATA --store STORE` takes day 15 into a store of
14 days; `duanka scan DATA` reads all 15 days anew. The hits must be the same. Then night after night into one store,
each with what its CPU time was, and at the end once more a scan of everything, whose hits must be the same.

Each day of an invented province brings one file a table, and the registers as known at its end.

    python benchmarks/night.py [--cards 60000] [--nights 30] [--rounds 3] [--memory 1GB]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
from measuring import Cost, median
from whole_scan import in_new_process, lines_of
from worlds import DATA, DAYS, dense_cards

from duanka.domain.schema import TABLES

_COMMAND = Path(__file__).with_name("as_installed.py")
_RECORDS = [name for name, table in TABLES.items() if table.record]
_KNOWN_FROM = {"cards": "opened_at"} | {
    name: table.time for name, table in TABLES.items() if table.time and not table.record
}  # register -> when one of its rows became known


@dataclass(frozen=True)
class Delivery:
    """The folder into which the operator puts each day's files of the invented province `world`."""

    world: Path
    folder: Path

    def bring(self, days: range) -> int:
        """Add the records of `days` (0: the first), and the registers as known after them; return the records."""
        delivered = 0
        for table in _RECORDS:
            (self.folder / table).mkdir(parents=True, exist_ok=True)
            files = sorted((self.world / table).glob("*.parquet"))
            for file in files[days.start : days.stop]:
                os.link(file, self.folder / table / file.name)
                delivered += pq.read_metadata(file).num_rows
        after = datetime.fromisoformat(files[days.stop - 1].stem) + timedelta(days=1)
        for register in self.world.glob("*.parquet"):
            self._bring_register(register, after)
        shutil.copy(self.world / "world.toml", self.folder)
        return delivered

    def _bring_register(self, register: Path, after: datetime) -> None:
        """Replace `register` by its rows known before the moment `after`."""
        if register.stem not in TABLES:
            return
        rows = pl.read_parquet(register)
        if known := _KNOWN_FROM.get(register.stem):
            rows = rows.filter(pl.col(known).is_null() | (pl.col(known) < after))
        rows.write_parquet(self.folder / register.name, compression="zstd")


def scan(data: Path, out: Path, memory: str, store: Path | None = None) -> Cost:
    """Run `duanka scan` as a command; what its process cost."""
    into = ["--store", str(store)] if store else []
    command = [
        sys.executable,
        str(_COMMAND),
        "scan",
        str(data),
        *into,
        "--out",
        str(out),
        "--memory",
        memory,
    ]
    with tempfile.TemporaryFile() as said:
        clock = time.perf_counter()
        env = {**os.environ, "DUANKA_ORDERS": str(out.with_name("orders"))}
        running = subprocess.Popen(command, stdout=said, stderr=said, env=env)
        _, status, used = os.wait4(running.pid, 0)
        clock = time.perf_counter() - clock
        running.returncode = os.waitstatus_to_exitcode(status)
        if running.returncode:
            said.seek(0)
            raise SystemExit(f"{' '.join(command)}\n{said.read().decode()}")
    return Cost(used.ru_utime + used.ru_stime, clock, used.ru_maxrss / 1024)


def same_hits(one: Path, other: Path) -> int:
    """How many hits both scans found; ends the program if they differ."""
    first, second = (pq.read_table(out / "hits.parquet") for out in (one, other))
    if not first.equals(second):
        raise SystemExit(f"the hits differ: {first.num_rows:,} in {one}, {second.num_rows:,} in {other}")
    return int(first.num_rows)


def one_night(world: Path, work: Path, rounds: int, memory: str) -> None:
    """Print what day 15 costs on a store of 14 days, and without a store."""
    delivery = Delivery(world, work / "delivered")
    before = delivery.bring(range(DAYS))
    store, kept = work / "store", work / "store-of-14-days"
    first = scan(delivery.folder, work / "night", memory, kept)
    stored = _mb(kept)
    added = delivery.bring(range(DAYS, DAYS + 1))
    nights, scans = [], []
    for _ in range(rounds):
        shutil.rmtree(store, ignore_errors=True)
        shutil.copytree(kept, store)
        nights.append(scan(delivery.folder, work / "night", memory, store))
        scans.append(scan(delivery.folder, work / "scan", memory))
    hits = same_hits(work / "night", work / "scan")
    night, whole = median(nights), median(scans)
    print(
        f"{world.name}: {before:,} records of {DAYS} days, then {added:,} of one day; {hits:,} hits, the same"
    )
    print(_line(f"first scan into a store, {DAYS} days", first, before))
    print(_line("the night: one day more", night, added))
    print(_line(f"scan of {DAYS + 1} days without a store", whole, before + added))
    shutil.rmtree(store)
    kept.rename(store)
    print("  a night by its phases, us for each record of the day:")
    print(*lines_of(in_new_process(delivery.folder, memory, store)), sep="\n")
    print(
        f"  night / scan: {night.cpu / whole.cpu:.1%} of the CPU time, {night.clock / whole.clock:.1%} by the clock"
    )
    print(f"  store of {DAYS} days: {stored:,.0f} MB; delivered: {_mb(delivery.folder):,.0f} MB", flush=True)


def in_a_row(world: Path, work: Path, nights: int, memory: str) -> None:
    """Print what each of `nights` nights costs, into the store of the first 14 days."""
    delivery = Delivery(world, work / "delivered")
    delivery.bring(range(DAYS))
    store = work / "store"
    scan(delivery.folder, work / "night", memory, store)
    costs = []
    for day in range(DAYS, DAYS + nights):
        delivery.bring(range(day, day + 1))
        costs.append(scan(delivery.folder, work / "night", memory, store))
        print(f"  day {day + 1}: {costs[-1].cpu:6.1f} CPU s, store {_mb(store):,.0f} MB", flush=True)
    scan(delivery.folder, work / "scan", memory)
    hits = same_hits(work / "night", work / "scan")
    of = median(costs)
    print(f"  {nights} nights in a row: median {of.cpu:.1f} CPU s, {of.clock:.1f} s, peak {of.peak:,.0f} MB")
    if nights > 1:
        slope = statistics.linear_regression(range(nights), [cost.cpu for cost in costs]).slope
        print(f"  slope: {slope:+.3f} CPU s a night, {slope / of.cpu:+.2%} of a night")
    print(
        f"  after them {hits:,} hits, those of a scan of all {DAYS + nights} days without a store", flush=True
    )


def _line(what: str, cost: Cost, records: int) -> str:
    each = cost.cpu / records * 1e6
    return f"  {what:<34} {cost.cpu:7.1f} CPU s {cost.clock:7.1f} s {each:6.2f} us a record, peak {cost.peak:,.0f} MB"


def _mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def main(words: Sequence[str] | None = None) -> None:
    """Make the province if it is not there yet, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cards", type=int, default=60_000)
    parser.add_argument("--nights", type=int, default=30, help="nights in a row; 0: only day 15")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", default="1GB")
    given = parser.parse_args(words)
    days = DAYS + max(given.nights, 1)
    world = dense_cards(given.cards, DATA / f"dense-{given.cards}-{days}-days", days)
    print(
        f"{os.cpu_count()} cores; medians of {given.rounds} interleaved rounds; memory {given.memory}",
        flush=True,
    )
    with tempfile.TemporaryDirectory(dir=DATA) as work:
        one_night(world, Path(work), given.rounds, given.memory)
    if given.nights:
        with tempfile.TemporaryDirectory(dir=DATA) as work:
            in_a_row(world, Path(work), given.nights, given.memory)


if __name__ == "__main__":
    main()
