"""Embedded engine: DuckDB in this process; spills to disk when memory runs out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType

import duckdb

from duanka.domain.errors import DuankaError, RuleError, UnreadableInput
from duanka.domain.policy import LISTS
from duanka.domain.ports import CardHits, Profile, Progress, RecordCoverage, RuleRun
from duanka.domain.rollups import Rollup
from duanka.domain.rule import Literal, Rule
from duanka.domain.schema import TABLES, Table
from duanka.engine.shared import coverage as span
from duanka.engine.shared.available_data import AvailableData, moments
from duanka.engine.shared.breakdown import profile
from duanka.engine.shared.duckdb_database import (
    ARROW,
    TYPES,
    Rows,
    arrow_rows,
    arrow_schema,
    opened,
    pass_rows,
    quoted,
    register,
    run,
)
from duanka.engine.shared.hit_table import HitTable, hit_columns
from duanka.engine.sql.render import render
from duanka.engine.sql.rollup_sql import rollup_sql, rollups_for

__all__ = ["ARROW", "TYPES", "DuckDBEngine", "arrow_schema"]

_SLICES = (1, 4, 16, 64)


class DuckDBEngine:
    """Engine of one scan, run by an embedded DuckDB.

    `work`: folder for spill files. `memory`: DuckDB's memory limit, for example "700MB". `passes`: card -> local time
    at which its holder last passed the second verification; used together with the register of cards.
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
        self._found = HitTable(self._db)
        self._given = AvailableData()
        self._rollups: dict[str, Rollup] = {}

    def __enter__(self) -> DuckDBEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
    ) -> RecordCoverage:
        """Open canonical Parquet files; see `domain.ports.Engine`."""
        sources = {
            name: f"read_parquet([{', '.join(quoted(str(p)) for p in paths)}])"
            for name, paths in tables.items()
            if paths
        }
        found = self._open(sources, columns, lists, as_of)
        if as_of and as_of <= found.first:
            raise UnreadableInput(f"--as-of {as_of} sees nothing: the records begin at {found.first}")
        return found

    def load_rows(
        self,
        tables: Mapping[str, Sequence[Mapping[str, object]]],
        lists: Mapping[str, Sequence[Mapping[str, object]]],
        as_of: datetime | None,
    ) -> RecordCoverage:
        """Load rows held in memory, such as the examples of a rule."""
        for name, rows in tables.items():
            self._register(f"given_{name}", TABLES[name], rows)
        columns = {
            name: frozenset(k for row in rows for k, v in row.items() if v is not None)
            for name, rows in tables.items()
        }
        return self._open({name: f"given_{name}" for name in tables}, columns, lists, as_of)

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
            self._build_one(rollup, narrow)
        progress.step("rollups", len(order), len(order))

    def _build_one(self, rollup: Rollup, narrow: str) -> None:
        """Build `rollup` at once or, when memory runs out, in disjoint slices of cards."""
        sources = {*self._given.columns, *self._rollups}
        for slices in _SLICES:
            parts = (
                rollup_sql(
                    rollup, sources, _and(narrow, f"hash(card) % {slices} = {k}") if slices > 1 else narrow
                )
                for k in range(slices)
            )
            try:
                self._run(f"CREATE OR REPLACE TABLE {rollup.name} AS {next(parts)}")
                for part in parts:
                    self._run(f"INSERT INTO {rollup.name} {part}")
            except duckdb.OutOfMemoryException:
                continue
            self._rollups[rollup.name] = rollup
            return
        raise _too_little_memory(f"rollup {rollup.name}")

    def run(self, rule: Rule, limits: Mapping[str, Literal]) -> RuleRun:
        """Run one rule and add its hits to the table `hits`."""
        lacks, without = self._given.lacks(rule), self._given.without(rule)
        if lacks:
            return RuleRun(rule.id, lacks=lacks, without=without)
        values = {**limits, **self._given.values}
        columns = hit_columns(rule)
        try:
            self._run_tight(self._found.taking(rule.id, columns, render(rule.sql, values)))
            unsure = self._one(render(rule.unsure, values)) if rule.unsure else 0
        except duckdb.OutOfMemoryException as error:
            raise _too_little_memory(f"rule {rule.id}") from error
        except duckdb.Error as error:
            raise RuleError(f"rule {rule.id}: its SQL does not run: {error}") from error
        hits, cards = self._found.counts(rule.id)
        return RuleRun(rule.id, hits, cards, int(unsure), without=without)

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
        return self._found.cards()

    def profile(self, cards_at_risk: Path) -> Profile:
        """Breakdown of the cards in cards_at_risk.csv whose action is more than watch."""
        self._found.read_at_risk(cards_at_risk)
        return profile(self._run, self._rollups)

    def cards(self) -> int:
        """Number of cards in the register or, without a register, in the records."""
        return self._one(self._given.counting_cards())

    def _open(
        self,
        sources: Mapping[str, str],
        columns: Mapping[str, frozenset[str]],
        lists: Mapping[str, Sequence[Mapping[str, object]]],
        as_of: datetime | None,
    ) -> RecordCoverage:
        there = {name: columns[name] for name in sources if columns.get(name)}
        found = span.of_records(
            {t: s for t, s in sources.items() if TABLES[t].record and t in there}, as_of, self._run
        )
        self._given = AvailableData(
            there, frozenset(name for name, rows in lists.items() if rows), moments(found)
        )
        register(self._db, "passes", pass_rows(self._passes))
        passes = "passes" if self._passes else None
        for name, table in TABLES.items():
            if name not in there:
                self._register(f"given_{name}", table, ())
            source = sources[name] if name in there else f"given_{name}"
            self._run(f"CREATE OR REPLACE VIEW {name} AS {span.seen(table, source, found, passes=passes)}")
            if name == "cards":  # the holder of a card is known even before the day it was opened
                self._run(f"CREATE OR REPLACE VIEW places AS SELECT card, operator, home_city FROM {source}")
        for name, table in LISTS.items():
            self._register(name, table, lists.get(name, ()))
        self._found.begin()
        return found

    def add_hits(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Add hits of other rules, for the examples of rules that read `hits`."""
        self._found.add(rows)

    def _register(self, name: str, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
        register(self._db, name, arrow_rows(table, rows))

    def _set(self, name: str, value: str) -> None:
        self._run(f"SET {name} = {quoted(value)}")

    def _run_tight(self, sql: str) -> None:
        """Run `sql`; if memory runs out, retry on one thread, which needs half as much."""
        try:
            self._run(sql)
        except duckdb.OutOfMemoryException:
            threads = self._one("SELECT current_setting('threads')")
            self._set("threads", "1")
            self._run(sql)
            self._set("threads", str(threads))

    def _one(self, sql: str) -> int:
        return int(self._run(sql)[0][0])

    def _run(self, sql: str) -> Rows:
        return run(self._db, sql)


def _and(condition: str, more: str) -> str:
    return f"({condition}) AND {more}" if condition else more


def _too_little_memory(what: str) -> DuankaError:
    return DuankaError(
        f"{what} does not fit into the memory allowed, nor in slices; give it more with --memory"
    )
