"""Compaction: a day with many files is written as one, so that readers open few files and merge few rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from duanka.domain.rollups import ROLLUPS
from duanka.domain.schema import TABLES
from duanka.engine.sql.rollup_sql import merged_rows
from duanka.engine.store.columns import time_of
from duanka.engine.store.manifest import FileKind
from duanka.engine.store.next_generation import NextGeneration

MOST_FILES = 8  # of a day; each further delivery would add one


def compact(draft: NextGeneration) -> int:
    """Write the files of each day that has more than MOST_FILES as one; return how many files were replaced."""
    replaced = 0
    for kind, name, day, paths in list(_crowded(draft)):
        merged = {draft.manifest.files[path].merged for path in paths}
        if len(merged) > 1:  # what is not in `life` yet must stay apart until it is
            continue
        path = draft.replace(paths, _together(draft, kind, name, paths), kind, name, day)
        if path:
            draft.manifest.files[path].merged = merged.pop()
        replaced += len(paths)
    return replaced


def _crowded(draft: NextGeneration) -> Iterator[tuple[FileKind, str, date, list[str]]]:
    days: dict[tuple[FileKind, str, date], list[str]] = {}
    for path, file in draft.manifest.files.items():
        if file.day is not None:
            days.setdefault((file.kind, file.name, file.day), []).append(path)
    for (kind, name, day), paths in days.items():
        if len(paths) > MOST_FILES:
            yield kind, name, day, paths


def _together(draft: NextGeneration, kind: FileKind, name: str, paths: list[str]) -> str:
    """SELECT of the rows of all files of a day, sorted."""
    source = draft.source(paths)
    if kind is FileKind.ROLLUPS:
        return f"{merged_rows(ROLLUPS[name], source)} ORDER BY card"
    moment = time_of(name) if name in TABLES else "refused_at"
    return f"SELECT * FROM {source} ORDER BY card, {moment}"
