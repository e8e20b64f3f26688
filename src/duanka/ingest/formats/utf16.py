"""Streaming conversion of UTF-16 ("Unicode text" of spreadsheets) to UTF-8."""

from __future__ import annotations

import codecs
from collections.abc import Callable

from duanka.ingest.formats.csv_header import BOM

MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_PIECE = 1 << 16


def is_utf16(start: bytes) -> bool:
    """Tell whether `start` begins with a byte order mark of UTF-16."""
    return start[:2] in MARKS


class AsUtf8:
    """Converts what `read` returns, UTF-16 with byte order mark, to UTF-8 with one.

    Invalid code units become U+FFFD.
    """

    def __init__(self, start: bytes, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._decoder = codecs.getincrementaldecoder(MARKS[start[:2]])("replace")
        self._held = bytearray(BOM)
        self._ended = False
        self._take(start[2:])

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; b"" at the end."""
        while len(self._held) < size and not self._ended:
            self._take(self._read(max(size - len(self._held), _PIECE)))
        piece = bytes(self._held[:size])
        del self._held[:size]
        return piece

    def _take(self, piece: bytes) -> None:
        self._ended = not piece
        self._held += self._decoder.decode(piece, final=self._ended).encode("utf-8", "replace")
