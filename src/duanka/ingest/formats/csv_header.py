"""Head of a text file: lines above the records, and names of the columns."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from duanka.domain.errors import UnreadableInput
from duanka.ingest.model.mapping import Layout
from duanka.ingest.model.nearest_column import GUESS
from duanka.ingest.model.reasons import QuarantineReason

BOM = b"\xef\xbb\xbf"
_SAMPLE_ROWS = 200  # records sampled to find the number of columns


class Head(NamedTuple):
    """Column names, bytes before the first record and its line; or why there are none."""

    names: tuple[str, ...] = ()
    size: int = 0
    line: int = 1
    unreadable: str = ""


def head_of(path: Path, start: bytes, layout: Layout, *, whole: bool) -> Head:
    """Read the head of a file that begins with `start`; `whole`: `start` is all of it.

    Raises UnreadableInput when the header line is not text.
    """
    begin = len(BOM) if start.startswith(BOM) else 0
    for _ in range(layout.skip):
        end = start.find(b"\n", begin) + 1
        if not end:
            return Head(unreadable=f"it has no more than the {layout.skip} lines that `skip` passes over")
        begin = end
    if layout.names is not None:
        return Head(layout.names, begin, layout.skip + 1)
    end = start.find(b"\n", begin) + 1
    if not end:
        if not whole or len(start) == begin:
            return Head(unreadable="no header line" if start else "the file is empty")
        end = len(start)
    names = _names(path, start[begin:end].rstrip(b"\r\n"), layout)
    below = start[end:].split(b"\n")[:_SAMPLE_ROWS]
    rows = [_fields(line.rstrip(b"\r"), layout) for line in (below if whole else below[:-1]) if line.strip()]
    return Head(fitting(names, rows), end, layout.skip + 2)


def fitting(names: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Adapt the header `names` to `rows` that differ only in trailing separators.

    Trailing separators of `rows` alone add unnamed, empty columns; those of `names` alone are dropped.
    """
    widths = {len(row) for row in rows}
    if len(widths) == 1 and (width := widths.pop()) != len(names):
        more = range(len(names) + 1, width + 1)
        if more and not any(field.strip() for row in rows for field in row[len(names) :]):
            return (*names, *(f"column {at}" for at in more))
        if not more and all(name == f"column {at}" for at, name in enumerate(names[width:], start=width + 1)):
            return tuple(names[:width])
    return tuple(names)


def split(text: str, delimiter: str, width: int | None) -> list[str] | QuarantineReason:
    """Split a line into `width` fields (None: any number), or return why it cannot be."""
    # an unclosed quote would swallow the second line, which is how it is detected
    lines = csv.reader([text + "\n", "\n"], delimiter=delimiter)
    try:
        fields = next(lines)
    except csv.Error:
        return QuarantineReason.OPEN_QUOTE
    if lines.line_num != 1:
        return QuarantineReason.OPEN_QUOTE
    if width is not None and len(fields) != width:
        return QuarantineReason.WRONG_COLUMN_COUNT
    return fields


def _fields(line: bytes, layout: Layout) -> list[str]:
    fields = split(line.decode(layout.encoding, "replace"), layout.delimiter, None)
    return fields if isinstance(fields, list) else []


def _names(path: Path, line: bytes, layout: Layout) -> tuple[str, ...]:
    try:
        text = line.decode(layout.encoding)
    except UnicodeError:
        raise UnreadableInput(
            f"{path}: the header line is not {layout.encoding} text; name the encoding in a mapping, "
            f'for example encoding = "gb18030"; {GUESS}'
        ) from None
    fields = split(text, layout.delimiter, None)
    if isinstance(fields, QuarantineReason) or "\0" in text:
        raise UnreadableInput(f"{path}: the header line is no CSV; look at its first line and correct it")
    return tuple(field.strip() or f"column {at}" for at, field in enumerate(fields, start=1))
