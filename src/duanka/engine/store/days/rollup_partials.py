"""Partial rollups of new records of a day: every rollup of the catalogue from one reading of the records.

What a record adds is computed by the SQL of the declarations (`domain/rollups.py`), each expression once for all
rollups; the grouping is `grouping.py`. The records are sorted by card, so a slice of cards is grouped at a time.
A key stands in a partial once: where a day has several, readers merge them by GROUP BY.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from duanka.domain.rollups import CARD_LIFE, ROLLUPS, MergeOperation, Rollup, RollupSource
from duanka.engine.store.days.grouping import (
    NO_KEY,
    NOTHING,
    Grouped,
    Ints,
    grouped,
    merged,
    places,
    ranks,
)
from duanka.engine.store.manifest import FileKind
from duanka.engine.store.next_generation import NextGeneration
from duanka.engine.store.parquet_files import ParquetFile

SLICE_ROWS = 300_000  # about so many rows of the largest table are grouped at once: what a core's cache holds
PARTIALS = tuple(r for r in ROLLUPS.values() if r is not CARD_LIFE)  # card_life is merged from card_days
_TEXT_KEYS = ("city",)
_TIME_KEYS = ("hour",)

Small = npt.NDArray[np.signedinteger]
Known = npt.NDArray[np.bool_] | None


class SourceColumns:
    """SELECT of everything that the rollups need of one table: keys, and each distinct value once."""

    def __init__(self, table: str) -> None:
        self.table = table
        self.parts = [(r, part) for r in PARTIALS for part in r.parts if part.source == table]
        self._alias: dict[str, str] = {}
        for rollup, part in self.parts:
            for key in rollup.keys:
                if key != "day":
                    self.key(part, key)
            for aggregate in rollup.aggregates:
                self.value(part, aggregate.name)
            if part.rows:
                self.condition(part)

    def _named(self, sql: str) -> str:
        return self._alias.setdefault(sql, f"c{len(self._alias)}")

    def key(self, part: RollupSource, key: str) -> str:
        """Column of a key."""
        return self._named(part.keys[key])

    def value(self, part: RollupSource, name: str) -> str | None:
        """Column of what a row adds to an aggregate; None: nothing."""
        value = part.values.get(name)
        if value is None:
            return None
        condition = value.condition
        if value.expression == "1":
            return self._named(condition or "TRUE")
        return self._named(
            f"CASE WHEN {condition} THEN {value.expression} END" if condition else value.expression
        )

    def condition(self, part: RollupSource) -> str:
        """Column that says whether a row counts."""
        return self._named(part.rows)

    def select(self, source: str, within: str) -> str:
        """The SELECT over `source` of the rows that fulfil `within`."""
        columns = ", ".join(f"{sql} AS {alias}" for sql, alias in self._alias.items())
        return f"SELECT {columns} FROM {source} WHERE {within}"


SOURCES = {t: SourceColumns(t) for t in dict.fromkeys(p.source for r in PARTIALS for p in r.parts)}


def write_partials(draft: NextGeneration, day: date, files: Mapping[str, str]) -> None:
    """Write the partial rollups of `files` (record table -> new file of `day`)."""
    tables = {table: path for table, path in files.items() if table in SOURCES}
    with ExitStack() as stack:
        partials = {
            rollup.name: stack.enter_context(
                ParquetFile(draft.new_path(FileKind.ROLLUPS, rollup.name, day), rollup_schema(rollup))
            )
            for rollup in PARTIALS
        }
        for within in _slices(draft, tables):
            for name, rows in _of_slice(draft, day, tables, within):
                partials[name].add(rows)
    for name, file in partials.items():
        draft.take(file.path, file.rows, FileKind.ROLLUPS, name, day)


def rollup_schema(rollup: Rollup) -> pa.Schema:
    """The Arrow schema of a file of partial rollups."""
    moments = {"day": pa.date32(), "hour": pa.timestamp("us"), "city": pa.string()}
    fields = [(key, moments.get(key, pa.int64())) for key in rollup.keys]
    for aggregate in rollup.aggregates:
        counted = aggregate.how is MergeOperation.SUM
        fields.append((aggregate.name, pa.int64() if counted else pa.timestamp("us")))
    return pa.schema(fields)


def _slices(draft: NextGeneration, tables: Mapping[str, str]) -> Iterator[str]:
    """Conditions of disjoint ranges of cards, in order, that cover all."""
    largest = max(tables.values(), key=lambda path: draft.manifest.files[path].rows)
    bounds: list[int] = []
    since = 0
    metadata = pq.read_metadata(draft.folder / largest)
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        begin = group.column(0).statistics.min
        if since >= SLICE_ROWS and (not bounds or begin > bounds[-1]):
            bounds.append(begin)
            since = 0
        since += group.num_rows
    for low, high in zip([None, *bounds], [*bounds, None], strict=True):
        limits = [f"card >= {low}"] if low is not None else []
        limits += [f"card < {high}"] if high is not None else []
        yield " AND ".join(limits) or "TRUE"


def _of_slice(
    draft: NextGeneration, day: date, tables: Mapping[str, str], within: str
) -> Iterator[tuple[str, pa.Table]]:
    """The rows of each partial rollup of a slice of cards."""
    rows = {
        table: draft.arrow(SOURCES[table].select(draft.source([path]), within))
        for table, path in tables.items()
    }
    rows = {table: found for table, found in rows.items() if found.num_rows}
    if not rows:
        return
    slice_ = _Slice(rows)
    for rollup in PARTIALS:
        groups = [
            one
            for table in rows
            for found, part in SOURCES[table].parts
            if found is rollup
            if (one := slice_.groups(table, rollup, part))
        ]
        if groups:
            how = {a.name: a.how for a in rollup.aggregates}
            yield rollup.name, rollup_rows(merged(groups, how), rollup, day, slice_.cities)


class _Slice:
    """The new records of a slice of cards, as numpy columns."""

    def __init__(self, rows: Mapping[str, pa.Table]) -> None:
        self._rows = rows
        self.cities = pa.array([], pa.string())
        self._columns: dict[tuple[str, str], tuple[Small, Known]] = {}
        cards = [self._column(table, self._card(table)) for table in rows]
        self._ranks = dict(zip(rows, ranks(cards), strict=True))

    @staticmethod
    def _card(table: str) -> str:
        rollup, part = SOURCES[table].parts[0]
        return SOURCES[table].key(part, rollup.keys[0])

    def _column(self, table: str, alias: str, nothing: int = NO_KEY) -> Small:
        """A column of numbers, `nothing` for NULL; of texts, their place in `cities`."""
        if (table, alias) not in self._columns:
            self._columns[table, alias] = _numbers(self._coded(self._rows[table][alias]))
        column, known = self._columns[table, alias]
        return column if known is None else np.where(known, column, column.dtype.type(nothing))

    def _coded(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        if not pa.types.is_string(column.type):
            return column
        self.cities = pc.unique(pa.concat_arrays([self.cities, pc.unique(column).drop_null()]))
        return pc.index_in(column, self.cities, skip_nulls=True).cast(pa.int64())

    def groups(self, table: str, rollup: Rollup, part: RollupSource) -> Grouped | None:
        """The groups of one source; None if no row counts."""
        source = SOURCES[table]
        columns = {key: self._column(table, source.key(part, key)) for key in rollup.keys if key != "day"}
        values = {
            a.name: self._column(table, alias, NOTHING[a.how])
            for a in rollup.aggregates
            if (alias := source.value(part, a.name))
        }
        rank = self._ranks[table]
        if part.rows:
            counts = self._column(table, source.condition(part), 0)
            if not counts.all():
                kept = np.flatnonzero(counts)
                rank = rank[kept]
                columns = {name: column[kept] for name, column in columns.items()}
                values = {name: column[kept] for name, column in values.items()}
        if not len(rank):
            return None
        place = places(rank, [column for name, column in columns.items() if name != "card"])
        return grouped(place, columns, values, {a.name: a.how for a in rollup.aggregates})


def rollup_rows(found: Grouped, rollup: Rollup, day: date | None, texts: pa.Array) -> pa.Table:
    """The groups as rows of `rollup`. `texts`: what the numbers of a text key stand for."""
    columns = {name: _key(name, column, texts) for name, column in found.keys.items()}
    if "day" in rollup.keys:
        columns["day"] = pa.repeat(pa.scalar(day, pa.date32()), len(found.place))
    for aggregate in rollup.aggregates:
        columns[aggregate.name] = _value(found.values.get(aggregate.name), aggregate.how, len(found.place))
    return pa.table(columns)


def _value(column: Ints | None, how: MergeOperation, rows: int) -> pa.Array:
    """A column of an aggregate; None: no row has a value."""
    if how is MergeOperation.SUM:
        return pa.array(np.zeros(rows, np.int64) if column is None else column)
    if column is None:
        return pa.nulls(rows, pa.timestamp("us"))
    return pa.array(column, pa.timestamp("us"), mask=column == NOTHING[how])


def _key(name: str, column: Ints, texts: pa.Array) -> pa.Array:
    unknown = column == NO_KEY
    if name in _TEXT_KEYS:
        return texts.take(pa.array(column, mask=unknown))
    kind = pa.timestamp("us") if name in _TIME_KEYS else pa.int64()
    return pa.array(column, kind, mask=unknown)


def _numbers(column: pa.ChunkedArray) -> tuple[Small, Known]:
    """A column as integers, and which of them are not NULL (None: all); 0 stands for NULL."""
    known = column.is_valid().to_numpy() if column.null_count else None
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    elif pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us"))
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    return (column.fill_null(0) if known is not None else column).to_numpy(), known
