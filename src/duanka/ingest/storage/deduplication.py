"""Deduplication: keeps the first of equal records, but the last in a register.

The hashes of all rows are stored beside each part. Repeated hashes are found in passes over ranges of hashes, which
bounds the memory. Only rows with a repeated hash are read and compared in full, and only parts that lose rows are
written again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from duanka.domain.schema import REGISTER_KEYS, TABLES, ColumnKind
from duanka.ingest.model.blocks import Rejected
from duanka.ingest.model.holders import WITHHELD
from duanka.ingest.model.reasons import QuarantineReason
from duanka.ingest.storage.key_columns import with_texts
from duanka.ingest.storage.parquet_store import (
    GROUP_ROWS,
    NO_ID,
    PartFile,
    origins,
    part_writer,
    schema,
)
from duanka.ingest.validation.quarantine import Quarantine

HASHES_AT_ONCE = 8_000_000  # 64 MB
CANDIDATES_AT_ONCE = 250_000  # maximum rows compared in full at once
_DESCRIBED_TWICE = {
    "cards": QuarantineReason.CARD_TWICE,
    "outlets": QuarantineReason.OUTLET_TWICE,
    "rings": QuarantineReason.LINKED_TWICE,
    "outlet_batches": QuarantineReason.LINKED_TWICE,
}

Hashes = npt.NDArray[np.uint64]


class Settled(NamedTuple):
    """The remaining parts; `lost`: number of rows removed, by number of the file."""

    parts: list[PartFile]
    lost: Counter[int]


def settle(
    table: str,
    parts: Sequence[PartFile],
    files: Sequence[str],
    quarantine: Quarantine,
    texts: tuple[Path, ...] = (),
) -> Settled:
    """Remove repeated records from the `parts` of `table`; `files`: names by number; `texts`: of hashed keys."""
    lost: Counter[int] = Counter()
    keep: dict[int, npt.NDArray[np.bool_]] = {}
    for repeated in _repeated(parts):
        for some in _chunks(parts, repeated):
            candidates = _candidates(parts, some, backwards=table in REGISTER_KEYS)
            for later in _repeats(table, candidates):
                _set_aside(table, later, files, quarantine, texts)
                for (part,), rows in later.group_by("_part"):
                    number = int(str(part))
                    kept = keep.setdefault(number, np.ones(parts[number].rows, bool))
                    kept[rows["_row"].to_numpy()] = False
                lost.update(dict(later["_file"].value_counts().iter_rows()))

    def rest(number: int) -> PartFile | None:
        part = parts[number]
        return part if number not in keep else _without(table, part, keep[number])

    with ThreadPoolExecutor(2) as pool:
        left = [part for part in pool.map(rest, range(len(parts))) if part is not None]
    pa.default_memory_pool().release_unused()
    return Settled(left, lost)


def _hashes(part: PartFile) -> Hashes:
    hashes: Hashes = np.ascontiguousarray(origins(part)["hash"])
    return hashes


def _repeated(parts: Sequence[PartFile]) -> Iterator[Hashes]:
    """Yield the hashes that occur more than once, sorted, range by range."""
    total = sum(part.rows for part in parts)
    passes = -(-total // HASHES_AT_ONCE)
    width = (1 << 64) // max(passes, 1) + 1
    for number in range(passes):
        low = np.uint64(number * width)
        high = np.uint64(min((number + 1) * width, 1 << 64) - 1)
        repeated = _twice(_within(parts, low, high))
        if len(repeated):
            yield repeated


def _twice(hashes: Hashes) -> Hashes:
    """Return repeated values, sorted; sorts `hashes` in place."""
    hashes.sort()
    return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])


def _within(parts: Sequence[PartFile], low: np.uint64, high: np.uint64) -> Hashes:
    """Return all hashes from `low` to `high`; counts first, to allocate only once."""
    size = 0
    for part in parts:
        hashes = _hashes(part)
        size += int(np.count_nonzero((hashes >= low) & (hashes <= high)))
    found = np.empty(size, np.uint64)
    end = 0
    for part in parts:
        hashes = _hashes(part)
        mine = hashes[(hashes >= low) & (hashes <= high)]
        found[end : end + len(mine)] = mine
        end += len(mine)
    return found


def _among(hashes: Hashes, repeated: Hashes) -> npt.NDArray[np.bool_]:
    places = np.searchsorted(repeated, hashes)
    places[places == len(repeated)] = 0
    found: npt.NDArray[np.bool_] = repeated[places] == hashes
    return found


def _chunks(parts: Sequence[PartFile], repeated: Hashes) -> Iterator[Hashes]:
    """Split the repeated hashes into chunks whose rows fit into memory."""
    counts = np.zeros(len(repeated), np.int64)
    for part in parts:
        hashes = _hashes(part)
        places = np.searchsorted(repeated, hashes[_among(hashes, repeated)])
        counts += np.bincount(places, minlength=len(repeated))
    begin = 0
    reached = np.cumsum(counts)
    while begin < len(repeated):
        before = reached[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(reached, before + CANDIDATES_AT_ONCE, side="right")))
        yield repeated[begin:end]
        begin = end


def _candidates(parts: Sequence[PartFile], repeated: Hashes, *, backwards: bool) -> Iterator[pl.DataFrame]:
    """Yield rows with a repeated hash and their positions, in order of delivery.

    About CANDIDATES_AT_ONCE rows at a time. `backwards`: last row first.
    """
    found: list[pl.DataFrame] = []
    held = 0
    step = -1 if backwards else 1
    for number, part in list(enumerate(parts))[::step]:
        all_rows = np.flatnonzero(_among(_hashes(part), repeated))
        for first in range(0, len(all_rows), CANDIDATES_AT_ONCE)[::step]:
            rows = all_rows[first : first + CANDIDATES_AT_ONCE]
            if found and held + len(rows) > CANDIDATES_AT_ONCE:
                yield pl.concat(found)
                found, held = [], 0
            found.append(_placed(part, number, rows)[::step])
            held += len(rows)
    if found:
        yield pl.concat(found)


def _placed(part: PartFile, number: int, rows: npt.NDArray[np.int64]) -> pl.DataFrame:
    origin = origins(part)[rows]
    return _taken(part.path, rows).with_columns(
        *(
            pl.Series(f"_{name}", np.ascontiguousarray(origin[name]))
            for name in ("file", "line", "hash", "id")
        ),
        pl.Series("_row", rows, dtype=pl.Int64),
        pl.lit(number, pl.Int32).alias("_part"),
        pl.lit(True).alias("_fresh"),
    )


def _repeats(table: str, frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Yield the repeated rows with `_reason`; keeps one of equal rows in memory."""
    names = [column.name for column in TABLES[table].columns]
    known: pl.DataFrame | None = None
    for fresh in frames:
        rows = fresh if known is None else pl.concat([known, fresh])
        yield _later(table, rows).filter("_fresh")
        first = rows.select(pl.struct("_hash", "_id", *names).is_first_distinct()).to_series()
        known = rows.filter(first).with_columns(pl.lit(False).alias("_fresh"))


def _taken(path: Path, rows: npt.NDArray[np.int64]) -> pl.DataFrame:
    """Return `rows` (ascending) of a part, reading one row group at a time."""
    pieces = []
    with pq.ParquetFile(path) as file:
        first = 0
        for group in range(file.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            mine = rows[(rows >= first) & (rows < first + count)] - first
            if len(mine):
                # Arrow copies the rows taken; polars would keep the whole row group in memory
                piece = pl.from_arrow(file.read_row_group(group).take(pa.array(mine)))
                assert isinstance(piece, pl.DataFrame)  # noqa: S101  # a table becomes a frame
                pieces.append(piece)
            first += count
    frame: pl.DataFrame = pl.concat(pieces)
    return frame


def _later(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the repeated rows among `rows`, with the `_reason`."""
    names = [column.name for column in TABLES[table].columns]
    key = REGISTER_KEYS.get(table)
    if key is not None:
        again = ~rows.select(pl.struct(names).is_first_distinct()).to_series()
        reasons = pl.Series([_DESCRIBED_TWICE[table].value, QuarantineReason.DELIVERED_TWICE.value])[
            again.cast(pl.UInt32)
        ]
        return rows.with_columns(reasons.alias("_reason")).filter(~rows[key].is_first_distinct())
    # Records with an id are equal if their ids are equal, other records if all their values are equal.
    whole = pl.when(pl.col("_id") == NO_ID).then(pl.struct(names))
    first = rows.select(pl.struct("_hash", "_id", whole.alias("_whole")).is_first_distinct()).to_series()
    return rows.with_columns(pl.lit(QuarantineReason.DELIVERED_TWICE.value).alias("_reason")).filter(~first)


def _set_aside(
    table: str,
    later: pl.DataFrame,
    files: Sequence[str],
    quarantine: Quarantine,
    texts: tuple[Path, ...],
) -> None:
    names = [c.name for c in TABLES[table].columns]
    secret = {c.name for c in TABLES[table].columns if c.kind is ColumnKind.HOLDER}
    hashed = pl.scan_parquet(list(texts)) if texts else None
    for rows in later.partition_by("_file", "_reason", maintain_order=True):
        file, reason = files[rows["_file"][0]], QuarantineReason(rows["_reason"][0])
        told = with_texts(table, rows.head(quarantine.room(file)), hashed)
        for row in told.select([*names, "_line"]).iter_rows(named=True):
            fields = {
                name: WITHHELD if name in secret else row[name] for name in names if row[name] is not None
            }
            raw = json.dumps(fields, ensure_ascii=False, default=str)
            quarantine.add(file, Rejected(row["_line"], reason, raw))
        if len(told) < len(rows):
            quarantine.add_more(file, reason, len(rows) - len(told))


def _without(table: str, part: PartFile, keep: npt.NDArray[np.bool_]) -> PartFile | None:
    """Rewrite `part` with the rows marked by `keep`; None when none is left."""
    left = int(keep.sum())
    if left == 0:
        part.path.unlink()
        part.origin.unlink()
        return None
    shape = schema(table)
    again = part.path.with_suffix(".again")
    with pq.ParquetFile(part.path) as file, part_writer(again, shape) as writer:
        first = 0
        for batch in file.iter_batches(GROUP_ROWS):
            writer.write_batch(batch.filter(pa.array(keep[first : first + batch.num_rows])))
            first += batch.num_rows
    again.replace(part.path)
    return PartFile(part.path, part.origin, left)
