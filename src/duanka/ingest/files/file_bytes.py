"""Random access to the bytes of a file, read on demand.

The file is not memory-mapped: truncation of a mapped file would kill the process with SIGBUS.
"""

from __future__ import annotations

import os
from typing import BinaryIO, overload

from duanka.domain.errors import UnreadableInput

_WINDOW_BYTES = 1 << 18  # bytes read at once and kept


class FileBytes:
    """Reads `file` like `bytes` of its initial size; UnreadableInput if truncated."""

    def __init__(self, file: BinaryIO) -> None:
        self._descriptor = file.fileno()
        self._size = os.fstat(self._descriptor).st_size
        self._window = b""
        self._begin = 0

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, place: int) -> int: ...

    @overload
    def __getitem__(self, place: slice) -> bytes: ...

    def __getitem__(self, place: int | slice) -> int | bytes:
        if isinstance(place, int):
            at = place - self._begin
            if not 0 <= at < len(self._window):
                if not 0 <= place < self._size:
                    raise IndexError(place)
                self._window, self._begin = self._read(place, _WINDOW_BYTES), place
                at = 0
            return self._window[at]
        first, last, _ = place.indices(self._size)
        if self._begin <= first and last <= self._begin + len(self._window):
            return self._window[first - self._begin : max(last, first) - self._begin]
        return self._read(first, max(last - first, 0))

    def _read(self, first: int, size: int) -> bytes:
        size = min(size, self._size - first)
        octets = os.pread(self._descriptor, size, first)
        if len(octets) < size:
            raise UnreadableInput("the file was cut while it was read; deliver it again")
        return octets
