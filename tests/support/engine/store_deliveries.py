"""Invented records with record keys, as one intake hands them to the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from duanka.domain.schema import TABLES
from duanka.engine.shared.duckdb_database import ARROW
from duanka.engine.store.columns import is_key

Row = Mapping[str, Any]
NOW = datetime(2026, 3, 9, 6)


def call(card: int, at: datetime, **more: object) -> Row:
    """A call of `card`."""
    return {"card": card, "peer": 8613900000001, "direction": "out", "started_at": at, **more}


def parts(folder: Path, tables: Mapping[str, Sequence[Row]], name: str = "part-0") -> dict[str, list[Path]]:
    """Write rows as canonical Parquet parts with record keys."""
    written = {}
    for table, rows in tables.items():
        columns = TABLES[table].columns
        shape = pa.schema(
            [(c.name, pa.int64() if is_key(c) else ARROW.get(c.kind, pa.string())) for c in columns]
        )
        content = pa.Table.from_pylist([{c: row.get(c) for c in shape.names} for row in rows], schema=shape)
        path = folder / table / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(content, path)
        written[table] = [path]
    return written


def filled(tables: Mapping[str, Iterable[Row]]) -> dict[str, set[str]]:
    """The columns with values."""
    return {t: {c for row in rows for c, v in row.items() if v is not None} for t, rows in tables.items()}


def day_of(moment: datetime | date) -> date:
    """The day of a time or day."""
    return moment.date() if isinstance(moment, datetime) else moment
