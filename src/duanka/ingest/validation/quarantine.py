"""Writer of quarantine.parquet: rejected records, written in bounded memory."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from duanka.ingest.files.limits import REJECTED_ROWS
from duanka.ingest.model.blocks import RAW_LIMIT, Rejected, placed
from duanka.ingest.model.holders import without_documents
from duanka.ingest.model.reasons import QuarantineReason

_TEXT = pa.string()
SCHEMA = pa.schema({"file": _TEXT, "line": pa.int64(), "column": _TEXT, "reason": _TEXT, "raw": _TEXT})
QUARANTINE = "quarantine.parquet"
_MORE = re.compile("and ([0-9,]+) more like it")
_FLUSH_ROWS = 20_000  # rows buffered before writing
_FLUSH_BYTES = 16 << 20


def kept(raw: str) -> str:
    """Return a raw record fit to be stored: cut, and with identity numbers masked."""
    # lone surrogates of broken text cannot be encoded
    return without_documents(raw[:RAW_LIMIT]).encode("utf-8", "backslashreplace").decode()


def more_like_it(records: int) -> str:
    """Text of the single row for `records` rejected records without rows of their own."""
    return f"and {records:,} more like it"


def records_of(raw: str) -> int:
    """Number of records in the text of `more_like_it`; 0 for other text."""
    found = _MORE.fullmatch(raw)
    return int(found[1].replace(",", "")) if found else 0


class Quarantine:
    """Writer of rejected records, a context manager; `counts`: records by file.

    A source file gets at most REJECTED_ROWS rows; further records are counted in one row for each reason.
    """

    def __init__(self, path: Path) -> None:
        self.counts: Counter[str] = Counter()
        self._sheets: dict[str, tuple[str, ...]] = {}
        self._writer: Any = pq.ParquetWriter(path, SCHEMA, compression="zstd")
        self._held = 0  # characters of the buffered rows
        self._more: Counter[tuple[str, QuarantineReason]] = Counter()
        self._rows: list[tuple[str, int | None, str, str, str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for (file, reason), records in self._more.items():
            self._rows.append((file, None, "", reason.value, more_like_it(records)))
        self._flush()
        self._writer.close()

    def has_sheets(self, file: str, sheets: Sequence[str]) -> None:
        """Register the sheets of a workbook, to show its records by sheet and row."""
        if sheets:
            self._sheets[file] = tuple(sheets)

    def add(self, file: str, record: Rejected) -> None:
        """Add one record; identity numbers in its text are masked."""
        if not self.room(file):
            self.add_more(file, record.reason, 1)
            return
        self.counts[file] += 1
        where, row = placed(file, record.line, self._sheets.get(file, ()))
        self._rows.append((where, row, record.column, record.reason.value, kept(record.raw)))
        self._held += len(record.raw)
        if len(self._rows) >= _FLUSH_ROWS or self._held >= _FLUSH_BYTES:
            self._flush()

    def add_always(self, file: str, reason: QuarantineReason, raw: str) -> None:
        """Add a row for a whole file, regardless of the limit."""
        self.counts[file] += 1
        self._rows.append((file, None, "", reason.value, kept(raw)))

    def room(self, file: str) -> int:
        """Number of rows of `file` left until the limit."""
        return max(REJECTED_ROWS - self.counts[file], 0)

    def add_more(self, file: str, reason: QuarantineReason, records: int) -> None:
        """Count rejected records that get no rows of their own."""
        self.counts[file] += records
        self._more[file, reason] += records

    def _flush(self) -> None:
        if self._rows:
            columns = [
                pa.array(cells, kind)
                for cells, kind in zip(zip(*self._rows, strict=True), SCHEMA.types, strict=True)
            ]
            self._writer.write_table(pa.table(columns, schema=SCHEMA))
            self._rows.clear()
            self._held = 0
