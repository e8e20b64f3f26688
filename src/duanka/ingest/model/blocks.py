"""Blocks of rows with their positions in the file: output of every reader."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from duanka.domain.display import display_text
from duanka.domain.text import BilingualText
from duanka.ingest.files.beginnings import Stretch, Track
from duanka.ingest.model.reasons import QuarantineReason

Rows = npt.NDArray[np.int64]  # positions of rows, or their lines in the file

RAW_LIMIT = 10_000  # maximum characters kept of a raw record
_SHEET = 10_000_000  # more than the rows of a sheet; decimal, so that people can read the number
_SINGLY_BELOW = 400  # records; in pieces of up to this size, each is parsed alone
_SPLIT_INTO = 16  # number of pieces into which records are split that cannot be parsed at once


class Rejected(NamedTuple):
    """A record that gives no row.

    `line` None: unknown position. `column`: source column at fault, "" for none.
    """

    line: int | None
    reason: QuarantineReason
    raw: str
    column: str = ""


@dataclass(frozen=True)
class Block:
    """Some rows of one file.

    `frame`: source columns by name, text or typed. `lines`: line (CSV, from 1 including the header) or record number
    (Parquet, ASN.1, from 1) of each row. `records`: number of rows and bad records. `raw`: function from positions of
    rows to their raw text; None if only the field values are known. `done`: bytes of the file read so far.
    `stretch`: byte positions of the records, for a file that may grow.
    """

    frame: pl.DataFrame
    lines: Rows
    records: int
    done: int
    bad: Sequence[Rejected] = field(default_factory=tuple)
    raw: Callable[[Rows], list[str]] | None = None
    stretch: Stretch | None = None


def part(block: Block, begin: int, end: int) -> Block:
    """Return records `begin` to `end` (exclusive) of `block`, in order of lines.

    Positions count from 0 and include bad records; bad records without a line come last.
    """
    last = np.iinfo(np.int64).max
    faulty = np.array([last if bad.line is None else bad.line for bad in block.bad], np.int64)
    places = np.arange(len(block.lines)) + np.searchsorted(faulty, block.lines)
    first, after = np.searchsorted(places, (begin, end))
    among = np.arange(len(faulty)) + np.searchsorted(block.lines, faulty)
    bad = [bad for bad, at in zip(block.bad, among, strict=True) if begin <= at < end]
    raw = block.raw
    return replace(
        block,
        frame=block.frame[int(first) : int(after)],
        lines=block.lines[first:after],
        records=end - begin,
        bad=bad,
        raw=None if raw is None else lambda rows: raw(rows + first),
    )


def without_rows(bad: Sequence[Rejected], done: int = 0) -> Block:
    """Return a block of bad records alone."""
    return Block(pl.DataFrame(), np.empty(0, np.int64), len(bad), done, bad)


def text_frame(names: Sequence[str], cells: Iterable[Sequence[str | None]], height: int) -> pl.DataFrame:
    """Return columns of text; `height`: number of rows if there are no columns."""
    if not names:
        return pl.DataFrame(height=height)
    columns = zip(names, cells, strict=True)
    return pl.DataFrame([pl.Series(name, cell, dtype=pl.String) for name, cell in columns])


def raw_text(data: bytes, encoding: str = "utf-8") -> str:
    """Decode a raw record for the quarantine, cut to its limit, invalid bytes escaped."""
    return data[:RAW_LIMIT].decode(encoding, errors="backslashreplace")


class ParsedRecords(NamedTuple):
    """Records parsed together; `kept`: positions of those that became rows."""

    frame: pl.DataFrame
    kept: Rows
    bad: Sequence[Rejected] = ()


def parse_in_pieces(
    first: int,
    last: int,
    together: Callable[[int, int], pl.DataFrame | None],
    singly: Callable[[int, int], ParsedRecords],
) -> ParsedRecords:
    """Parse records `first` to `last` (exclusive) at once, else in smaller pieces.

    `together`: returns all rows, or None if it cannot parse all. `singly`: separates good and bad records.
    """

    def parsed(begin: int, end: int) -> Iterator[ParsedRecords]:
        if (frame := together(begin, end)) is not None:
            yield ParsedRecords(frame, np.arange(begin, end, dtype=np.int64))
        elif end - begin <= _SINGLY_BELOW:
            yield singly(begin, end)
        else:
            step = max(_SINGLY_BELOW, -(-(end - begin) // _SPLIT_INTO))
            for at in range(begin, end, step):
                yield from parsed(at, min(at + step, end))

    frames, kept, bad = zip(*parsed(first, last), strict=True)
    frame = frames[0] if len(frames) == 1 else pl.concat(frames)
    return ParsedRecords(frame, np.concatenate(kept), [one for some in bad for one in some])


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


class OpenReader(Protocol):
    """An opened file; readers inherit the defaults.

    `columns`: names of the source columns, in order; an unnamed one is called `column N`, from 1. After reading,
    `unreadable`: why a part was not read, else "". `sheets`: for a workbook, names of the sheets read. `notes`:
    remarks for people besides read errors, complete after reading. `other_types`: columns whose type no mapping can
    read. `track`: digest of a file that may grow; `left`: whether its last line is left for later.
    """

    columns: tuple[str, ...] = ()
    unreadable: str = ""
    sheets: tuple[str, ...] = ()
    notes: Sequence[BilingualText] = ()
    other_types: tuple[str, ...] = ()
    track: Track | None = None
    left: bool = False

    def blocks(self, wanted: Sequence[str]) -> Iterator[Block]:
        """Yield the `wanted` columns of the whole file."""
        ...
