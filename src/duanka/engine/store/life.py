"""Life of cards and devices: card_devices and card_life, the partial rollups of all days merged in one file each.

A merge reads the last merged file and what is new since. Days that do not count (strays of a wrong clock) are left
out: where one of the merged days no longer counts, the file is merged anew from the partial rollups.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

from duanka.domain.ports import RecordCoverage
from duanka.domain.rollups import CARD_DAYS, CARD_DEVICES, CARD_LIFE, MergeOperation, Rollup
from duanka.engine.shared.coverage import Day, of_days
from duanka.engine.store.days.merging import merge_rollup
from duanka.engine.store.manifest import FileKind, StoredFile
from duanka.engine.store.next_generation import NextGeneration

LIVES = (
    (CARD_DEVICES, CARD_DEVICES),
    (CARD_LIFE, CARD_DAYS),
)  # merged rollup, whose partials it is merged from
MOST_TOGETHER = 64  # files read at once


def counting_days(days: Mapping[str, Mapping[date, tuple[int, datetime]]]) -> frozenset[date]:
    """The days that rules see: all from the first to the last that is no stray; `days`: as in the manifest."""
    if not any(days.values()):
        return frozenset()
    span = covered(days)
    first, until = span.first.date(), span.until.date()
    return frozenset(day for of_table in days.values() for day in of_table if first <= day < until)


def covered(days: Mapping[str, Mapping[date, tuple[int, datetime]]]) -> RecordCoverage:
    """What the records of these `days` cover, without reading them. UnreadableInput: there are none."""
    held = {
        table: [Day(day, *counts) for day, counts in sorted(of_table.items())]
        for table, of_table in days.items()
    }
    return of_days(held, None)


def merge_life(draft: NextGeneration, counting: Collection[date], only: str | None = None) -> None:
    """Bring the merged files up to date with the partial rollups of the days that count; `only`: of one rollup."""
    for rollup, partial in LIVES:
        if only in (None, rollup.name):
            _merge(draft, rollup, partial, frozenset(counting))


def _merge(draft: NextGeneration, rollup: Rollup, partial: Rollup, counting: frozenset[date]) -> None:
    files = draft.manifest.files
    before = draft.manifest.paths(FileKind.LIFE, rollup.name)
    begin = draft.manifest.kept.rollups_from
    merged = draft.manifest.life.get(rollup.name, set())
    wanted = {path: files[path] for path in draft.manifest.paths(FileKind.ROLLUPS, partial.name)}
    wanted = {path: file for path, file in wanted.items() if file.day in counting}
    anew = not merged <= counting
    added = [path for path, file in wanted.items() if anew or not file.merged]
    sources = added if anew else [*before, *added]
    old = _last_seen(rollup, f"< DATE '{begin}'") if begin else "FALSE"
    outdated = begin is not None and any(
        draft.run(f"SELECT 1 FROM {draft.source([path])} WHERE {old} LIMIT 1") for path in before
    )
    if not anew and not added and not outdated:
        return
    few, work = _fewer(draft, rollup, sources)
    into = draft.new_path(FileKind.LIFE, rollup.name)
    rows = merge_rollup(draft.folder, few, rollup, into, last_seen_from=begin)
    for done in work:
        done.unlink()
    path = draft.take(into, rows, FileKind.LIFE, rollup.name)
    draft.put_in_place_of(before, path, for_good=outdated)
    _mark(draft, partial, wanted)
    draft.manifest.life[rollup.name] = {day for file in wanted.values() if (day := file.day)} | (
        set() if anew else merged
    )


def _fewer(draft: NextGeneration, rollup: Rollup, sources: Sequence[str]) -> tuple[list[str], list[Path]]:
    """So many files as can be open at once, with the rows of all `sources`; and those of them that are temporary."""
    left = list(sources)
    work: list[Path] = []
    while len(left) > MOST_TOGETHER:
        into = draft.work / f"{rollup.name}-{len(work)}.parquet"
        merge_rollup(draft.folder, left[:MOST_TOGETHER], rollup, into)
        work.append(into)
        left = [*left[MOST_TOGETHER:], into.relative_to(draft.folder).as_posix()]
    return left, work


def _last_seen(rollup: Rollup, limit: str) -> str:
    """Condition: what a row tells of was last seen then."""
    lasts = [a.name for a in rollup.aggregates if a.how is MergeOperation.MAX]
    return f"greatest({', '.join(lasts)}) {limit}"


def _mark(draft: NextGeneration, partial: Rollup, wanted: Mapping[str, StoredFile]) -> None:
    """Note which partials are in the merged file."""
    for path in draft.manifest.paths(FileKind.ROLLUPS, partial.name):
        draft.manifest.files[path].merged = path in wanted
