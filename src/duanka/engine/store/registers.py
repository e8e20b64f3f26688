"""Registers and texts of the store: whole files, written anew only when a delivery changes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from duanka.domain.schema import REGISTER_KEYS, TABLES
from duanka.engine.shared.duckdb_database import parquet
from duanka.engine.shared.key_texts import refuse_two, refuse_two_in
from duanka.engine.store.columns import names, typed, whole_register
from duanka.engine.store.manifest import FileKind
from duanka.engine.store.next_generation import NextGeneration


def add_register(draft: NextGeneration, table: str, parts: Sequence[Path]) -> bool:
    """Add the rows of a register; whether it changed.

    Rows replace those of the same card or outlet (REGISTER_KEYS); accounts, complaints and cases, of which a card has
    several, are the union of all distinct rows.
    """
    columns, key = ", ".join(names(table)), REGISTER_KEYS.get(table)
    once = "" if key else "DISTINCT "  # a key comes once in a delivery
    new = f"SELECT {once}{columns} FROM (SELECT {typed(TABLES[table])} FROM {parquet(parts)})"
    before = draft.manifest.paths(FileKind.REGISTERS, table)
    if before:
        there = whole_register(table, draft.source(before))
        same = " AND ".join(f"n.{name} IS NOT DISTINCT FROM o.{name}" for name in names(table))
        # most of what is delivered is there already: what is not is found before anything is made distinct
        draft.run(
            f"CREATE OR REPLACE TEMP TABLE changed AS SELECT {columns} FROM"
            f" (SELECT {typed(TABLES[table])} FROM {parquet(parts)}) AS n ANTI JOIN {there} AS o ON {same}"
        )
        if not draft.run("SELECT 1 FROM changed LIMIT 1"):
            return False
        stays = f"ANTI JOIN changed AS n ON o.{key} = n.{key}" if key else ""
        new = f"SELECT {once}{columns} FROM changed UNION ALL SELECT {columns} FROM {there} AS o {stays}"
    draft.replace(before, f"SELECT * FROM ({new}) ORDER BY {key or columns}", FileKind.REGISTERS, table)
    return True


def add_texts(draft: NextGeneration, source: str) -> bool:
    """Add pairs of (key BIGINT, text VARCHAR) from a SQL source; whether there are new ones.

    UnreadableInput: two texts have one key.
    """
    new = f"(SELECT DISTINCT CAST(key AS BIGINT) AS key, text FROM {source})"
    before = draft.manifest.paths(FileKind.TEXTS)
    refuse_two_in(draft.run, new)
    merged = f"SELECT key, text FROM {new}"
    if before:
        there = draft.source(before)
        both = f"{new} AS n JOIN {there} AS o USING (key)"
        refuse_two(draft.run, f"SELECT key, o.text, n.text FROM {both} WHERE n.text <> o.text")
        if not draft.run(f"SELECT 1 FROM {new} AS n ANTI JOIN {there} AS o USING (key) LIMIT 1"):
            return False
        merged += f" UNION SELECT key, text FROM {there}"
    draft.replace(before, f"SELECT * FROM ({merged}) ORDER BY key", FileKind.TEXTS)
    return True
