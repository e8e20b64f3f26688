"""XML events in bounded memory; unusual XML is rejected with a reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from xml.parsers import expat

from duanka.ingest.files.limits import MB

PIECE = 1 << 16  # bytes parsed at once
_MAX_TAG_BYTES = MB  # bytes of a tag with its attributes, which the parser keeps in memory
_MAX_DEPTH = 64  # maximum depth of nested elements
_MAX_NAMES = 4096  # maximum distinct names of elements and attributes, which the parser keeps for ever

Start = Callable[[str, Mapping[str, str]], None]
End = Callable[[str], None]
Text = Callable[[str], None]


class PartBroken(Exception):
    """A part cannot be read further; `oversized`: because of a limit."""

    def __init__(self, why: str, *, oversized: bool = False) -> None:
        super().__init__(why)
        self.oversized = oversized


class BadXml(PartBroken):
    """The XML of a part is rejected."""


class Events:
    """Calls `start`, `end` and `text` for each element; names lose their prefix."""

    def __init__(self, start: Start, end: End, text: Text) -> None:
        self._names: dict[str, str] = {}
        self._fed = self._depth = 0
        self._start = start
        self._end = end
        self._parser = expat.ParserCreate(intern=self._names)
        self._parser.buffer_text = True
        self._parser.buffer_size = PIECE
        self._parser.StartElementHandler = self._started
        self._parser.EndElementHandler = self._ended
        self._parser.CharacterDataHandler = text
        self._parser.StartDoctypeDeclHandler = _no_doctype

    def feed(self, data: bytes) -> None:
        """Parse `data`, at most PIECE bytes. Raises BadXml."""
        self._parse(data, last=False)
        self._fed += len(data)
        if len(self._names) > _MAX_NAMES:
            raise BadXml("more names of elements than a workbook has")
        if self._fed - max(self._parser.CurrentByteIndex, 0) > _MAX_TAG_BYTES:
            raise BadXml("a tag longer than any of a workbook")

    def close(self) -> None:
        """Finish parsing; raises BadXml if the document is incomplete."""
        self._parse(b"", last=True)

    def _parse(self, data: bytes, *, last: bool) -> None:
        try:
            self._parser.Parse(data, last)
        except expat.ExpatError as fault:
            raise BadXml(f"its XML is broken: {expat.ErrorString(fault.code)}") from None
        except (UnicodeError, LookupError, ValueError):  # unknown or wrong encoding
            raise BadXml("its XML is in an unknown encoding") from None

    def _started(self, name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise BadXml("more elements in one another than a workbook has")
        self._start(name.rpartition(":")[2] if ":" in name else name, attributes)

    def _ended(self, name: str) -> None:
        self._depth -= 1
        self._end(name.rpartition(":")[2] if ":" in name else name)


def _no_doctype(*_: object) -> None:
    raise BadXml("a document type, which no workbook has")


def nothing(_: str) -> None:
    """Ignore an event."""
