"""The single file of records in a zip file, as one stream; else an error.

The members are listed by zipfile; decompressed bytes are counted while reading, whatever the directory claims.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, BinaryIO

from duanka.domain.display import display_name
from duanka.ingest.files.limits import MOST_DIRECTORY
from duanka.ingest.files.packed import Decompressor, Inflate, Members, Packed, PackedFormat, Stored

MAGIC = b"PK\x03\x04"
EMPTY = b"PK\x05\x06"  # an empty archive
_LOCAL = struct.Struct("<4s5H3L2H")  # local header of a member
ENCRYPTED = 1
_MAX_NAMED_MEMBERS = 3  # maximum number of members named in an error
_TEXT_ENDINGS = (".csv", ".txt", ".dat", ".cdr", ".log", ".tsv")
_NOT_OURS = ("__macosx/", ".ds_store", "thumbs.db", "desktop.ini")
_SPREADSHEET = (
    "[Content_Types].xml",
    "xl/workbook",
    "META-INF/manifest.xml",
)  # members by which Excel and OpenDocument files are known
_FORMS = {  # first bytes of formats that are not text
    MAGIC: "a zip or Excel file",
    b"\x1f\x8b": "a gzip file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"PAR1": "a Parquet file",
}


class Unfit(Exception):
    """A zip file that cannot be used; the message says why and what to do."""


class Zip(Packed):
    """The file of records in the zip file `file`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._checksum = 0
        self._members: Members | None = None
        self._member = zipfile.ZipInfo()
        self._whole = True
        self._begun = False
        try:
            self._open()
        except Unfit as why:
            self.broken = str(why)

    def piece(self, limit: int) -> bytes | None:
        """See Packed."""
        if self._members is None:
            return None
        piece = self._members.piece(limit)
        if piece is None:
            self.broken, self.oversized = self._members.broken, self._members.oversized
            self._end()
            return None
        if piece and not self._begun:
            self._begun = True
            if form := next((what for magic, what in _FORMS.items() if piece.startswith(magic)), ""):
                self.broken = f"there is {form} in the zip file; unpack the zip file"
                return None
        self._checksum = zlib.crc32(piece, self._checksum)
        return piece

    def _end(self) -> None:
        if self.broken:
            return
        if not self._whole:
            self.broken = "the zip data is cut off"
        elif self._checksum != self._member.CRC:
            self.broken = "the zip data is damaged"

    def _open(self) -> None:
        try:
            members = members_of(self._file)
        except Broken:
            # truncated before the directory, but the header of the first member may be intact
            self._whole = False
            self._member = _first(self._file)
        else:
            self._member = _one_of(members)
        if self._member.flag_bits & ENCRYPTED:
            raise Unfit("the zip file is encrypted; unpack it with its password, or pack it without one")
        self._members = unpacked_member(
            self._file, self._member, again="pack it again with the usual one (deflate)"
        )


class Broken(Exception):
    """A zip file without a readable directory."""


class _Small(io.RawIOBase):
    """Limits the size of reads, because zipfile reads a directory of any size at once."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if size > MOST_DIRECTORY:
            raise Unfit("there are too many files in the zip file; deliver each by itself")
        return self._file.read(MOST_DIRECTORY if size < 0 else size)

    def seek(self, place: int, whence: int = 0) -> int:
        return self._file.seek(place, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True


def members_of(file: BinaryIO) -> list[zipfile.ZipInfo]:
    """Members listed in the directory; raises Broken, or Unfit for too many."""
    source: Any = _Small(file)
    try:
        with zipfile.ZipFile(source) as archive:
            return archive.infolist()
    # anything zipfile may raise on a damaged directory: undecodable names, unknown versions, negative offsets
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error, EOFError):
        raise Broken from None


def _one_of(members: Sequence[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    if any(one.filename.startswith(_SPREADSHEET) for one in members):
        raise Unfit("it is a spreadsheet; save it as CSV, with the numbers of cards as text")
    files = [one for one in members if not one.is_dir() and not _is_not_ours(one.filename)]
    texts = [one for one in files if one.filename.lower().endswith(_TEXT_ENDINGS)]
    if len(texts) == 1:
        files = texts
    if not files:
        raise Unfit("there is no file in the zip file; pack the file of records in it")
    if len(files) > 1:
        names = ", ".join(display_name(one.filename) for one in files[:_MAX_NAMED_MEMBERS])
        more = ", …" if len(files) > _MAX_NAMED_MEMBERS else ""
        raise Unfit(
            f"there are {len(files)} files in the zip file ({names}{more}); unpack it, or pack each by itself"
        )
    return files[0]


def _is_not_ours(name: str) -> bool:
    lowered = name.lower()
    hidden = lowered.rpartition("/")[2].startswith(".")
    return hidden or lowered.startswith(_NOT_OURS) or lowered.endswith(_NOT_OURS)


def _first(file: BinaryIO) -> zipfile.ZipInfo:
    """The first member, found by its local header, of a file without a directory."""
    one = zipfile.ZipInfo()
    one.header_offset = 0
    file.seek(0)
    head = file.read(_LOCAL.size)
    if len(head) < _LOCAL.size or not head.startswith(MAGIC):
        raise Unfit("the zip data is cut off" if head.startswith(b"PK") else "it is not zip data")
    _, _, one.flag_bits, one.compress_type, _, _, _, one.compress_size, *_ = _LOCAL.unpack(head)
    return one


def unpacked_member(file: BinaryIO, member: zipfile.ZipInfo, *, again: str) -> Members:
    """Seek to the data of `member`, and return a stream of it decompressed.

    `again`: what to do about an unusual compression. Raises Unfit for that and for a damaged header.
    """
    try:
        file.seek(member.header_offset)
    except (OSError, ValueError):
        raise Unfit("the zip data is damaged") from None
    head = file.read(_LOCAL.size)
    if len(head) < _LOCAL.size or not head.startswith(MAGIC):
        raise Unfit("the zip data is damaged")
    *_, length, extra = _LOCAL.unpack(head)
    file.seek(length + extra, io.SEEK_CUR)
    make: Callable[[], Decompressor] = partial(Inflate, -15)
    if member.compress_type == zipfile.ZIP_STORED:
        make = partial(Stored, member.compress_size)
    elif member.compress_type != zipfile.ZIP_DEFLATED:
        raise Unfit(f"it is packed in a way that few programs read; {again}")
    return Members(file, PackedFormat("zip", b"", make, single=True))


def is_zip(start: bytes) -> bool:
    """Tell whether a file with the first bytes `start` is a zip archive."""
    return start.startswith((MAGIC, EMPTY))
