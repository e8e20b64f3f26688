"""A mapping: which files feed which canonical table, and how each column is read. See docs/MAPPING.md."""

from __future__ import annotations

from collections import abc
from dataclasses import dataclass, field

from duanka.domain.schema import TABLES
from duanka.ingest.files.packed import PACKED_ENDINGS

Rows = abc.Mapping[str, frozenset[str]]
"""Which rows are meant: for every column named, the row's text is one of those given."""

NO_ROWS: Rows = {}


@dataclass(frozen=True)
class Layout:
    """What a file looks like. `names`: its columns when it has no header line (None: it has one). `skip`: lines above
    the header, or above the first record where there are `names`, of text.

    `sheet`: a pattern of the names of a workbook's sheets that are read; "": the largest, and those like it.
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
    """How one canonical column is read. The fields are the keys of docs/MAPPING.md."""

    sources: tuple[str, ...] = ()
    join: str | None = None
    value: str | None = None
    formats: tuple[str, ...] = ()
    epoch: str | None = None
    factor: float | None = None  # of the unit that a mapping names
    clock: str | None = None  # the form of durations that it names
    codes: abc.Mapping[str, str] | None = None
    strip: str = ""
    over: float | None = None
    hashed: bool = False
    opaque: bool = False
    short_when: Rows = field(default_factory=dict)
    imsi: str = ""  # the column that names the card where `sources` do not

    @property
    def label(self) -> str:
        """The source's own name for it, for the quarantine."""
        return "+".join((*self.sources, *([self.imsi] if self.imsi else [])))

    @property
    def reads(self) -> frozenset[str]:
        """Every column of the source that it looks at."""
        return frozenset(self.sources) | frozenset(self.short_when) | frozenset({self.imsi} - {""})


@dataclass(frozen=True)
class MappingSource:
    """Files that feed one table. A row goes to the sources of the first `where` in its file's order that it meets."""

    files: tuple[str, ...]
    table: str
    columns: abc.Mapping[str, ColumnMapping]
    layout: Layout = Layout()
    where: Rows = field(default_factory=dict)
    swap_when: Rows = field(default_factory=dict)
    record_id: str | None = None
    zone: str = ""  # of times that carry none; by default the operator's

    @property
    def reads(self) -> frozenset[str]:
        """Every column of the source that it looks at."""
        named = frozenset(self.where) | frozenset(self.swap_when)
        named = named.union(*(how.reads for how in self.columns.values()))
        return named | {self.record_id} if self.record_id is not None else named


@dataclass(frozen=True)
class Mapping:
    """A whole mapping. `region` None: the one that `take_in` is told."""

    name: str
    sources: tuple[MappingSource, ...]
    about: str = ""
    zone: str = "Asia/Shanghai"
    opaque: bool = False
    bare: str = "e164"
    region: str | None = None
    strict: bool = False  # the native format: at least one table of records must be there

    @property
    def asks_by_imsi(self) -> bool:
        """Whether some source names its cards by IMSI, so that the register has to be read before it."""
        return any(how.imsi for source in self.sources for how in source.columns.values())


BY_INTAKE = "signed_by"  # the one column that no file gives: who signed the file
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
