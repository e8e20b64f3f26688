"""Mapping: which files feed a table, how columns are read; see docs/MAPPING.md."""

from __future__ import annotations

from collections import abc
from dataclasses import dataclass, field

from duanka.domain.schema import TABLES
from duanka.ingest.files.packed import PACKED_ENDINGS

Rows = abc.Mapping[str, frozenset[str]]
"""A condition on rows: in every named column the row has one of the given texts."""


@dataclass(frozen=True)
class Layout:
    """Format of a file.

    `names`: columns of a file without a header line; None: it has one. `skip`: for text, lines above the header or,
    with `names`, above the first record. `sheet`: pattern of the names of a workbook's sheets to read; "": the largest
    sheet and those with its columns.
    """

    format: str = "auto"
    delimiter: str = ","
    encoding: str = "utf-8"
    names: tuple[str, ...] | None = None
    empty: frozenset[str] = frozenset()
    sheet: str = ""
    skip: int = 0


@dataclass(frozen=True)
class ColumnMapping:
    """How to read one canonical column; the fields are the keys in docs/MAPPING.md."""

    sources: tuple[str, ...] = ()
    join: str | None = None
    value: str | None = None
    formats: tuple[str, ...] = ()
    epoch: str | None = None
    factor: float | None = None  # values are multiplied by it: the unit named in the mapping
    clock: str | None = None  # format of durations named in the mapping
    codes: abc.Mapping[str, str] | None = None
    strip: str = ""
    over: float | None = None
    hashed: bool = False
    opaque: bool = False
    short_when: Rows = field(default_factory=dict)
    imsi: str = ""  # column of IMSIs that identify the card where `sources` are empty

    @property
    def label(self) -> str:
        """Name of the source column, for the quarantine."""
        return "+".join((*self.sources, *([self.imsi] if self.imsi else [])))

    @property
    def reads(self) -> frozenset[str]:
        """Every column of the file that it reads."""
        return frozenset(self.sources) | frozenset(self.short_when) | frozenset({self.imsi} - {""})


@dataclass(frozen=True)
class MappingSource:
    """Files that feed one table.

    A row goes to the first source in the mapping whose `where` it meets, and to those with the same `where`.
    """

    files: tuple[str, ...]
    table: str
    columns: abc.Mapping[str, ColumnMapping]
    layout: Layout = Layout()
    where: Rows = field(default_factory=dict)
    swap_when: Rows = field(default_factory=dict)
    record_id: str | None = None
    zone: str = ""  # of times without a zone; default: the operator's

    @property
    def reads(self) -> frozenset[str]:
        """Every column of the files that it reads."""
        named = frozenset(self.where) | frozenset(self.swap_when)
        named = named.union(*(how.reads for how in self.columns.values()))
        return named | {self.record_id} if self.record_id is not None else named

    def lacks(self, columns: abc.Iterable[str]) -> abc.Iterator[tuple[str, str]]:
        """What it requires and a file with these `columns` has not: for what, and the missing column."""
        there = set(columns)
        for column in TABLES[self.table].required:
            how = self.columns[column]
            if how.value is None and not {*how.sources, how.imsi} & there:
                yield f"{self.table}.{column}", " or ".join(how.sources)
            for name in how.sources if how.join is not None else ():
                if name not in there:
                    yield f"{self.table}.{column}", name
        ids = () if self.record_id is None else (self.record_id,)
        for name in sorted({*self.where, *self.swap_when, *ids} - there):
            yield "the mapping", name


@dataclass(frozen=True)
class Mapping:
    """A whole mapping. `region`, `bare`: how numbers are read, see docs/MAPPING.md."""

    name: str
    sources: tuple[MappingSource, ...]
    about: str = ""
    zone: str = "Asia/Shanghai"
    opaque: bool = False
    bare: str = "e164"
    region: str | None = None
    strict: bool = False  # the native format: at least one table of records is required

    @property
    def asks_by_imsi(self) -> bool:
        """Whether a source identifies cards by IMSI; then the register is read first."""
        return any(how.imsi for source in self.sources for how in source.columns.values())


BY_INTAKE = "signed_by"  # column set by intake, not by a file: who signed it
DATA_ENDINGS = (".parquet", ".csv", *(f".csv{packed}" for packed in PACKED_ENDINGS), ".xlsx")
NATIVE_FILES = (*(f"{{0}}{e}" for e in DATA_ENDINGS), *(f"{{0}}/*{e}" for e in DATA_ENDINGS))

NATIVE = Mapping(
    name="native",
    about="Duanka's own format",
    sources=tuple(
        MappingSource(
            files=tuple(pattern.format(table.name) for pattern in NATIVE_FILES),
            table=table.name,
            columns={
                column.name: ColumnMapping(sources=(column.name,))
                for column in table.columns
                if column.name != BY_INTAKE
            },
        )
        for table in TABLES.values()
    ),
    strict=True,
)
