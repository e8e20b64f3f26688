"""The invented worlds that the benchmarks of whole scans read, made once: what an operator would deliver."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl

from duanka.simulator import simulate

DATA = Path("bench-data")
DAYS = 14
_CALLS_OF_A_CARD = 79  # of an invented province, in DAYS days


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


def dense_cards(cards: int, out: Path, days: int = DAYS) -> Path:
    """Invent a province of `cards` cards: five to six calls a card and day, and all other tables."""
    if not out.is_dir():
        unfinished = out.with_name(f"{out.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        simulate(unfinished, cards=cards, days=days, seed=7)
        unfinished.rename(out)
    return out


def busy_cards(records: int, out: Path) -> Path:
    """Invent a province whose call records come to about `records`."""
    return dense_cards(records // _CALLS_OF_A_CARD, out)
