"""Engine of a scan: what DuckDB and Spark have in common.

A subclass says where the records lie and where rules run. Hits, and the tables that are small, lie in a local DuckDB.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa

from duanka.domain.errors import DuankaError, RuleError, UnreadableInput
from duanka.domain.policy import LISTS
from duanka.domain.ports import CardHits, Profile, Progress, RecordCoverage, RuleRun
from duanka.domain.record_keys import key_of
from duanka.domain.rollups import Rollup
from duanka.domain.rule import Literal, Rule
from duanka.domain.schema import TABLES
from duanka.engine.shared import coverage, hit_table, key_texts
from duanka.engine.shared.available_data import AvailableData
from duanka.engine.shared.breakdown import profile
from duanka.engine.shared.duckdb_database import (
    Rows,
    arrow_rows,
    opened,
    parquet,
    pass_rows,
    plainly,
    quoted,
    run,
    write_parquet,
)
from duanka.engine.sql.render import render
from duanka.engine.sql.rollup_sql import rollups_for
from duanka.engine.sql.values import Value

_FETCH_ROWS = 20_000


class BatchEngine(ABC):
    """Engine of one scan; see `domain.ports.Engine`.

    `work`: folder for spill files. `memory`: limit of the local DuckDB, for example "700MB". `passes`: card -> local
    time at which its holder last passed the second verification; used together with the register of cards.
    """

    def __init__(
        self,
        work: Path,
        *,
        memory: str = "700MB",
        threads: int | None = None,
        passes: Mapping[str, datetime] | None = None,
    ) -> None:
        self._passes = passes or {}
        self._db = opened(work, memory, threads)
        self._take_texts("SELECT NULL, NULL LIMIT 0")
        self._given = AvailableData()
        self._rollups: dict[str, Rollup] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release memory and delete the spill files."""
        self._db.close()

    def load(
        self,
        tables: Mapping[str, Sequence[Path]],
        columns: Mapping[str, frozenset[str]],
        lists: Mapping[str, Sequence[Mapping[str, object]]],
        as_of: datetime | None,
        texts: Sequence[Path] = (),
    ) -> RecordCoverage:
        """Open canonical Parquet files; see `domain.ports.Engine`."""
        if texts:
            self._take_texts(f"SELECT DISTINCT key, text FROM {parquet(texts)}")
        there = {name: columns[name] for name, paths in tables.items() if paths and columns.get(name)}
        self._open({name: tables[name] for name in there})
        found = self._see(there, lists, as_of)
        if as_of and as_of <= found.first:
            raise UnreadableInput(f"--as-of {as_of} sees nothing: the records begin at {found.first}")
        return found

    def _take_texts(self, select: str) -> None:
        """Keep the texts of hashed record keys from `select` (key, text)."""
        self._run(f"CREATE OR REPLACE TABLE texts ({key_texts.COLUMNS})")
        self._run(f"INSERT INTO texts {select}")
        key_texts.refuse_two_in(self._run, "texts")
        key_texts.create(self._run, "texts")

    @abstractmethod
    def _open(self, tables: Mapping[str, Sequence[Path]]) -> None:
        """Make the files of each table readable as `given_TABLE`."""

    def _see(
        self,
        there: Mapping[str, frozenset[str]],
        lists: Mapping[str, Sequence[Mapping[str, object]]],
        as_of: datetime | None,
    ) -> RecordCoverage:
        """Create each table for the rules, as known at the end of the records; delete all hits.

        `there`: each TABLE with a `given_TABLE` -> its columns with at least one value.
        """
        found = self._covered([name for name in there if TABLES[name].record], as_of)
        values = {"as_of": found.until, "records_from": found.since, "records_until": found.certain}
        self._given = AvailableData(there, frozenset(name for name, rows in lists.items() if rows), values)
        self._put("passes", pass_rows(self._passes))
        passes = "passes" if self._passes else None
        for name, table in TABLES.items():
            if name not in there:
                self._put(f"given_{name}", arrow_rows(table, ()))
            self._view(name, coverage.seen(table, f"given_{name}", found, passes))
        for name, table in LISTS.items():
            self._put(name, arrow_rows(table, lists.get(name, ())))
        self._run(
            "CREATE OR REPLACE TABLE hits (card BIGINT, rule VARCHAR, seen_at TIMESTAMP, evidence VARCHAR)"
        )
        return found

    def _covered(self, records: Sequence[str], as_of: datetime | None) -> RecordCoverage:
        """The event time that these record tables cover."""
        return coverage.of_records({name: f"given_{name}" for name in records}, as_of, self._rows)

    @abstractmethod
    def _put(self, name: str, rows: pa.Table) -> None:
        """Make `rows` a table where the rules run."""

    @abstractmethod
    def _view(self, name: str, select: str) -> None:
        """Create the schema's table `name` as a view of `select`, where the rules run."""

    def build(
        self,
        rules: Sequence[tuple[Rule, Mapping[str, Literal]]],
        progress: Progress,
        *,
        narrowed: bool = True,
    ) -> None:
        """Build the rollups that the runnable `rules` read, only with the columns needed.

        `narrowed` False ignores the rules' `narrow` conditions and builds every group of each rollup.
        """
        able = [(rule, limits) for rule, limits in rules if not self._given.lacks(rule)]
        order = rollups_for([rule for rule, _ in able])
        for done, rollup in enumerate(order):
            progress.step(f"rollup {rollup.name}", done, len(order))
            narrow = self._given.narrow(rollup, able) if narrowed else ""
            self._build_one(rollup, {*self._given.columns, *self._rollups}, narrow)
            self._rollups[rollup.name] = rollup
        progress.step("rollups", len(order), len(order))

    @abstractmethod
    def _build_one(self, rollup: Rollup, sources: Collection[str], narrow: str) -> None:
        """Build `rollup` from those of its sources that exist, for the groups that fulfil `narrow`."""

    def run(self, rule: Rule, limits: Mapping[str, Literal]) -> RuleRun:
        """Run one rule and add its hits to the table `hits`."""
        lacks, without = self._given.lacks(rule), self._given.without(rule)
        if lacks:
            return RuleRun(rule.id, lacks=lacks, without=without)
        unsure = self._find(rule, {**limits, **self._given.values})
        return self._counted_run(rule, unsure)

    def _counted_run(self, rule: Rule, unsure: int = 0) -> RuleRun:
        """The result of a rule whose hits are in the table `hits`."""
        counts = f"SELECT count(*), count(DISTINCT card) FROM hits WHERE rule = {quoted(rule.id)}"
        hits, cards = map(int, self._run(counts)[0])
        return RuleRun(rule.id, hits, cards, unsure, without=self._given.without(rule))

    def _find(self, rule: Rule, values: Mapping[str, Value]) -> int:
        """Add the hits of `rule`; return the number of cards that it cannot judge."""
        with self._result(rule, values) as source:
            self._run_rule(rule, hit_table.add_hits_of(rule, source))
        return int(self._rows(render(rule.unsure, values))[0][0]) if rule.unsure else 0

    @abstractmethod
    def _result(
        self, rule: Rule, values: Mapping[str, Value], where: str = ""
    ) -> AbstractContextManager[str]:
        """SELECT, for the local DuckDB, of the result rows of `rule` that fulfil `where`; valid inside only."""

    def _run_rule(self, rule: Rule, sql: str) -> None:
        """Run a local statement with the SQL, or the result, of `rule`."""
        try:
            self._run_tight(sql)
        except duckdb.OutOfMemoryException as error:
            raise too_little_memory(f"rule {rule.id}") from error
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

    def add_hits(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Add hits of other rules, for the examples of rules that read `hits`."""
        for row in rows:
            values = [key_of(str(row["card"])), *(row[name] for name in ("rule", "seen_at", "evidence"))]
            self._db.execute("INSERT INTO hits VALUES (?, ?, ?, ?)", values)

    def flagged(self, rule: str) -> frozenset[str]:
        """The cards that `rule` hit."""
        return frozenset(
            row[0]
            for row in self._run(f"SELECT DISTINCT number_text(card) FROM hits WHERE rule = {quoted(rule)}")
        )

    def forget(self, rule: str) -> None:
        """Delete the hits of `rule`, so that it can run again with other limits."""
        self._run(f"DELETE FROM hits WHERE rule = {quoted(rule)}")

    def write_hits(self, path: Path) -> None:
        """Write hits.parquet, sorted and atomically."""
        write_parquet(self._run, hit_table.sorted_hits("hits"), path)

    def cards_with_hits(self) -> Iterator[CardHits]:
        """Each card with a hit or a police case, ordered by card."""
        sql = hit_table.cards_with_hits("hits", "cases", self._places())
        with plainly():
            result = self._db.execute(sql)
        yield from hit_table.by_card(_fetched(result))

    @abstractmethod
    def _places(self) -> str:
        """Local table or view of card, operator and home_city, one row a card."""

    def profile(self, cards_at_risk: Path) -> Profile:
        """Breakdown of the cards in cards_at_risk.csv whose action is more than watch."""
        self._run(hit_table.at_risk(cards_at_risk))
        self._lend("at_risk")
        return profile(self._rows, self._rollups, self._run)

    def cards(self) -> int:
        """Number of cards in the register or, without a register, in the records."""
        if "cards" in self._given.columns:
            return int(self._rows("SELECT count(*) FROM cards")[0][0])
        records = [f"SELECT card FROM {name}" for name in self._given.columns if TABLES[name].record]
        return int(self._rows(f"SELECT count(DISTINCT card) FROM ({' UNION ALL '.join(records)})")[0][0])

    @abstractmethod
    def _lend(self, name: str) -> None:
        """Copy a table of the local DuckDB to where the rules run."""

    @abstractmethod
    def _rows(self, sql: str) -> Rows:
        """Run a SELECT where the rules run."""

    def _run(self, sql: str) -> Rows:
        return run(self._db, sql)


def too_little_memory(what: str) -> DuankaError:
    """The error for `what` when memory runs out."""
    return DuankaError(
        f"{what} does not fit into the memory allowed, nor in slices; give it more with --memory"
    )


def _fetched(result: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while True:
        with plainly():
            rows = result.fetchmany(_FETCH_ROWS)
        if not rows:
            return
        yield from rows
