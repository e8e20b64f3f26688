"""What the tests of simulated worlds share: reading a table, and figures as plain numbers."""

from __future__ import annotations

from pathlib import Path

import polars as pl


def read(path: Path) -> pl.DataFrame:
    """Return a table, be it one file or a folder of files."""
    return pl.read_parquet(path / "*.parquet" if path.is_dir() else path)


def number(value: object) -> float:
    """Return an aggregate as a number; polars types it as any of ten things."""
    assert isinstance(value, int | float)
    return float(value)
