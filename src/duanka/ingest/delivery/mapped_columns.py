"""Checks a mapping against the delivered files: missing columns, unused sources."""

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
    """Raise MappingError when `mapping` names an optional column that no file has.

    A column that one of `files` has, under any source, may be missing in the others; so may one that has its canonical
    name. Required columns are checked for each file when it is read.
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
        except DuankaError:  # reported when the file is read
            continue
        found |= dict.fromkeys((*columns, *folder_columns(file.name, columns)))
    for source, name, how in lacking:
        if found and (columns_missing := missing(name, how, found)):
            raise MappingError(
                not_there(mapping.name, f"{source.table}.{name}", columns_missing[0], list(found))
            )


def _optional(source: MappingSource, name: str, how: ColumnMapping) -> ColumnMapping:
    """The part of a column's mapping that is not checked for each file."""
    return replace(how, sources=(), join=None) if name in TABLES[source.table].required else how


def not_there(where: str, what: str, name: str, columns: Sequence[str]) -> str:
    """Error text: no file has the column `name` read by `what`; suggests another."""
    return f"{where}: no file has the column {name!r} for {what}; {found_instead(name, columns)}; {GUESS}"


def named_columns(name: str, how: ColumnMapping) -> tuple[str, ...]:
    """Source columns mapped to the canonical column `name`; none if named alike."""
    named = (*how.sources, *([how.imsi] if how.imsi else []), *how.short_when)
    return tuple(one for one in named if one != name)


def missing(name: str, how: ColumnMapping, found: Iterable[str]) -> tuple[str, ...]:
    """Columns of `how` that `found` lacks; of alternatives, one is enough."""
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
    """Yield messages on sources that match no file or take no row.

    `taken`: id() of a source -> rows it took.
    """
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
    """Collects which sources of `mapping` matched a file, and rows taken by each."""

    def __init__(self, mapping: mappings.Mapping) -> None:
        self._mapping = mapping
        self._matched: dict[int, MappingSource] = {}
        self._taken: Counter[int] = Counter()

    def note(self, sources: Iterable[MappingSource], taken: Mapping[int, int]) -> None:
        """Record a file that feeds `sources`, and the rows taken by each."""
        self._matched |= {id(source): source for source in sources}
        self._taken.update(taken)

    def note_earlier(self, sources: Iterable[MappingSource]) -> None:
        """Record sources read by an earlier run; they are not reported as unused."""
        known = list(sources)
        self.note(known, {id(source): 1 for source in known})

    def idle(self) -> tuple[BilingualText, ...]:
        """Messages on unused sources, see `idle_sources`."""
        return tuple(idle_sources(self._mapping, self._matched.values(), self._taken))
