"""Cluster engine: the same rules on an existing Spark, through Spark Connect.

Large data (records, rollups) stays on the cluster. Small results are fetched: the hits of each rule, into the same
local table as in the embedded engine, and the police cases. Records, rollups and the tables lent to the cluster lie
in one folder that this machine and every node of the cluster see under the same path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from duanka.domain.errors import DuankaError, UnreadableInput
from duanka.domain.policy import LISTS
from duanka.domain.ports import CardHits, Profile, Progress, RecordCoverage, RuleRun
from duanka.domain.rollups import Rollup
from duanka.domain.rule import Literal, Rule
from duanka.domain.schema import TABLES
from duanka.engine.batch.spark_session import Remote
from duanka.engine.shared import coverage as span
from duanka.engine.shared.available_data import AvailableData, moments
from duanka.engine.shared.breakdown import profile
from duanka.engine.shared.duckdb_database import (
    Rows,
    arrow_rows,
    arrow_schema,
    opened,
    pass_rows,
    register,
    run,
)
from duanka.engine.shared.hit_table import HitTable, hit_columns
from duanka.engine.sql.render import render, split_rounding
from duanka.engine.sql.rollup_sql import rollup_sql, rollups_for


class Cluster:
    """Engine of one scan on the Spark at `remote`, for example "sc://host:15002".

    `work` must be writable and visible to every node under the same path. `memory` and `threads` bound the local
    table of hits only. `passes`: as in the embedded engine.
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
        self._passes = passes or {}
        self._work = work.absolute()
        self._remote = Remote(
            remote
        )  # connect before intake, so that an unreachable cluster is reported at once
        # Besides the hits it holds every table and rollup, empty: they define the column types of the embedded engine.
        self._local = opened(self._work / "local", memory, threads)
        self._found = HitTable(self._local)
        self._given = AvailableData()
        self._rollups: dict[str, Rollup] = {}
        self._lent = 0

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the session on the cluster and release memory."""
        self._remote.close()
        self._local.close()

    def load(
        self,
        tables: Mapping[str, Sequence[Path]],
        columns: Mapping[str, frozenset[str]],
        lists: Mapping[str, Sequence[Mapping[str, object]]],
        as_of: datetime | None,
    ) -> RecordCoverage:
        """Open canonical Parquet files; see `domain.ports.Engine`.

        Raises DuankaError when the cluster does not see them.
        """
        self._remote.renew()  # intake may have outlasted the server's idle timeout
        there = {name: columns[name] for name, paths in tables.items() if paths and columns.get(name)}
        for name, table in TABLES.items():
            register(self._local, name, arrow_schema(table).empty_table())
            if name in there:
                self._remote.open(f"given_{name}", tables[name], arrow_schema(table))
            else:
                self._remote.empty(f"given_{name}", arrow_schema(table))
        self._must_see({name: tables[name] for name in there})
        records = {name: f"given_{name}" for name in there if TABLES[name].record}
        found = span.of_records(records, as_of, self._rows)
        if as_of and as_of <= found.first:
            raise UnreadableInput(f"--as-of {as_of} sees nothing: the records begin at {found.first}")
        self._given = AvailableData(
            there, frozenset(name for name, rows in lists.items() if rows), moments(found)
        )
        self._lend("passes", pass_rows(self._passes))
        passes = "passes" if self._passes else None
        for name, table in TABLES.items():
            text = span.seen(table, f"given_{name}", found, [c.name for c in table.columns], passes)
            self._remote.view(name, render(text, {}, "spark"))
        for name, table in LISTS.items():
            register(self._local, name, arrow_schema(table).empty_table())
            self._lend(name, arrow_rows(table, lists.get(name, ())))
        self._found.begin()
        cases = self._remote.arrow("SELECT DISTINCT card, case_id, signed_by FROM cases")
        self._local.register("cases_rows", cases)
        run(self._local, "INSERT INTO cases BY NAME SELECT * FROM cases_rows")
        self._local.unregister("cases_rows")
        return found

    def build(self, rules: Sequence[tuple[Rule, Mapping[str, Literal]]], progress: Progress) -> None:
        """Build the rollups that the runnable `rules` read, as shared Parquet files.

        Cached on the cluster they would be lost with a node, and not every server honours a request to cache.
        """
        able = [(rule, limits) for rule, limits in rules if not self._given.lacks(rule)]
        order = rollups_for([rule for rule, _ in able])
        for done, rollup in enumerate(order):
            progress.step(f"rollup {rollup.name}", done, len(order))
            sources = {*self._given.columns, *self._rollups}
            text = rollup_sql(rollup, sources, self._given.narrow(rollup, able))
            run(self._local, f"CREATE OR REPLACE TABLE {rollup.name} AS {text} LIMIT 0")
            schema = self._local.sql(f"SELECT * FROM {rollup.name}").to_arrow_table().schema
            folder = self._new_folder(rollup.name)
            self._remote.write(render(text, {}, "spark"), folder)
            self._remote.open(rollup.name, [folder], schema)
            self._rollups[rollup.name] = rollup
        progress.step("rollups", len(order), len(order))

    def run(self, rule: Rule, limits: Mapping[str, Literal]) -> RuleRun:
        """Run one rule and add its hits to the table `hits`."""
        lacks, without = self._given.lacks(rule), self._given.without(rule)
        if lacks:
            return RuleRun(rule.id, lacks=lacks, without=without)
        values = {**limits, **self._given.values}
        columns = hit_columns(rule)
        if "hits" in rule.reads:
            self._lend("hits", self._local.sql("SELECT * FROM hits").to_arrow_table())
        text, rounding = split_rounding(rule.sql, values)
        rows = self._remote.arrow(text, f"rule {rule.id}")
        unsure = self._one(rule.unsure, values) if rule.unsure else 0
        self._take(rule, columns, rows, rounding, values)
        hits, cards = self._found.counts(rule.id)
        return RuleRun(rule.id, hits, cards, unsure, without=without)

    def _take(
        self,
        rule: Rule,
        columns: Sequence[str],
        rows: pa.Table,
        rounding: Mapping[str, str],
        values: Mapping[str, Literal | datetime | str],
    ) -> None:
        """Add result `rows` of the cluster to the hits, rounded and typed as DuckDB does."""
        types = {r[0]: r[1] for r in run(self._local, f"DESCRIBE {render(rule.sql, values)}")}
        typed = ", ".join(f"CAST({rounding.get(c, c)} AS {types[c]}) AS {c}" for c in columns)
        self._local.register("arrived", rows)
        try:
            run(self._local, self._found.taking(rule.id, columns, f"SELECT {typed} FROM arrived"))
        except duckdb.OutOfMemoryException as error:
            raise DuankaError(f"the hits of rule {rule.id} do not fit; give more with --memory") from error
        finally:
            self._local.unregister("arrived")

    def flagged(self, rule: str) -> frozenset[str]:
        """The cards that `rule` hit."""
        return self._found.flagged(rule)

    def forget(self, rule: str) -> None:
        """Delete the hits of `rule`, so that it can run again with other limits."""
        self._found.forget(rule)

    def write_hits(self, path: Path) -> None:
        """Write hits.parquet, sorted and atomically."""
        self._found.write(path)

    def cards_with_hits(self) -> Iterator[CardHits]:
        """Each card with a hit or a police case, ordered by card."""
        listed = self._local.sql("SELECT card FROM hits UNION SELECT card FROM cases").to_arrow_table()
        self._lend("listed", listed)
        places = self._remote.arrow(
            "SELECT card, operator, home_city FROM given_cards WHERE card IN (SELECT card FROM listed)"
        )
        self._local.register("places", places)
        return self._found.cards()

    def profile(self, cards_at_risk: Path) -> Profile:
        """Breakdown of the cards in cards_at_risk.csv whose action is more than watch."""
        self._found.read_at_risk(cards_at_risk)
        self._lend("at_risk", self._local.sql("SELECT * FROM at_risk").to_arrow_table())
        return profile(self._rows, self._rollups, lambda sql: run(self._local, sql))

    def cards(self) -> int:
        """Number of cards in the register or, without a register, in the records."""
        return self._one(self._given.counting_cards())

    def add_hits(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Add hits of other rules, for the examples of rules that read `hits`."""
        self._found.add(rows)

    def _must_see(self, tables: Mapping[str, Sequence[Path]]) -> None:
        """Raise DuankaError unless cluster and local row counts agree for each table."""
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

    def _lend(self, name: str, rows: pa.Table) -> None:
        """Lend a local table to the cluster through the shared folder.

        A Spark Connect message cannot hold millions of rows.
        """
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

    def _one(self, sql: str, values: Mapping[str, Literal | datetime | str] | None = None) -> int:
        return int(self._remote.rows(render(sql, values or {}, "spark"))[0][0])

    def _rows(self, sql: str) -> Rows:
        return self._remote.rows(render(sql, {}, "spark"))
