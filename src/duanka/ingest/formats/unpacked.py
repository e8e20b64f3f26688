"""The bytes of a delivered file, decompressed if needed, up to any damage."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Self

from duanka.ingest.files import packed_zip, packed_zstd
from duanka.ingest.files.limits import unpacks_too_much
from duanka.ingest.files.open_file import opened
from duanka.ingest.files.packed import BZIP2, GZIP, PACKED_ENDINGS, XZ, Members, Packed
from duanka.ingest.files.packed_zip import Zip
from duanka.ingest.files.packed_zstd import Zstd
from duanka.ingest.formats.csv_header import BOM

START = 10  # bytes needed to detect a format
_MEMBERS = {".gz": GZIP, ".bz2": BZIP2, ".xz": XZ}
_NO_TEXT = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")  # after magic and a digit: start of a block, or of the trailer
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_PIECE = 1 << 16


def packed_as(name: str, start: bytes) -> str:
    """Ending of a file's compression format, by first bytes, then name; "" for none.

    The first bytes decide, since a compressed file may have any name.
    """
    if found := _by_its_bytes(start):
        return found
    if len(start) == START and not _NO_TEXT.search(start):
        return ""  # text decompressed by a transfer program that kept the name
    return next((ending for ending in PACKED_ENDINGS if name.lower().endswith(ending)), "")


def _by_its_bytes(start: bytes) -> str:
    if start.startswith(BZIP2.magic) and start[4:START].startswith(_BZIP2_BLOCKS):
        return ".bz2"
    magics = ((".gz", GZIP.magic), (".xz", XZ.magic), (".zst", packed_zstd.MAGIC))
    found = next((ending for ending, magic in magics if start.startswith(magic)), "")
    return found or (".zip" if packed_zip.is_zip(start) else "")


class Unpacked:
    """The bytes of a file, in order.

    Final once `read` returns b"": `broken`, why the bytes end early, else ""; `oversized`, whether a limit ended them.
    `size`: maximum bytes read of an uncompressed file.
    """

    def __init__(self, path: Path, root: Path | None = None, size: int | None = None) -> None:
        self.broken = ""
        self._size = size
        self.oversized = False
        self._unpacked = 0
        self._utf8: AsUtf8 | None = None
        self._begun = False
        self._file = opened(path, root)
        try:
            self._packed = _packed(self._file, path.name)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def done(self) -> int:
        """Bytes of the file on disk read so far."""
        return self._file.tell()

    def read(self, size: int) -> bytes:
        """Return up to `size` decompressed bytes, UTF-16 as UTF-8; b"" at end or damage."""
        if not self._begun and size:
            self._begun = True
            start = self._octets(max(size, 2))
            if not is_utf16(start):
                return start
            self._utf8 = AsUtf8(start, self._octets)
        return self._utf8.read(size) if self._utf8 else self._octets(size)

    def _octets(self, size: int) -> bytes:
        if self.broken:
            return b""
        if self._packed is None:
            return self._file.read(size if self._size is None else min(size, max(self._size - self.done, 0)))
        pieces: list[bytes] = []
        missing = size
        while missing > 0 and not self.broken:
            piece = self._packed.piece(missing)
            if piece is None:
                self.broken, self.oversized = self._packed.broken, self._packed.oversized
                break
            pieces.append(piece)
            missing -= len(piece)
            self._unpacked += len(piece)
            if why := unpacks_too_much(self._file.tell(), self._unpacked):
                self.give_up(why)
        return b"".join(pieces)

    @property
    def plain(self) -> BinaryIO | None:
        """The file itself if neither compressed nor in UTF-16, else None."""
        return self._file if self._packed is None and self._utf8 is None else None

    def give_up(self, why: str) -> None:
        """Stop reading, with the reason `why`."""
        self.broken, self.oversized = why, True


def _packed(file: BinaryIO, name: str) -> Packed | None:
    start = file.read(START)
    file.seek(0)
    form = packed_as(name, start)
    if not form:
        return None
    if form == ".zst":
        return Zstd(file)
    return Zip(file) if form == ".zip" else Members(file, _MEMBERS[form])


def is_utf16(start: bytes) -> bool:
    """Tell whether `start` begins with a byte order mark of UTF-16."""
    return start[:2] in _UTF16


class AsUtf8:
    """Converts UTF-16 from `read` to UTF-8; both begin with a byte order mark.

    Invalid code units become U+FFFD.
    """

    def __init__(self, start: bytes, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._decoder = codecs.getincrementaldecoder(_UTF16[start[:2]])("replace")
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
