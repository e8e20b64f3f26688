"""Nightly deliveries of an invented town, and what a scan of all of them finds."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl

from support.desk import duanka, hits

RECORDS = ("calls", "messages", "sightings", "data_days")


def bring(town: Path, data: Path, *days: str, but: float = 1.0) -> None:
    """Put the files of `days` into the delivery, of the last day only the share `but` of the rows."""
    data.mkdir(exist_ok=True)
    for register in ("cards", "outlets", "complaints", "cases", "accounts", "rings", "outlet_batches"):
        if (town / f"{register}.parquet").exists():
            shutil.copy(town / f"{register}.parquet", data)
    shutil.copy(town / "world.toml", data)
    for table in RECORDS:
        (data / table).mkdir(exist_ok=True)
        for day in days:
            rows = pl.read_parquet(town / table / f"{day}.parquet")
            kept = rows.head(round(rows.height * but)) if day == days[-1] else rows
            kept.write_csv(data / table / f"{day}.csv", datetime_format="%Y-%m-%d %H:%M:%S%.6f")


def scanned_anew(data: Path, out: Path) -> list[dict[str, object]]:
    """The hits of a scan of the whole delivery, without a store."""
    assert duanka("--language", "en", "scan", data, "--out", out).code in (0, 3)
    return hits(out)
