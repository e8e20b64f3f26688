"""Compaction: a day with many files is written as one, so that readers open few files and merge few rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise

from duanka.domain.rollups import ROLLUPS
from duanka.engine.store.days.merging import merge_records, merge_rollup
from duanka.engine.store.days.refusals import ORDER
from duanka.engine.store.manifest import FileKind, StoredFile
from duanka.engine.store.next_generation import NextGeneration

MOST_FILES = 8  # of a day; each further delivery would add one
_MOST_TOGETHER = 12  # files merged at once


def compact(draft: NextGeneration) -> int:
    """Write the files of each day that has more than MOST_FILES as one; return how many files were replaced."""
    replaced = 0
    for kind, name, day, paths in list(_crowded(draft, MOST_FILES)):
        merged = {draft.manifest.files[path].merged for path in paths}
        if len(merged) > 1:  # what is not in `life` yet must stay apart until it is
            continue
        _put_together(draft, kind, name, day, paths)
        replaced += len(paths)
    return replaced


def compact_some(
    draft: NextGeneration, most: int, apart: Collection[str], *, rows: int, strictly: bool
) -> bool:
    """Write some files of one day that has more than `most` as one; False: there is none. `apart`: stay as they are.

    Small files are merged with small ones, so that a row is written a few times, however many files come. `rows`: so
    many are merged at once; two larger files only if not `strictly`.
    """
    for kind, name, day, paths in _crowded(draft, most, apart):
        tier = _smallest(paths, draft.manifest.files, rows, strictly=strictly)
        if len(tier) < 2:
            continue
        _put_together(draft, kind, name, day, tier)
        return True
    return False


def _smallest(
    paths: Sequence[str], files: Mapping[str, StoredFile], most: int, *, strictly: bool
) -> list[str]:
    """The smallest files: each is at most as large as all smaller ones together. All are in `life`, or none."""
    ordered = sorted(paths, key=lambda path: files[path].rows)
    found, rows = ordered[:1], 0
    for before, path in pairwise(ordered):
        rows += files[before].rows
        if files[path].merged != files[before].merged or (len(found) > 1 and files[path].rows > rows):
            break
        if rows + files[path].rows > most and (strictly or len(found) > 1):
            break
        found.append(path)
        if len(found) == _MOST_TOGETHER:
            break
    return found


def _crowded(
    draft: NextGeneration, most: int, apart: Collection[str] = ()
) -> Iterator[tuple[FileKind, str, date, list[str]]]:
    days: dict[tuple[FileKind, str, date], list[str]] = {}
    for path, file in draft.manifest.files.items():
        if file.day is not None and path not in apart:
            days.setdefault((file.kind, file.name, file.day), []).append(path)
    for (kind, name, day), paths in days.items():
        if len(paths) > most:
            yield kind, name, day, paths


def _put_together(draft: NextGeneration, kind: FileKind, name: str, day: date, paths: Sequence[str]) -> None:
    """Write files of a day, all in `life` or none, as one in their place, sorted."""
    merged = draft.manifest.files[paths[0]].merged
    if kind is FileKind.REFUSALS:
        select = f"SELECT * FROM {draft.source(paths, union=True)} ORDER BY {ORDER}"
        draft.replace(paths, select, kind, name, day)
        return
    into = draft.new_path(kind, name, day)
    if kind is FileKind.ROLLUPS:
        rows = merge_rollup(draft.folder, paths, ROLLUPS[name], into, day=day)
    else:
        rows = merge_records(draft.folder, paths, name, into)
    path = draft.take(into, rows, kind, name, day)
    draft.put_in_place_of(paths, path)
    if path:
        draft.manifest.files[path].merged = merged
