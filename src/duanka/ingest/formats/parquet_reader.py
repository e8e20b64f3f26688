"""Parquet reader in batches; a damaged row group loses only its own rows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from duanka.domain.display import first_line
from duanka.domain.errors import UnreadableInput
from duanka.ingest.files.limits import LINE_LIMIT, TEXT_AT_ONCE
from duanka.ingest.files.open_file import opened
from duanka.ingest.formats.parquet_pages import MOST_FOOTER, RowGroups, TooMuch, footer_size
from duanka.ingest.model.blocks import RAW_LIMIT, Block, OpenReader, Rejected, without_rows
from duanka.ingest.model.reasons import QuarantineReason

MAGIC = b"PAR1"  # first and last bytes of a file
BATCH_ROWS = 1 << 16
_READ_BYTES = 1 << 20
_MAX_REJECTED_ROWS = 10_000_000  # maximum rows of a damaged group that are rejected one by one
# Exceptions of Arrow on damaged files, besides its own: huge allocations, wrong lengths, undecodable names.
DAMAGE = (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError, NotImplementedError)


def is_parquet(start: bytes, name: str) -> bool:
    """Tell whether first bytes or name are those of a Parquet file."""
    return start.startswith(MAGIC) or name.lower().endswith((".parquet", ".pq"))


class ParquetReading(OpenReader):
    """One Parquet file; an invalid one has no columns and is one quarantined record."""

    def __init__(self, path: Path, root: Path | None = None) -> None:
        self._path = path
        self._root = root
        with opened(path, root) as data:
            try:
                if footer_size(data, os.fstat(data.fileno()).st_size) > MOST_FOOTER:
                    raise ValueError(f"a footer of more than {MOST_FOOTER >> 20} MB")
                with pq.ParquetFile(data) as file:
                    self._schema: Any = file.schema_arrow
                    self.columns = tuple(self._schema.names)
                    self.other_types = tuple(one.name for one in self._schema if _is_other(one.type))
            except DAMAGE as fault:
                self.unreadable = f"not a whole Parquet file ({first_line(fault)[:200]})"

    def blocks(self, wanted: Sequence[str]) -> Iterator[Block]:
        """Yield the `wanted` columns of the rows, with their types."""
        size = self._path.stat().st_size
        if not self.columns:
            yield without_rows([Rejected(None, QuarantineReason.UNREADABLE_FILE, "")], size)
            return
        for name in wanted:
            check_type(self._path, name, self._schema.field(self._schema.get_field_index(name)).type)
        with (
            opened(self._path, self._root) as data,
            opened(self._path, self._root) as headers,
            # buffered, because a row group need not fit into memory
            pq.ParquetFile(
                data, page_checksum_verification=True, pre_buffer=False, buffer_size=_READ_BYTES
            ) as file,
        ):
            total = max(file.metadata.num_rows, 1)
            record = 1
            groups = RowGroups(headers, size, file.metadata, wanted)
            try:
                groups.check_rows()
                for group in range(file.num_row_groups):
                    end = record + file.metadata.row_group(group).num_rows
                    for block in self._group(file, groups, group, list(wanted), record, end):
                        record += block.records
                        yield replace(block, done=size * (record - 1) // total)
                    record = end
            except TooMuch as fault:
                self.unreadable = str(fault)
                yield without_rows([Rejected(record, QuarantineReason.OVERSIZED, self.unreadable)], size)

    def _group(
        self, file: Any, groups: RowGroups, group: int, wanted: list[str], record: int, end: int
    ) -> Iterator[Block]:
        """Yield the readable records from number `record` to `end`; raises TooMuch."""
        try:
            most = groups.batch_rows(group, BATCH_ROWS)
            batches = file.iter_batches(most, row_groups=[group], columns=wanted)
            for batch in batches if most == BATCH_ROWS else _gathered(batches):
                rows = min(batch.num_rows, end - record)
                yield block_of(batch.slice(0, rows), record)
                record += rows
        except DAMAGE as fault:
            self.unreadable = f"row group {group} is damaged ({first_line(fault)[:200]})"
        if end - record > _MAX_REJECTED_ROWS:
            # no real delivery has so many rows in one group: the footer is damaged
            why = f"row group {group} claims {end - record} rows"
            yield without_rows([Rejected(record, QuarantineReason.UNREADABLE_ROWS, why)])
            return
        while record < end:
            lost = min(BATCH_ROWS, end - record)
            bad = [Rejected(at, QuarantineReason.UNREADABLE_ROWS, "") for at in range(record, record + lost)]
            record += lost
            yield without_rows(bad)


def _gathered(batches: Iterator[Any]) -> Iterator[Any]:
    """Concatenate small batches within the text limit; overhead is per batch."""
    held: list[Any] = []
    for batch in batches:
        rows, size = sum(one.num_rows for one in held), sum(one.nbytes for one in held)
        if held and (rows + batch.num_rows > BATCH_ROWS or size + batch.nbytes > TEXT_AT_ONCE):
            yield pa.concat_batches(held)
            held = []
        held.append(batch)
    if held:
        yield pa.concat_batches(held)


def block_of(batch: Any, record: int) -> Block:
    """The rows of an Arrow batch as a block; the first row is record `record`.

    Rows with invalid UTF-8 or too long text are bad.
    """
    rows = batch.num_rows
    if not batch.num_columns:
        return Block(pl.DataFrame(height=rows), np.arange(record, record + rows), rows, 0)
    bad: list[Rejected] = []
    columns = [_plain(column) for column in batch.columns]
    broken, long = np.zeros(rows, bool), np.zeros(rows, bool)
    for column in columns:
        if not _is_text(column.type):
            continue
        long |= _too_long(column)
        try:
            column.validate(full=True)
        except pa.ArrowInvalid:
            broken |= np.array([not _is_utf8(value) for value in _bytes(column)], bool)
    if (broken | long).any():
        keep = pa.array(~(broken | long))
        bad = [
            Rejected(record + int(at), QuarantineReason.TOO_LONG, "")
            if long[at]
            else _broken_row(columns, int(at), record)
            for at in np.flatnonzero(broken | long)
        ]
        columns = [column.filter(keep) for column in columns]
    frame = pl.DataFrame(
        [pl.Series(name, pl.from_arrow(c)) for name, c in zip(batch.schema.names, columns, strict=True)]
    )
    return Block(frame, record + np.flatnonzero(~(broken | long)), rows, 0, bad)


def _plain(column: Any) -> Any:
    """Convert `column` without loss to a type for polars.

    Dictionaries are expanded, zones become UTC, bytes and decimals become text.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.dictionary_decode())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return column.cast(pa.large_binary()).view(pa.large_string())
    if pa.types.is_decimal(kind):
        # exact, as text: floats would merge different record numbers beyond 2^53
        return pc.replace_substring_regex(column.cast(pa.string()), "[.]0+$", "")
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return column.cast(pa.timestamp(kind.unit, "UTC"))
    return column


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _too_long(column: Any) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Mask of the text values longer than the limit."""
    lengths = pc.binary_length(column)
    if (pc.max(lengths).as_py() or 0) <= LINE_LIMIT:
        return np.zeros(len(column), bool)
    found: np.ndarray[Any, np.dtype[np.bool_]] = pc.fill_null(lengths, 0).to_numpy() > LINE_LIMIT
    return found


def _bytes(column: Any) -> list[bytes | None]:
    binary = pa.large_binary() if pa.types.is_large_string(column.type) else pa.binary()
    values: list[bytes | None] = column.view(binary).to_pylist()
    return values


def _is_utf8(value: bytes | None) -> bool:
    try:
        (value or b"").decode()
    except UnicodeDecodeError:
        return False
    return True


def _broken_row(columns: list[Any], at: int, record: int) -> Rejected:
    cells = []
    for column in columns:
        one = column.slice(at, 1)
        value = _bytes(one)[0] if _is_text(one.type) else one[0]
        cells.append(
            value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value or "")
        )
    return Rejected(record + at, QuarantineReason.BROKEN_ENCODING, ",".join(cells)[:RAW_LIMIT])


def check_type(path: Path | str, name: str, kind: Any) -> None:
    """Raise UnreadableInput when no mapping can read this column type."""
    if _is_other(kind):
        raise UnreadableInput(
            f"{path}: column {name!r} is of type {kind}, which no mapping can read; "
            "write it as text, number, date, time, duration or timestamp"
        )


def _is_other(kind: Any) -> bool:
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    # in nested and run-end encoded types a few bytes can encode rows of any length
    nested = pa.types.is_nested(inner) or pa.types.is_run_end_encoded(inner)
    return bool(nested or pa.types.is_interval(inner) or pa.types.is_fixed_size_binary(inner))
