"""Shared strings of a workbook, stored compactly: UTF-8 and 8 bytes per string."""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping

from duanka.ingest.files.limits import LINE_LIMIT, MB
from duanka.ingest.formats.workbook.events import PartBroken

MOST_STRINGS = 128 * MB  # maximum bytes of all strings, including 8 for each
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")  # `_x000D_`: a character not allowed in XML


def unescaped(text: str) -> str:
    """`text` with its escapes decoded."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


class SharedStrings:
    """Parser of the shared strings; a too long one is cut to just over the limit."""

    def __init__(self) -> None:
        self.longest = 0  # bytes of the longest string
        self._bytes = bytearray()
        self._ends = array("Q", [0])
        self._parts: list[str] = []
        self._length = 0
        self._hears = False
        self._phonetic = 0

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> str:
        return self._bytes[self._ends[number] : self._ends[number + 1]].decode("utf-8", "surrogatepass")

    def size(self, number: int) -> int:
        """Bytes of string `number`."""
        return self._ends[number + 1] - self._ends[number]

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """See Events."""
        del attributes
        if name == "si":
            self._parts.clear()
            self._length = 0
        elif name == "rPh":  # phonetic reading, not part of the text
            self._phonetic += 1
        elif name == "t":
            self._hears = not self._phonetic

    def end(self, name: str) -> None:
        """See Events. Raises PartBroken."""
        if name == "t":
            self._hears = False
        elif name == "rPh":
            self._phonetic = max(self._phonetic - 1, 0)
        elif name == "si":
            text = unescaped("".join(self._parts)).encode("utf-8", "surrogatepass")
            self._bytes += text
            self._ends.append(len(self._bytes))
            self.longest = max(self.longest, len(text))
            if len(self._bytes) + 8 * len(self._ends) > MOST_STRINGS:
                why = f"its texts take more than {MOST_STRINGS // MB} MB; save it as CSV"
                raise PartBroken(why, oversized=True)

    def text(self, text: str) -> None:
        """See Events."""
        if self._hears and self._length <= LINE_LIMIT:
            self._length += len(text)
            self._parts.append(text)
