"""What a store holds, read as its readers do, and the same by the declarations of the rollups."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

import duckdb

from duanka.domain.rollups import CARD_DEVICES, CARD_LIFE, ROLLUPS
from duanka.domain.schema import RECORD_TABLES
from duanka.engine.sql.rollup_sql import merge_sql, rollup_sql
from duanka.engine.store.columns import names, time_of
from duanka.engine.store.days.rollup_partials import PARTIALS
from duanka.engine.store.manifest import FileKind
from duanka.engine.store.record_store import RecordStore

Rows = list[tuple[Any, ...]]


def on_disk(store: RecordStore) -> set[str]:
    """Every Parquet file in the folder."""
    return {path.relative_to(store.folder).as_posix() for path in store.folder.rglob("*.parquet")}


def source(store: RecordStore, kind: FileKind, name: str = "") -> str:
    """SQL source of all files of a table or rollup."""
    files = [str(store.folder / path) for path in store.manifest().paths(kind, name)]
    return f"read_parquet({files}, union_by_name = true)"


def records(store: RecordStore, table: str) -> Rows:
    """All records of a table, sorted."""
    columns = ", ".join(names(table))
    select = f"SELECT {columns} FROM {source(store, FileKind.RECORDS, table)} ORDER BY ALL"
    return duckdb.execute(select).fetchall()


def rollups(store: RecordStore) -> dict[str, Rows]:
    """Each rollup by day, its partials merged as readers do."""
    found = {}
    for rollup in PARTIALS:
        select = f"SELECT {', '.join(rollup.columns)} FROM {source(store, FileKind.ROLLUPS, rollup.name)}"
        merged = merge_sql(rollup, [select, f"{select} WHERE FALSE"])
        found[rollup.name] = duckdb.execute(f"FROM ({merged}) ORDER BY ALL").fetchall()
    return found


def lives(store: RecordStore) -> dict[str, Rows]:
    """The merged life of cards and devices."""
    found = {}
    for rollup in (CARD_DEVICES, CARD_LIFE):
        files = source(store, FileKind.LIFE, rollup.name)
        select = f"SELECT {', '.join(rollup.columns)} FROM {files} ORDER BY ALL"
        found[rollup.name] = duckdb.execute(select).fetchall()
    return found


def declared(store: RecordStore, without: Collection[date] = ()) -> dict[str, Rows]:
    """Each rollup as its declaration says, from the records; of the days `without` none."""
    with duckdb.connect() as db:
        for table in RECORD_TABLES:
            left_out = "".join(f" AND CAST({time_of(table)} AS DATE) <> DATE '{day}'" for day in without)
            db.execute(
                f"CREATE VIEW {table} AS FROM {source(store, FileKind.RECORDS, table)} WHERE TRUE{left_out}"
            )
        for rollup in ROLLUPS.values():
            sql = rollup_sql(rollup, {part.source for part in rollup.parts})
            db.execute(f"CREATE VIEW {rollup.name} AS {sql}")
        return {name: db.execute(f"FROM {name} ORDER BY ALL").fetchall() for name in ROLLUPS}
