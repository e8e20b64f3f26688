"""Encodes sheet and row of a workbook as one ascending line number."""

from __future__ import annotations

from collections.abc import Sequence

from duanka.domain.display import display_text

_SHEET = 10_000_000  # above the maximum of rows; decimal, so that people can read the number


def line_of(sheet: int, row: int) -> int:
    """Line number of row `row` (from 1) in the `sheet`-th sheet read (from 0)."""
    return sheet * _SHEET + row


def placed(file: str, line: int | None, sheets: Sequence[str]) -> tuple[str, int | None]:
    """File name and line for display: for a workbook, name with sheet, and row.

    `sheets`: names of the sheets read; () unless it is a workbook.
    """
    if not sheets or line is None:
        return file, line
    number, row = divmod(line, _SHEET)
    return (f"{file} [{display_text(sheets[number])}]", row) if number < len(sheets) else (file, line)
