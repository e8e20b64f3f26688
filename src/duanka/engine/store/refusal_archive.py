"""The store as the archive of refusals: what the order database hands over, and a card's refusals of before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import duckdb

from duanka.domain.errors import DuankaError
from duanka.domain.local_time import OperatorZone
from duanka.domain.network import Refusal
from duanka.engine.store.days.refusals import of_card
from duanka.engine.store.manifest import FileKind, damaged, read_manifest
from duanka.engine.store.record_store import RecordStore, StoreBusy

_MEMORY = "300MB"  # of the writer's database, which lives for one batch


class StoredRefusals:
    """Refusals in the store in `folder`; usable by several threads. See `domain.network.RefusalArchive`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, rows: Sequence[Refusal], now: datetime) -> Sequence[Refusal]:
        """Commit `rows`, once each; none while another process writes to the store. DuankaError: damaged, no room."""
        zone = OperatorZone(read_manifest(self._folder).zone)
        store = RecordStore(self._folder, zone=zone.name, memory=_MEMORY, threads=1)
        try:
            with store.writing(zone.local(now).replace(tzinfo=None), wait=False) as writer:
                writer.add_refusals(rows)
                writer.compact()
                writer.commit()
        except StoreBusy:
            return ()
        return rows

    def of_card(self, card: str, limit: int) -> list[Refusal]:
        """The latest refusals of a card, the latest first. DuankaError: no store, damaged."""
        manifest = read_manifest(self._folder)
        try:
            return of_card(self._folder, manifest, card, limit)
        except duckdb.Error:
            now = read_manifest(self._folder)  # a writer may have replaced files meanwhile
            if now.generation == manifest.generation:
                raise self._damaged() from None
        try:
            return of_card(self._folder, now, card, limit)
        except duckdb.Error:
            raise self._damaged() from None

    def _damaged(self) -> DuankaError:
        return damaged(self._folder, FileKind.REFUSALS)
