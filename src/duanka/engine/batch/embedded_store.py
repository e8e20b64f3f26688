"""Embedded engine of a scan into a store; each scope is a schema of the local DuckDB."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa

from duanka.domain.rollups import Rollup
from duanka.domain.schema import Table
from duanka.engine.batch.duckdb_engine import DuckDBEngine
from duanka.engine.batch.store_engine import StoreEngine
from duanka.engine.shared.duckdb_database import parquet
from duanka.engine.store.columns import whole_register
from duanka.engine.store.manifest import FileKind


class EmbeddedStore(StoreEngine, DuckDBEngine):
    """Judges a store with the local DuckDB."""

    def _files(self, paths: Sequence[str], schema: pa.Schema) -> str:
        del schema  # DuckDB reads it in the files
        whole = [self._draft.folder / path for path in paths]
        if paths[0].startswith(FileKind.REGISTERS):
            return whole_register(whole[0].parent.name, parquet(whole))
        return parquet(whole)

    def _scoped(self, scope: str, rollup: Rollup | Table, select: str, *, once: bool) -> None:
        name = f"{scope or 'main'}.{rollup.name}"
        self._run(f"CREATE OR REPLACE {'TABLE' if once else 'VIEW'} {name} AS {select}")

    @contextmanager
    def _within(self, scope: str) -> Iterator[None]:
        self._run(f"CREATE SCHEMA IF NOT EXISTS {scope}")
        self._run(f"SET search_path = '{scope},main'")
        try:
            yield
        finally:
            self._run("SET search_path = 'main'")

    def _table(self, name: str, select: str) -> None:
        self._run(f"CREATE OR REPLACE TABLE {name} AS {select}")
