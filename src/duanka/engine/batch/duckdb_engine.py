"""Embedded engine: DuckDB in this process; spills to disk when memory runs out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from duanka.domain.errors import DuankaError, RuleError
from duanka.domain.ports import RecordCoverage
from duanka.domain.rollups import Rollup
from duanka.domain.rule import Rule
from duanka.domain.schema import TABLES
from duanka.engine.batch.base import BatchEngine
from duanka.engine.shared.duckdb_database import Rows, arrow_rows, hashed_texts, lent, parquet, register
from duanka.engine.shared.hit_table import add_hits_of
from duanka.engine.sql.render import Value, render
from duanka.engine.sql.rollup_sql import rollup_sql

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
            self._view(f"given_{name}", f"FROM {parquet(paths)}")

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
        raise _too_little_memory(f"rollup {rollup.name}")

    def _find(self, rule: Rule, values: Mapping[str, Value]) -> int:
        self._run_rule(rule, add_hits_of(rule, render(rule.sql, values)))
        return int(self._run(render(rule.unsure, values))[0][0]) if rule.unsure else 0

    def _run_rule(self, rule: Rule, sql: str) -> None:
        """Run a statement with the SQL of `rule`."""
        try:
            self._run_tight(sql)
        except duckdb.OutOfMemoryException as error:
            raise _too_little_memory(f"rule {rule.id}") from error
        except duckdb.Error as error:
            raise RuleError(f"rule {rule.id}: its SQL does not run: {error}") from error

    def _run_tight(self, sql: str) -> None:
        """Run `sql`; if memory runs out, retry on one thread, which needs half as much."""
        try:
            self._run(sql)
        except duckdb.OutOfMemoryException:
            threads = self._run("SELECT current_setting('threads')")[0][0]
            self._run("SET threads = 1")
            self._run(sql)
            self._run(f"SET threads = {threads}")

    def _places(self) -> str:
        return "given_cards"  # the operator of a card is known even before the day it was opened

    def _lend(self, name: str) -> None:
        """Do nothing: the rules run here."""

    def _rows(self, sql: str) -> Rows:
        return self._run(sql)


def _too_little_memory(what: str) -> DuankaError:
    return DuankaError(
        f"{what} does not fit into the memory allowed, nor in slices; give it more with --memory"
    )
