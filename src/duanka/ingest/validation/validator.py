"""Validates a file block by block: records become canonical rows or are rejected."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import polars as pl

from duanka.domain.errors import DuankaError, UnreadableInput
from duanka.domain.schema import TABLES, ColumnKind
from duanka.ingest.delivery.discovery import folder_columns
from duanka.ingest.model.blocks import Block, Rejected, Rows, part
from duanka.ingest.model.holders import WITHHELD, WITHHELD_LINE
from duanka.ingest.model.mapping import MappingSource
from duanka.ingest.model.nearest_column import GUESS, found_instead
from duanka.ingest.model.reasons import QuarantineReason
from duanka.ingest.normalise import rows
from duanka.ingest.normalise.columns import Tools, meets
from duanka.ingest.normalise.rows import Fitted

_log = logging.getLogger(__name__)


class ValidRows(NamedTuple):
    """Accepted rows; `frame`: exactly the canonical columns of `table`.

    `ids`: the source's record ids, if any. `twice`: source text of times in an hour that occurs twice.
    """

    table: str
    frame: pl.DataFrame
    lines: Rows
    ids: pl.Series | None
    twice: pl.Series | None = None


@dataclass
class ValidationResult:
    """Result for a block: every record is either accepted or rejected.

    `extra_rows`: number of extra rows: an accepted record about two parties gives a row for each.
    """

    valid: list[ValidRows] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    extra_rows: int = 0


@dataclass
class Validator:
    """Validates the blocks of file `name`, which feeds `sources` and has `columns`.

    `signed_by`: source whose signature on police cases was verified, "" for none; the file's own claim is ignored.
    `devices_unknown`: number of placeholder IMEIs so far, such as zeros. `taken`: id() of a source -> rows so far.
    """

    name: str
    sources: Sequence[MappingSource]
    columns: Sequence[str]
    tools: Tools
    pool: ThreadPoolExecutor
    signed_by: str = ""

    def __post_init__(self) -> None:
        self._sides = sides_of(self.sources)
        self._of_folders = folder_columns(self.name, self.columns) if self.columns else {}
        self._columns = (*self.columns, *self._of_folders)
        self.devices_unknown = 0
        self.taken: Counter[int] = Counter()
        self._filters = "+".join(dict.fromkeys(field for source in self.sources for field in source.where))
        named = {
            field
            for source in self.sources
            for column in TABLES[source.table].columns
            if column.kind is ColumnKind.HOLDER and column.name in source.columns
            for field in source.columns[column.name].sources
        }
        # columns that may hold document numbers: their values must never be stored, well-formed or not
        self._holders = frozenset(named & set(self._columns))

    def wanted(self) -> list[str]:
        """Columns of the file that a source reads, in file order."""
        reads: frozenset[str] = frozenset().union(*(source.reads for source in self.sources))
        return [name for name in dict.fromkeys(self._columns) if name in reads and name in self.columns]

    def ignored(self) -> tuple[str, ...]:
        """Columns of the file that no source reads."""
        reads = {*self.wanted(), *self._of_folders}
        return tuple(name for name in self._columns if name not in reads)

    def check(self) -> None:
        """Raise UnreadableInput if a required column is missing or repeated; a file may have no columns."""
        for source in self.sources if self.columns else ():
            for what, name in source.lacks(self._columns):
                self._missing(what, name)
        for name in self.wanted():
            if self._columns.count(name) > 1:
                raise UnreadableInput(
                    f"{self.name}: column {name!r} is there twice; rename one of the two, or name all columns with"
                    f" `names` and `skip = 1` in a mapping; {GUESS}"
                )

    def _missing(self, what: str, name: str) -> None:
        raise UnreadableInput(
            f"{self.name}: no column {name!r} for {what}; {found_instead(name, self._columns)}; "
            f"name the right columns with --mapping FILE.toml; {GUESS}"
        )

    def validate(self, block: Block) -> ValidationResult:
        """Validate `block`; raises MissingKey for a document number without a holder key.

        A record that makes the parser fail is rejected, without effect on the others.
        """
        try:
            return self._validate(block)
        except DuankaError:
            raise
        except (Exception, pl.exceptions.PanicException) as fault:
            if block.records > 1:
                middle = block.records // 2
                first = self.validate(part(block, 0, middle))
                second = self.validate(part(block, middle, block.records))
                return ValidationResult(
                    first.valid + second.valid,
                    first.rejected + second.rejected,
                    first.extra_rows + second.extra_rows,
                )
            _log.error(
                "%s: a record cannot be processed (%s); please report it", self.name, type(fault).__name__
            )
            line = int(block.lines[0]) if len(block.lines) else None
            return ValidationResult([], [Rejected(line, QuarantineReason.UNPROCESSABLE, "")])

    def _validate(self, block: Block) -> ValidationResult:
        result = ValidationResult()
        for bad in block.bad:
            raw = WITHHELD_LINE if self._holders and bad.raw else bad.raw
            result.rejected.append(bad._replace(raw=raw))
        if not block.frame.height:
            return result
        if self._of_folders:
            named = [pl.lit(value, pl.String).alias(name) for name, value in self._of_folders.items()]
            block = replace(block, frame=block.frame.with_columns(named))
        left = np.ones(block.frame.height, bool)
        for sides in self._sides:
            taken = left
            if sides[0].where:
                taken = left & meets(sides[0].where, block.frame).to_numpy()
            left = left & ~taken
            mine = np.flatnonzero(taken)
            if len(mine):
                self.taken.update({id(source): len(mine) for source in sides})
                self._rows(sides, block, mine, result)
        nowhere = np.flatnonzero(left)
        raws = raw_rows(block, nowhere, self._holders, self._delimiter)
        for row, raw in zip(nowhere, raws, strict=True):
            result.rejected.append(
                Rejected(int(block.lines[row]), QuarantineReason.NO_TABLE, raw, self._filters)
            )
        return result

    @property
    def _delimiter(self) -> str:
        return self.sources[0].layout.delimiter

    def _rows(
        self, sides: Sequence[MappingSource], block: Block, mine: Rows, result: ValidationResult
    ) -> None:
        """Validate the rows `mine` of `block`: each of `sides` gives a row of the record.

        A record is rejected if no side gives a row.
        """
        frame = block.frame if len(mine) == block.frame.height else block.frame[mine]
        fits = np.zeros(len(mine), bool)
        first: Fitted | None = None
        for number, source in enumerate(sides):
            tools = replace(self.tools, empty=source.layout.empty, stands_in=source.zone)
            fitted = rows.fit(source, frame, tools, self.name, self.pool)
            self.devices_unknown += fitted.devices_unknown
            first = first or fitted
            fine = fitted.faults == 0
            result.extra_rows += int((fine & fits).sum())
            fits |= fine
            result.valid.append(self._good(source, number, fitted, block.lines[mine]))
        if first is None or fits.all():
            return
        unfit = [one for one in rows.misfits(sides[0], first) if not fits[one[0]]]
        places = mine[[row for row, _, _ in unfit]]
        raws = raw_rows(block, places, self._holders, self._delimiter)
        for place, (_, column, reason), raw in zip(places, unfit, raws, strict=True):
            result.rejected.append(Rejected(int(block.lines[place]), reason, raw, column))

    def _good(self, source: MappingSource, side: int, fitted: Fitted, lines: Rows) -> ValidRows:
        frame, ids, twice = fitted.frame, fitted.ids, fitted.twice
        if fitted.faults.any():
            fine = pl.Series(fitted.faults == 0)
            frame, lines = frame.filter(fine), lines[fitted.faults == 0]
            ids = ids.filter(fine) if ids is not None else None
            twice = twice.filter(fine) if twice is not None else None
        if ids is not None and side:
            ids = ids + f"#{side}"  # otherwise the other party's row would be dropped as a repeat
        if source.table == "cards" and self.tools.by_imsi is not None:
            self.tools.by_imsi.learn(frame)
        if source.table == "cases":
            frame = frame.with_columns(pl.lit(self.signed_by or None, pl.String).alias("signed_by"))
        return ValidRows(source.table, frame, lines, ids, twice)


def sides_of(sources: Sequence[MappingSource]) -> tuple[tuple[MappingSource, ...], ...]:
    """Group sources that take the same rows: views of one record by its two parties."""
    sides: dict[tuple[tuple[str, frozenset[str]], ...], list[MappingSource]] = {}
    for source in sources:
        sides.setdefault(tuple(sorted(source.where.items())), []).append(source)
    return tuple(map(tuple, sides.values()))


def raw_rows(block: Block, places: Rows, secret: frozenset[str], delimiter: str) -> list[str]:
    """Return the raw text of the rows at `places`: the original line, else JSON.

    Fields in `secret` (columns that may hold document numbers) are masked; then the line is rebuilt from the fields
    that were read.
    """
    if not len(places):
        return []
    if block.raw is not None and not secret:
        return block.raw(places)
    frame = block.frame[places]
    hidden = [
        pl.when(pl.col(name).is_null()).then(None).otherwise(pl.lit(WITHHELD)).alias(name)
        for name in frame.columns
        if name in secret
    ]
    frame = frame.with_columns(hidden)
    if block.raw is not None:
        return [_line(row, delimiter) for row in frame.iter_rows()]
    return [
        json.dumps({k: v for k, v in row.items() if v is not None}, ensure_ascii=False, default=str)
        for row in frame.iter_rows(named=True)
    ]


def _line(row: tuple[object, ...], delimiter: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="").writerow(["" if v is None else v for v in row])
    return text.getvalue()
