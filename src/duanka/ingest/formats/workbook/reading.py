"""Reader of Excel, WPS and LibreOffice workbooks (.xlsx, .xlsm) in blocks of rows.

Reads the largest visible sheet and every other one with the same columns, in the order of the workbook; reports the
other sheets. Only the shared strings are held in memory; sheets are decompressed and read row by row.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from duanka.domain.display import display_text
from duanka.domain.text import BilingualText
from duanka.ingest.files.limits import LINE_LIMIT, MB, RECORD_LIMIT, unpacks_too_much
from duanka.ingest.files.open_file import opened
from duanka.ingest.formats.workbook.cells import CellValues
from duanka.ingest.formats.workbook.events import PartBroken
from duanka.ingest.formats.workbook.number_formats import Styles
from duanka.ingest.formats.workbook.package import Contents, Package, Sheet, contents
from duanka.ingest.formats.workbook.rows import (
    CELLS_LOOKED_AT,
    LOOKED_AT,
    Header,
    SheetRow,
    SheetRows,
    header_of,
    rows_of,
)
from duanka.ingest.formats.workbook.strings import SharedStrings
from duanka.ingest.model.blocks import Block, OpenReader, Rejected, line_of, text_frame, without_rows
from duanka.ingest.model.mapping import Layout
from duanka.ingest.model.reasons import QuarantineReason

_BLOCK_ROWS = 1 << 15
_BLOCK_BYTES = 16 * MB  # text of a block
_MAX_LISTED_SHEETS = 5  # maximum number of sheets listed in a note


class _SheetTable(NamedTuple):
    """A sheet to read, with its header."""

    sheet: Sheet
    header: Header


class WorkbookReading(OpenReader):
    """One workbook; an invalid or empty one has no columns and is one rejected record.

    `lines` of blocks encode sheet and row, see sheet_places. `notes`: what was not read, and what to check.
    """

    notes: list[BilingualText]
    has_header = False  # whether the sheets have a header row

    def __init__(self, path: Path, layout: Layout, root: Path | None = None) -> None:
        self.notes = []
        self._path = path
        self._root = root
        self._layout = layout
        self._oversized = False
        self._tables: list[_SheetTable] = []
        self._given = 0  # bytes of text returned so far
        self._fault: PartBroken | None = None  # why the beginning of a sheet cannot be read
        try:
            with opened(path, root) as file:
                self._look_at(Package(file))
        except PartBroken as fault:
            self.unreadable, self._oversized = str(fault), fault.oversized

    def blocks(self, wanted: Sequence[str]) -> Iterator[Block]:
        """Yield the `wanted` columns of the non-empty rows below the headers, as text."""
        size = self._path.stat().st_size
        if not self._tables:
            reason = QuarantineReason.OVERSIZED if self._oversized else QuarantineReason.UNREADABLE_FILE
            yield without_rows([Rejected(None, reason, self.unreadable)], size)
            return
        errors, without_value = self._values.errors, 0
        with opened(self._path, self._root) as file:
            package = Package(file)
            for number, table in enumerate(self._tables):
                heard = yield from self._sheet(package, file, number, table, wanted)
                without_value += heard.without_value
        if self._values.errors > errors:
            cells = f"{self._values.errors - errors:,}"
            self.notes.append(
                BilingualText(
                    f"{cells} 个单元格是错误值（如 #N/A），按未知读入",
                    f"{cells} cells hold an error such as #N/A and are read as unknown",
                )
            )
        if without_value:
            self.notes.append(
                BilingualText(
                    f"{without_value:,} 个公式没有值；请用表格软件打开并保存",
                    f"{without_value:,} formulas have no value; open it in a spreadsheet program and save it there",
                )
            )

    def _look_at(self, package: Package) -> None:
        if package.size("xl/workbook.bin"):
            raise PartBroken("a binary workbook (.xlsb); save it as .xlsx or CSV")
        if "content.xml" in package.names:
            raise PartBroken("a spreadsheet of OpenDocument (.ods); save it as .xlsx or CSV")
        if "[content_types].xml" not in package.names:
            raise PartBroken("a zip file and no workbook; look at what is in it")
        book = contents(package)
        strings, styles = SharedStrings(), Styles()
        if book.strings:
            package.parse(book.strings, strings.start, strings.end, strings.text)
        if book.styles:
            package.parse(book.styles, styles.start, styles.end)
        self._values = CellValues(strings, styles.formats, since_1904=book.since_1904)
        tables = [
            _SheetTable(sheet, self._header(package, sheet)) for sheet in book.sheets if self._may_be(sheet)
        ]
        tables = [table for table in tables if table.header.names]
        if not tables:
            there = ", ".join(display_text(sheet.name) for sheet in book.sheets[:_MAX_LISTED_SHEETS])
            raise self._fault or PartBroken(
                f"a workbook in which no sheet holds rows ({there or 'it has none'})"
            )
        leading = max(tables, key=lambda table: (table.header.row > 0, table.sheet.size))
        columns = sorted(leading.header.names.values())
        self._tables = [
            table
            for table in tables
            if sorted(table.header.names.values()) == columns
            and (table.header.row > 0) == (leading.header.row > 0)
        ]
        first = self._tables[0].header
        self.columns, self.has_header = tuple(first.names.values()), first.row > 0
        self.sheets = tuple(table.sheet.name for table in self._tables)
        self._name_others(book, tables)

    def _may_be(self, sheet: Sheet) -> bool:
        """Whether to consider a sheet: those named in the mapping, else visible ones."""
        pattern = self._layout.sheet
        return fnmatchcase(sheet.name.lower(), pattern.lower()) if pattern else sheet.shown

    def _name_others(self, book: Contents, tables: Sequence[_SheetTable]) -> None:
        read = {table.sheet.part for table in self._tables}
        others = [table.sheet.name for table in tables if table.sheet.part not in read]
        if self._layout.sheet == "":
            others += [f"{sheet.name} (hidden)" for sheet in book.sheets if not sheet.shown]
        if others:
            shown = ", ".join(display_text(name) for name in others[:_MAX_LISTED_SHEETS]) + ", …" * (
                len(others) > _MAX_LISTED_SHEETS
            )
            sheets = display_text(", ".join(self.sheets[:_MAX_LISTED_SHEETS]))
            hidden = shown.replace(" (hidden)", "（已隐藏）")
            self.notes.append(
                BilingualText(
                    f"读的工作表是 {sheets}；未读（列不同或已隐藏）：{hidden}（在映射中用 `sheet` 指名，或单独另存）",
                    f"read is the sheet {sheets}; not read, for their columns are others or they are hidden: {shown}"
                    " (name another with `sheet` in a mapping, or save it by itself)",
                )
            )

    def _header(self, package: Package, sheet: Sheet) -> Header:
        """Header of a sheet; without names if the sheet is empty."""
        rows: list[SheetRow] = []
        try:
            for some in rows_of(package.pieces(sheet.part), SheetRows()):
                rows += some
                if len(rows) >= LOOKED_AT or sum(row.filled for row in rows) > CELLS_LOOKED_AT:
                    break
        except PartBroken as fault:  # reported when the sheet is read, or if no sheet has rows
            why = f"sheet {display_text(sheet.name)}: {fault}"
            self._fault = self._fault or PartBroken(why, oversized=fault.oversized)
        rows = rows[:LOOKED_AT]
        if self._layout.names is not None:
            names = dict(enumerate(self._layout.names, start=1)) if rows else {}
            return Header(0, names)
        return header_of(rows, self._values)

    def _sheet(
        self, package: Package, file: BinaryIO, number: int, table: _SheetTable, wanted: Sequence[str]
    ) -> Generator[Block, None, SheetRows]:
        """Yield the blocks of one sheet; return its parser."""
        places = {name: place for place, name in reversed(table.header.names.items())}
        columns = [places[name] for name in wanted]
        heard = SheetRows(columns)
        block = _Block(number, columns, wanted, self._values)
        last = table.header.row
        try:
            for rows in rows_of(package.pieces(table.sheet.part), heard):
                for row in rows:
                    if row.number <= table.header.row:
                        continue
                    last = row.number
                    block.add(row)
                    if block.full:
                        yield self._counted(block.taken(file.tell))
            yield block.taken(file.tell)
        except PartBroken as fault:
            self.unreadable = f"sheet {display_text(table.sheet.name)} breaks off after row {last} ({fault})"
            reason = QuarantineReason.OVERSIZED if fault.oversized else QuarantineReason.CUT_OFF
            block.bad.append(Rejected(line_of(number, last + 1), reason, self.unreadable))
            yield block.taken(file.tell)
        return heard

    def _counted(self, block: Block) -> Block:
        """Return `block`; PartBroken when repeated long strings exceed the text limit."""
        self._given += int(block.frame.estimated_size())
        if why := unpacks_too_much(os.path.getsize(self._path), self._given):
            raise PartBroken(why, oversized=True)
        return block


@dataclass
class _Block:
    """Builder of a block of the columns at `places`, called `names`."""

    sheet: int
    places: Sequence[int]
    names: Sequence[str]
    values: CellValues

    def __post_init__(self) -> None:
        self._may_be_long = self.values.strings.longest * len(self.places) > LINE_LIMIT
        self._begin()

    def _begin(self) -> None:
        self.bad: list[Rejected] = []
        self._cells: list[list[str | None]] = [[] for _ in self.places]
        self._lines: list[int] = []
        self._size = 0

    @property
    def full(self) -> bool:
        """Whether the block is complete."""
        return len(self._lines) + len(self.bad) >= _BLOCK_ROWS or self._size >= _BLOCK_BYTES

    def add(self, row: SheetRow) -> None:
        """Add a row."""
        line = line_of(self.sheet, row.number)
        if row.long or (self._may_be_long and self._is_long(row)):
            self.bad.append(Rejected(line, QuarantineReason.TOO_LONG, ""))
            return
        self._lines.append(line)
        read, found = self.values.text, row.cells
        for cells, place in zip(self._cells, self.places, strict=True):
            text = read(found[place]) if place in found else None
            cells.append(text)
            self._size += len(text) if text else 0

    def _is_long(self, row: SheetRow) -> bool:
        sizes = [self.values.size(cell) for cell in row.cells.values()]
        return sum(sizes) > RECORD_LIMIT or max(sizes, default=0) > LINE_LIMIT

    def taken(self, done: Callable[[], int]) -> Block:
        """Return the block and start the next one."""
        frame = text_frame(self.names, self._cells, len(self._lines))
        records = len(self._lines) + len(self.bad)
        block = Block(frame, np.array(self._lines, np.int64), records, done(), tuple(self.bad))
        self._begin()
        return block
