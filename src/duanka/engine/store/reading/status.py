"""What a store holds, from its manifest alone."""

from __future__ import annotations

from collections import Counter

from duanka.domain.record_lookups import KeptStatus, StoreStatus, TableStatus
from duanka.domain.schema import RECORD_TABLES
from duanka.engine.store.manifest import KeptDays, Manifest, RepeatCounts


def status_of(manifest: Manifest) -> StoreStatus:
    """Summarise a manifest; nothing of it is about a single card."""
    sizes = Counter[str]()
    for file in manifest.files.values():
        sizes[file.kind.value] += file.bytes
    return StoreStatus(
        version=manifest.version,
        zone=manifest.zone,
        generation=manifest.generation,
        committed_at=manifest.committed_at,
        tables=tuple(_table(manifest, name) for name in RECORD_TABLES),
        days=tuple(sorted({day for name in RECORD_TABLES for day in manifest.held(name)})),
        bytes=dict(sizes),
        delivered=len(manifest.delivered),
        last_delivered_at=max((one.at for one in manifest.delivered), default=None),
        kept=_kept(manifest.kept),
    )


def _table(manifest: Manifest, name: str) -> TableStatus:
    days, counts = manifest.held(name), manifest.not_added.get(name, RepeatCounts())
    return TableStatus(
        name,
        records=sum(records for records, _ in days.values()),
        days=len(days),
        first=min(days, default=None),
        last=max(days, default=None),
        last_event=max((last for _, last in days.values()), default=None),
        repeated=counts.repeated,
        late=counts.late,
    )


def _kept(kept: KeptDays) -> dict[str, KeptStatus]:
    return {
        "records": KeptStatus(kept.records, kept.records_from),
        "rollups": KeptStatus(kept.rollups, kept.rollups_from),
        "refusals": KeptStatus(kept.refusals, kept.refusals_from),
    }
