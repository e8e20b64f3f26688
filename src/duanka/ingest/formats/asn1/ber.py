"""Element boundaries in a BER file; a broken record does not affect the others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, overload

from duanka.domain.errors import UnreadableInput
from duanka.ingest.files.limits import MOST_PADDING

_MAX_DEPTH = 40
_PADDING_CHUNK_BYTES = 1 << 16  # padding skipped at once
_PADDING = b"\x00\xff"  # fills a block of a charging file after its last record
_WINDOW_BYTES = 1 << 18  # bytes read at once and kept

Fields = dict[str, str | None]  # of a flattened record


class BrokenFrame(Exception):  # not named Error: the file is at fault, not the program
    """No element begins here, or it extends beyond the data."""


class FileBytes:
    """Reads `file` on demand like `bytes` of its initial size; UnreadableInput if truncated.

    The file is not memory-mapped: truncation of a mapped file would kill the process with SIGBUS.
    """

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


Octets = bytes | FileBytes  # random access to bytes in memory or in a file


class BerElement(NamedTuple):
    """One element: whole from `begin` to `after`, its content from `first` to `last`."""

    tag: bytes
    begin: int
    first: int
    last: int
    after: int


def element(data: Octets, begin: int, end: int, *, cut: bool = False, depth: int = 0) -> BerElement:
    """Return the element at `begin` that ends before `end`; raise BrokenFrame if none.

    `cut`: an element that extends beyond `end` is truncated there, since its first parts may be whole.
    """
    at = begin + 1
    if at > end:
        raise BrokenFrame
    if data[begin] & 0x1F == 0x1F:
        while at < end and data[at] & 0x80:
            at += 1
        at += 1
    if at >= end:
        raise BrokenFrame
    tag, size, at = data[begin:at], data[at], at + 1
    if size == 0x80:
        if not tag[0] & 0x20:
            raise BrokenFrame
        return _indefinite(data, begin, at, end, tag=tag, cut=cut, depth=depth)
    if size > 0x80:
        octets = size & 0x7F
        if octets > 8 or at + octets > end:
            raise BrokenFrame
        size = int.from_bytes(data[at : at + octets], "big")
        at += octets
    last = at + size
    if last > end:
        if not cut:
            raise BrokenFrame
        last = end
    return BerElement(tag, begin, at, last, last)


def _indefinite(
    data: Octets, begin: int, first: int, end: int, *, tag: bytes, cut: bool, depth: int
) -> BerElement:
    at = first
    if depth > _MAX_DEPTH:
        raise BrokenFrame
    try:
        while data[at : at + 2] != b"\0\0" or at + 2 > end:
            at = element(data, at, end, depth=depth + 1).after
    except BrokenFrame:
        if not cut:
            raise
        return BerElement(tag, begin, first, end, end)
    return BerElement(tag, begin, first, at, at + 2)


def elements(data: Octets, begin: int, end: int, *, padded: bool = False) -> Iterator[BerElement | int]:
    """Yield the elements from `begin` to `end`; at a broken one, its offset, and stop.

    `padded`: skip octets of padding between elements.
    """
    at, padding = begin, 0
    while at < end:
        if padded and data[at] in _PADDING:
            some = data[at : min(at + _PADDING_CHUNK_BYTES, end)]
            padding += len(some) - len(some.lstrip(_PADDING))
            at += len(some) - len(some.lstrip(_PADDING))
            if padding > MOST_PADDING:
                yield at
                return
            continue
        padding = 0
        try:
            found = element(data, at, end)
        except BrokenFrame:
            yield at
            return
        yield found
        at = found.after
