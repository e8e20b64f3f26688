"""Blocks of rows with their positions in the file: output of every reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from duanka.ingest.files.beginnings import Stretch
from duanka.ingest.model.reasons import QuarantineReason

Lines = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]

RAW_LIMIT = 10_000  # maximum characters kept of a raw record


class Bad(NamedTuple):
    """A record that did not become a row; `line` None: unknown position."""

    line: int | None
    reason: QuarantineReason
    raw: str


@dataclass(frozen=True)
class Block:
    """Some rows of one file.

    `frame`: source columns by name, text or typed. `lines`: line (CSV, from 1 including the header) or record number
    (Parquet, ASN.1, from 1) of each row. `records`: number of rows and bad records. `raw`: function from positions of
    rows to their raw text; None if only the field values are known. `done`: bytes of the file read so far.
    `stretch`: byte positions of the records, for a file that may grow.
    """

    frame: pl.DataFrame
    lines: Lines
    records: int
    done: int
    bad: Sequence[Bad] = field(default_factory=tuple)
    raw: Callable[[Rows], list[str]] | None = None
    stretch: Stretch | None = None


def part(block: Block, begin: int, end: int) -> Block:
    """Return records `begin` to `end` (exclusive) of `block`, in order of lines.

    Counted from 0, bad records included; those without a line come last.
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


class OpenReader(Protocol):
    """An opened file; after reading, `unreadable`: why a part was not read, else ""."""

    unreadable: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the source columns, in order; () if there are none."""
        ...

    def blocks(self, wanted: Sequence[str]) -> Iterator[Block]:
        """Yield the `wanted` columns of the whole file."""
        ...
