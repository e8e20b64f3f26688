"""Invented records with record keys, as one intake hands them to the store."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from duanka.domain.schema import TABLES
from duanka.engine.shared.duckdb_database import arrow_schema

Row = Mapping[str, Any]
NOW = datetime(2026, 3, 9, 6)


def call(card: int, at: datetime, **more: object) -> Row:
    """A call of `card`."""
    return {"card": card, "peer": 8613900000001, "direction": "out", "started_at": at, **more}


def parts(folder: Path, tables: Mapping[str, Sequence[Row]], name: str = "part-0") -> dict[str, list[Path]]:
    """Write rows as canonical Parquet parts with record keys."""
    written = {}
    for table, rows in tables.items():
        shape = arrow_schema(TABLES[table])
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


CARDS = (8613800000001, 8613800000002, 8613800000003, -5, -(1 << 61))
PEERS = (
    10086,
    95588,
    110,
    1069012,
    106_999_999_999_999_999,
    1_070_000,
    8613900000001,
    -(1 << 62) - 7,
    -9,
    None,
)
FIRST = date(2026, 3, 3)


def invented(chance: random.Random, rows: int = 120, days: int = 3) -> dict[str, list[Row]]:
    """Distinct records of all four record tables, in any order; some days are absurd."""

    def day() -> date:
        return (
            chance.choice([date(1970, 1, 1), date(2099, 12, 31)])
            if chance.random() < 0.03
            else FIRST + timedelta(chance.randrange(days))
        )

    def when() -> datetime:
        return datetime.combine(day(), time(chance.randrange(24), chance.randrange(3)))

    def place() -> dict[str, Any]:
        return {
            "imei": chance.choice([None, 86_000_000_000_001, 1, -3]),
            "cell": chance.choice([None, 7, 8]),
            "city": chance.choice([None, "990101", "990102"]),
        }

    def record(table: str) -> Row:
        card, direction = chance.choice(CARDS), chance.choice(["out", "in"])
        if table == "calls":
            return {
                "card": card,
                "peer": chance.choice(PEERS),
                "direction": direction,
                "started_at": when(),
                "seconds": chance.choice([None, 0, 60]),
                "answered": chance.choice([None, True, False]),
                "forwarded_from": chance.choice([None, 95588]),
                **place(),
            }
        if table == "messages":
            return {
                "card": card,
                "peer": chance.choice(PEERS),
                "direction": direction,
                "sent_at": when(),
                **place(),
            }
        if table == "sightings":
            return {"card": card, "seen_at": when(), **place()}
        return {"card": card, "day": day(), "bytes": chance.choice([0, 5_000])}

    tables: dict[str, list[Row]] = {}
    for table in ("calls", "messages", "sightings", "data_days"):
        found = {tuple(one.items()): one for one in (record(table) for _ in range(rows))}
        tables[table] = list(found.values())
    return tables


def columns_of(tables: Mapping[str, Sequence[Path]]) -> dict[str, set[str]]:
    """The columns with values of Parquet parts."""
    found: dict[str, set[str]] = {}
    for table, paths in tables.items():
        for path in paths:
            content = pq.read_table(path)
            filled_ones = {c for c in content.column_names if content[c].null_count < content.num_rows}
            found.setdefault(table, set()).update(filled_ones)
    return found
