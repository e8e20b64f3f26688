"""Records that are in no file of the store yet, and their rollups.

Records of a batch stay in memory until they are settled: then a few are added to tables of the state file together
with their rollups, and many go to the store at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import pyarrow as pa

from duanka.domain.rollups import Rollup
from duanka.domain.schema import TABLES
from duanka.engine.live.state.rollup_shelf import RollupShelf
from duanka.engine.live.state.state_file import RECORDS, LiveState
from duanka.engine.shared.duckdb_database import arrow_schema, lent
from duanka.engine.sql.rollup_sql import rollup_sql

_SHARED_ROWS = 1 << 14


class RecentRecords:
    """The recent records: those in tables `state.recent_TABLE`, which are rolled up, and those in memory."""

    def __init__(
        self, state: LiveState, rollups: Sequence[Rollup], shelves: Mapping[str, RollupShelf]
    ) -> None:
        self._state, self._run = state, state.run
        self._rollups, self._shelves = rollups, shelves
        self._held: dict[str, list[pa.Table]] = defaultdict(list)

    def hold(self, table: str, rows: pa.Table) -> None:
        """Keep `rows` of a record table in memory."""
        self._held[table].append(rows.select([column.name for column in TABLES[table].columns]))

    @property
    def rows(self) -> int:
        """How many there are."""
        return self.held + sum(self._state.progress.recent.values())

    @property
    def held(self) -> int:
        """How many of them are in memory, and not rolled up."""
        rows: int = sum(part.num_rows for parts in self._held.values() for part in parts)
        return rows

    def roll_up(self) -> None:
        """Add what is in memory to the tables and rollups of the state."""
        if not self.held:
            return
        with self._views() as sources:
            stored = self._state.progress.recent
            for table, rows in sources.items():
                columns = ", ".join(column.name for column in TABLES[table].columns)
                self._run(f"INSERT INTO state.recent_{table} ({columns}) SELECT {columns} FROM {table}")
                stored[table] = stored.get(table, 0) + rows
            self._add_rollups(sources)
        self._held.clear()

    @contextmanager
    def _views(self) -> Iterator[dict[str, int]]:
        """Views, named like the canonical tables, on the records in memory; gives their numbers of rows."""
        with ExitStack() as stack:
            for table, parts in self._held.items():
                rows = pa.concat_tables(parts)
                # DuckDB's threads work on one Arrow batch each: a single large batch would keep a single thread busy
                shared = pa.Table.from_batches(
                    rows.to_batches(max_chunksize=_SHARED_ROWS), schema=rows.schema
                )
                stack.enter_context(lent(self._state.db, f"given_{table}", shared))
                self._run(f"DROP TABLE IF EXISTS temp.{table}")  # left over from an evaluation
                self._run(f"CREATE TEMP VIEW {table} AS SELECT * FROM given_{table}")
            yield {table: sum(part.num_rows for part in parts) for table, parts in self._held.items()}
            for table in self._held:
                self._run(f"DROP VIEW temp.{table}")

    def _add_rollups(self, sources: Collection[str]) -> None:
        sources = set(sources)
        for rollup in self._rollups:
            if not any(part.source in sources for part in rollup.parts):
                continue
            select = rollup_sql(rollup, sources)
            if rollup.name == "card_days":  # another rollup is built from it
                self._run(f"CREATE OR REPLACE TEMP TABLE batch_days AS {select}")
                self._run("DROP TABLE IF EXISTS temp.card_days")  # left over from an evaluation
                self._run("CREATE OR REPLACE TEMP VIEW card_days AS SELECT * FROM batch_days")
                select = "SELECT * FROM batch_days"
                sources.add("card_days")
            self._shelves[rollup.name].add(f"SELECT {', '.join(rollup.columns)} FROM ({select})")
        if "card_days" in sources:
            self._run("DROP VIEW temp.card_days")

    def taken(self) -> dict[str, pa.Table]:
        """All of them by table, for the store; none are left here."""
        found = {}
        for table in RECORDS:
            schema = arrow_schema(TABLES[table])
            parts = [part.cast(schema) for part in self._held.pop(table, [])]
            if self._state.progress.recent.get(table):
                parts.append(self._state.db.sql(f"FROM state.recent_{table}").to_arrow_table().cast(schema))
                self._state.make_recent(table)
            if parts:
                found[table] = pa.concat_tables(parts)
        self._state.progress.recent.clear()
        for shelf in self._shelves.values():
            shelf.clear()
        return found
