"""What the tests of simulated worlds share: reading a table, and figures as plain numbers."""

from __future__ import annotations

import polars as pl

from duanka.simulator import World


def read(world: World, table: str) -> pl.DataFrame:
    """Return a table, be it one file or a folder of files."""
    folder = world.out / table
    return pl.read_parquet(folder / "*.parquet" if folder.is_dir() else world.out / f"{table}.parquet")


def number(value: object) -> float:
    """Return an aggregate as a number; polars types it as any of ten things."""
    assert isinstance(value, int | float)
    return float(value)
