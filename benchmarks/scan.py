"""All rules against the plain scan: in one process, interleaved, medians; ratios in CPU time.

Two worlds of the same number of call records. `many`: 1.3 million cards with some 15 calls each, the shape of an
operator's day; `busy`: an invented province with all its tables, few cards and many calls each. The plain scan is one
GROUP BY card with 12 aggregates over the call records; `all tables` is the same over every record table.

    python benchmarks/scan.py [--records 20000000] [--rounds 3] [--memory 1GB]
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from national import national

from duanka.bootstrap.scan import engine_memory
from duanka.domain.ports import Silent
from duanka.domain.schema import TABLES
from duanka.engine import DuckDBEngine
from duanka.simulator import simulate

DATA = Path("bench-data")
_PLAIN = """
    SELECT card, count(*) AS calls, count(*) FILTER (WHERE direction = 'out') AS calls_out,
           count(*) FILTER (WHERE direction = 'in') AS calls_in, count(*) FILTER (WHERE answered) AS answered,
           count(*) FILTER (WHERE answered AND direction = 'out') AS answered_out,
           sum(seconds) AS seconds, sum(seconds) FILTER (WHERE direction = 'out') AS seconds_out,
           sum(seconds) FILTER (WHERE direction = 'in') AS seconds_in, min(seconds) AS shortest,
           max(seconds) AS longest, min(started_at) AS first_at, max(started_at) AS last_at
    FROM calls GROUP BY card
"""
_READ = ("direction", "answered", "seconds")


def many_cards(records: int, out: Path) -> Path:
    """Write `records` calls of about records/15 cards over 14 days, sorted by time, and their register."""
    if out.is_dir():
        return out
    rng = np.random.default_rng(1)
    cards = records // 15
    weight = rng.lognormal(0, 1.2, cards)
    card = rng.choice(cards, records, p=weight / weight.sum())
    contact = np.minimum(rng.geometric(0.08, records), 400)
    second = rng.integers(0, 14, records) * 86400 + (np.clip(rng.normal(14, 4, records), 0, 23.99) * 3600)
    answered = rng.random(records) < 0.7
    calls = pl.DataFrame(
        {
            "n": card + 13_000_000_000,
            "p": (card * 7919 + contact * 104_729) % 40_000_000 + 13_100_000_000,
            "direction": np.where(rng.random(records) < 0.52, "out", "in"),
            "started_at": np.datetime64("2021-05-03", "us") + (second * 1e6).astype("timedelta64[us]"),
            "seconds": np.where(answered, rng.lognormal(4, 1, records), 0).astype(np.int64),
            "answered": answered,
            "i": card * 10 + (rng.random(records) < 0.02),
            "c": card % 30_000 + rng.integers(0, 5, records),
        }
    )
    text = pl.String
    calls = calls.select(
        card="86" + pl.col("n").cast(text),
        peer="86" + pl.col("p").cast(text),
        direction="direction",
        started_at="started_at",
        seconds="seconds",
        answered="answered",
        imei="35" + pl.col("i").cast(text).str.zfill(13),
        cell="c" + pl.col("c").cast(text),
        city=((pl.col("n") % 11 + 1) * 100 + 990_000).cast(text),
        forwarded_from=pl.lit(None, dtype=text),
    ).sort("started_at")
    register = calls.select("card").unique().sort("card")
    out.mkdir(parents=True)
    calls.write_parquet(out / "calls.parquet", compression="zstd", row_group_size=500_000)
    day = pl.datetime(2020, 1, 1).cast(pl.Datetime("us"))
    register.with_columns(
        imsi=pl.lit(None, dtype=text),
        iccid=pl.lit(None, dtype=text),
        holder=pl.int_range(pl.len()).cast(text),
        holder_kind=pl.lit("person"),
        operator=pl.lit("A"),
        virtual_operator=pl.lit(value=False),
        kind=pl.lit("voice"),
        opened_at=day,
        outlet=pl.lit("o1"),
        home_city=pl.lit("990100"),
        last_used_at=day + pl.duration(days=480),
        verified_at=day + pl.duration(days=400),
        bound_imei=pl.lit(None, dtype=text),
    ).write_parquet(out / "cards.parquet", compression="zstd")
    return out


def busy_cards(records: int, out: Path) -> Path:
    """Invent a province whose call records come to about `records`."""
    if not out.is_dir():
        unfinished = out.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        simulate(unfinished, cards=records // 79, days=14, seed=7)
        unfinished.rename(out)
    return out


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_mb() -> float:
    """Peak resident memory of this process; getrusage would count what the parent held at the fork."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


def _measure(work: Callable[[], None]) -> tuple[float, float]:
    cpu, wall = _cpu(), time.perf_counter()
    work()
    return _cpu() - cpu, time.perf_counter() - wall


def one_process(world: Path, rounds: int, memory: str) -> None:
    """Print the medians for `world`: plain scan, plain scan of all tables, the whole catalogue."""
    given = national(world)
    tables, columns, policy, rules = given.tables, given.columns, given.policy, given.rules
    limit = engine_memory(memory)
    records = {n: sum(pq.read_metadata(p).num_rows for p in tables[n]) for n in tables if TABLES[n].record}
    ran = 0

    def plain() -> None:
        with tempfile.TemporaryDirectory() as work, DuckDBEngine(Path(work), memory=limit) as engine:
            engine.load(tables, columns, {}, None)
            engine._run(f"CREATE TABLE x AS {_PLAIN}")

    def all_tables() -> None:
        union = " UNION ALL ".join(
            f"SELECT card, {', '.join(c if c in columns[n] else f'NULL AS {c}' for c in _READ)},"
            f" CAST({TABLES[n].time} AS TIMESTAMP) AS started_at FROM {n}"
            for n in records
        )
        with tempfile.TemporaryDirectory() as work, DuckDBEngine(Path(work), memory=limit) as engine:
            engine.load(tables, columns, {}, None)
            engine._run(f"CREATE TABLE x AS {_PLAIN.replace('FROM calls', f'FROM ({union})')}")

    def catalogue() -> None:
        nonlocal ran
        with tempfile.TemporaryDirectory() as work, DuckDBEngine(Path(work), memory=limit) as engine:
            engine.load(tables, columns, policy.lists, None)
            engine.build(rules, Silent())
            ran = sum(engine.run(rule, limits).ran for rule, limits in rules)

    measured: dict[str, list[tuple[float, float]]] = {"plain": [], "all tables": [], "catalogue": []}
    for _ in range(rounds):
        for name, work in (("plain", plain), ("all tables", all_tables), ("catalogue", catalogue)):
            measured[name].append(_measure(work))
    peak = peak_mb()
    median = {
        name: [statistics.median(r[i] for r in runs) for i in (0, 1)] for name, runs in measured.items()
    }
    print(
        f"{world.name}: {', '.join(f'{n} {c:,}' for n, c in records.items())}; {ran} of {len(rules)} rules ran"
    )
    for name, (cpu, wall) in median.items():
        print(f"  {name:<11} {cpu:7.1f} CPU s {wall:7.1f} s")
    for name in ("plain", "all tables"):
        print(f"  catalogue / {name}: {median['catalogue'][0] / median[name][0]:.2f} x in CPU time")
    print(f"  peak of the process {peak:,.0f} MB", flush=True)


def main() -> None:
    """Make the worlds that are not there yet, and measure each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000_000, help="call records of the smaller world")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", default="1GB")
    parser.add_argument("--world", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.world:
        one_process(given.world, given.rounds, given.memory)
        return
    print(
        f"{os.cpu_count()} cores; medians of {given.rounds} interleaved rounds; memory {given.memory}",
        flush=True,
    )
    for world in (
        many_cards(given.records, DATA / f"many-{given.records}"),
        many_cards(2 * given.records, DATA / f"many-{2 * given.records}"),
        busy_cards(given.records, DATA / f"busy-{given.records}"),
    ):
        words = ["--world", str(world), "--rounds", str(given.rounds), "--memory", given.memory]
        subprocess.run([sys.executable, __file__, *words], check=True)


if __name__ == "__main__":
    main()
