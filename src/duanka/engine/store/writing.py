"""Writing to a store: what one intake delivered becomes one commit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from duanka.domain.ports import Progress
from duanka.domain.schema import RECORD_TABLES
from duanka.engine.store.manifest import KnownDelivery, Manifest
from duanka.engine.store.next_generation import NextGeneration
from duanka.engine.store.record_days import AddedRecords, add_records
from duanka.engine.store.rollup_partials import write_partials


class StoreWriter:
    """The one writer of a store; made by `RecordStore.writing`."""

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
    ) -> dict[str, AddedRecords]:
        """Add the canonical Parquet parts of one intake, without repeats among them.

        `tables`: table -> parts, keys as BIGINT. `filled`: table -> columns with at least one value. `delivered`: the
        files they came from. Returns what each record table received.
        """
        found = {}
        for done, (table, parts) in enumerate(tables.items()):
            self._progress.step(f"store {table}", done, len(tables))
            if parts and table in RECORD_TABLES:
                found[table] = add_records(self._draft, table, parts)
            self.manifest.filled.setdefault(table, set()).update(filled.get(table, ()))
        changed = sorted({day for added in found.values() for day in added.files})
        for done, day in enumerate(changed):
            self._progress.step("store rollups", done, len(changed))
            write_partials(
                self._draft, day, {t: added.files[day] for t, added in found.items() if day in added.files}
            )
        self.manifest.delivered.extend(delivered)
        return found

    def commit(self) -> None:
        """Put everything written since the last commit into effect, at once and durably."""
        self._draft.commit()
