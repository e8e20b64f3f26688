"""cards_at_risk.xlsx: the work list as a workbook, with card numbers as text."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from duanka.domain.decision import Tier
from duanka.domain.private_files import put_in_place
from duanka.domain.rule import Action
from duanka.domain.text import Language
from duanka.reports.list_changes import ListChange

_WIDTHS = (18, 10, 34, 80, 18)  # characters, per column
_MAX_SHEET_ROWS = 1_048_575  # without the heading: the limit of the format
_COLUMNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CREATED_AT = datetime(1980, 1, 1)  # fixed: equal findings give identical bytes
_PLAIN_CELL = 32_767  # characters: longer cells are cut by xlsxwriter
_NOT_PLAIN = re.compile(
    r"[\x00-\x1f&<>\ufffe\uffff]|_x[0-9a-fA-F]{4}_"
)  # what a cell does not contain as it is
_NO_CONVERSIONS = {"strings_to_numbers": False, "strings_to_formulas": False, "strings_to_urls": False}

# Chinese headings of the columns, and words for their values.
_HEADINGS = {
    "card": "号码",
    "change": "变化",
    "tier_before": "原等级",
    "tier": "风险等级",
    "rules": "规则",
    "reasons": "原因",
    "action": "处置",
}
_TIERS = {one.word: one.words.zh for one in Tier}
_VALUES = {
    "change": {one.value: one.words.zh for one in ListChange},
    "tier_before": _TIERS,
    "tier": _TIERS,
    "action": {one.word: one.words.zh for one in Action},
}


def write_spreadsheet(work_list: Path, path: Path, language: Language | None = None) -> None:
    """Write the rows of `work_list` (cards_at_risk.csv) as a workbook of text cells.

    `language` "zh": puts Chinese before the column names; tiers, changes and actions are in Chinese.
    """
    options = {"constant_memory": True, "tmpdir": str(path.parent), **_NO_CONVERSIONS}
    with (
        work_list.open(encoding="utf-8-sig", newline="") as source,
        put_in_place(path) as aside,
        xlsxwriter.Workbook(aside, options) as book,
    ):
        book.set_properties({"created": _CREATED_AT})
        heading = book.add_format({"bold": True, "bottom": 1})
        text = book.add_format({"num_format": "@"})  # stays text when a cell is edited
        rows = csv.reader(source)
        names = next(rows)
        chinese = language == "zh"
        columns = [f"{_HEADINGS.get(name, '')} {name}".strip() for name in names] if chinese else names
        words = [_VALUES.get(name, {}) if chinese else {} for name in names]
        for number, row in enumerate(rows):
            place = number % _MAX_SHEET_ROWS
            if place == 0:
                sheet = _sheet(book, columns, heading, text)
            cells = [told.get(cell, cell) for cell, told in zip(row, words, strict=True)]
            sheet.write_texts(place + 1, [cell.removeprefix("'") for cell in cells], text)
        if not book.worksheets():
            _sheet(book, columns, heading, text)


class _TextSheet(Worksheet):  # type: ignore[misc]  # xlsxwriter is untyped
    """A sheet that is written row by row and takes rows of texts; its XML is that of `write_row`."""

    def write_texts(self, row: int, cells: Sequence[str], text: xlsxwriter.format.Format) -> None:
        """Write a row of text cells below all others: `write_row` takes five times as long for what is plain."""
        if _NOT_PLAIN.search("".join(cells)) or any(not _is_plain(cell) for cell in cells):
            self.write_row(row, 0, cells, text)
            return
        self._write_single_row(row)  # the row before, which waits
        style = text._get_xf_index()
        at = row + 1
        xml = [
            f'<c r="{column}{at}" s="{style}" t="inlineStr"><is><t>{cell}</t></is></c>'
            for column, cell in zip(_COLUMNS, cells, strict=False)
        ]
        self.fh.write(f'<row r="{at}">{"".join(xml)}</row>')
        self._check_dimensions(row, len(cells) - 1)


def _is_plain(cell: str) -> bool:
    """Whether a cell is there and has neither spaces at its ends nor more than a cell takes."""
    return 0 < len(cell) <= _PLAIN_CELL and cell == cell.strip()


def _sheet(
    book: xlsxwriter.Workbook,
    columns: list[str],
    heading: xlsxwriter.format.Format,
    text: xlsxwriter.format.Format,
) -> _TextSheet:
    sheet: _TextSheet = book.add_worksheet(worksheet_class=_TextSheet)
    sheet.freeze_panes(1, 1)
    for place, width in enumerate(_WIDTHS):
        sheet.set_column(place, place, width, text)
    sheet.autofilter(0, 0, _MAX_SHEET_ROWS, len(columns) - 1)
    sheet.write_row(0, 0, columns, heading)
    return sheet
