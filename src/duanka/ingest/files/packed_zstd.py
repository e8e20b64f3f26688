"""Decompression of Zstandard data as one stream, by Arrow."""

from __future__ import annotations

from typing import Any, BinaryIO

import pyarrow as pa

from duanka.ingest.files.limits import MB, MOST_WINDOW
from duanka.ingest.files.packed import PIECE, Packed

MAGIC = b"\x28\xb5\x2f\xfd"
_LAST_TRY = 2


class _Fed:
    """Input for Arrow; the piece at offset `bytewise` is passed on byte by byte."""

    closed = False

    def __init__(self, file: BinaryIO, bytewise: int | None) -> None:
        self.at = 0  # offset of the last bytes returned
        self._file = file
        self._bytewise = bytewise

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes."""
        self.at = self._file.tell()
        if self._bytewise is not None:
            if self._bytewise <= self.at < self._bytewise + size:
                size = 1
            elif self.at < self._bytewise:
                size = min(size, self._bytewise - self.at)
        return self._file.read(size)

    def close(self) -> None:
        """Do nothing; the owner closes the file."""


class Zstd(Packed):
    """The frames of `file`.

    On damaged data Arrow raises an error and discards what it has just decompressed. So the data is
    decompressed again: once with the last piece fed byte by byte, and once with its output also taken so.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._given = 0
        self._attempts = 0
        self._at_once = PIECE
        self._open(None)

    def piece(self, limit: int) -> bytes | None:
        """See Packed."""
        if not self._given and not self._attempts and not self._is_zstd():
            self.broken = "it is not zstd data"
            return None
        try:
            piece: bytes = self._stream.read(min(limit, self._at_once))
        except (pa.ArrowException, OSError) as fault:
            return self._failed(str(fault))
        self._given += len(piece)
        return piece or None

    def _is_zstd(self) -> bool:
        # called before Arrow reads, while the file is at its beginning
        if self._file.tell():
            return True
        start = self._file.read(len(MAGIC))
        self._file.seek(0)
        skippable = start[1:] == b"\x2a\x4d\x18" and 0x50 <= start[0] <= 0x5F
        return start == MAGIC or skippable

    def _open(self, bytewise: int | None) -> None:
        self._file.seek(0)
        self._fed = _Fed(self._file, bytewise)
        self._stream: Any = pa.CompressedInputStream(pa.PythonFile(self._fed, mode="r"), "zstd")

    def _failed(self, why: str) -> bytes | None:
        if "too much memory" in why:
            self.broken = (
                f"unpacking it takes more than {MOST_WINDOW // MB} MB of memory; pack it without --long"
            )
            self.oversized = True
            return None
        if self._attempts == _LAST_TRY:
            self.broken = f"the zstd data is {'cut off' if 'runcated' in why else 'damaged'}"
            return None
        if not self._attempts:
            self._last = self._fed.at
        self._attempts += 1
        self._open(self._last)
        missing = self._given
        try:
            while missing and (piece := self._stream.read(min(missing, PIECE))):
                missing -= len(piece)
        except (pa.ArrowException, OSError):
            missing = 1
        if missing:
            self.broken = "it changed while it was read"
            return None
        if self._attempts == _LAST_TRY:
            self._at_once = 1
        return b""
