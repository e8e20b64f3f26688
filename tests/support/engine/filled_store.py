"""A store filled from records as people write them: numbers, devices and cells as texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from duanka.domain.record_keys import key_of
from duanka.domain.schema import TABLES
from duanka.engine.store.record_store import RecordStore
from support.engine.store_deliveries import NOW, Row, filled, parts

Tables = Mapping[str, Sequence[Row]]


def fill(folder: Path, tables: Tables, at: datetime = NOW) -> RecordStore:
    """Add records and registers to the store in `folder` as one delivery."""
    store, texts = RecordStore(folder), dict[int, str]()
    keyed = {table: [_keyed(table, row, texts) for row in rows] for table, rows in tables.items()}
    with store.writing(at) as writer:
        made = folder.with_name(f"{folder.name}-parts-{writer.draft.number}")
        files = parts(made, keyed)
        pairs = made / "texts.parquet"
        columns = {"key": pa.array(texts.keys(), pa.int64()), "text": pa.array(texts.values(), pa.string())}
        pq.write_table(pa.table(columns), pairs)
        writer.add(files, filled(keyed), texts=[pairs] if texts else [])
        writer.commit()
    return store


def _keyed(table: str, row: Row, texts: dict[int, str]) -> Row:
    """The row with record keys; `texts` gets the texts of those that are hashes."""
    found = dict(row)
    for column in TABLES[table].columns:
        text = row.get(column.name)
        if column.keyed and isinstance(text, str):
            key = key_of(text, device=column.name in ("imei", "bound_imei"))
            found[column.name] = key
            if key < 0:
                texts[key] = text
    return found
