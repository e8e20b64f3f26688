"""Size check of an Arrow IPC stream from its metadata, before decompression."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from duanka.ingest.files.limits import MB

MOST_UNPACKED = 128 * MB  # bytes of all buffers of a stream; the same limit for all its text
MOST_ROWS = 1_000_000  # maximum rows of a stream
_MAX_BATCHES = 10_000
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3


class OversizedStream(Exception):
    """The stream exceeds the limits for a message; the argument says which."""


def check_stream(data: bytes) -> None:
    """Raise OversizedStream when reading `data` would need too much memory.

    Other faults are left to the reader.
    """
    unpacked = rows = batches = 0
    try:
        for message in pa.ipc.MessageReader.open_stream(pa.py_buffer(data)):
            batches += 1
            length, size = _batch(message.metadata.to_pybytes(), message.body)
            rows, unpacked = rows + length, unpacked + size
            if rows > MOST_ROWS:
                raise OversizedStream(f"claims more than {MOST_ROWS:,} rows")
            if unpacked > MOST_UNPACKED:
                raise OversizedStream(f"unpacks to more than {MOST_UNPACKED >> 20} MB")
            if batches > _MAX_BATCHES:
                raise OversizedStream(f"has more than {_MAX_BATCHES:,} batches")
    except (pa.ArrowException, OSError, EOFError):
        return


def text_bytes(column: Any) -> int:
    """Bytes of text in `column` if each row had its own copy; 0 for other types.

    `column` must be valid.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        lengths = _lengths(column.dictionary)
        if lengths is None:
            return 0
        places = pc.drop_null(column.indices).to_numpy(zero_copy_only=False).astype(np.int64)
        return int(lengths[places].sum())
    found = _lengths(column)
    return 0 if found is None else int(found.sum())


def _lengths(column: Any) -> npt.NDArray[np.int64] | None:
    kind = column.type
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        views = np.frombuffer(column.buffers()[1], np.int32)[
            ::4
        ]  # a view has 16 bytes and begins with its length
        lengths = views[column.offset : column.offset + len(column)].astype(np.int64)
        return np.where(column.is_valid().to_numpy(zero_copy_only=False), lengths, 0)
    if any(is_kind(kind) for is_kind in _TEXT):
        known = pc.fill_null(pc.binary_length(column), 0)
        found: npt.NDArray[np.int64] = known.to_numpy(zero_copy_only=False).astype(np.int64)
        return found
    return None


_TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)


def _batch(metadata: bytes, body: Any) -> tuple[int, int]:
    """Rows of a message and decompressed bytes of its buffers; zeros if not a batch."""
    try:
        message = _Table(metadata, struct.unpack_from("<I", metadata, 0)[0])
        kind = message.scalar(1, "<B")
        if kind not in (_DICTIONARY_BATCH, _RECORD_BATCH):
            return 0, 0
        batch = message.table(2)
        if batch is not None and kind == _DICTIONARY_BATCH:
            batch = batch.table(1)
        if batch is None:
            return 0, 0
        rows = max([batch.scalar(0, "<q"), *(length for length, _ in batch.pairs(1))])
        buffers = batch.pairs(2)
        if batch.table(3) is None:
            return rows, sum(length for _, length in buffers)
        return rows, sum(_declared(body, offset, length) for offset, length in buffers)
    except (struct.error, IndexError, ValueError):
        return 0, 0  # the reader will reject this metadata


def _declared(body: Any, offset: int, length: int) -> int:
    """Decompressed size of a buffer, as its header claims (-1 there: not compressed)."""
    if length < 8:
        return 0
    size: int = struct.unpack_from("<q", body, offset)[0]
    return length if size == -1 else max(size, 0)


class _Table:
    """A FlatBuffers table at offset `at` of `data`."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at
        self._fields = at - struct.unpack_from("<i", data, at)[0]
        self._size = struct.unpack_from("<H", data, self._fields)[0]

    def _place(self, field: int) -> int:
        entry = 4 + 2 * field
        if entry + 2 > self._size:
            return 0
        step: int = struct.unpack_from("<H", self._data, self._fields + entry)[0]
        return self._at + step if step else 0

    def _follow(self, place: int) -> int:
        return place + int(struct.unpack_from("<I", self._data, place)[0])

    def scalar(self, field: int, form: str) -> int:
        """Read a number; 0 when absent."""
        place = self._place(field)
        return int(struct.unpack_from(form, self._data, place)[0]) if place else 0

    def table(self, field: int) -> _Table | None:
        """Read a table; None when absent."""
        place = self._place(field)
        return _Table(self._data, self._follow(place)) if place else None

    def pairs(self, field: int) -> list[tuple[int, int]]:
        """Read a vector of structs of two 64-bit numbers each."""
        place = self._place(field)
        if not place:
            return []
        first = self._follow(place)
        count = struct.unpack_from("<I", self._data, first)[0]
        found = struct.unpack_from(f"<{2 * min(count, len(self._data))}q", self._data, first + 4)
        return list(zip(found[::2], found[1::2], strict=True))
