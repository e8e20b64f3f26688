"""A mapping held against the files that it reads: columns that none of them has, and sources that read nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from duanka.domain.display import display_text
from duanka.domain.errors import DuankaError, MappingError
from duanka.domain.schema import TABLES
from duanka.domain.text import BilingualText
from duanka.ingest.delivery.discovery import Delivered
from duanka.ingest.formats.open_reader import open_reading
from duanka.ingest.model import mapping as mappings
from duanka.ingest.model.folder_columns import folder_columns
from duanka.ingest.model.mapping import ColumnMapping, MappingSource
from duanka.ingest.model.nearest_column import GUESS, found_instead


def check_columns(files: Sequence[Delivered], mapping: mappings.Mapping) -> None:
    """Raise MappingError where `mapping` names an optional column that none of `files` has.

    A column that one of the files has, under whatever source, may be missing in the others; and so may one that is
    called as in our own format. Required ones are asked of each file when it is read.
    """
    if mapping.strict:
        return
    lacking = [
        (source, name, how)
        for source in mapping.sources
        if any(source is one for file in files for one in file.sources)
        for name, how in ((name, _optional(source, name, how)) for name, how in source.columns.items())
        if named_columns(name, how)
    ]
    found: dict[str, None] = {}
    for file in files:
        lacking = [one for one in lacking if missing(*one[1:], found)]
        if not lacking:
            return
        try:
            columns = open_reading(file.path, file.sources[0].layout).columns
        except DuankaError:  # told when the file is read
            continue
        found |= dict.fromkeys((*columns, *folder_columns(file.name, columns)))
    for source, name, how in lacking:
        if found and (columns_missing := missing(name, how, found)):
            raise MappingError(
                not_there(mapping.name, f"{source.table}.{name}", columns_missing[0], list(found))
            )


def _optional(source: MappingSource, name: str, how: ColumnMapping) -> ColumnMapping:
    """What of a column is not asked of each file when it is read."""
    return replace(how, sources=(), join=None) if name in TABLES[source.table].required else how


def not_there(where: str, what: str, name: str, columns: Sequence[str]) -> str:
    """Say that no file has the column `name`, which `what` of the mapping reads, and which may be meant."""
    return f"{where}: no file has the column {name!r} for {what}; {found_instead(name, columns)}; {GUESS}"


def named_columns(name: str, how: ColumnMapping) -> tuple[str, ...]:
    """The columns that a mapping names for the canonical column `name`; none where it is called so in the file too."""
    named = (*how.sources, *([how.imsi] if how.imsi else []), *how.short_when)
    return tuple(one for one in named if one != name)


def missing(name: str, how: ColumnMapping, found: Iterable[str]) -> tuple[str, ...]:
    """The columns that `how` names and `found` lacks; of several that stand for each other, one will do."""
    there = set(found)
    lacks = [one for one in (*([how.imsi] if how.imsi else []), *how.short_when) if one not in there]
    if how.join is not None:
        lacks += [one for one in how.sources if one not in there]
    elif how.sources and not there & {*how.sources, *([how.imsi] if how.imsi else [])}:
        lacks += how.sources
    return tuple(one for one in lacks if one != name)


def idle_sources(
    mapping: mappings.Mapping, matched: Iterable[MappingSource], taken: Mapping[int, int]
) -> Iterator[BilingualText]:
    """Say which sources of a mapping match no file, and which take no row. `taken`: rows by the `id` of a source."""
    seen = {id(source) for source in matched}
    if mapping.strict:
        return
    for number, source in enumerate(mapping.sources, start=1):
        zh, en = f"第 {number} 个来源（{source.table}）", f"source {number} ({source.table})"
        if id(source) not in seen:
            files = display_text(", ".join(source.files))
            yield BilingualText(f"{zh}：没有文件符合 {files}", f"{en}: no file matches {files}")
        elif not taken.get(id(source), 0):
            where = [f"{column} = {'/'.join(sorted(of))}" for column, of in source.where.items()]
            rows = BilingualText(*(display_text(joined.join(where)) for joined in (" 且 ", " and ")))
            yield BilingualText(
                f"{zh}：没有读到一行" + (f"（{rows.zh}）" if where else ""),
                f"{en}: takes no row" + (f" ({rows.en})" if where else ""),
            )


class SourcesSeen:
    """Which sources of `mapping` matched a file, and how many rows each took, so far."""

    def __init__(self, mapping: mappings.Mapping) -> None:
        self._mapping = mapping
        self._matched: dict[int, MappingSource] = {}
        self._taken: Counter[int] = Counter()

    def note(self, sources: Iterable[MappingSource], taken: Mapping[int, int]) -> None:
        """Note a file that feeds `sources`, and the rows that each took of it."""
        self._matched |= {id(source): source for source in sources}
        self._taken.update(taken)

    def note_earlier(self, sources: Iterable[MappingSource]) -> None:
        """Note sources that an earlier run read: nothing is amiss where they bring nothing today."""
        known = list(sources)
        self.note(known, {id(source): 1 for source in known})

    def idle(self) -> tuple[BilingualText, ...]:
        """See `idle_sources`."""
        return tuple(idle_sources(self._mapping, self._matched.values(), self._taken))
