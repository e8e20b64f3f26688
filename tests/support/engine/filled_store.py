"""A store filled from records as people write them: numbers, devices and cells as texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from duanka.domain.record_keys import key_of
from duanka.domain.schema import RECORD_TABLES, TABLES
from duanka.engine.shared.duckdb_database import quoted
from duanka.engine.store.columns import is_key, sql_type
from duanka.engine.store.manifest import FileKind
from duanka.engine.store.record_store import RecordStore
from support.engine.store_deliveries import NOW, Row, filled, parts

Tables = Mapping[str, Sequence[Row]]


def fill(folder: Path, tables: Tables, at: datetime = NOW) -> RecordStore:
    """Add records, and a register of `cards`, to the store in `folder` as one delivery."""
    store, texts = RecordStore(folder), dict[int, str]()
    keyed = {table: [_keyed(table, row, texts) for row in rows] for table, rows in tables.items()}
    with store.writing(at) as writer:
        records = {table: rows for table, rows in keyed.items() if table in RECORD_TABLES}
        made = folder.with_name(f"{folder.name}-parts-{writer.draft.number}")
        writer.add(parts(made, records), filled(records))
        if register := keyed.get("cards"):
            writer.draft.write(_select("cards", register), FileKind.REGISTERS, "cards")
        if texts:
            pairs = ", ".join(f"({key}, {quoted(text)})" for key, text in texts.items())
            writer.draft.write(f"SELECT * FROM (VALUES {pairs}) AS t(key, text) ORDER BY key", FileKind.TEXTS)
        writer.commit()
    return store


def _keyed(table: str, row: Row, texts: dict[int, str]) -> Row:
    """The row with record keys; `texts` gets the texts of those that are hashes."""
    found = dict(row)
    for column in TABLES[table].columns:
        text = row.get(column.name)
        if is_key(column) and isinstance(text, str):
            key = key_of(text, device=column.name in ("imei", "bound_imei"))
            found[column.name] = key
            if key < 0:
                texts[key] = text
    return found


def _select(table: str, rows: Sequence[Row]) -> str:
    columns = TABLES[table].columns
    lines = ", ".join(
        "(" + ", ".join(_literal(row.get(column.name)) for column in columns) + ")" for row in rows
    )
    typed = ", ".join(f"CAST({c.name} AS {sql_type(c)}) AS {c.name}" for c in columns)
    names = ", ".join(c.name for c in columns)
    return f"SELECT {typed} FROM (VALUES {lines}) AS t({names}) ORDER BY card"


def _literal(value: object) -> str:
    return "NULL" if value is None else quoted(str(value))
