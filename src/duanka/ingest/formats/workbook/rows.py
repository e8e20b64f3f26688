"""Parser of the rows of a sheet, cells as stored; finds its header row."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from duanka.ingest.files.limits import LINE_LIMIT, RECORD_LIMIT
from duanka.ingest.formats.workbook.cells import TEXT_KINDS, Cell, CellValues
from duanka.ingest.formats.workbook.events import BadXml, Events

MOST_ROWS = 1 << 20  # maximum rows of a sheet
_MAX_COLUMNS = 1 << 14
_DIGITS = "0123456789"
LOOKED_AT = 200  # rows sampled to find the width of the table
CELLS_LOOKED_AT = 100_000
HEADER_WITHIN_ROWS = 30  # first non-empty rows in which the header is searched
MIN_HEADER_SHARE = 0.6  # minimum width, as share of the widest row; titles and notes are narrower
_DATA = re.compile(r"^[+']?[0-9]{4,}$|[0-9]{1,4}[-/.:年][0-9]{1,2}|^-?[0-9]+([.][0-9]+)?$")
_BRACKETS = re.compile(r"[(\[（【].*?[)\]）】]")


class SheetRow(NamedTuple):
    """A row: number in the sheet, from 1, and non-empty cells by column, from 1.

    `filled`: number of non-empty cells in all columns. `long`: the row exceeds the size limit and its text is dropped.
    """

    number: int
    cells: dict[int, Cell]
    filled: int
    long: bool = False


class SheetRows:
    """Parser of a sheet's XML; keeps non-empty rows, with their cells in `wanted` columns.

    `wanted` None: all columns. `without_value`: number of formulas without a stored value.
    """

    def __init__(self, wanted: Collection[int] | None = None) -> None:
        self.without_value = 0
        self._wanted = None if wanted is None else frozenset(wanted)
        self._rows: list[SheetRow] = []
        self._columns: dict[str, int] = {}
        self._row = self._column = self._filled = self._length = self._of_row = 0
        self._cells: dict[int, Cell] = {}
        self._kind = self._style = ""
        self._parts: list[str] = []
        self._hears = self._in_data = self._in_cell = self._formula = self._long = False
        self._phonetic = 0

    def taken(self) -> list[SheetRow]:
        """Return and clear the rows parsed since the last call."""
        rows, self._rows = self._rows, []
        return rows

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """See Events. Raises BadXml."""
        if name == "c" and self._in_data:
            self._column = self._place(attributes["r"]) if "r" in attributes else self._column + 1
            self._kind, self._style = attributes.get("t", "n"), attributes.get("s", "")
            self._in_cell, self._formula, self._length = True, False, 0
            self._parts.clear()
        elif name in ("v", "t"):
            self._hears = self._in_cell and not self._phonetic
        elif name == "row" and self._in_data:
            self._start_row(attributes.get("r", ""))
        elif name == "f":
            self._formula = True
        elif name == "rPh":
            self._phonetic += 1
        elif name == "sheetData":
            self._in_data = True

    def end(self, name: str) -> None:
        """See Events."""
        if name in ("v", "t"):
            self._hears = False
        elif name == "c" and self._in_cell:
            self._end_cell()
        elif name == "row" and self._in_data:
            if self._filled:
                self._rows.append(SheetRow(self._row, self._cells, self._filled, self._long))
        elif name == "rPh":
            self._phonetic = max(self._phonetic - 1, 0)
        elif name == "sheetData":
            self._in_data = False

    def text(self, text: str) -> None:
        """See Events."""
        if not self._hears:
            return
        self._length += len(text)
        self._of_row += len(text)
        if self._length > LINE_LIMIT or self._of_row > RECORD_LIMIT:
            self._long = True
        else:
            self._parts.append(text)

    def _start_row(self, number: str) -> None:
        row = int(number) if number.isdecimal() and len(number) < 9 else 0
        self._row = max(row, self._row + 1)  # row numbers must ascend; otherwise they are ignored
        if self._row > MOST_ROWS:
            raise BadXml("more rows than a sheet has")
        self._cells = {}
        self._column = self._filled = self._of_row = 0
        self._long = False

    def _end_cell(self) -> None:
        self._in_cell = False
        value = "".join(self._parts)
        if not value and not self._length:
            self.without_value += self._formula
            return
        self._filled += 1
        if self._wanted is None or self._column in self._wanted:
            self._cells[self._column] = Cell(self._kind, self._style, value)

    def _place(self, reference: str) -> int:
        """Column number of a cell reference such as AB12."""
        letters = reference.rstrip(_DIGITS)
        known = self._columns.get(letters)
        if known is None:
            known = 0
            for letter in letters.upper()[:4]:
                known = known * 26 + ord(letter) - 64
            if not 1 <= known <= _MAX_COLUMNS or not letters.isascii() or not letters.isalpha():
                raise BadXml(f"a cell in the column {letters[:10]!r}, which no sheet has")
            self._columns[letters] = known
        return known


def rows_of(pieces: Iterable[bytes], sheet: SheetRows) -> Iterator[list[SheetRow]]:
    """Yield the rows of a sheet in groups. Raises BadXml, and what `pieces` raises.

    Rows before the fault are yielded before it is raised.
    """
    events = Events(sheet.start, sheet.end, sheet.text)
    try:
        for piece in pieces:
            events.feed(piece)
            yield sheet.taken()
        events.close()
    except BadXml:
        yield sheet.taken()
        raise
    yield sheet.taken()


class Header(NamedTuple):
    """Column names by position from 1, and number of the header row; 0 for none."""

    row: int
    names: dict[int, str]


def header_of(rows: Sequence[SheetRow], values: CellValues) -> Header:
    """Find the header among the first non-empty rows of a sheet."""
    widest = max((row.filled for row in rows), default=0)
    for row in rows[:HEADER_WITHIN_ROWS]:
        if row.filled < MIN_HEADER_SHARE * widest:
            continue
        if names := _names(row, values):
            return Header(row.number, names)
    last = max((max(row.cells) for row in rows if row.cells), default=0)
    return Header(0, {place: f"column {place}" for place in range(1, last + 1)})


def is_data(text: str) -> bool:
    """Tell whether a text is a number or a time, which names no column."""
    return bool(_DATA.search(_BRACKETS.sub("", text)))


def _names(row: SheetRow, values: CellValues) -> dict[int, str]:
    """Names in a row by position; {} if a cell cannot be a name."""
    if not all(cell.kind in TEXT_KINDS for cell in row.cells.values()):
        return {}
    texts = {place: " ".join((values.text(cell) or "").split()) for place, cell in row.cells.items()}
    texts = {place: text for place, text in texts.items() if text}
    if not texts or any(map(is_data, texts.values())):
        return {}
    return {place: texts.get(place, f"column {place}") for place in range(min(texts), max(texts) + 1)}
