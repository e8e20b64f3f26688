"""Cluster engine of a scan into a store on shared storage.

The cluster reads the store's own Parquet files. Hits, the judgement and the commit stay with the one writer here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from duanka.domain.ports import RecordCoverage
from duanka.domain.rollups import ROLLUPS, Rollup
from duanka.domain.schema import Table
from duanka.engine.batch.spark_engine import Cluster
from duanka.engine.batch.store_engine import StoreEngine
from duanka.engine.shared.duckdb_database import register
from duanka.engine.sql.render import render
from duanka.engine.store.days.rollup_partials import rollup_schema
from duanka.engine.store.manifest import Manifest
from duanka.engine.store.next_generation import NextGeneration


class ClusterStore(StoreEngine, Cluster):
    """Judges a store on the Spark at `remote`; `work` lies in the store's folder, which every node sees."""

    def open_store(self, draft: NextGeneration, before: Manifest) -> Self:
        """As in StoreEngine; DuankaError when the cluster cannot read and write there: said before intake."""
        super().open_store(draft, before)
        self._remote.shared = draft.folder
        self._send("probe", pa.table({"n": [1]}))
        folder = self._new_folder("probe")
        self._remote.write("SELECT * FROM probe", folder)
        if sum(pq.read_metadata(path).num_rows for path in folder.glob("*.parquet")) != 1:
            raise self._remote.blind(folder, "what it writes there does not arrive here")
        return self

    def load(
        self,
        tables: Mapping[str, Sequence[Path]],
        columns: Mapping[str, frozenset[str]],
        lists: Mapping[str, Sequence[Mapping[str, object]]],
        as_of: datetime | None,
        texts: Sequence[Path] = (),
    ) -> RecordCoverage:
        """As in StoreEngine."""
        self._opened: dict[tuple[str, ...], str] = {}
        self._scopes: dict[str, dict[str, str]] = {}
        for name, rollup in ROLLUPS.items():
            register(self._db, name, rollup_schema(rollup).empty_table())
        return super().load(tables, columns, lists, as_of, texts)

    def _files(self, paths: Sequence[str], schema: pa.Schema) -> str:
        key = (*paths, *schema.names)
        if key not in self._opened:
            self._opened[key] = f"files_{len(self._opened)}"
            self._remote.open(self._opened[key], [self._draft.folder / path for path in paths], schema)
        return self._opened[key]

    def _scoped(self, scope: str, rollup: Rollup | Table, select: str, *, once: bool) -> None:
        name = f"{scope}_{rollup.name}" if scope else rollup.name
        text = render(select, {}, "spark", renamed=self._renamed)
        if once and isinstance(rollup, Rollup):
            folder = self._new_folder(name)
            self._remote.write(text, folder)
            self._remote.open(name, [folder], rollup_schema(rollup))
        else:
            self._remote.view(name, text)
        if scope:
            self._scopes.setdefault(scope, {})[rollup.name] = name

    @contextmanager
    def _within(self, scope: str) -> Iterator[None]:
        self._renamed = self._scopes.setdefault(scope, {})
        try:
            yield
        finally:
            self._renamed = {}

    def _table(self, name: str, select: str) -> None:
        rows = self._remote.arrow(render(select, {}, "spark"))
        register(self._db, name, rows)
        self._send(name, rows)
