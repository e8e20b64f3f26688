"""Retention: days that are older than the policy keeps leave the store, and their files the disk."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

from duanka.domain.findings import PurgedDays
from duanka.domain.store_policy import StorePolicy
from duanka.engine.store.manifest import FileKind, KeptDays, StoredFile
from duanka.engine.store.next_generation import NextGeneration


def purge(draft: NextGeneration, today: date, policy: StorePolicy) -> tuple[PurgedDays, ...]:
    """Drop the files of days that are no longer kept; return what went. What was purged before stays purged.

    A day of a wrong clock, say in 2099, never grows old: its age counts from the commit that stored it.
    """
    before = draft.manifest.kept
    kept = KeptDays(
        records=policy.keep_records_days,
        rollups=policy.keep_rollups_days,
        refusals=policy.keep_refusals_days,
        records_from=_begin(today, policy.keep_records_days, before.records_from),
        rollups_from=_begin(today, policy.keep_rollups_days, before.rollups_from),
        refusals_from=_begin(today, policy.keep_refusals_days, before.refusals_from),
    )
    begins = {
        FileKind.RECORDS: kept.records_from,
        FileKind.ROLLUPS: kept.rollups_from,
        FileKind.REFUSALS: kept.refusals_from,
    }
    gone = [
        path
        for path, file in draft.manifest.files.items()
        if (begin := begins.get(file.kind)) is not None and _age_counts_from(file) < begin
    ]
    went = _went([draft.manifest.files[path] for path in gone], kept)
    draft.drop(*gone, for_good=True)
    draft.manifest.kept = kept
    _forget_days(draft)
    return went


def _went(files: Collection[StoredFile], kept: KeptDays) -> tuple[PurgedDays, ...]:
    limits = {
        FileKind.RECORDS: kept.records,
        FileKind.ROLLUPS: kept.rollups,
        FileKind.REFUSALS: kept.refusals,
    }
    days = {kind: sorted({file.day for file in files if file.kind is kind and file.day}) for kind in limits}
    return tuple(
        PurgedDays(kind.value, tuple(days[kind]), limit or 0) for kind, limit in limits.items() if days[kind]
    )


def _begin(today: date, days: int, before: date | None) -> date:
    begin = today - timedelta(days=days)
    return begin if before is None else max(begin, before)


def _age_counts_from(file: StoredFile) -> date:
    return file.written if file.day is None else min(file.day, file.written)


def _forget_days(draft: NextGeneration) -> None:
    """Take days without records and rollups out of the coverage, and deliveries of before."""
    manifest = draft.manifest
    rolled = {file.day for file in manifest.files.values() if file.kind is FileKind.ROLLUPS}
    for table, days in manifest.days.items():
        there = {*manifest.days_of(FileKind.RECORDS, table), *rolled}
        manifest.days[table] = {day: counts for day, counts in days.items() if day in there}
    begin = manifest.kept.rollups_from
    if begin is not None:
        manifest.delivered = [one for one in manifest.delivered if one.at.date() >= begin]
        for name, merged in manifest.life.items():
            manifest.life[name] = {day for day in merged if day >= begin}
