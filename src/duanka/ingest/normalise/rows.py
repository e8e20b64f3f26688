"""Normalises source rows to a canonical table and finds rows that do not fit."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import polars as pl

from duanka.domain.schema import TABLES, Column
from duanka.ingest.model.mapping import ColumnMapping, MappingSource
from duanka.ingest.model.reasons import REASONS, QuarantineReason
from duanka.ingest.model.value_text import trimmed
from duanka.ingest.normalise import columns, plain_columns
from duanka.ingest.normalise.columns import Faults, Read, Tools

_ABSENT = ColumnMapping()


@dataclass(frozen=True)
class Fitted:
    """Normalised rows.

    `frame`: all rows with exactly the canonical columns. `faults`: per row the code of its first fault in column order,
    0 for none; `at`: index of that column. `ids`: the source's record ids. `swapped`: mask of rows whose parties are
    exchanged. `devices_unknown`: number of placeholder IMEIs. `twice`: source text of times in a repeated local hour.
    """

    frame: pl.DataFrame
    faults: Faults
    at: Faults
    ids: pl.Series | None
    swapped: pl.Series | None = None
    devices_unknown: int = 0
    twice: pl.Series | None = None


def fit(
    source: MappingSource, frame: pl.DataFrame, tools: Tools, where: str, pool: ThreadPoolExecutor
) -> Fitted:
    """Read the columns of `source.table` from `frame`; `where`: the file, for errors."""
    swapped = columns.meets(source.swap_when, frame) if source.swap_when else None
    table = TABLES[source.table]

    def one(column: Column) -> Read:
        how = source.columns.get(column.name, _ABSENT)
        name = f"{where}, column {how.label!r}"
        if swapped is None or column.name not in _SWAPPED:
            return plain_columns.read(column, how, frame, tools, name)
        other = source.columns.get(_SWAPPED[column.name], _ABSENT)
        mine = plain_columns.read(column, how, frame, tools, name)
        theirs = plain_columns.read(column, other, frame, tools, name)
        return _exchange(mine, theirs, swapped)

    # polars releases the GIL, so columns are read in parallel
    reads = list(pool.map(one, table.columns))
    faults = np.zeros(frame.height, np.uint8)
    at = np.zeros(frame.height, np.uint8)
    for place, got in enumerate(reads):
        if got.faults is not None:
            first = (faults == 0) & (got.faults != 0)
            faults[first] = got.faults[first]
            at[first] = place
    ids = None
    if source.record_id is not None:
        ids = trimmed(frame[source.record_id])
    unknown = sum(got.unknown for got in reads)
    twice = next((got.twice for got in reads if got.values.name == table.time), None)
    return Fitted(pl.DataFrame([got.values for got in reads]), faults, at, ids, swapped, unknown, twice)


_SWAPPED = {"card": "peer", "peer": "card"}


def _exchange(mine: Read, theirs: Read, swapped: pl.Series) -> Read:
    """Take the other column's values in rows whose parties are exchanged."""
    values = theirs.values.zip_with(swapped, mine.values).alias(mine.values.name)
    if mine.faults is None and theirs.faults is None:
        return Read(values, None)
    none = np.zeros(len(values), np.uint8)
    theirs_there = none if theirs.faults is None else theirs.faults
    mine_there = none if mine.faults is None else mine.faults
    return Read(values, np.where(swapped.to_numpy(), theirs_there, mine_there))


def misfits(source: MappingSource, fitted: Fitted) -> Iterator[tuple[int, str, QuarantineReason]]:
    """Yield position, source column and reason of every row that does not fit."""
    names = [column.name for column in TABLES[source.table].columns]
    for row in np.flatnonzero(fitted.faults).tolist():
        name = names[int(fitted.at[row])]
        read = _SWAPPED.get(name, name) if fitted.swapped is not None and fitted.swapped[row] else name
        label = source.columns.get(read, _ABSENT).label or name
        yield row, label, REASONS[int(fitted.faults[row]) - 1]
