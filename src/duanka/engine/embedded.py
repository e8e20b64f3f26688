"""The embedded engine: DuckDB in this process, spilling to disk where memory ends."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import pyarrow as pa

from duanka.domain.errors import DuankaError, RuleError, UnreadableInput
from duanka.domain.policy import LISTS
from duanka.domain.ports import CardHits, Profile, Progress, RuleRun, Span
from duanka.domain.rollups import Rollup
from duanka.domain.rule import Action, Hit, Literal, Rule
from duanka.domain.tables import TABLES, Kind, Table
from duanka.engine import span
from duanka.engine.profile import profile
from duanka.engine.rollup_sql import rollup_sql, rollups_for
from duanka.engine.translate import Value, condition, output_columns, render

TYPES = {Kind.TIME: "TIMESTAMP", Kind.DAY: "DATE", Kind.COUNT: "BIGINT", Kind.FLAG: "BOOLEAN"}
ARROW = {
    Kind.TIME: pa.timestamp("us"),
    Kind.DAY: pa.date32(),
    Kind.COUNT: pa.int64(),
    Kind.FLAG: pa.bool_(),
}
_ROWS_AT_ONCE = 20_000
_SLICES = (1, 4, 16, 64)
_CARDS_WITH_HITS = """
    SELECT card, rule, min(seen_at), arg_min(evidence, (seen_at, evidence)), count(*), NULL AS case_id
    FROM hits GROUP BY card, rule
    UNION ALL
    SELECT DISTINCT card, NULL, NULL, NULL, NULL, case_id FROM cases
    ORDER BY 1, 2 NULLS LAST, 6"""


def arrow_schema(table: Table) -> pa.Schema:
    """The Arrow schema of a canonical table or list."""
    return pa.schema([(c.name, ARROW.get(c.kind, pa.string())) for c in table.columns])


class Embedded:
    """One scan's engine. `work` holds what spills; `memory` is DuckDB's own limit, for example "700MB"."""

    def __init__(self, work: Path, *, memory: str = "700MB", threads: int | None = None) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self._db = duckdb.connect(":memory:")
        self._set("memory_limit", memory)
        self._set("temp_directory", str(work / "spill"))
        self._set("preserve_insertion_order", "false")
        if threads:
            self._set("threads", str(threads))
        self._columns: Mapping[str, frozenset[str]] = {}
        self._rollups: dict[str, Rollup] = {}
        self._values: dict[str, Value] = {}

    def __enter__(self) -> Embedded:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give memory and spilled files back."""
        self._db.close()

    def load(
        self,
        tables: Mapping[str, Sequence[Path]],
        columns: Mapping[str, frozenset[str]],
        lists: Mapping[str, Sequence[Mapping[str, object]]],
        as_of: datetime | None,
    ) -> Span:
        """Open canonical Parquet files; see `domain.ports.Engine`."""
        sources = {
            name: f"read_parquet([{', '.join(_quoted(str(p)) for p in paths)}])"
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
    ) -> Span:
        """Open rows held in memory: the examples of a rule."""
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
        """Build the rollups that those of `rules` read which can run, and in them only what is read.

        `narrowed` False builds every group of them, whatever the rules say that they can do without.
        """
        able = [(rule, limits) for rule, limits in rules if not self._lacks(rule)]
        order = rollups_for([rule for rule, _ in able])
        for done, rollup in enumerate(order):
            progress.step(f"rollup {rollup.name}", done, len(order))
            narrow = self._narrow(rollup, able) if narrowed else ""
            self._build_one(rollup, narrow)
        progress.step("rollups", len(order), len(order))

    def _build_one(self, rollup: Rollup, narrow: str) -> None:
        """Build `rollup` whole, or where memory ends, in slices of cards: each card lies in one slice."""
        sources = {*self._columns, *self._rollups}
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
        """Run one rule; its hits join the table `hits`."""
        lacks = self._lacks(rule)
        without = tuple(t for t in rule.wants if not self._columns.get(t))
        if lacks:
            return RuleRun(rule.id, lacks=lacks, without=without)
        values = {**limits, **self._values}
        columns = output_columns(rule.sql)
        if columns[:2] != ("card", "seen_at"):
            raise RuleError(
                f"rule {rule.id}: its SQL must give card, seen_at and the evidence, not {columns}"
            )
        fields = ", ".join(f"{_quoted(name)}, {name}" for name in columns[2:])
        try:
            self._run_tight(
                f"INSERT INTO hits SELECT DISTINCT card, {_quoted(rule.id)}, CAST(seen_at AS TIMESTAMP),"
                f" CAST(json_object({fields}) AS VARCHAR) FROM ({render(rule.sql, values)})"
            )
            unsure = self._one(render(rule.unsure, values)) if rule.unsure else 0
        except duckdb.OutOfMemoryException as error:
            raise _too_little_memory(f"rule {rule.id}") from error
        except duckdb.Error as error:
            raise RuleError(f"rule {rule.id}: its SQL does not run: {error}") from error
        hits, cards = self._run(
            f"SELECT count(*), count(DISTINCT card) FROM hits WHERE rule = {_quoted(rule.id)}"
        )[0]
        return RuleRun(rule.id, int(hits), int(cards), int(unsure), without=without)

    def flagged(self, rule: str) -> frozenset[str]:
        """The cards that `rule` hit."""
        return frozenset(
            row[0] for row in self._run(f"SELECT DISTINCT card FROM hits WHERE rule = {_quoted(rule)}")
        )

    def forget(self, rule: str) -> None:
        """Take the hits of `rule` back, so that it can run again with other limits."""
        self._run(f"DELETE FROM hits WHERE rule = {_quoted(rule)}")

    def write_hits(self, path: Path) -> None:
        """Write hits.parquet, sorted, whole or not at all."""
        unfinished = path.with_suffix(".unfinished")
        self._run(
            "COPY (SELECT card, rule, seen_at, evidence FROM hits ORDER BY card, rule, seen_at, evidence)"
            f" TO {_quoted(str(unfinished))} (FORMAT parquet, COMPRESSION zstd)"
        )
        unfinished.replace(path)

    def cards_with_hits(self) -> Iterator[CardHits]:
        """Each card with a hit or a police case, cards in order."""
        with _plainly():
            result = self._db.execute(_CARDS_WITH_HITS)
        for card, rows in groupby(_rows(result), key=itemgetter(0)):
            of_card = list(rows)
            hits = tuple(Hit(card, r[1], r[2], json.loads(r[3]), r[4]) for r in of_card if r[1] is not None)
            yield CardHits(card, hits, tuple(r[5] for r in of_card if r[5] is not None))

    def profile(self, cards_at_risk: Path) -> Profile:
        """Where and when the cards of cards_at_risk.csv with an action beyond watch are."""
        self._run(
            "CREATE OR REPLACE TEMP TABLE at_risk AS SELECT card FROM"
            f" read_csv({_quoted(str(cards_at_risk))}, header = true, all_varchar = true)"
            f" WHERE action <> {_quoted(Action.WATCH.word)}"
        )
        return profile(self._run, self._rollups)

    def cards(self) -> int:
        """How many cards there are: in the register, or without one in the records."""
        if "cards" in self._columns:
            return self._one("SELECT count(*) FROM cards")
        records = [name for name in self._columns if TABLES[name].record]
        return self._one(f"SELECT count(*) FROM ({' UNION '.join(f'SELECT card FROM {r}' for r in records)})")

    def _open(
        self,
        sources: Mapping[str, str],
        columns: Mapping[str, frozenset[str]],
        lists: Mapping[str, Sequence[Mapping[str, object]]],
        as_of: datetime | None,
    ) -> Span:
        self._columns = {name: columns[name] for name in sources if columns.get(name)}
        found = span.of_records(
            {t: s for t, s in sources.items() if TABLES[t].record and t in self._columns}, as_of, self._run
        )
        self._values = {
            "as_of": found.until,
            "records_from": found.since,
            "records_until": found.certain,
        }
        for name, table in TABLES.items():
            if name not in self._columns:
                self._register(f"given_{name}", table, ())
            source = sources[name] if name in self._columns else f"given_{name}"
            self._run(f"CREATE OR REPLACE VIEW {name} AS {span.seen(table, source, found)}")
        for name, table in LISTS.items():
            self._register(name, table, lists.get(name, ()))
        self._run(
            "CREATE OR REPLACE TABLE hits (card VARCHAR, rule VARCHAR, seen_at TIMESTAMP, evidence VARCHAR)"
        )
        return found

    def add_hits(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Put hits of other rules beside the records: for the examples of rules that read `hits`."""
        for row in rows:
            values = [row[name] for name in ("card", "rule", "seen_at", "evidence")]
            self._db.execute("INSERT INTO hits VALUES (?, ?, ?, ?)", values)

    def _register(self, name: str, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
        schema = arrow_schema(table)
        known = [{field: row.get(field) for field in schema.names} for row in rows]
        self._db.register(f"{name}_rows", pa.Table.from_pylist(known, schema=schema))
        self._run(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM {name}_rows")
        self._db.unregister(f"{name}_rows")

    def _lacks(self, rule: Rule) -> tuple[str, ...]:
        def there(need: str) -> bool:
            table, _, column = need.partition(".")
            if table in LISTS:
                return bool(self._one(f"SELECT count(*) FROM {table}"))
            return column in self._columns.get(table, frozenset()) if column else table in self._columns

        return tuple(need for need in rule.needs if not there(need))

    def _narrow(self, rollup: Rollup, rules: Sequence[tuple[Rule, Mapping[str, Literal]]]) -> str:
        """What any rule may need of `rollup`, as one condition; empty: all of it."""
        readers = [(rule, limits) for rule, limits in rules if rollup.name in rule.reads]
        if not readers or any(rollup.name not in rule.narrow for rule, _ in readers):
            return ""
        return " OR ".join(
            f"({condition(rule.narrow[rollup.name], {**limits, **self._values})})" for rule, limits in readers
        )

    def _set(self, name: str, value: str) -> None:
        self._run(f"SET {name} = {_quoted(value)}")

    def _run_tight(self, sql: str) -> None:
        """Run `sql`; where memory ends, once more on one thread, which holds half as much at a time."""
        try:
            self._run(sql)
        except duckdb.OutOfMemoryException:
            threads = self._one("SELECT current_setting('threads')")
            self._set("threads", "1")
            self._run(sql)
            self._set("threads", str(threads))

    def _one(self, sql: str) -> int:
        return int(self._run(sql)[0][0])

    def _run(self, sql: str) -> span.Rows:  # a result is read whole before the next statement
        with _plainly():
            return self._db.execute(sql).fetchall()


def _rows(result: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while True:
        with _plainly():
            rows = result.fetchmany(_ROWS_AT_ONCE)
        if not rows:
            return
        yield from rows


@contextmanager
def _plainly() -> Iterator[None]:
    """What stops DuckDB from outside, as the rest of the house knows it: Ctrl-C, and a disk that is full."""
    try:
        yield
    except duckdb.IOException as error:
        raise DuankaError(str(error).splitlines()[0]) from error
    except RuntimeError as error:
        if "interrupted" in str(error).lower():
            raise KeyboardInterrupt from error
        raise


def _and(condition: str, more: str) -> str:
    return f"({condition}) AND {more}" if condition else more


def _too_little_memory(what: str) -> DuankaError:
    return DuankaError(
        f"{what} does not fit into the memory allowed, nor in slices; give it more with --memory"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
