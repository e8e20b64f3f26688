"""Number formats of a workbook: amounts, leading zeros, dates, durations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

# Built-in formats of dates and times; 27 to 36 and 50 to 58 are those of Chinese, Japanese and Korean programs.
_BUILT_IN = {
    **dict.fromkeys((14, 15, 16, 17), "yyyy-mm-dd"),
    **dict.fromkeys((27, 28, 29, 30, 31, 36, 50, 51, 52, 53, 54, 57, 58), "yyyy-mm-dd"),
    **dict.fromkeys((19, 21, 33, 35, 56), "h:mm:ss"),
    **dict.fromkeys((18, 20, 32, 34, 55), "h:mm"),
    **dict.fromkeys((45, 47), "mm:ss"),
    22: "yyyy-mm-dd h:mm",
    46: "[h]:mm:ss",
}
_NOT_SHOWN_AS_SUCH = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE)
_ZEROS = re.compile(r"[0\- ]*0[\- ]*0[0\- ]*")
_MAX_STYLES = 1 << 17  # maximum styles kept; programs allow half as many


@dataclass(frozen=True)
class NumberFormat:
    """Meaning of numbers shown in a format.

    `temporal`: date, time or duration. `timed`: with a time of day. `minutes`: shows only hh:mm, which may in fact be
    mm:ss entered carelessly. `zeros`: minimum number of digits shown.
    """

    temporal: bool = False
    timed: bool = False
    minutes: bool = False
    zeros: int = 0


PLAIN, TIMED = NumberFormat(), NumberFormat(temporal=True, timed=True)


def format_of(code: str) -> NumberFormat:
    """Parse the part of a format code for positive numbers."""
    bare = _NOT_SHOWN_AS_SUCH.sub("", code).partition(";")[0].strip().lower()
    if bare.startswith(("general", "g/", "@")):
        return PLAIN
    if _ZEROS.fullmatch(bare):
        return NumberFormat(zeros=bare.count("0"))
    letters = set(bare.replace("am/pm", "").replace("a/p", "")) & set("ydhsm")
    if not letters or "0.0" in bare.replace("s.0", ""):
        return PLAIN
    minutes = "h" in letters and not letters & set("yds")
    return NumberFormat(temporal=True, timed=bool(letters & set("hs")), minutes=minutes)


class Styles:
    """Parser of the styles part; `formats`: list by a cell's style number."""

    def __init__(self) -> None:
        self.formats: list[NumberFormat] = []
        self._codes: dict[str, str] = {}
        self._known: dict[str, NumberFormat] = {}
        self._of_cells = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """See Events."""
        if name == "numFmt" and len(self._codes) < _MAX_STYLES:
            self._codes[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")
        elif name == "cellXfs":
            self._of_cells = True
        elif name == "xf" and self._of_cells and len(self.formats) < _MAX_STYLES:
            self.formats.append(self._format(attributes.get("numFmtId", "0")))

    def end(self, name: str) -> None:
        """See Events."""
        if name == "cellXfs":
            self._of_cells = False

    def _format(self, number: str) -> NumberFormat:
        if number not in self._known:
            built_in = _BUILT_IN.get(int(number), "") if number.isdecimal() and len(number) < 9 else ""
            form = format_of(self._codes.get(number) or built_in)
            self._known[number] = PLAIN if form == PLAIN else form
        return self._known[number]
