"""Merging of files that are sorted by card: a slice of cards at a time, in memory.

The rows of a slice are grouped in numpy, as new records are (`rollup_partials.py`). That takes a fraction of what a
database takes, and the memory does not grow with the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from duanka.domain.rollups import MergeOperation, Rollup
from duanka.domain.schema import TABLES
from duanka.engine.shared.duckdb_database import arrow_schema
from duanka.engine.store.columns import time_of
from duanka.engine.store.days.card_order import sorted_by_card
from duanka.engine.store.days.grouping import NO_KEY, NOTHING, Grouped, Ints, grouped, places, ranks
from duanka.engine.store.days.rollup_partials import rollup_rows, rollup_schema
from duanka.engine.store.days.sorted_files import slices
from duanka.engine.store.parquet_files import GROUP_ROWS, ParquetFile


def merge_records(folder: Path, paths: Sequence[str], table: str, into: Path) -> int:
    """Write the records in files of one day to the file `into`, by card and time; return their number."""
    found = (
        sorted_by_card({name: rows[name] for name in rows.column_names}, time_of(table))
        for rows in slices(folder, paths, arrow_schema(TABLES[table]))
    )
    return _written(found, into, pages=True)


def merge_rollup(
    folder: Path,
    paths: Sequence[str],
    rollup: Rollup,
    into: Path,
    *,
    day: date | None = None,
    last_seen_from: date | None = None,
) -> int:
    """Write partials, all of `day` if it is a key, to the file `into`, each key once; return the number of rows.

    The files may have more columns. `last_seen_from`: leave out what is known to be last seen before.
    """
    schema = rollup_schema(rollup)
    read = pa.schema([field for field in schema if field.name != "day"])
    found = (
        rollup_rows(_kept(groups, rollup, last_seen_from), rollup, day, texts).cast(schema)
        for rows in slices(folder, paths, read)
        for groups, texts in [_grouped(rows, rollup)]
    )
    return _written(found, into, pages=False)


def _grouped(rows: pa.Table, rollup: Rollup) -> tuple[Grouped, pa.Array]:
    """The groups of a slice, and the texts that its text keys count."""
    texts = pa.array([], pa.string())
    keys = {}
    for name in rollup.keys:
        if name == "day":
            continue
        column = rows[name]
        if pa.types.is_dictionary(column.type):
            coded = column.unify_dictionaries().combine_chunks()
            texts, column = coded.dictionary, coded.indices
        keys[name] = _numbers(column, NO_KEY)
    values = {a.name: _numbers(rows[a.name], NOTHING[a.how]) for a in rollup.aggregates}
    others = [column for name, column in keys.items() if name != "card"]
    card = keys["card"]
    place = places(ranks([card])[0], others) if others else card
    return grouped(place, keys, values, {a.name: a.how for a in rollup.aggregates}), texts


def _kept(groups: Grouped, rollup: Rollup, last_seen_from: date | None) -> Grouped:
    """The groups without what was last seen before; what was never seen stays."""
    if last_seen_from is None:
        return groups
    begin = np.datetime64(last_seen_from, "us").astype(np.int64)
    never = np.full(len(groups.place), NOTHING[MergeOperation.MAX])
    lasts = [groups.values.get(a.name, never) for a in rollup.aggregates if a.how is MergeOperation.MAX]
    last = np.maximum.reduce(lasts)
    kept = np.flatnonzero((last >= begin) | (last == NOTHING[MergeOperation.MAX]))
    return Grouped(
        groups.place[kept],
        {name: column[kept] for name, column in groups.keys.items()},
        {name: column[kept] for name, column in groups.values.items()},
    )


def _numbers(column: pa.ChunkedArray | pa.Array, nothing: int) -> Ints:
    """A column as integers, `nothing` for NULL."""
    if not pa.types.is_int64(column.type):
        column = column.cast(pa.int64())
    found: Ints = (column.fill_null(nothing) if column.null_count else column).to_numpy()
    return found


def _written(tables: Iterable[pa.Table], into: Path, *, pages: bool) -> int:
    """Write `tables` to a file with full row groups; return the number of rows. No file if there are none."""
    file: ParquetFile | None = None
    with ExitStack() as stack:
        for table in _full_groups(tables):
            file = file or stack.enter_context(ParquetFile(into, table.schema, pages=pages))
            file.add(table)
    return file.rows if file else 0


def _full_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows, in tables that fill row groups, but for the last one."""
    rest: pa.Table | None = None
    for table in tables:
        joined = pa.concat_tables([rest, table]).unify_dictionaries() if rest else table
        whole = joined.num_rows // GROUP_ROWS * GROUP_ROWS
        if whole:
            yield joined.slice(0, whole)
        rest = joined.slice(whole)
    if rest:
        yield rest
