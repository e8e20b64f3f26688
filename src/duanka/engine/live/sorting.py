"""The records of a micro-batch sorted: used, or set aside because they are late, repeated or ahead of the clock.

What is used stands in temporary tables called like the canonical ones, so that the rollups' own SQL runs over them.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from duanka.domain.live import Batch, Lateness, Piece, Refused
from duanka.domain.tables import TABLES
from duanka.engine.live.marks import Marks
from duanka.engine.live.prepared import Prepared
from duanka.engine.live.progress import Progress
from duanka.engine.live.shelf import Run


@dataclass
class Sorted:
    """What became of a batch's records, and the window of events that each table holds now."""

    used: int = 0
    refused: Counter[Refused] = field(default_factory=Counter)
    spans: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)


class Sorting:
    """Sorts batch after batch; the hashes of what may still come again stand in `state.recent`."""

    def __init__(self, db: duckdb.DuckDBPyConnection, run: Run, lateness: Lateness) -> None:
        self._db = db
        self._run = run
        self._lateness = lateness

    def sort(
        self, batch: Batch, progress: Progress, marks: Marks, prepared: Sequence[Prepared], now: datetime
    ) -> Sorted:
        """Fill the temporary tables, write what is set aside, move the sources' marks."""
        done = Sorted()
        self._aside([(a.file, a.line, a.column, a.reason, a.raw) for a in batch.aside])
        highs: dict[str, datetime] = {}
        for table in TABLES:
            self._run(f"DROP TABLE IF EXISTS temp.{table}")
        for table, pieces in _by_table(batch.pieces):
            self._run(f"CREATE TEMP TABLE {table} AS {self._none(table)}")
            for (source, origin), same_source in _by_source(pieces):
                rows = pa.concat_tables([pa.table(p.rows) for p in same_source])
                self._one(table, source, origin, rows, marks, prepared, progress, done, now, highs)
            self._filled(table, progress)
        for source, high in highs.items():  # what came in one batch is not late against itself
            known = progress.sources[source]
            known.high = max(known.high or high, high)
        return done

    def _one(
        self,
        table: str,
        source: str,
        origin: str,
        rows: pa.Table,
        marks: Marks,
        prepared: Sequence[Prepared],
        progress: Progress,
        done: Sorted,
        now: datetime,
        highs: dict[str, datetime],
    ) -> None:
        known = marks.source(source, table, prepared, now) if TABLES[table].record else None
        self._db.register("given", rows)
        if known is None:
            columns = ", ".join(c.name for c in TABLES[table].columns)
            done.used += self._count(f"INSERT INTO {table} SELECT {columns} FROM given")
            self._db.unregister("given")
            return
        moment = str(TABLES[table].time)
        before = marks.late_before(source)
        latest = now + self._lateness.ahead
        self._run(
            f"CREATE OR REPLACE TEMP TABLE arrived AS SELECT *, CAST({moment} AS TIMESTAMP) AS event FROM given"
        )
        self._db.unregister("given")
        first, last = self._run("SELECT min(event), max(event) FROM arrived")[0]
        late = f"event < TIMESTAMP '{before}'" if before and first < before else ""
        ahead = f"event > TIMESTAMP '{latest}'" if last > latest else ""
        for reason, condition in ((Refused.LATE, late), (Refused.AHEAD, ahead)):
            if condition:
                refused = self._refuse(table, origin, reason, condition)
                done.refused[reason] += refused
                known.late += refused if reason is Refused.LATE else 0
        done.refused[Refused.REPEATED] += self._repeated(table, origin, first, last)
        columns = ", ".join(c.name for c in TABLES[table].columns)
        used = self._count(f"INSERT INTO {table} SELECT {columns} FROM arrived")
        self._run(f"INSERT INTO state.recent SELECT '{table}', event, same FROM arrived")
        done.used += used
        known.records += len(rows)
        if used:
            self._stretch(table, source, progress, done, highs)

    def _stretch(
        self, table: str, source: str, progress: Progress, done: Sorted, highs: dict[str, datetime]
    ) -> None:
        first, last = self._run("SELECT min(event), max(event) FROM arrived")[0]
        highs[source] = max(highs.get(source, last), last)
        progress.firsts[table] = min(progress.firsts.get(table, first), first)
        progress.lasts[table] = max(progress.lasts.get(table, last), last)
        known = done.spans.get(table, (first, last))
        done.spans[table] = (min(known[0], first), max(known[1], last))

    def _repeated(self, table: str, origin: str, first: datetime, last: datetime) -> int:
        """Set aside what came before: an equal record has the same event time, so only that window is looked at."""
        total, distinct = self._run("SELECT count(*), count(DISTINCT (event, same)) FROM arrived")[0]
        aside = 0
        self._run(
            "CREATE OR REPLACE TEMP TABLE known AS SELECT event, same FROM state.recent"
            f" WHERE event BETWEEN TIMESTAMP '{first}' AND TIMESTAMP '{last}' AND tbl = '{table}'"
            " AND (event, same) IN (SELECT (event, same) FROM arrived)"
        )
        if self._run("SELECT count(*) FROM known")[0][0]:
            again = "(event, same) IN (SELECT (event, same) FROM known)"
            aside += self._refuse(table, origin, Refused.REPEATED, again)
        if total != distinct:
            again = "rowid NOT IN (SELECT min(rowid) FROM arrived GROUP BY event, same)"
            aside += self._refuse(table, origin, Refused.REPEATED, again)
        return aside

    def _refuse(self, table: str, origin: str, reason: Refused, condition: str) -> int:
        columns = ", ".join(f"{c.name} := CAST({c.name} AS VARCHAR)" for c in TABLES[table].columns)
        self._db.execute(
            "INSERT INTO state.quarantine SELECT ?, line, ?, ?,"
            f" CAST(to_json(struct_pack({columns})) AS VARCHAR) FROM arrived WHERE {condition}",
            [origin, str(TABLES[table].time), reason.value],
        ).fetchall()
        return self._count(f"DELETE FROM arrived WHERE {condition}")

    def _aside(self, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            self._db.register("given", _aside_table(rows))
            self._run("INSERT INTO state.quarantine SELECT * FROM given")
            self._db.unregister("given")

    def _filled(self, table: str, progress: Progress) -> None:
        """Remember the columns of `table` in which a value was seen."""
        known = progress.filled.setdefault(table, set())
        left = [c.name for c in TABLES[table].columns if c.name not in known]
        if left:
            counts = self._run(f"SELECT {', '.join(f'count({name})' for name in left)} FROM {table}")[0]
            known |= {name for name, count in zip(left, counts, strict=True) if count}

    @staticmethod
    def _none(table: str) -> str:
        return f"SELECT * FROM state.shape_{table}"

    def _count(self, sql: str) -> int:
        return int(self._run(sql)[0][0])

    def forget(self, marks: Mapping[str, datetime]) -> None:
        """Drop the hashes of what would be late by now anyway."""
        if marks:
            self._run(f"DELETE FROM state.recent WHERE event < TIMESTAMP '{min(marks.values())}'")


def _by_table(pieces: Sequence[Piece]) -> Iterator[tuple[str, list[Piece]]]:
    for table in TABLES:
        mine = [p for p in pieces if p.table == table]
        if mine:
            yield table, mine


def _by_source(pieces: Sequence[Piece]) -> Iterator[tuple[tuple[str, str], list[Piece]]]:
    ordered = sorted(pieces, key=lambda p: (p.source, p.origin))
    for key, group in itertools.groupby(ordered, key=lambda p: (p.source, p.origin)):
        yield key, list(group)


def _aside_table(rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    names = ("file", "line", "column", "reason", "raw")
    kinds = (pa.string(), pa.int64(), pa.string(), pa.string(), pa.string())
    columns = zip(*rows, strict=True)
    return pa.table({n: pa.array(list(c), k) for n, k, c in zip(names, kinds, columns, strict=True)})
