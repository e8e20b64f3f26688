"""Decompression of gzip, bzip2 and xz members as one stream, in bounded memory.

Truncated or damaged data yields every byte before the damage: the member is decompressed again up to the last piece
that succeeded, and from there byte by byte.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from duanka.ingest.files.limits import EMPTY_MEMBERS, MB, MOST_PADDING, MOST_WINDOW

PACKED_ENDINGS = (".gz", ".bz2", ".xz", ".zst", ".zip")
PIECE = 1 << 16  # bytes read at once; small, because a damaged piece is repeated byte by byte
ERRORS = (
    zlib.error,
    lzma.LZMAError,
    OSError,
    EOFError,
    ValueError,
)  # errors of the decompressors; bz2 has none of its own


class Packed(Protocol):
    """A decompressed stream; its classes inherit the defaults.

    `broken`: why it ended early, if it did. `oversized`: whether that was because of a limit.
    """

    broken: str = ""
    oversized: bool = False

    def piece(self, limit: int) -> bytes | None:
        """Return up to `limit` decompressed bytes, maybe b""; None at the end or damage."""
        ...


class Inflate:
    """zlib with `bz2.BZ2Decompressor`'s interface; `wbits`: 31 for gzip, -15 for raw deflate."""

    def __init__(self, wbits: int) -> None:
        self.eof, self.needs_input, self.unused_data = False, True, b""
        self._member = zlib.decompressobj(wbits)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Add `data`; return up to `max_length` decompressed bytes and keep the rest."""
        member = self._member
        piece = member.decompress(member.unconsumed_tail + data, max_length)
        self.eof, self.unused_data = member.eof, member.unused_data
        self.needs_input = not member.unconsumed_tail and len(piece) < max_length
        return piece


class Stored:
    """An uncompressed member of `size` bytes, with `bz2.BZ2Decompressor`'s interface."""

    def __init__(self, size: int) -> None:
        self.eof, self.needs_input, self.unused_data = not size, bool(size), b""
        self._missing = size
        self._held = b""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Add `data`; return up to `max_length` bytes and keep the rest."""
        self._held += data[: self._missing]
        self._missing -= min(len(data), self._missing)
        piece, self._held = self._held[:max_length], self._held[max_length:]
        self.eof, self.needs_input = (
            not self._missing and not self._held,
            not self._held and bool(self._missing),
        )
        return piece


Decompressor = bz2.BZ2Decompressor | lzma.LZMADecompressor | Inflate | Stored


@dataclass(frozen=True)
class PackedFormat:
    """A compression format; `magic`: first bytes of a member; `single`: a file has only one."""

    name: str
    magic: bytes
    make: Callable[[], Decompressor]
    single: bool = False


GZIP = PackedFormat("gzip", b"\x1f\x8b", lambda: Inflate(31))
BZIP2 = PackedFormat("bzip2", b"BZh", bz2.BZ2Decompressor)
XZ = PackedFormat(
    "xz", b"\xfd7zXZ\0", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MOST_WINDOW + 2 * MB)
)


class Members(Packed):
    """The members of `file` in the format `form`, from its current position."""

    def __init__(self, file: BinaryIO, form: PackedFormat) -> None:
        self._file = file
        self._form = form
        self._input = b""  # read but not yet decompressed; only between members
        self._member: Decompressor | None = None
        self._member_at = self._fed_at = 0  # file offsets of the member and of the last input
        self._of_member = 0  # bytes decompressed of the member
        self._skip = 0  # bytes to drop, already returned in the first attempt
        self._empty = 0  # consecutive empty members
        self._started = False
        self._again = False  # whether this is the second attempt at the member
        self._bytewise_to = 0

    def piece(self, limit: int) -> bytes | None:
        """See Packed."""
        if self._member is None and not self._next_member():
            return None
        member = self._member
        assert member is not None  # noqa: S101  # _next_member made it
        given = b""
        if member.needs_input:
            given = self._feed()
            if not given:
                self.broken = f"the {self._form.name} data is cut off"
                return None
        try:
            piece = member.decompress(given, limit)
        except ERRORS as fault:
            return self._failed(fault)
        if member.eof:
            self._input = member.unused_data + self._input
            self._member = None
        if self._skip:
            repeated = min(self._skip, len(piece))
            self._skip -= repeated
            piece = piece[repeated:]
        self._of_member += len(piece)
        return piece

    def _feed(self) -> bytes:
        size = 1 if self._file.tell() - len(self._input) < self._bytewise_to else PIECE
        given = self._input[:size] or self._file.read(size)
        self._input = self._input[size:]
        self._fed_at = self._file.tell() - len(self._input) - len(given)
        return given

    def _failed(self, fault: Exception) -> bytes | None:
        """Repeat the last piece byte by byte; end the stream at the second failure."""
        if isinstance(fault, lzma.LZMAError) and "emory usage limit" in str(fault):
            self.broken = (
                f"unpacking it takes more than {MOST_WINDOW // MB} MB of memory; pack it by xz -9 or less"
            )
            self.oversized = True
            return None
        if self._again:
            self.broken = f"the {self._form.name} data is damaged"
            return None
        self._again, self._skip, self._input = True, self._of_member, b""
        self._file.seek(self._member_at)
        self._member = member = self._form.make()
        while missing := self._fed_at - self._file.tell():
            given = self._file.read(min(missing, PIECE))
            if not given:
                break
            self._skip -= len(member.decompress(given, PIECE))
            while not (member.needs_input or member.eof):
                self._skip -= len(member.decompress(b"", PIECE))
        self._bytewise_to = self._fed_at + PIECE
        return b""

    def _next_member(self) -> bool:
        """Skip padding and begin the next member; False when there is none."""
        form, padding = self._form, 0
        if self._started and form.single:
            return False
        while not form.single:
            if self._started:
                padding += len(self._input)
                self._input = self._input.lstrip(b"\0")
                if padding > MOST_PADDING:
                    return self._give_up(f"zeros without end follow the {form.name} data")
            if len(self._input) >= len(form.magic):
                break
            more = self._file.read(PIECE)
            if not more:
                break
            self._input += more
        if not self._input and self._started:
            return False
        if not form.single and not self._input.startswith(form.magic):
            self.broken = (
                f"what follows the {form.name} data is not {form.name} data"
                if self._started
                else f"it is not {form.name} data"
            )
            return False
        self._empty = self._empty + 1 if self._started and not self._of_member else 0
        if self._empty > EMPTY_MEMBERS:
            return self._give_up(f"{form.name} members without content")
        self._started, self._again, self._of_member = True, False, 0
        self._member_at = self._file.tell() - len(self._input)
        self._member = form.make()
        return True

    def _give_up(self, why: str) -> bool:
        self.broken, self.oversized = why, True
        return False
