"""What every reader yields: blocks of rows that know their place in the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from duanka.records.reasons import Reason

Lines = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]

RAW_LIMIT = 10_000  # characters of a raw record that are kept


class Bad(NamedTuple):
    """A record that never became a row. `line` None: the place in the file is not known."""

    line: int | None
    reason: Reason
    raw: str


@dataclass(frozen=True)
class Block:
    """Some rows of one file.

    `frame`: source columns by their name in the file, text or typed; `lines`: the line (CSV, counted from 1
    with the header) or record number (Parquet, ASN.1, from 1) of each row; `records`: what the reader counted,
    rows and bad ones; `raw`: gives the raw text of the rows at the given positions, or None when the fields are
    all there is; `done`: bytes of the file read so far.
    """

    frame: pl.DataFrame
    lines: Lines
    records: int
    done: int
    bad: Sequence[Bad] = field(default_factory=tuple)
    raw: Callable[[Rows], list[str]] | None = None


class Reading(Protocol):
    """An opened file. `unreadable` is set, while the blocks are read, to why part of it could not be."""

    unreadable: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the source's columns, in order; empty when the file has none."""
        ...

    def blocks(self, wanted: Sequence[str]) -> Iterator[Block]:
        """Yield the whole file, of its columns only the `wanted` ones."""
        ...
