"""The bytes of a delivered file, unpacked when it is gzip, up to where they can be read."""

from __future__ import annotations

import zlib
from pathlib import Path
from types import TracebackType
from typing import Self

from duanka.records.limits import EMPTY_MEMBERS, MOST_PADDING, unpacks_too_much
from duanka.records.open_file import opened

GZIP_MAGIC = b"\x1f\x8b"
_PIECE = 1 << 16  # bytes read from a gzip file at once: small, for a damaged piece is gone over byte by byte


class Unpacked:
    """A file's bytes in order. `broken` says why they end early, once the end is reached; "" when they do not.

    `oversized`: they end early because of our limits.
    """

    def __init__(self, path: Path, root: Path | None = None) -> None:
        self.broken = ""
        self.oversized = False
        self._unpacked = 0
        self._before = 0  # unpacked before this member
        self._empty = 0  # members one after the other that hold nothing
        self._file = opened(path, root)
        start = self._file.read(2)
        self._file.seek(0)
        self._gzip = start == GZIP_MAGIC or path.name.lower().endswith(".gz")
        self._input = b""
        self._member: zlib._Decompress | None = None
        self._started = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def done(self) -> int:
        """Bytes of the file itself that were read so far."""
        return self._file.tell()

    def read(self, size: int) -> bytes:
        """Return up to `size` unpacked bytes; b"" at the end, or where the file breaks."""
        if self.broken:
            return b""
        if not self._gzip:
            return self._file.read(size)
        pieces: list[bytes] = []
        missing = size
        while missing > 0 and not self.broken:
            piece = self._inflate(missing)
            if piece is None:
                break
            pieces.append(piece)
            missing -= len(piece)
            self._unpacked += len(piece)
            if why := unpacks_too_much(self._file.tell(), self._unpacked):
                self.give_up(why)
        return b"".join(pieces)

    def give_up(self, why: str) -> None:
        """Read no further."""
        self.broken, self.oversized = why, True

    def _inflate(self, limit: int) -> bytes | None:
        """Unpack one piece of at most `limit` bytes; None at the end or break of the data."""
        if not self._input:
            self._input = self._file.read(_PIECE)
        if self._member is None and not self._next_member():
            return None
        member = self._member
        assert member is not None  # noqa: S101  # _next_member made it
        if not self._input:
            self.broken = "the gzip data is cut off"
            return None
        before, given = member.copy(), self._input
        try:
            piece = member.decompress(given, limit)
        except zlib.error:
            self.broken = "the gzip data is damaged"
            return _salvage(before, given)
        self._input = member.unused_data if member.eof else member.unconsumed_tail
        if member.eof:
            self._member = None
        return piece

    def _next_member(self) -> bool:
        """Begin the next gzip member, past padding; False when there is none."""
        padding = 0
        while True:
            if self._started:
                padding += len(self._input)
                self._input = self._input.lstrip(b"\0")
                if padding > MOST_PADDING:
                    self.give_up("zeros without end follow the gzip data")
                    return False
            if len(self._input) >= len(GZIP_MAGIC):
                break
            more = self._file.read(_PIECE)
            if not more:
                break
            self._input += more
        if not self._input and self._started:
            return False
        if not self._input.startswith(GZIP_MAGIC):
            self.broken = "what follows the gzip data is none" if self._started else "it is not gzip data"
            return False
        self._started = True
        self._empty = 0 if self._unpacked > self._before else self._empty + 1
        self._before = self._unpacked
        if self._empty > EMPTY_MEMBERS:
            self.give_up("gzip members without content")
            return False
        self._member = zlib.decompressobj(31)
        return True


def _salvage(member: zlib._Decompress, given: bytes) -> bytes:
    """Unpack byte by byte up to the damage, so that no whole line before it is lost."""
    pieces: list[bytes] = []
    for at in range(len(given)):
        try:
            pieces.append(member.decompress(given[at : at + 1]))
        except zlib.error:
            break
    return b"".join(pieces)
