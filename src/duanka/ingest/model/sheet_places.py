"""Places of rows in the sheets of a workbook as one number each, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Sequence

from duanka.domain.display import display_text

_SHEET = 10_000_000  # more rows than a sheet has; readable where nobody takes it apart


def line_of(sheet: int, row: int) -> int:
    """The place of row number `row` (from 1) of the sheet that is read as number `sheet` (from 0)."""
    return sheet * _SHEET + row


def placed(file: str, line: int | None, sheets: Sequence[str]) -> tuple[str, int | None]:
    """How a place in a file is shown: with its sheet behind the name of the file, and the row in it.

    `sheets`: the names of those that are read; none where the file is no workbook.
    """
    if not sheets or line is None:
        return file, line
    number, row = divmod(line, _SHEET)
    return (f"{file} [{display_text(sheets[number])}]", row) if number < len(sheets) else (file, line)
