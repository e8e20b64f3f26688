"""The store under a live state: recent records go there, sorted by card, by day and rolled up.

State file and store are committed as one: the files are on the disk first, then the state file commits the manifest
that lists them together with everything else, and then the store's manifest follows. After a kill in between,
`recover` lets it follow.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa

from duanka.domain.rollups import Rollup
from duanka.domain.schema import TABLES
from duanka.domain.store_policy import StorePolicy
from duanka.engine.live.state.state_file import REGISTERS, LiveState
from duanka.engine.store.days.compaction import MOST_FILES, compact_some
from duanka.engine.store.days.rollup_partials import rollup_schema
from duanka.engine.store.days.sorted_files import slices
from duanka.engine.store.life import LIVES, MOST_TOGETHER
from duanka.engine.store.manifest import (
    FileKind,
    Manifest,
    RepeatCounts,
    is_store,
    read_manifest,
    write_manifest,
)
from duanka.engine.store.record_store import RecordStore
from duanka.engine.store.refusals_for_live import handed_over

_PARTIALS = {merged.name: partial.name for merged, partial in LIVES}
_MOST_FILES_IN_BACKLOG = 3 * MOST_FILES  # of a day; from here on a batch merges some itself
_ROWS_IN_BACKLOG = 3_000_000  # merged at once: below a second
_ROWS_AT_REST = 2 * _ROWS_IN_BACKLOG
_ROWS_OF_FEW_COLUMNS = 200_000  # read at once: what a core's cache holds of them
_REGISTER_SECONDS = 600.0  # registers are written anew at most this often
_EPOCH = datetime(1970, 1, 1)


class StoreFiles:
    """The files of the store, and what the next commit changes of them."""

    def __init__(self, state: LiveState, store: RecordStore) -> None:
        self._state, self._run, self._store = state, state.run, store
        self._open = ExitStack()
        self.recover()
        self._writer = self._open.enter_context(store.writing(_EPOCH, wait=False, live=True))
        self._draft = self._writer.draft
        self._changed = False
        self._sources: dict[tuple[FileKind, str], list[tuple[date, str, bool]]] | None = None
        self._registers_at = 0.0
        self._handed_over: list[Path] = []

    def close(self) -> None:
        """Release the store."""
        self._open.close()

    @property
    def manifest(self) -> Manifest:
        """The manifest of the coming commit."""
        return self._draft.manifest

    # -- committing

    def complete(self) -> None:
        """Before the state file commits: bring the files to the disk, and hand their manifest to the state."""
        if self._changed:
            self._draft.complete()
            self._state.keep_manifest(self.manifest.model_dump_json())

    def publish(self) -> bool:
        """After the state file has committed; whether the store changed."""
        changed, self._changed = self._changed, False
        if changed:
            self._draft.publish()
            for path in self._handed_over:
                path.unlink(missing_ok=True)
            self._handed_over.clear()
        return changed

    def recover(self) -> None:
        """Bring the store to what the state file has committed."""
        kept = self._state.kept_manifest()
        if not kept:
            return
        manifest, folder = Manifest.model_validate_json(kept), self._store.folder
        if not is_store(folder) or manifest.generation > read_manifest(folder).generation:
            write_manifest(folder, manifest)

    def roll_back(self) -> None:
        """Forget what was not committed."""
        self.recover()
        self._draft.roll_back()
        self._handed_over.clear()
        self._changed = False
        self._sources = None

    # -- reading

    def waiting(self, rollup: str) -> str:
        """SQL source of the partials in files that are not evaluated yet; "" if there are none."""
        partial = _PARTIALS.get(rollup, rollup)
        paths = [
            path
            for _, path, _ in self._files(FileKind.ROLLUPS, partial)
            if path in self._state.progress.waiting
        ]
        return self._draft.source(paths) if paths else ""

    def sources(self, rollup: str, since: date | None = None) -> list[str]:
        """SQL sources of a rollup's rows in files, of days from `since`."""
        return [self._draft.source(paths) for paths in self._paths(rollup, since) if paths]

    def records(self, table: str, since: date | None = None) -> str:
        """SQL source of a table's records in files, of days from `since`; "" if there are none."""
        paths = [p for day, p, _ in self._files(FileKind.RECORDS, table) if not since or day >= since]
        return self._draft.source(paths) if paths else ""

    def by_card(
        self, rollup: Rollup, columns: Sequence[str], since: date | None = None
    ) -> Iterator[pa.Table]:
        """`columns` of a rollup's rows in files, of days from `since`: all rows of a range of cards at a time."""
        schema, (merged, partials) = rollup_schema(rollup), self._paths(rollup.name, since)
        read = pa.schema([schema.field(name) for name in columns])
        return slices(self._store.folder, [*merged, *partials], read, rows=_ROWS_OF_FEW_COLUMNS)

    def _paths(self, rollup: str, since: date | None) -> tuple[list[str], list[str]]:
        """Files of a rollup: of what is merged over all days, and of days from `since`."""
        if rollup in _PARTIALS:
            merged = [path for _, path, _ in self._files(FileKind.LIFE, rollup)]
            return merged, [p for _, p, done in self._files(FileKind.ROLLUPS, _PARTIALS[rollup]) if not done]
        return [], [
            path for day, path, _ in self._files(FileKind.ROLLUPS, rollup) if not since or day >= since
        ]

    def whole(self, kind: FileKind, name: str = "") -> str:
        """SQL source of all files of `kind` and `name`; "" if there are none."""
        paths = self.manifest.paths(kind, name)
        return self._draft.source(paths) if paths else ""

    def _files(self, kind: FileKind, name: str) -> Sequence[tuple[date, str, bool]]:
        if self._sources is None:
            self._sources = defaultdict(list)
            for path, file in self.manifest.files.items():
                self._sources[file.kind, file.name].append((file.day or date.min, path, file.merged))
        return self._sources.get((kind, name), ())

    # -- writing

    def append(self, tables: Mapping[str, pa.Table], now: datetime, *, judged: bool) -> None:
        """Add recent records: record table -> rows. `judged`: all rules have evaluated them."""
        before = set(self.manifest.files)
        self._begin(now)
        self._writer.append(tables)
        for table, columns in self._state.progress.filled.items():
            self.manifest.filled.setdefault(table, set()).update(columns)
        self._count_refused()
        self._append_texts()
        if not judged:
            new = self.manifest.files.keys() - before
            self._state.progress.waiting += sorted(path for path in new if path.startswith(FileKind.ROLLUPS))

    def _count_refused(self) -> None:
        """Bring the counts of repeated and late records up to date."""
        counts: dict[str, RepeatCounts] = defaultdict(RepeatCounts)
        for source in self._state.progress.sources.values():
            counts[source.table].repeated += source.repeated
            counts[source.table].late += source.late
        self.manifest.not_added.update(counts)

    def _begin(self, now: datetime) -> None:
        self._draft.at = now
        self._changed = True
        self._sources = None

    def _append_texts(self) -> None:
        """Write the texts of hashed keys that the store lacks."""
        if not self._run("SELECT 1 FROM state.new_texts LIMIT 1"):
            return
        self._draft.write("SELECT key, text FROM state.new_texts ORDER BY key", FileKind.TEXTS, run=self._run)
        self._run("DELETE FROM state.new_texts")
        if len(files := self.manifest.paths(FileKind.TEXTS)) > MOST_FILES:
            together = f"SELECT DISTINCT key, text FROM {self._draft.source(files)} ORDER BY key"
            self._draft.replace(files, together, FileKind.TEXTS)

    def take_refusals(self, now: datetime) -> None:
        """Add the refusals of the network that were handed over."""
        for path, rows in handed_over(self._store.folder):
            self._begin(now)
            self._writer.add_refusals(rows)
            self._handed_over.append(path)

    def write_registers(self, now: datetime, *, pause: float = _REGISTER_SECONDS) -> None:
        """Write the registers that changed, for lookups; not within `pause` seconds after the last time."""
        changed = self._state.progress.registers
        if not changed or (self._registers_at and time.monotonic() - self._registers_at < pause):
            return
        self._begin(now)
        for register in REGISTERS:
            if register in changed:
                columns = [column.name for column in TABLES[register].columns]
                select = f"SELECT {', '.join(columns)} FROM state.{register} ORDER BY {columns[0]}"
                before = self.manifest.paths(FileKind.REGISTERS, register)
                self._draft.replace(before, select, FileKind.REGISTERS, register, run=self._run)
        changed.clear()
        self._registers_at = time.monotonic()

    def merge_some(self, now: datetime, *, backlog: bool = False) -> bool:
        """Merge files of a day that has many, or of the life of cards or devices; False: none is due.

        In a `backlog` a batch waits for it: only where there are very many files, and only what takes about a second.
        """
        waiting = frozenset(self._state.progress.waiting)
        self._draft.at = now
        most, rows = (_MOST_FILES_IN_BACKLOG, _ROWS_IN_BACKLOG) if backlog else (MOST_FILES, _ROWS_AT_REST)
        # days first: life is merged from their files
        if not compact_some(self._draft, most, waiting, rows=rows, strictly=backlog):
            grown = None if backlog else self._grown_life(waiting)
            if grown is None:
                return False
            self._writer.merge_life(self._days(), grown)
        self._begin(now)
        return True

    def _grown_life(self, waiting: frozenset[str]) -> str | None:
        """The merged rollup beside which so many partials stand that merging them pays; None: neither."""
        files = self.manifest.files
        for rollup, partial in _PARTIALS.items():
            new = [path for _, path, done in self._files(FileKind.ROLLUPS, partial) if not done]
            rows = sum(files[path].rows for path in new)
            held = sum(files[path].rows for _, path, _ in self._files(FileKind.LIFE, rollup))
            # it is written whole: each time it has doubled, so that a row is written a few times
            pays = len(new) > MOST_FILES and rows >= held
            if (pays or len(new) > MOST_TOGETHER) and not waiting.intersection(new):
                return rollup
        return None

    def purge(self, today: date, policy: StorePolicy, now: datetime) -> None:
        """Drop days that are no longer kept."""
        self._begin(now)
        self._writer.purge(today, policy, self._days())

    def _days(self) -> set[date]:
        """All days with records: live sees strays of a wrong clock, too."""
        return {day for days in self.manifest.days.values() for day in days}
