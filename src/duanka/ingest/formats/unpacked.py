"""The bytes of a delivered file, unpacked when it is packed, up to where they can be read."""

from __future__ import annotations

import re
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from duanka.ingest.files import packed_zip, packed_zstd
from duanka.ingest.files.limits import unpacks_too_much
from duanka.ingest.files.open_file import opened
from duanka.ingest.files.packed import BZIP2, GZIP, PACKED_ENDINGS, XZ, Members, Packed
from duanka.ingest.files.packed_zip import Zip
from duanka.ingest.files.packed_zstd import Zstd
from duanka.ingest.formats.utf16 import AsUtf8, is_utf16

START = 10  # bytes by which a form is known
_MEMBERS = {".gz": GZIP, ".bz2": BZIP2, ".xz": XZ}
_NO_TEXT = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")  # what follows the magic and a digit: a block, or the end


def packed_as(name: str, start: bytes) -> str:
    """The ending of the form in which the file called `name` is packed, which begins with `start`; "" for none.

    The first bytes count, and then the name: a packed file may be called anything.
    """
    if found := _by_its_bytes(start):
        return found
    if len(start) == START and not _NO_TEXT.search(start):
        return ""  # text that was unpacked on its way, as programs that fetch files do, and kept its name
    return next((ending for ending in PACKED_ENDINGS if name.lower().endswith(ending)), "")


def _by_its_bytes(start: bytes) -> str:
    if start.startswith(BZIP2.magic) and start[4:START].startswith(_BZIP2_BLOCKS):
        return ".bz2"
    magics = ((".gz", GZIP.magic), (".xz", XZ.magic), (".zst", packed_zstd.MAGIC))
    found = next((ending for ending, magic in magics if start.startswith(magic)), "")
    return found or (".zip" if packed_zip.is_zip(start) else "")


class Unpacked:
    """A file's bytes in order. `broken` says why they end early, once the end is reached; "" when they do not.

    `oversized`: they end early because of our limits. `size`: of a file that is not packed no more is read.
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

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def done(self) -> int:
        """Bytes of the file itself that were read so far."""
        return self._file.tell()

    def read(self, size: int) -> bytes:
        """Return up to `size` unpacked bytes; b"" at the end, or where the file breaks. UTF-16 comes as UTF-8."""
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
        """The file itself, when it is read as it is: neither packed nor in UTF-16."""
        return self._file if self._packed is None and self._utf8 is None else None

    def give_up(self, why: str) -> None:
        """Read no further."""
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
