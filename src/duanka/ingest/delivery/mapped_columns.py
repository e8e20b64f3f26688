"""Checks a mapping against the delivered files: missing columns, unused sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from duanka.domain.display import display_text
from duanka.domain.errors import DuankaError, MappingError
from duanka.domain.schema import TABLES
from duanka.domain.text import BilingualText
from duanka.ingest.delivery.discovery import Delivered, folder_columns
from duanka.ingest.formats.open_reader import open_reading
from duanka.ingest.model import mapping as mappings
from duanka.ingest.model.mapping import ColumnMapping, MappingSource
from duanka.ingest.model.nearest_column import GUESS, found_instead


def check_columns(files: Sequence[Delivered], mapping: mappings.Mapping) -> None:
    """Raise MappingError when `mapping` names an optional column that no file has.

    It is enough that one of `files` has the column, under any source. Columns with their canonical name are
    not checked. Required columns are checked for each file when it is read: a file that lacks one, or has none at all,
    is set aside then and says nothing about the mapping.
    """
    if mapping.strict:
        return
    optional = [
        (source, name, how)
        for source in mapping.sources
        if any(source is one for file in files for one in file.sources)
        for name, whole in source.columns.items()
        # the sources of a required column are checked for each file
        for how in [replace(whole, sources=(), join=None) if name in TABLES[source.table].required else whole]
        if how.reads - {name}
    ]
    found: dict[str, None] = {}
    fed: set[int] = set()  # id() of the sources of readable files
    for file in files:
        optional = [one for one in optional if _missing(*one[1:], found)]
        if not optional:
            return
        columns = _usable_columns(file)
        found |= dict.fromkeys(columns)
        fed.update(map(id, file.sources if columns else ()))
    for source, name, how in optional:
        if id(source) in fed and (lacks := _missing(name, how, found)):
            what, instead = f"{source.table}.{name}", found_instead(lacks[0], list(found))
            raise MappingError(
                f"{mapping.name}: no file has the column {lacks[0]!r} for {what}; {instead}; {GUESS}"
            )


def _usable_columns(file: Delivered) -> tuple[str, ...]:
    """Columns of the file and its folders; none if it will be set aside whole."""
    try:
        own = open_reading(file.path, file.sources[0].layout, file.root).columns
    except DuankaError:  # reported when the file is read
        return ()
    columns = (*own, *folder_columns(file.name, own))
    bad = not own or any(True for source in file.sources for _ in source.lacks(columns))
    return () if bad else columns


def _missing(name: str, how: ColumnMapping, found: Iterable[str]) -> list[str]:
    """Columns of `how` that `found` lacks, except `name`; one of several alternatives suffices."""
    there, imsi = set(found), [how.imsi] if how.imsi else []
    lacks = [one for one in (*imsi, *how.short_when) if one not in there]
    if how.join is not None:
        lacks += [one for one in how.sources if one not in there]
    elif not there & {*how.sources, *imsi}:
        lacks += how.sources
    return [one for one in lacks if one != name]


class SourcesSeen:
    """Collects which sources of `mapping` matched a file, and rows taken by each."""

    def __init__(self, mapping: mappings.Mapping) -> None:
        self._mapping = mapping
        self._matched: set[int] = set()  # id() of each source
        self._taken: Counter[int] = Counter()

    def note(self, sources: Iterable[MappingSource], taken: Mapping[int, int]) -> None:
        """Record a file that feeds `sources`, and the rows taken by each."""
        self._matched.update(map(id, sources))
        self._taken.update(taken)

    def note_earlier(self, sources: Iterable[MappingSource]) -> None:
        """Record sources read by an earlier run; they are not reported as unused."""
        known = list(sources)
        self.note(known, {id(source): 1 for source in known})

    def idle(self) -> tuple[BilingualText, ...]:
        """Messages on sources that match no file or take no row; none for the native format."""
        numbered = () if self._mapping.strict else enumerate(self._mapping.sources, start=1)
        return tuple(self._unused(*one) for one in numbered if not self._taken[id(one[1])])

    def _unused(self, number: int, source: MappingSource) -> BilingualText:
        zh, en = f"第 {number} 个来源（{source.table}）", f"source {number} ({source.table})"
        if id(source) not in self._matched:
            files = display_text(", ".join(source.files))
            return BilingualText(f"{zh}：没有文件符合 {files}", f"{en}: no file matches {files}")
        where = [f"{column} = {'/'.join(sorted(of))}" for column, of in source.where.items()]
        rows = BilingualText(*(display_text(joined.join(where)) for joined in (" 且 ", " and ")))
        return BilingualText(
            f"{zh}：没有读到一行" + (f"（{rows.zh}）" if where else ""),
            f"{en}: takes no row" + (f" ({rows.en})" if where else ""),
        )
