"""Parts of a workbook (XML files in a zip file), decompressed while being read."""

from __future__ import annotations

import io
import posixpath
import zlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple

from duanka.ingest.files.limits import FREELY_UNPACKED_XML, MOST_XML_RATIO, unpacks_too_much
from duanka.ingest.files.packed_zip import ENCRYPTED, Broken, Unfit, members_of, unpacked_member
from duanka.ingest.formats.workbook.events import PIECE, BadXml, End, Events, PartBroken, Start, Text, nothing

_WORKSHEET = "/worksheet"  # ending of the relationship type of a sheet of cells
_MAX_SHEETS = 1000


class Sheet(NamedTuple):
    """A sheet of cells: name, part, whether visible, bytes stated in the zip directory."""

    name: str
    part: str
    shown: bool
    size: int


class Package:
    """The workbook in the zip file `file`; PartBroken without a usable directory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, io.SEEK_END)
        self._unpacked = 0  # bytes of all parts: many small ones must not evade the limit
        try:
            members = members_of(file)
        except Broken:
            raise PartBroken("the file is cut off or damaged; deliver it again") from None
        except Unfit as why:
            raise PartBroken(str(why), oversized=True) from None
        self._members = {_plain(one.filename): one for one in members}
        self.names = frozenset(self._members)  # of the parts, in lower case

    def size(self, part: str) -> int:
        """Bytes of a part as stated in the zip directory; 0 if missing."""
        member = self._members.get(_plain(part))
        return member.file_size if member else 0

    def pieces(self, part: str) -> Iterator[bytes]:
        """Yield the bytes of `part`; raises PartBroken."""
        member = self._members.get(_plain(part))
        if member is None:
            raise PartBroken(f"it has no part {part}")
        if member.flag_bits & ENCRYPTED:
            raise PartBroken("the zip file is encrypted; save it without a password")
        try:
            members = unpacked_member(self._file, member, again="save it again")
        except Unfit as fault:
            raise PartBroken(str(fault)) from None
        checksum = 0
        while (piece := members.piece(PIECE)) is not None:
            checksum = zlib.crc32(piece, checksum)
            self._unpacked += len(piece)
            limits = {"freely": FREELY_UNPACKED_XML, "ratio": MOST_XML_RATIO}
            if why := unpacks_too_much(self._size, self._unpacked, **limits):
                raise PartBroken(why, oversized=True)
            if piece:
                yield piece
        if members.broken or checksum != member.CRC:
            raise PartBroken(members.broken or "the zip data is damaged", oversized=members.oversized)

    def parse(self, part: str, start: Start, end: End = nothing, text: Text = nothing) -> None:
        """Parse a small part completely; raises PartBroken."""
        events = Events(start, end, text)
        try:
            for piece in self.pieces(part):
                events.feed(piece)
            events.close()
        except BadXml as fault:
            raise PartBroken(f"{part}: {fault}") from None


class Contents(NamedTuple):
    """Contents of a workbook: sheets, names of the parts of styles and strings.

    `styles`, `strings`: "" if missing. `since_1904`: whether dates count from 1904.
    """

    sheets: tuple[Sheet, ...]
    styles: str
    strings: str
    since_1904: bool


def contents(package: Package) -> Contents:
    """Read the list of sheets and their parts; raises PartBroken."""
    book = next((target for kind, target in _related(package, "").values() if kind == "/officeDocument"), "")
    book = book or "xl/workbook.xml"
    related = _related(package, book)
    listed: list[tuple[str, str, bool]] = []
    since_1904 = False

    def start(name: str, attributes: Mapping[str, str]) -> None:
        nonlocal since_1904
        if name == "sheet" and len(listed) < _MAX_SHEETS:
            mark = next((value for key, value in attributes.items() if key.rpartition(":")[2] == "id"), "")
            shown = attributes.get("state", "visible") == "visible"
            listed.append((attributes.get("name", ""), mark, shown))
        elif name == "workbookPr":
            since_1904 = attributes.get("date1904", "0") in ("1", "true", "on")

    package.parse(book, start)
    sheets = []
    for name, mark, shown in listed:
        kind, part = related.get(mark, ("", ""))
        if kind == _WORKSHEET:
            sheets.append(Sheet(name, part, shown, package.size(part)))
    parts = dict(reversed(related.values()))
    return Contents(tuple(sheets), parts.get("/styles", ""), parts.get("/sharedStrings", ""), since_1904)


def _related(package: Package, part: str) -> dict[str, tuple[str, str]]:
    """Relationships of `part` ("": the package): id -> ending of type, target part."""
    folder, name = posixpath.split(part)
    found: dict[str, tuple[str, str]] = {}

    def start(name: str, attributes: Mapping[str, str]) -> None:
        if name == "Relationship" and attributes.get("TargetMode") != "External":
            kind = "/" + attributes.get("Type", "").rpartition("/")[2]
            target = attributes.get("Target", "").replace("\\", "/")
            whole = target.lstrip("/") if target.startswith("/") else posixpath.join(folder, target)
            found[attributes.get("Id", "")] = (kind, posixpath.normpath(whole))

    related = posixpath.join(folder, "_rels", f"{name}.rels")
    if _plain(related) in package.names:
        package.parse(related, start)
    return found


def _plain(name: str) -> str:
    """Name of a part for comparison: lower case, forward slashes."""
    return name.replace("\\", "/").lstrip("/").lower()
