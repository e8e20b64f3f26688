"""Writing to a store: what one intake delivered becomes one commit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa

from duanka.domain.findings import PurgedDays
from duanka.domain.network import Refusal
from duanka.domain.ports import Progress
from duanka.domain.schema import TABLES
from duanka.domain.store_policy import StorePolicy
from duanka.engine.shared.duckdb_database import lent, parquet
from duanka.engine.store.days.compaction import compact
from duanka.engine.store.days.record_days import AddedRecords, add_records
from duanka.engine.store.days.refusals import AddedRefusals, add_refusals
from duanka.engine.store.days.rollup_partials import write_partials
from duanka.engine.store.life import counting_days, merge_life
from duanka.engine.store.manifest import KnownDelivery, Manifest
from duanka.engine.store.next_generation import NextGeneration
from duanka.engine.store.registers import add_register, add_texts
from duanka.engine.store.retention import purge


class StoreWriter:
    """The one writer of a store; made by `RecordStore.writing`. Nothing is in effect before `commit`."""

    def __init__(self, draft: NextGeneration, progress: Progress) -> None:
        self._draft, self._progress = draft, progress

    @property
    def manifest(self) -> Manifest:
        """The manifest of the coming commit; what is changed in it is committed."""
        return self._draft.manifest

    @property
    def draft(self) -> NextGeneration:
        """The commit in progress, for what writes files of its own."""
        return self._draft

    def add(
        self,
        tables: Mapping[str, Sequence[Path]],
        filled: Mapping[str, Collection[str]],
        delivered: Sequence[KnownDelivery] = (),
        texts: Sequence[Path] = (),
    ) -> dict[str, AddedRecords]:
        """Add the canonical Parquet parts of one intake, without repeats among them.

        `tables`: table -> parts, keys as BIGINT. `filled`: table -> columns with at least one value. `delivered`: the
        files they came from. `texts`: Parquet parts of (key, text), the texts of negative keys. Returns what each
        record table received. DuankaError: no room, two texts with one key.
        """
        if texts:
            add_texts(self._draft, parquet(texts))
        found = {}
        for done, (table, parts) in enumerate(tables.items()):
            self._progress.step(f"store {table}", done, len(tables))
            if not parts:
                continue
            if TABLES[table].record:
                found[table] = add_records(self._draft, table, parquet(parts))
            else:
                add_register(self._draft, table, parts)
            self.manifest.filled.setdefault(table, set()).update(filled.get(table, ()))
        self._roll_up(found)
        self.manifest.delivered.extend(delivered)
        return found

    def append(self, tables: Mapping[str, pa.Table]) -> None:
        """Add records that the store does not hold yet: record table -> canonical rows, keys as BIGINT."""
        found = {}
        for table, rows in tables.items():
            with lent(self._draft.db, "given", rows):
                found[table] = add_records(self._draft, table, "given", compare=False)
        self._roll_up(found)

    def _roll_up(self, found: Mapping[str, AddedRecords]) -> None:
        changed = sorted({day for added in found.values() for day in added.files})
        for done, day in enumerate(changed):
            self._progress.step("store rollups", done, len(changed))
            files = {table: added.files[day] for table, added in found.items() if day in added.files}
            write_partials(self._draft, day, files)

    def add_refusals(self, rows: Sequence[Refusal]) -> AddedRefusals:
        """Add refused calls and messages to their days; those that are there already (element, key) stay as they are.

        Each call adds a file to each of its days: hand over many at once.
        """
        return add_refusals(self._draft, rows)

    def merge_life(self, counting: Collection[date] | None = None, only: str | None = None) -> None:
        """Merge card_devices and card_life over the days that count; None: all but strays of a wrong clock.

        `only`: just one of the two.
        """
        if counting is None:
            counting = counting_days(self.manifest.days)
        merge_life(self._draft, counting, only)

    def compact(self) -> int:
        """Write crowded days as one file each, after `merge_life`; return how many files were replaced."""
        return compact(self._draft)

    def purge(
        self, today: date, policy: StorePolicy, counting: Collection[date] | None = None
    ) -> tuple[PurgedDays, ...]:
        """Drop what is older than the policy keeps, and merge life; return which days went.

        The commit deletes them for good, also the merged files that held devices and cards of before.
        """
        gone = purge(self._draft, today, policy)
        if gone:
            self.merge_life(counting)
        return gone

    def commit(self) -> None:
        """Put everything written since the last commit into effect, at once and durably."""
        self._draft.commit()
