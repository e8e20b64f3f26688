"""Trial of a mapping on a sample: rows read, records rejected, unmatched files."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from duanka.domain.display import display_name
from duanka.domain.errors import DuankaError
from duanka.domain.text import BilingualText
from duanka.ingest.delivery.discovery import sources_of
from duanka.ingest.delivery.mapped_columns import SourcesSeen
from duanka.ingest.formats.open_reader import open_reading
from duanka.ingest.model.blocks import part
from duanka.ingest.model.holders import Holders
from duanka.ingest.model.mapping import Mapping, MappingSource
from duanka.ingest.normalise.columns import Tools
from duanka.ingest.validation.validator import ValidationResult, Validator

EXAMPLES = 3  # example records kept for each reason
_SAMPLED_RECORDS = 20_000  # records of each file
_MAX_REGISTER_ROWS = 5_000_000  # maximum rows of a register read to resolve the IMSIs in other files


@dataclass
class Tried:
    """Result of a trial; counts are of records.

    `errors`: unreadable files, with the reason. `reasons`: rejected records by reason, column and file. `examples`:
    file, line, column, reason, raw. `idle`: messages on sources that read nothing. `unmatched`: names of files that no
    source takes. `ignored`: columns not read.
    """

    records: int = 0
    used: int = 0
    files: int = 0
    reasons: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    examples: list[tuple[str, int | None, str, str, str]] = field(default_factory=list)
    rows: dict[str, pl.DataFrame] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    idle: tuple[BilingualText, ...] = ()
    unmatched: list[str] = field(default_factory=list)
    ignored: dict[str, int] = field(default_factory=dict)

    @property
    def fits(self) -> float:
        """Share of the sample that would be accepted."""
        return self.used / self.records if self.records else 0.0


def try_mapping(files: Sequence[tuple[Path, str]], mapping: Mapping, *, rows: int) -> Tried:
    """Validate the first records of each of `files` (path, name).

    Keeps `rows` rows of each table for display.
    """
    tried = Tried()
    # nothing is stored, so document numbers are hashed with a random key
    tools = Tools.of(mapping, Holders(secrets.token_bytes(32)))
    seen = SourcesSeen(mapping)
    with ThreadPoolExecutor(2) as pool:
        found = []
        for path, name in files:
            try:
                found.append((path, name, sources_of(name, mapping)))
            except DuankaError as fault:
                tried.errors[name] = str(fault)
        found.sort(key=lambda one: not any(source.table == "cards" for source in one[2]))
        for path, name, sources in found:
            if not sources:
                tried.unmatched.append(name)
                continue
            seen.note(sources, {})
            register = mapping.asks_by_imsi and any(source.table == "cards" for source in sources)
            most = _MAX_REGISTER_ROWS if register else _SAMPLED_RECORDS
            try:
                _one(path, name, sources, tools, pool, tried, seen, rows, most)
            except DuankaError as fault:
                tried.errors[name] = str(fault)
    if tools.by_imsi is not None:
        tools.by_imsi.close()
    tried.idle = seen.idle()
    return tried


def _one(
    path: Path,
    name: str,
    sources: tuple[MappingSource, ...],
    tools: Tools,
    pool: ThreadPoolExecutor,
    tried: Tried,
    sources_seen: SourcesSeen,
    rows: int,
    most: int,
) -> None:
    reading = open_reading(path, sources[0].layout)
    validator = Validator(display_name(name), sources, reading.columns, tools, pool)
    validator.check()
    tried.files += 1
    for column in validator.ignored():
        tried.ignored[column] = tried.ignored.get(column, 0) + 1
    seen = 0
    for block in reading.blocks(validator.wanted()):
        some = block if block.records <= most - seen else part(block, 0, most - seen)
        result = validator.validate(some)
        seen += some.records
        tried.records += some.records
        # a record that gives a row for each of its two parties counts once
        tried.used += some.records - len(result.rejected)
        _keep(display_name(name), result, tried, rows)
        if seen >= most:
            break
    sources_seen.note(sources, validator.taken)


def _keep(name: str, result: ValidationResult, tried: Tried, rows: int) -> None:
    for record in result.rejected:
        key = (record.reason.value, record.column, name)
        tried.reasons[key] += 1
        if tried.reasons[key] <= EXAMPLES:
            tried.examples.append((name, record.line, record.column, record.reason.value, record.raw))
    for good in result.valid:
        before = tried.rows.get(good.table)
        left = rows - (0 if before is None else before.height)
        if left > 0 and good.frame.height:
            more = good.frame.head(left)
            tried.rows[good.table] = more if before is None else pl.concat([before, more])
