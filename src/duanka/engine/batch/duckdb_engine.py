"""Embedded engine: DuckDB in this process; spills to disk when memory runs out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from duanka.domain.ports import RecordCoverage
from duanka.domain.rollups import Rollup
from duanka.domain.rule import Rule
from duanka.domain.schema import TABLES
from duanka.engine.batch.base import BatchEngine, too_little_memory
from duanka.engine.shared.duckdb_database import (
    Rows,
    arrow_rows,
    hashed_texts,
    lent,
    parquet,
    register,
)
from duanka.engine.sql.render import render
from duanka.engine.sql.rollup_sql import rollup_sql
from duanka.engine.sql.values import Value
from duanka.engine.store.columns import whole_register

_PAIRS = pa.schema([("key", pa.int64()), ("text", pa.string())])
_SLICES = (1, 4, 16, 64)


class DuckDBEngine(BatchEngine):
    """Engine of one scan, run by the local DuckDB itself."""

    def load_rows(
        self,
        tables: Mapping[str, Sequence[Mapping[str, object]]],
        lists: Mapping[str, Sequence[Mapping[str, object]]],
        as_of: datetime | None,
    ) -> RecordCoverage:
        """Load rows held in memory, such as the examples of a rule."""
        texts: dict[int, str] = {}
        for name, rows in tables.items():
            self._put(f"given_{name}", arrow_rows(TABLES[name], rows))
            texts |= hashed_texts(TABLES[name], rows)
        pairs = pa.table({"key": list(texts), "text": list(texts.values())}, schema=_PAIRS)
        with lent(self._db, "pairs", pairs):
            self._take_texts("SELECT key, text FROM pairs")
        columns = {
            name: frozenset(k for row in rows for k, v in row.items() if v is not None)
            for name, rows in tables.items()
        }
        return self._see({name: filled for name, filled in columns.items() if filled}, lists, as_of)

    def _open(self, tables: Mapping[str, Sequence[Path]]) -> None:
        for name, paths in tables.items():
            source = parquet(paths) if TABLES[name].record else whole_register(name, parquet(paths))
            self._view(f"given_{name}", f"FROM {source}")

    def _put(self, name: str, rows: pa.Table) -> None:
        register(self._db, name, rows)

    def _view(self, name: str, select: str) -> None:
        self._run(f"CREATE OR REPLACE VIEW {name} AS {select}")

    def _build_one(self, rollup: Rollup, sources: Collection[str], narrow: str) -> None:
        """Build `rollup` at once or, when memory runs out, in disjoint slices of cards."""
        within = f"({narrow}) AND " if narrow else ""
        for slices in _SLICES:
            parts = (
                rollup_sql(rollup, sources, f"{within}hash(card) % {slices} = {k}" if slices > 1 else narrow)
                for k in range(slices)
            )
            try:
                self._run(f"CREATE OR REPLACE TABLE {rollup.name} AS {next(parts)}")
                for part in parts:
                    self._run(f"INSERT INTO {rollup.name} {part}")
                return
            except duckdb.OutOfMemoryException:
                continue
        raise too_little_memory(f"rollup {rollup.name}")

    @contextmanager
    def _result(self, rule: Rule, values: Mapping[str, Value], where: str = "") -> Iterator[str]:
        sql = render(rule.sql, values)
        yield f"SELECT * FROM ({sql}) WHERE {where}" if where else sql

    def _places(self) -> str:
        return "given_cards"  # the operator of a card is known even before the day it was opened

    def _lend(self, name: str) -> None:
        """Do nothing: the rules run here."""

    def _rows(self, sql: str) -> Rows:
        return self._run(sql)
