"""Builds micro-batches from validated records of one or many origins."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence

import polars as pl

from duanka.domain.streaming import Batch, BatchPart, SetAside
from duanka.ingest.files.limits import BATCH_BYTES, REJECTED_ROWS
from duanka.ingest.model.blocks import Rejected, placed
from duanka.ingest.storage.key_columns import BatchTexts, with_keys
from duanka.ingest.storage.parquet_store import hashes
from duanka.ingest.validation.quarantine import kept, more_like_it
from duanka.ingest.validation.validator import ValidationResult, ValidRows


def dedup_key(good: ValidRows) -> pl.Series:
    """Return for each row a hash by which a repeated delivery is detected."""
    same = hashes(good.table, good.frame, good.ids, good.twice)
    if good.ids is None:
        return same
    # live repeats are detected by hash alone: hash the content of records without an id
    return hashes(good.table, good.frame, None, good.twice).zip_with(good.ids.is_null(), same)


class BatchBuilder:
    """Builder of a batch, complete at `most` records, BATCH_BYTES, or after `seconds`.

    The time counts from the first record. `rejected`: rejected records by file, shared between batches.
    """

    def __init__(self, most: int, seconds: float, rejected: Counter[str] | None = None) -> None:
        self.records = 0
        self._rejected = Counter[str]() if rejected is None else rejected
        self._size = 0  # approximate bytes
        self._more: Counter[tuple[str, str]] = Counter()
        self._most = most
        self._seconds = seconds
        self._began: float | None = None
        self._rows: dict[tuple[str, str, str], list[pl.DataFrame]] = {}
        self._aside: list[SetAside] = []
        self._positions: dict[str, int] = {}
        self._texts = BatchTexts()

    @property
    def room(self) -> int:
        """Number of records that still fit."""
        return 0 if self._size > BATCH_BYTES else max(self._most - self.records, 0)

    @property
    def due(self) -> bool:
        """Whether the batch is to be handed on."""
        return not self.room or (self._began is not None and time.monotonic() - self._began >= self._seconds)

    def __bool__(self) -> bool:
        """Whether the batch holds anything."""
        return self._began is not None

    def add(
        self, result: ValidationResult, place: str, origin: str, file: str, sheets: Sequence[str] = ()
    ) -> None:
        """Add validated records of `origin`; `place`: delivering folder or switch, or "".

        `sheets`: names of the sheets read, for a workbook.
        """
        for good in result.valid:
            if good.frame.is_empty():
                continue
            self.records += good.frame.height
            source = f"{place}/{good.table}" if place else good.table
            lines = pl.Series("line", good.lines, dtype=pl.Int64)
            self._size += int(good.frame.estimated_size())
            rows = with_keys(good.table, good.frame, self._texts).with_columns(
                lines, dedup_key(good).alias("same")
            )
            self._rows.setdefault((good.table, source, origin), []).append(rows)
        for record in result.rejected:
            self.set_aside(file, record, sheets)
        self._begin()

    def set_aside(self, file: str, record: Rejected, sheets: Sequence[str] = ()) -> None:
        """Add one rejected record."""
        self.records += 1
        self._rejected[file] += 1
        if self._rejected[file] > REJECTED_ROWS:
            self._more[file, record.reason.value] += 1
            return
        self._size += len(record.raw)
        where, line = placed(file, record.line, sheets)
        self._aside.append(SetAside(where, line, record.column, record.reason.value, kept(record.raw)))
        self._begin()

    def reach(self, positions: Mapping[str, int]) -> None:
        """Record the positions of origins after this batch."""
        self._positions.update(positions)
        if positions:
            self._begin()

    def _begin(self) -> None:
        if self._began is None:
            self._began = time.monotonic()

    def batch(self) -> Batch:
        """Return the batch."""
        pieces = tuple(
            BatchPart(table, source, origin, frames[0] if len(frames) == 1 else pl.concat(frames))
            for (table, source, origin), frames in self._rows.items()
        )
        more = [
            SetAside(file, None, "", reason, more_like_it(records), records)
            for (file, reason), records in self._more.items()
        ]
        return Batch(pieces, (*self._aside, *more), self._positions, self.records, self._texts.pairs())
