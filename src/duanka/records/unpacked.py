"""The bytes of a delivered file, unpacked when it is packed, up to where they can be read."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from duanka.records import packed_zip, packed_zstd
from duanka.records.limits import unpacks_too_much
from duanka.records.open_file import opened
from duanka.records.packed import BZIP2, GZIP, PACKED_ENDINGS, XZ, Members, Packed
from duanka.records.packed_zip import Zip
from duanka.records.packed_zstd import Zstd

START = 10  # bytes by which a form is known
_MEMBERS = {".gz": GZIP, ".bz2": BZIP2, ".xz": XZ}
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")  # what follows the magic and a digit: a block, or the end


def packed_as(name: str, start: bytes) -> str:
    """The ending of the form in which the file called `name` is packed, which begins with `start`; "" for none.

    The first bytes count, and then the name: a packed file may be called anything.
    """
    if start.startswith(GZIP.magic):
        return ".gz"
    if start.startswith(BZIP2.magic) and start[4:START].startswith(_BZIP2_BLOCKS):
        return ".bz2"
    if start.startswith(XZ.magic):
        return ".xz"
    if start.startswith(packed_zstd.MAGIC):
        return ".zst"
    if packed_zip.is_zip(start):
        return ".zip"
    return next((ending for ending in PACKED_ENDINGS if name.lower().endswith(ending)), "")


class Unpacked:
    """A file's bytes in order. `broken` says why they end early, once the end is reached; "" when they do not.

    `oversized`: they end early because of our limits. `size`: of a file that is not packed no more is read.
    """

    def __init__(self, path: Path, root: Path | None = None, size: int | None = None) -> None:
        self.broken = ""
        self._size = size
        self.oversized = False
        self._unpacked = 0
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
        """Return up to `size` unpacked bytes; b"" at the end, or where the file breaks."""
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
        """The file itself, when it is not packed."""
        return self._file if self._packed is None else None

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
