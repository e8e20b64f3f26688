"""Wires a scan into a store: what is new in the delivery goes into it, and the store is judged as of now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from uuid import uuid4

from duanka.domain.delivery import FileIdentity, KnownFiles
from duanka.domain.findings import PurgedDays, StoredRecords
from duanka.domain.intake_report import Intake
from duanka.domain.local_time import OperatorZone
from duanka.domain.ports import Progress
from duanka.domain.store_policy import StorePolicy
from duanka.domain.streaming import SourceReach
from duanka.engine.batch.embedded_store import EmbeddedStore
from duanka.engine.batch.spark_store import ClusterStore
from duanka.engine.batch.store_engine import StoreEngine
from duanka.engine.store.days.record_days import AddedRecords
from duanka.engine.store.life import counting_days
from duanka.engine.store.manifest import KnownDelivery
from duanka.engine.store.record_store import RecordStore
from duanka.engine.store.writing import StoreWriter


@dataclass
class StoreInUse:
    """A store that this process writes to, and the engine that judges it; `added`: by record table.

    `late_before`: the days before were purged already when these records came.
    """

    writer: StoreWriter
    engine: StoreEngine
    at: datetime
    added: Mapping[str, AddedRecords] = field(default_factory=dict)
    late_before: date | None = None
    purged: tuple[PurgedDays, ...] = ()

    @property
    def known(self) -> KnownFiles:
        """The files that were taken in before."""
        manifest = self.writer.manifest
        return KnownFiles(
            (FileIdentity(file.name, file.size, file.digest, file.stamp) for file in manifest.delivered),
            {file.digest: file.at.date() for file in [*manifest.unusable, *manifest.delivered]},
        )

    def take(self, intake: Intake) -> None:
        """Add what was delivered, and bring the rollups up to date."""
        taken, unusable = self._delivered(intake)
        self.late_before = self.writer.manifest.kept.records_from
        self.added = self.writer.add(intake.tables, intake.columns, taken, intake.texts)
        self.writer.manifest.unusable = unusable
        self.writer.merge_life()

    def _delivered(self, intake: Intake) -> tuple[list[KnownDelivery], list[KnownDelivery]]:
        """The files that need not be read again, and those of which no record could be used."""
        refused = intake.refused
        known, told = self.known, {file.digest: file.at for file in self.writer.manifest.unusable}
        taken, unusable = list[KnownDelivery](), list[KnownDelivery]()
        for file in intake.delivered or ():
            at = told.get(file.digest, self.at) if file.name in refused else self.at
            one = KnownDelivery(name=file.name, size=file.size, digest=file.digest, at=at, stamp=file.stamp)
            if file.name in refused:
                unusable.append(one)
            elif known.digest_of(file.name, file.size, file.stamp) is None:
                taken.append(one)
        return taken, unusable

    def stored(self) -> StoredRecords:
        """What was added, and what the store holds now."""
        added = self.added.values()
        manifest = self.writer.manifest
        held = [manifest.held(table) for table in manifest.days]
        return StoredRecords(
            new=sum(one.new for one in added),
            repeated=sum(one.repeated for one in added),
            late=sum(one.late for one in added),
            held=sum(records for days in held for records, _ in days.values()),
            late_before=self.late_before,
            first=min((day for days in held for day in days), default=None),
            reach=tuple(self._reach()),
            purged=self.purged,
        )

    def _reach(self) -> Iterator[SourceReach]:
        """How far each record table reaches, days of a wrong clock aside."""
        days = self.writer.manifest.days
        counting = counting_days(days)
        for table, of_table in days.items():
            there = [counts for day, counts in of_table.items() if day in counting]
            if there:
                last = max(at for _, at in there)
                yield SourceReach(table, table, sum(records for records, _ in there), 0, last, last)

    def keep(self, until: date, policy: StorePolicy) -> None:
        """Add the judgement to what `commit` puts into effect, and take out what `policy` keeps no longer.

        `until`: day after the last record that counts.
        """
        self.engine.keep_judgement()
        self.purged = self.writer.purge(until, policy)
        self.writer.compact()

    def commit(self) -> None:
        """Put records, rollups and judgement into effect, all at once."""
        self.writer.commit()


@contextmanager
def store_in_use(
    store: Path,
    work: Path,
    *,
    zone: str,
    memory: str,
    threads: int | None,
    passes: Mapping[str, datetime],
    progress: Progress,
    remote: str | None = None,
) -> Iterator[StoreInUse]:
    """Open `store` as its only writer; wait for another one. `work`: folder for spill files.

    `remote`: Spark Connect server that judges it; None: embedded. Every node sees the store's folder.

    Nothing is in the store before `keep`, so an error or a kill leaves it as it was.
    """
    at = OperatorZone(zone).now()
    with RecordStore(store, zone=zone, memory=memory, threads=threads).writing(
        at, progress=progress
    ) as writer:
        before = writer.manifest.copied()
        engine: StoreEngine
        if remote:
            # a folder of this run alone: of a run that was killed, the cluster may still be writing
            shared = writer.draft.work / f"cluster-{uuid4().hex}"
            engine = ClusterStore(shared, remote, memory=memory, threads=threads, passes=passes)
        else:
            engine = EmbeddedStore(work, memory=memory, threads=threads, passes=passes)
        with engine:
            yield StoreInUse(writer, engine.open_store(writer.draft, before), at)
