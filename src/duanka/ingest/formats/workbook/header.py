"""Finds the header row of a sheet, below any titles; a sheet may have none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from duanka.ingest.formats.workbook.cells import CellValues
from duanka.ingest.formats.workbook.rows import SheetRow

LOOKED_AT = 200  # rows sampled to find the width of the table
CELLS_LOOKED_AT = 100_000
_HEADER_WITHIN_ROWS = 30  # the header is searched in so many non-empty rows
_MIN_HEADER_SHARE = 0.6  # minimum width, as share of the widest row; titles and notes are narrower
_DATA = re.compile(r"^[+']?[0-9]{4,}$|[0-9]{1,4}[-/.:年][0-9]{1,2}|^-?[0-9]+([.][0-9]+)?$")
_BRACKETS = re.compile(r"[(\[（【].*?[)\]）】]")


class Header(NamedTuple):
    """Column names by position from 1, and number of the header row; 0 for none."""

    row: int
    names: dict[int, str]


def header_of(rows: Sequence[SheetRow], values: CellValues) -> Header:
    """Find the header among the first non-empty rows of a sheet."""
    widest = max((row.filled for row in rows), default=0)
    for row in rows[:_HEADER_WITHIN_ROWS]:
        if row.filled < _MIN_HEADER_SHARE * widest:
            continue
        if names := _names(row, values):
            return Header(row.number, names)
    last = max((max(row.cells) for row in rows if row.cells), default=0)
    return Header(0, {place: f"column {place}" for place in range(1, last + 1)})


def _names(row: SheetRow, values: CellValues) -> dict[int, str]:
    """Names in a row by position; {} if a cell cannot be a name."""
    if not all(cell.is_text for cell in row.cells.values()):
        return {}
    texts = {place: " ".join((values.text(cell) or "").split()) for place, cell in row.cells.items()}
    texts = {place: text for place, text in texts.items() if text}
    if not texts or any(_DATA.search(_BRACKETS.sub("", text)) for text in texts.values()):
        return {}
    return {place: texts.get(place, f"column {place}") for place in range(min(texts), max(texts) + 1)}
