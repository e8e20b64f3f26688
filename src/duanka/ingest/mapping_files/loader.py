"""Strict reading of a mapping from TOML; errors name file and key."""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Mapping as Values
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from duanka.domain.errors import MappingError
from duanka.domain.schema import TABLES, Column, ColumnKind, Table
from duanka.ingest.mapping_files.toml_section import Section
from duanka.ingest.model.mapping import ColumnMapping, Layout, Mapping, MappingSource
from duanka.ingest.normalise.durations import CLOCK_UNITS
from duanka.ingest.normalise.timestamps import EPOCHS, Zones, strptime

FORMATS = ("auto", "csv", "parquet", "ts32298", "tap3")
_MAX_SKIPPED_LINES = 1_000  # maximum lines skipped above a header
_STYLES = ("e164", "opaque")
_BARE = ("e164", "national")
_TOP = ("name", "about", "zone", "numbers", "source")
_SOURCE = (
    *("files", "table", "format", "delimiter", "encoding", "names", "empty", "sheet", "skip"),
    *("zone", "where", "swap_when", "record_id", "columns"),
)
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "days": 86_400.0}
_BYTES = {"bytes": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1024.0, "MiB": 1024.0**2, "GiB": 1024.0**3}

_A_DAY = datetime(2021, 5, 17, 9, 30, 15)
_ANY = ("from", "join", "value", "strip")
_KEYS: dict[ColumnKind, tuple[str, ...]] = {
    ColumnKind.NUMBER: (*_ANY, "opaque", "short_when", "imsi"),
    ColumnKind.TEXT: (*_ANY, "codes"),
    ColumnKind.TIME: (*_ANY, "formats", "epoch"),
    ColumnKind.DAY: (*_ANY, "formats", "epoch"),
    ColumnKind.COUNT: (*_ANY, "unit"),
    ColumnKind.FLAG: (*_ANY, "codes", "over"),
    ColumnKind.CHOICE: (*_ANY, "codes"),
    ColumnKind.HOLDER: (*_ANY, "hash"),
    ColumnKind.IMEI: (*_ANY, "opaque"),
}


def read_mapping(path: Path) -> Mapping:
    """Read the mapping file `path`, see docs/MAPPING.md; raises MappingError."""
    try:
        text = path.read_text("utf-8-sig")
    except OSError as fault:
        raise MappingError(f"{path}: {fault.strerror or 'cannot be read'}; check the path") from None
    except UnicodeDecodeError as fault:
        raise MappingError(f"{path}: not valid TOML: {fault}") from None
    return mapping_of(text, path)


def mapping_of(text: str, path: Path) -> Mapping:
    """Parse the mapping `text` of the file `path`; raises MappingError."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise MappingError(f"{path}: not valid TOML: {fault}") from None
    top = Section(path, "", values, _TOP)
    numbers = top.section("numbers", ("style", "region", "bare"))
    sources = top.sections("source", _SOURCE)
    if not sources:
        raise top.wrong("source", "is missing: a mapping needs at least one [[source]]")
    return Mapping(
        name=top.text("name", path.stem),
        about=top.text("about", ""),
        zone=_zone(top, "Asia/Shanghai"),
        opaque=numbers.choice("style", _STYLES, "e164") == "opaque",
        bare=numbers.choice("bare", _BARE, "e164"),
        region=_region(numbers),
        sources=tuple(_source(section) for section in sources),
    )


def _zone(section: Section, default: str) -> str:
    zone = section.text("zone", default)
    if not zone:
        return zone
    try:
        ZoneInfo(zone)
        pl.Series([None], dtype=pl.Datetime("us")).dt.replace_time_zone(zone)
    except Exception:
        raise section.wrong("zone", f"is no time zone: {zone!r}; write one such as 'Asia/Shanghai'") from None
    return zone


def _region(numbers: Section) -> str | None:
    region = numbers.maybe_text("region")
    if region is None:
        return None
    import phonenumbers  # noqa: PLC0415  # only mappings that name a region need it

    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise numbers.wrong("region", f"is no country: {region!r}; write two capital letters such as 'CN'")
    return region


def _source(section: Section) -> MappingSource:
    table = TABLES[section.choice("table", tuple(TABLES), None)]
    section = section.named(f"{section.where} ({table.name})")
    names = tuple(column.name for column in table.columns)
    columns = section.section("columns", names)
    hows = {name: _how(columns, table.column(name), name) for name in names if name in columns.values}
    for name in table.required:
        if name not in hows:
            raise columns.wrong(name, f"is missing: {table.name} means nothing without it")
    files = section.texts("files")
    if not files:
        raise section.wrong("files", "is missing: name a pattern such as '*.csv'")
    return MappingSource(
        files=files,
        table=table.name,
        columns=hows,
        layout=_layout(section),
        zone=_zone(section, ""),
        where=section.rows("where"),
        swap_when=_swap(section, table),
        record_id=section.maybe_text("record_id"),
    )


def _swap(section: Section, table: Table) -> Values[str, frozenset[str]]:
    swap = section.rows("swap_when")
    if swap and "peer" not in table.required:
        raise section.wrong("swap_when", f"exchanges card and peer, and {table.name} has no peer")
    return swap


def _layout(section: Section) -> Layout:
    delimiter = section.text("delimiter", ",")
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
        raise section.wrong(
            "delimiter", f"must be one character, for example ';' or '\\t', not {delimiter!r}"
        )
    encoding = section.text("encoding", "utf-8")
    if re.fullmatch("utf[-_]?16([-_]?[lb]e)?", encoding.lower()):
        raise section.wrong(
            "encoding", "is not needed for UTF-16: text that begins with its mark is read as that"
        )
    try:
        # files are split at line ends before decoding, so these characters must be encoded as in ASCII
        plain = '\n\r",;0'.encode(encoding) == b'\n\r",;0'
        encoding = codecs.lookup(encoding).name
    except (LookupError, UnicodeError):
        raise section.wrong("encoding", f"is unknown: {encoding!r}; write one such as 'gb18030'") from None
    if not plain or encoding in {"utf-7", "utf-8-sig", "hz"}:
        raise section.wrong(
            "encoding", f"{encoding!r} cannot be read line by line; convert the files to UTF-8"
        )
    names = section.texts("names") if "names" in section.values else None
    if names is not None and (not names or len(set(names)) != len(names)):
        raise section.wrong("names", "must name each column of the file once, in order")
    return Layout(
        format=section.choice("format", FORMATS, "auto"),
        delimiter=delimiter,
        encoding=encoding,
        names=names,
        empty=frozenset(section.texts("empty")),
        sheet=section.text("sheet", ""),
        skip=_skip(section),
    )


def _skip(section: Section) -> int:
    skip = section.values.get("skip", 0)
    if not isinstance(skip, int) or isinstance(skip, bool) or not 0 <= skip <= _MAX_SKIPPED_LINES:
        raise section.wrong("skip", f"must be a number of lines up to {_MAX_SKIPPED_LINES}, not {skip!r}")
    return skip


def _how(columns: Section, column: Column, name: str) -> ColumnMapping:
    """Read the mapping of one canonical column: a source column or a table of keys."""
    if isinstance(columns.values[name], str):
        return ColumnMapping(sources=(columns.text(name, ""),))
    section = columns.section(name, _KEYS[column.kind])
    sources = section.texts("from")
    value = section.maybe_text("value")
    if bool(sources or section.text("imsi", "")) == (value is not None):
        raise section.wrong("from", "or 'value' must say where the column comes from, one of the two")
    how = ColumnMapping(
        sources=sources,
        join=section.maybe_text("join"),
        value=value,
        formats=_time_formats(section),
        epoch=section.choice("epoch", EPOCHS, "") or None,
        factor=_factor(section, column),
        clock=_clock(section, column),
        codes=_codes(section, column),
        strip=section.text("strip", ""),
        over=section.number("over"),
        hashed=section.flag("hash"),
        opaque=section.flag("opaque"),
        short_when=section.rows("short_when"),
        imsi=section.text("imsi", ""),
    )
    if how.imsi and (name != "card" or how.opaque):
        raise section.wrong(
            "imsi", "says which card a record is of; only `card`, and no pseudonym, can have it"
        )
    if how.formats and how.epoch:
        raise section.wrong("epoch", "and 'formats' exclude each other")
    return how


def _time_formats(section: Section) -> tuple[str, ...]:
    formats = section.texts("formats")
    for form in formats:
        if not _says_a_time(form):
            raise section.wrong(
                "formats", f"{form!r} says no time; write strptime codes such as '%Y-%m-%d %H:%M:%S'"
            )
    return formats


def _says_a_time(form: str) -> bool:
    """Tell whether a day written in this format can be parsed back."""
    day = pl.Series([_A_DAY]).dt.replace_time_zone("UTC")
    try:
        back = strptime(day.dt.strftime(form), form, Zones("UTC")).to_list()
    except Exception:  # polars raises various errors, or a panic
        return False
    return back[0] is not None and back[0].date() == _A_DAY.date()


def _factor(section: Section, column: Column) -> float | None:
    if "unit" not in section.values or _clock(section, column):
        return None
    units = _SECONDS if column.unit == "s" else _BYTES
    clocks = CLOCK_UNITS if column.unit == "s" else ()
    return units[section.choice("unit", (*units, *clocks), None)]


def _clock(section: Section, column: Column) -> str | None:
    form = section.values.get("unit")
    return form if column.unit == "s" and form in CLOCK_UNITS else None


def _codes(section: Section, column: Column) -> dict[str, str] | None:
    given: Any = section.values.get("codes")
    if given is None:
        return None
    if not isinstance(given, dict) or not given:
        raise section.wrong("codes", 'must be a table such as { "0" = "out", "1" = "in" }')
    codes = {
        code: str(meaning).lower() if isinstance(meaning, bool) else meaning
        for code, meaning in given.items()
    }
    allowed = ("true", "false") if column.kind is ColumnKind.FLAG else column.choices
    for code, meaning in codes.items():
        if not isinstance(meaning, str) or (allowed and meaning not in allowed):
            choices = " or ".join(allowed) or "text"
            raise section.wrong("codes", f"{code!r} must mean {choices}, not {meaning!r}")
    return codes
