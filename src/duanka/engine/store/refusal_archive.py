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
from duanka.engine.store.record_store import LIVE, RecordStore, StoreBusy
from duanka.engine.store.refusals_for_live import hand_over, handed_over

_MEMORY = "300MB"  # of the writer's database, which lives for one batch


class StoredRefusals:
    """Refusals in the store in `folder`; usable by several threads. See `domain.network.RefusalArchive`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, rows: Sequence[Refusal], now: datetime) -> Sequence[Refusal]:
        """Commit `rows`, once each, or leave them to the live run that keeps the store; none while a scan writes to it.

        DuankaError: damaged, no room.
        """
        zone = OperatorZone(read_manifest(self._folder).zone)
        store = RecordStore(self._folder, zone=zone.name, memory=_MEMORY, threads=1)
        try:
            with store.writing(zone.local(now).replace(tzinfo=None), wait=False) as writer:
                writer.add_refusals(rows)
                writer.compact()
                writer.commit()
        except StoreBusy:
            if not (self._folder / LIVE).is_dir():
                return ()
            with store.plainly():
                hand_over(self._folder, rows)
        return rows

    def of_card(self, card: str, limit: int) -> list[Refusal]:
        """The latest refusals of a card, the latest first. DuankaError: no store, damaged."""
        waiting = {
            (r.element, r.key): r for _, rows in handed_over(self._folder) for r in rows if r.card == card
        }
        found = waiting | {(one.element, one.key): one for one in self._stored(card, limit)}
        return sorted(found.values(), key=lambda one: one.at, reverse=True)[:limit]

    def _stored(self, card: str, limit: int) -> list[Refusal]:
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
