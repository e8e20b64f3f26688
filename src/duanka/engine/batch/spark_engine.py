"""Cluster engine: the same rules on an existing Spark, through Spark Connect.

Large data (records, rollups) stays on the cluster. Small results are fetched: hits, into the same local
table as in the embedded engine, and police cases. Records, rollups and the tables sent to the cluster
lie in one folder that this machine and every node of the cluster see under the same path.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from duanka.domain.ports import RecordCoverage
from duanka.domain.rollups import Rollup
from duanka.domain.rule import Rule
from duanka.domain.schema import TABLES
from duanka.engine.batch.base import BatchEngine
from duanka.engine.batch.spark_session import Remote
from duanka.engine.shared.duckdb_database import Rows, arrow_schema, lent, register
from duanka.engine.sql.render import render, split_rounding
from duanka.engine.sql.rollup_sql import rollup_sql
from duanka.engine.sql.values import Value


class Cluster(BatchEngine):
    """Engine of one scan on the Spark at `remote`, for example "sc://host:15002".

    `work` must be writable and visible to every node under the same path. Besides the hits, the local DuckDB holds
    every table and rollup, empty: they define the column types of the embedded engine.
    """

    def __init__(
        self,
        work: Path,
        remote: str,
        *,
        memory: str = "700MB",
        threads: int | None = None,
        passes: Mapping[str, datetime] | None = None,
    ) -> None:
        self._work = work.absolute()
        self._lent = 0
        self._renamed: Mapping[str, str] = {}  # rollup -> view on the cluster that rules read in its place
        self._remote = Remote(remote)  # before intake, to report an unreachable cluster at once
        super().__init__(self._work / "local", memory=memory, threads=threads, passes=passes)

    def close(self) -> None:
        """End the session on the cluster and release memory."""
        self._remote.close()
        super().close()

    def _open(self, tables: Mapping[str, Sequence[Path]]) -> None:
        """As in BatchEngine; raises DuankaError when the cluster does not see the files."""
        self._remote.renew()  # intake may have outlasted the server's idle timeout
        for name, paths in tables.items():
            self._remote.open(f"given_{name}", paths, arrow_schema(TABLES[name]))
        counting = " UNION ALL ".join(
            f"SELECT '{name}' AS name, count(*) AS n FROM given_{name}" for name in tables
        )
        seen: dict[str, int] = dict(self._rows(counting)) if tables else {}
        for name, paths in tables.items():
            there = sum(pq.read_metadata(path).num_rows for path in paths)
            if seen[name] != there:
                raise self._remote.blind(
                    paths[0], f"{there} rows of {name} lie here, the cluster sees {seen[name]}"
                )

    def _see(
        self,
        there: Mapping[str, frozenset[str]],
        lists: Mapping[str, Sequence[Mapping[str, object]]],
        as_of: datetime | None,
    ) -> RecordCoverage:
        found = super()._see(there, lists, as_of)
        cases = self._remote.arrow("SELECT DISTINCT card, case_id, signed_by FROM cases")
        with lent(self._db, "cases_rows", cases):
            self._run("INSERT INTO cases BY NAME SELECT * FROM cases_rows")
        return found

    def _put(self, name: str, rows: pa.Table) -> None:
        register(self._db, name, rows.schema.empty_table())
        self._send(name, rows)

    def _view(self, name: str, select: str) -> None:
        register(self._db, name, arrow_schema(TABLES[name]).empty_table())
        self._remote.view(name, render(select, {}, "spark"))

    def _build_one(self, rollup: Rollup, sources: Collection[str], narrow: str) -> None:
        """Build `rollup` as shared Parquet files.

        A cached rollup would be lost with a node, and not every server honours a request to cache.
        """
        text = rollup_sql(rollup, sources, narrow)
        self._run(f"CREATE OR REPLACE TABLE {rollup.name} AS {text} LIMIT 0")
        folder = self._new_folder(rollup.name)
        self._remote.write(render(text, {}, "spark"), folder)
        self._remote.open(rollup.name, [folder], self._local(rollup.name).schema)

    @contextmanager
    def _result(self, rule: Rule, values: Mapping[str, Value], where: str = "") -> Iterator[str]:
        if "hits" in rule.reads:
            self._lend("hits")
        text, rounding = split_rounding(rule.sql, values, renamed=self._renamed)
        rows = self._remote.arrow(f"SELECT * FROM ({text}) WHERE {where or 'TRUE'}", f"rule {rule.id}")
        # rounded and typed as DuckDB does
        types = self._run(f"DESCRIBE {render(rule.sql, values)}")
        typed = ", ".join(f"CAST({rounding.get(c, c)} AS {kind}) AS {c}" for c, kind, *_ in types)
        with lent(self._db, "arrived", rows):
            yield f"SELECT {typed} FROM arrived"

    def _places(self) -> str:
        self._send("listed", self._local("(SELECT card FROM hits UNION SELECT card FROM cases)"))
        places = self._remote.arrow(
            "SELECT card, operator, home_city FROM given_cards WHERE card IN (SELECT card FROM listed)"
        )
        self._db.register("places", places)
        return "places"

    def _lend(self, name: str) -> None:
        self._send(name, self._local(name))

    def _local(self, source: str) -> pa.Table:
        return self._db.sql(f"SELECT * FROM {source}").to_arrow_table()

    def _send(self, name: str, rows: pa.Table) -> None:
        """Create a table on the cluster through a shared file: a request cannot hold millions of rows."""
        if not rows.num_rows:
            self._remote.empty(name, rows.schema)
            return
        path = self._new_folder(name) / "rows.parquet"
        pq.write_table(rows, path)
        self._remote.open(name, [path], rows.schema)

    def _new_folder(self, name: str) -> Path:
        self._lent += 1
        folder = self._work / f"{name}-{self._lent}"
        folder.mkdir(parents=True)
        return folder

    def _rows(self, sql: str) -> Rows:
        return self._remote.rows(render(sql, {}, "spark", renamed=self._renamed))
