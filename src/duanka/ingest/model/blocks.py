"""What every reader yields: blocks of rows that know their place in the file."""

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

RAW_LIMIT = 10_000  # characters of a raw record that are kept


class Bad(NamedTuple):
    """A record that never became a row. `line` None: the place in the file is not known."""

    line: int | None
    reason: QuarantineReason
    raw: str


@dataclass(frozen=True)
class Block:
    """Some rows of one file.

    `frame`: source columns by their name in the file, text or typed; `lines`: the line (CSV, counted from 1
    with the header) or record number (Parquet, ASN.1, from 1) of each row; `records`: what the reader counted,
    rows and bad ones; `raw`: gives the raw text of the rows at the given positions, or None when the fields are
    all there is; `done`: bytes of the file read so far; `stretch`: where its records stand, of a file that may grow.
    """

    frame: pl.DataFrame
    lines: Lines
    records: int
    done: int
    bad: Sequence[Bad] = field(default_factory=tuple)
    raw: Callable[[Rows], list[str]] | None = None
    stretch: Stretch | None = None


def part(block: Block, begin: int, end: int) -> Block:
    """Return the records of `block` from place `begin` up to `end`; they are counted from 0, in order of their lines.

    A bad record without a line stands behind all others.
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
    """An opened file. `unreadable` is set, while the blocks are read, to why part of it could not be."""

    unreadable: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the source's columns, in order; empty when the file has none."""
        ...

    def blocks(self, wanted: Sequence[str]) -> Iterator[Block]:
        """Yield the whole file, of its columns only the `wanted` ones."""
        ...
