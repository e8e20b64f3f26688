"""The main path: delivered files in, canonical tables, quarantine and an account of every record out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from duanka.domain.errors import LostRecords, UnreadableInput
from duanka.domain.intake import FileAccount, Intake
from duanka.domain.ports import Progress, Silent
from duanka.domain.tables import TABLES, Kind
from duanka.records import delivery, parts, repeats, rows
from duanka.records.blocks import Block, Reading, Rows
from duanka.records.columns import Tools, meets
from duanka.records.delivery import Delivered
from duanka.records.fields import raw_rows
from duanka.records.holders import WITHHELD_LINE, Holders
from duanka.records.mapping import NATIVE, Mapping, Source
from duanka.records.numbers import Numbers
from duanka.records.parts import Shelf
from duanka.records.quarantine import Quarantine
from duanka.records.readings import open_reading
from duanka.records.reasons import Reason

_STEP = "reading records"


def take_in(
    data: Path,
    out: Path,
    *,
    mapping: Mapping | None = None,
    holder_key: bytes | None = None,
    region: str = "CN",
    progress: Progress | None = None,
) -> Intake:
    """Read what `data` delivers into canonical Parquet files below `out`, a working folder of ours.

    `data`: a directory in the native format, or with a `mapping` any directory or one file. `holder_key`: the
    key under which document numbers are hashed. `region`: two letters, the country whose numbers come without
    a country code; a mapping's own wins. `progress` is told bytes read and bytes in all.

    Raises UnreadableInput (nothing to read, a required column missing), MappingError, MissingKey, and
    LostRecords should a record be neither used nor quarantined. What an earlier intake left in `out` is replaced.
    """
    mapping = mapping or NATIVE
    found = delivery.find(data, out, mapping)
    out.mkdir(parents=True, exist_ok=True)
    parts.clear(out)
    numbers = Numbers(mapping.region or region, opaque=mapping.opaque, bare=mapping.bare)
    tools = Tools(mapping.zone, numbers, Holders(holder_key))
    path = out / "quarantine.parquet"
    with _shelves(out) as shelves, Quarantine(path) as quarantine, ThreadPoolExecutor(2) as pool:
        work = _Work(shelves, quarantine, tools, pool, progress or Silent(), sum(f.size for f in found.files))
        seen = [work.file(number, file) for number, file in enumerate(found.files)]
        for shelf in shelves.values():
            shelf.close()
        names = [file.name for file in found.files]
        for table, shelf in shelves.items():
            settled = repeats.settle(table, shelf.parts, names, quarantine)
            shelf.parts = settled.parts
            work.used.subtract(settled.lost)
    accounts = tuple(
        replace(account, used=work.used[number], quarantined=quarantine.counts[account.file])
        for number, account in enumerate(seen)
    )
    _nothing_lost(accounts, shelves)
    return _intake(shelves, accounts, path, {**work.ignored, **dict.fromkeys(found.others, ())})


@contextmanager
def _shelves(out: Path) -> Iterator[dict[str, Shelf]]:
    """Yield a shelf for every table; afterwards the origins of their rows are gone, come what may."""
    shelves = {table: Shelf(out, table) for table in TABLES}
    try:
        yield shelves
    finally:
        for shelf in shelves.values():
            shelf.abandon()
        for origin in out.glob("*/part-*.origin"):
            origin.unlink()


def _intake(
    shelves: dict[str, Shelf],
    accounts: tuple[FileAccount, ...],
    quarantine: Path,
    ignored: dict[str, tuple[str, ...]],
) -> Intake:
    filled = {table: shelf for table, shelf in shelves.items() if shelf.parts}
    return Intake(
        tables={table: tuple(part.path for part in shelf.parts) for table, shelf in filled.items()},
        columns={table: frozenset(shelf.filled) for table, shelf in filled.items()},
        files=accounts,
        quarantine=quarantine,
        ignored=ignored,
    )


def _nothing_lost(accounts: Sequence[FileAccount], shelves: dict[str, Shelf]) -> None:
    """Hold what the readers counted against what is on disk and in quarantine."""
    for account in accounts:
        if account.records != account.used + account.quarantined:
            raise LostRecords(
                f"{account.file}: {account.records} records came in, {account.used} are used and "
                f"{account.quarantined} quarantined; this is a defect, please report it"
            )
    written = sum(pq.read_metadata(part.path).num_rows for s in shelves.values() for part in s.parts)
    used = sum(account.used for account in accounts)
    if written != used:
        raise LostRecords(
            f"{used} records are used, but {written} are on disk; this is a defect, please report it"
        )


@dataclass
class _Work:
    """What reading one file after the other shares."""

    shelves: dict[str, Shelf]
    quarantine: Quarantine
    tools: Tools
    pool: ThreadPoolExecutor
    progress: Progress
    total: int
    done: int = 0
    used: Counter[int] = field(default_factory=Counter)
    ignored: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def file(self, number: int, file: Delivered) -> FileAccount:
        """Read one file whole; `used` and `quarantined` of its account are filled in at the end."""
        account = FileAccount(file.name, file.table, 0, 0, 0, duplicate_of=file.duplicate_of)
        if file.duplicate_of:
            self._step(file.size)
            return account
        reading = open_reading(file.path, file.sources[0].layout)
        there = _Columns(file, reading)
        self.ignored.update(there.ignored())
        if reading.columns:
            there.check()
        records = 0
        for block in reading.blocks(there.wanted()):
            records += block.records
            self._block(number, file, block, there)
            self.progress.step(_STEP, self.done + block.done, self.total)
        self._step(file.size)
        pa.default_memory_pool().release_unused()  # or what the largest file took stays taken
        return replace(account, records=records, unreadable=reading.unreadable)

    def _step(self, size: int) -> None:
        self.done += size
        self.progress.step(_STEP, self.done, self.total)

    def _block(self, number: int, file: Delivered, block: Block, there: _Columns) -> None:
        for bad in block.bad:
            raw = WITHHELD_LINE if there.holders and bad.raw else bad.raw
            self.quarantine.add(file.name, bad.line, "", bad.reason, raw)
        if not block.frame.height:
            return
        left = np.ones(block.frame.height, bool)
        for source in file.sources:
            taken = left
            if source.where:
                taken = left & meets(source.where, block.frame).to_numpy()
            left = left & ~taken
            mine = np.flatnonzero(taken)
            if len(mine):
                self._rows(number, source, block, mine, there)
        nowhere = np.flatnonzero(left)
        for row, raw in zip(nowhere, raw_rows(block, nowhere, there.holders, there.delimiter), strict=True):
            self.quarantine.add(file.name, int(block.lines[row]), there.filters, Reason.NO_TABLE, raw)

    def _rows(self, number: int, source: Source, block: Block, mine: Rows, there: _Columns) -> None:
        """Put the rows `mine` of `block` on the shelf of `source.table`, or into quarantine."""
        frame = block.frame if len(mine) == block.frame.height else block.frame[mine]
        tools = replace(self.tools, empty=source.layout.empty)
        fitted = rows.fit(source, frame, tools, there.file, self.pool)
        if not fitted.faults.any():
            good, kept, ids = fitted.frame, mine, fitted.ids
        else:
            fine = pl.Series(fitted.faults == 0)
            good, kept = fitted.frame.filter(fine), mine[fitted.faults == 0]
            ids = fitted.ids.filter(fine) if fitted.ids is not None else None
            unfit = list(rows.misfits(source, fitted))
            places = mine[[row for row, _, _ in unfit]]
            raws = raw_rows(block, places, there.holders, there.delimiter)
            for place, (_, column, reason), raw in zip(places, unfit, raws, strict=True):
                self.quarantine.add(there.file, int(block.lines[place]), column, reason, raw)
        self.shelves[source.table].add(good, number, block.lines[kept], ids)
        self.used[number] += good.height


class _Columns:
    """The columns of one file, as its sources see them."""

    def __init__(self, file: Delivered, reading: Reading) -> None:
        self._file = file
        self.file = file.name
        self._columns = reading.columns
        self.delimiter = file.sources[0].layout.delimiter
        self.filters = "+".join(dict.fromkeys(name for source in file.sources for name in source.where))
        named = {
            name
            for source in file.sources
            for column in TABLES[source.table].columns
            if column.kind is Kind.HOLDER and column.name in source.columns
            for name in source.columns[column.name].sources
        }
        # Fields that may be document numbers: nothing of them may reach the disk, well-formed or not.
        self.holders = frozenset(named & set(reading.columns))

    def wanted(self) -> list[str]:
        """Columns that some source reads, in the file's order."""
        reads: frozenset[str] = frozenset().union(*(source.reads for source in self._file.sources))
        return [name for name in dict.fromkeys(self._columns) if name in reads]

    def ignored(self) -> dict[str, tuple[str, ...]]:
        """The file's columns that nothing reads, under its name; empty when there are none."""
        reads = set(self.wanted())
        names = tuple(name for name in self._columns if name not in reads)
        return {self._file.name: names} if names else {}

    def check(self) -> None:
        """Raise UnreadableInput when a column is missing without which no row means anything, or is there twice."""
        for source in self._file.sources:
            for column in TABLES[source.table].required:
                how = source.columns[column]
                if how.value is None and not set(how.sources) & set(self._columns):
                    self._missing(f"{source.table}.{column}", " or ".join(how.sources))
            needed = {
                *source.where,
                *source.swap_when,
                *([source.record_id] if source.record_id is not None else []),
            }
            for name in sorted(needed - set(self._columns)):
                self._missing("the mapping", name)
        for name in self.wanted():
            if self._columns.count(name) > 1:
                raise UnreadableInput(
                    f"{self._file.name}: column {name!r} is there twice; rename one of the two"
                )

    def _missing(self, what: str, name: str) -> None:
        there = ", ".join(_shown(name) for name in self._columns[:20]) + (
            ", …" if len(self._columns) > 20 else ""
        )
        raise UnreadableInput(
            f"{self._file.name}: no column {name!r} for {what}; found {there}; "
            "name the right columns with --mapping FILE.toml (docs/MAPPING.md)"
        )


def _shown(name: str) -> str:
    """Return a column's name as it may stand in a message of one line, whatever the file calls it."""
    return "".join(letter if letter.isprintable() else "?" for letter in name[:40])
