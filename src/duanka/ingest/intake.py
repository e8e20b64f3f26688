"""Main path of intake: files in; canonical tables, quarantine and counts out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from duanka.domain.case_source import CaseSource
from duanka.domain.delivery import FileIdentity, KnownFiles
from duanka.domain.display import display_name, display_text, first_line
from duanka.domain.errors import LostRecords, UnreadableInput
from duanka.domain.intake_report import FileAccount, Intake
from duanka.domain.ports import Progress, Silent
from duanka.domain.schema import TABLES
from duanka.domain.text import BilingualText
from duanka.ingest.delivery import discovery
from duanka.ingest.delivery.discovery import Delivered, FileSelection
from duanka.ingest.delivery.mapped_columns import SourcesSeen, check_columns
from duanka.ingest.delivery.signatures import SignedFile
from duanka.ingest.files.limits import rejects_too_much
from duanka.ingest.formats.open_reader import open_reading
from duanka.ingest.model.holders import Holders
from duanka.ingest.model.mapping import NATIVE, Mapping
from duanka.ingest.model.reasons import QuarantineReason
from duanka.ingest.normalise.columns import Tools
from duanka.ingest.storage import deduplication as repeats
from duanka.ingest.storage import parquet_store as parts
from duanka.ingest.storage.key_columns import KnownTexts
from duanka.ingest.storage.parquet_store import IMSIS, TEXTS, TablePartsWriter
from duanka.ingest.storage.seen_hashes import SeenHashes
from duanka.ingest.validation.quarantine import QUARANTINE, Quarantine
from duanka.ingest.validation.validator import ValidationResult, Validator

_STEP = "reading records"


def take_in(
    data: Path,
    out: Path,
    *,
    mapping: Mapping | None = None,
    holder_key: bytes | None = None,
    case_sources: tuple[CaseSource, ...] = (),
    progress: Progress | None = None,
    known: KnownFiles | None = None,
    selection: FileSelection | None = None,
) -> Intake:
    """Read the delivery `data` into canonical Parquet files below work folder `out`.

    `data`: a directory in the native format; with a `mapping`, any directory or one file. `holder_key`: key for hashing
    document numbers. `case_sources`: sources whose signature on police cases is accepted. `progress` receives
    bytes read and total. `known`: files of earlier intakes, which are not read again; None: nobody remembers them.
    `selection`: which files are read; None: all but hidden ones.

    Raises UnreadableInput (nothing to read, a required column missing), MappingError, MissingKey, and LostRecords if a
    record is neither used nor quarantined. Replaces the results of an earlier intake in `out`.
    """
    mapping = mapping or NATIVE
    files, others = discovery.find(data, out, mapping, known, selection)
    check_columns([file for file in files if not file.taken_before], mapping)
    out.mkdir(parents=True, exist_ok=True)
    parts.clear(out)
    tools = Tools.of(mapping, Holders(holder_key), case_sources, out / IMSIS)
    path = out / QUARANTINE
    hashed = KnownTexts(out / TEXTS)
    total = sum(f.size for f in files if not f.taken_before)
    opened = _shelves(out, hashed, SeenHashes(total))
    with opened as shelves, Quarantine(path) as quarantine, ThreadPoolExecutor(2) as pool:
        work = _Work(shelves, quarantine, tools, pool, progress or Silent(), total, SourcesSeen(mapping))
        # read the register first, because other files may identify its cards by IMSI
        order = list(enumerate(files))
        if mapping.asks_by_imsi:
            order.sort(key=lambda one: "cards" not in one[1].table.split("+"))
        read = {number: work.file(number, file) for number, file in order}
        work.check_failed(files, known)
        seen = [read[number] for number in range(len(read))]
        for shelf in shelves.values():
            shelf.close()
        texts = hashed.close()
        names = [file.name for file in files]
        for table, shelf in shelves.items():
            if not shelf.may_repeat:
                continue
            settled = repeats.settle(table, shelf.parts, names, quarantine, texts)
            shelf.parts = settled.parts
            work.used.subtract(settled.lost)
    if tools.by_imsi is not None:
        tools.by_imsi.close()
    accounts = tuple(
        replace(
            account,
            used=work.used[number],
            quarantined=quarantine.counts[account.file],
            told_on=_told_on(files[number].digest, known, work.used[number]),
        )
        for number, account in enumerate(seen)
        if not files[number].taken_before
    )
    ignored = {**work.ignored, **dict.fromkeys(others, ())}
    done = _intake(shelves, accounts, path, ignored, work.sources.idle(), texts)
    if known is None:
        return done
    return replace(
        done,
        delivered=tuple(_delivered(file, mapping) for file in files),
        taken_before=sum(f.taken_before for f in files),
    )


def _told_on(digest: str, known: KnownFiles | None, used: int) -> date | None:
    """When an earlier intake told what cannot be used of a file; None: now is the first time."""
    if known is None or (used and digest not in known):  # nothing of it could be used, and now some can
        return None
    return known.told_on(digest)


def _delivered(file: Delivered, mapping: Mapping) -> FileIdentity:
    again = discovery.is_read_each_time(file, mapping)
    return FileIdentity(file.name, file.size, file.digest, discovery.stamp_of(file.path, file.root), again)


def _kind(file: Delivered) -> tuple[int, ...]:
    return tuple(map(id, file.sources))


def _holds_records(file: Delivered) -> bool:
    return any(TABLES[source.table].record for source in file.sources)


def _without_name(told: str, file: Delivered) -> str:
    """`told` of a fault of `file`, without the name or path before it: accounts and quarantine name the file."""
    for name in (file.name, display_text(str(file.path)), display_name(str(file.path))):
        told = told.removeprefix(f"{name}: ")
    return told


@contextmanager
def _shelves(out: Path, texts: KnownTexts, seen: SeenHashes) -> Iterator[dict[str, TablePartsWriter]]:
    """Yield a writer for every table; delete the temporary `.origin` files at the end."""
    shelves = {table: TablePartsWriter(out, table, texts, seen) for table in TABLES}
    try:
        yield shelves
    finally:
        for shelf in shelves.values():
            shelf.abandon()
        texts.close()
        for origin in out.glob("*/part-*.origin"):
            origin.unlink()


def _intake(
    shelves: dict[str, TablePartsWriter],
    accounts: tuple[FileAccount, ...],
    quarantine: Path,
    ignored: dict[str, tuple[str, ...]],
    idle: tuple[BilingualText, ...],
    texts: tuple[Path, ...],
) -> Intake:
    """Result; raises LostRecords unless all records are stored or quarantined."""
    filled = {table: shelf for table, shelf in shelves.items() if shelf.parts}
    done = Intake(
        tables={table: tuple(part.path for part in shelf.parts) for table, shelf in filled.items()},
        columns={table: frozenset(shelf.filled) for table, shelf in filled.items()},
        files=accounts,
        quarantine=quarantine,
        ignored=ignored,
        idle=idle,
        texts=texts,
    )
    done.check_nothing_lost()
    written = sum(pq.read_metadata(part).num_rows for paths in done.tables.values() for part in paths)
    if written != done.used:
        raise LostRecords(
            f"{done.used} records are used, but {written} are on disk; this is a defect, please report it"
        )
    return done


@dataclass
class _Work:
    """State shared by the reading of all files."""

    shelves: dict[str, TablePartsWriter]
    quarantine: Quarantine
    tools: Tools
    pool: ThreadPoolExecutor
    progress: Progress
    total: int
    sources: SourcesSeen
    done: int = 0
    used: Counter[int] = field(default_factory=Counter)
    ignored: dict[str, tuple[str, ...]] = field(default_factory=dict)
    records: Counter[str] = field(default_factory=Counter)  # records read so far, by file
    failed: dict[str, UnreadableInput] = field(default_factory=dict)  # unreadable files

    def file(self, number: int, file: Delivered) -> FileAccount:
        """Read one file; its account's `used` and `quarantined` are filled in at the end."""
        account = FileAccount(file.name, file.table, 0, 0, 0, duplicate_of=file.duplicate_of)
        if not file.is_read:
            self.sources.note(file.sources, {})
            self._step(0 if file.taken_before else file.size)
            return account
        try:
            account = self._read(number, file, account)
        except UnreadableInput as fault:
            account = self._fail(file, fault)
        self._step(file.size)
        pa.default_memory_pool().release_unused()  # otherwise the peak memory of the largest file stays allocated
        return account

    def check_failed(self, files: Sequence[Delivered], known: KnownFiles | None) -> None:
        """Raise UnreadableInput when all `files` of the same sources are unreadable.

        Then mapping or settings are the likely fault. A single unreadable file does not stop the others, as in live
        intake. Nor does any stop a night into a store (`known`), which reads it again the next night, unless nothing
        else is to be judged: the store is empty, and no other file of records can be read.
        """
        good = [file for file in files if not file.duplicate_of and file.name not in self.failed]
        if known or (known is not None and any(_holds_records(file) for file in good)):
            return
        read = set(map(_kind, good))
        for file in files:
            if file.name in self.failed and _kind(file) not in read:
                raise self.failed[file.name]

    def _fail(self, file: Delivered, fault: UnreadableInput) -> FileAccount:
        """Quarantine the rest of a file with one row."""
        self.failed[file.name] = fault
        why = _without_name(first_line(fault), file)
        self.quarantine.add_always(file.name, QuarantineReason.UNREADABLE_FILE, why)
        self.records[file.name] += 1
        self.sources.note(file.sources, {})
        return FileAccount(file.name, file.table, self.records[file.name], 0, 0, unreadable=why)

    def _read(self, number: int, file: Delivered, account: FileAccount) -> FileAccount:
        with SignedFile(file.path, file.name, file.sources, self.tools.case_sources, file.root) as signed:
            reading = open_reading(signed.path, file.sources[0].layout, signed.root)
            self.quarantine.has_sheets(file.name, reading.sheets)
            validator = Validator(file.name, file.sources, reading.columns, self.tools, self.pool, signed.by)
            if ignored := validator.ignored():
                self.ignored[file.name] = ignored
            validator.check()
            records, given_up = 0, ""
            for block in reading.blocks(validator.wanted()):
                result = validator.validate(block)
                records += block.records + result.extra_rows
                self.records[file.name] = records
                self._keep(number, file, result)
                self.progress.step(_STEP, self.done + block.done, self.total)
                if given_up := rejects_too_much(records, self.quarantine.counts[file.name]):
                    records += 1
                    self.quarantine.add_always(file.name, QuarantineReason.OVERSIZED, given_up)
                    break
        if reading.unreadable and not records:  # an empty file: else only its name would tell of it
            records = 1
            self.quarantine.add_always(file.name, QuarantineReason.UNREADABLE_FILE, reading.unreadable)
        self.sources.note(file.sources, validator.taken)
        unreadable = given_up or reading.unreadable
        return replace(
            account,
            records=records,
            unreadable=unreadable,
            devices_unknown=validator.devices_unknown,
            notes=tuple(reading.notes),
        )

    def _step(self, size: int) -> None:
        self.done += size
        self.progress.step(_STEP, self.done, self.total)

    def _keep(self, number: int, file: Delivered, result: ValidationResult) -> None:
        for record in result.rejected:
            self.quarantine.add(file.name, record)
        for good in result.valid:
            self.shelves[good.table].add(good.frame, number, good.lines, good.ids, good.twice)
            self.used[number] += good.frame.height
