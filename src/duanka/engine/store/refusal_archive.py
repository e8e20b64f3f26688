"""The store as the archive of refusals: what the order database hands over, and a card's refusals of before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TypeVar

import duckdb

from duanka.domain.errors import DuankaError
from duanka.domain.local_time import OperatorZone
from duanka.domain.network import KnownRefusals, Refusal, RefusalQuestion
from duanka.engine.store.days.refusals import known_in, of_card, of_period
from duanka.engine.store.manifest import FileKind, Manifest, damaged, read_manifest
from duanka.engine.store.record_store import LIVE, RecordStore, StoreBusy
from duanka.engine.store.refusals_for_live import hand_over, handed_over

Answer = TypeVar("Answer")
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

    def known(self, rows: Sequence[tuple[str, str, datetime]]) -> KnownRefusals:
        """Which of these (element, key, time) are there, also handed over. DuankaError: no store, damaged."""
        asked = {(element, key) for element, key, _ in rows}
        # first what waits: it is deleted there only when the store has it
        waiting = {(r.element, r.key) for _, some in handed_over(self._folder) for r in some} & asked

        def of(manifest: Manifest) -> KnownRefusals:
            kept = known_in(self._folder, manifest, rows) | waiting
            begin, zone = manifest.kept.refusals_from or date.min, OperatorZone(manifest.zone)
            purged = {(element, key) for element, key, at in rows if zone.local(at).date() < begin}
            return KnownRefusals(kept, frozenset(purged - kept))

        return self._read(of)

    def page(self, asked: RefusalQuestion) -> list[Refusal]:
        """Refusals of a period, the earliest first. DuankaError: no store, damaged."""
        waiting = [r for _, rows in handed_over(self._folder) for r in rows if _is_asked(r, asked)]
        stored = self._read(lambda manifest: of_period(self._folder, manifest, asked))
        found = {(one.element, one.key): one for one in (*waiting, *stored)}
        return sorted(found.values(), key=lambda one: (one.at, one.element, one.key))[: asked.limit]

    def of_card(self, card: str, limit: int) -> list[Refusal]:
        """The latest refusals of a card, the latest first. DuankaError: no store, damaged."""
        waiting = {
            (r.element, r.key): r for _, rows in handed_over(self._folder) for r in rows if r.card == card
        }
        stored = self._read(lambda manifest: of_card(self._folder, manifest, card, limit))
        found = waiting | {(one.element, one.key): one for one in stored}
        return sorted(found.values(), key=lambda one: one.at, reverse=True)[:limit]

    def _read(self, read: Callable[[Manifest], Answer]) -> Answer:
        manifest = read_manifest(self._folder)
        try:
            return read(manifest)
        except duckdb.Error:
            now = read_manifest(self._folder)  # a writer may have replaced files meanwhile
            if now.generation == manifest.generation:
                raise self._damaged() from None
        try:
            return read(now)
        except duckdb.Error:
            raise self._damaged() from None

    def _damaged(self) -> DuankaError:
        return damaged(self._folder, FileKind.REFUSALS)


def _is_asked(one: Refusal, asked: RefusalQuestion) -> bool:
    places = ((asked.operators, one.operator), (asked.cities, one.city))
    inside = all(not names or name in names for names, name in places)
    return inside and one.carried is asked.carried and asked.since <= one.at < asked.until
