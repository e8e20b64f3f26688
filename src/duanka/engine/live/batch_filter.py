"""Filters a micro-batch: records are used, or rejected as late, repeated or ahead.

Used records are exposed as temporary views named like the canonical tables, so that the SQL of the rollups runs over
them. A batch in which nothing is rejected is not copied.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from duanka.domain.errors import LostRecords
from duanka.domain.schema import TABLES
from duanka.domain.streaming import Batch, BatchPart, Lateness, LiveReason
from duanka.engine.live.state.checkpoint import Checkpoint, SourceProgress
from duanka.engine.live.state.compiled_rule import CompiledRule
from duanka.engine.live.state.rollup_store import Run
from duanka.engine.live.state.watermarks import Watermarks

_EVENT = pa.timestamp("us")
_SHARED_ROWS = 1 << 14


@dataclass
class FilterResult:
    """Counts of used and rejected records; `spans`: table -> first and last event."""

    used: int = 0
    refused: Counter[LiveReason] = field(default_factory=Counter)
    spans: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)


@dataclass(frozen=True)
class FilterContext:
    """Input of the filter. `progress` and `marks` are updated; `now` is local time."""

    progress: Checkpoint
    marks: Watermarks
    rules: Sequence[CompiledRule]
    now: datetime


class BatchFilter:
    """Filters batches one by one; `state.recent` holds hashes to detect repeats.

    `rows`: table -> number of used rows in the current batch.
    """

    def __init__(self, db: duckdb.DuckDBPyConnection, run: Run, lateness: Lateness) -> None:
        self._db = db
        self._run = run
        self._lateness = lateness
        self.rows: dict[str, int] = {}

    def sort(self, batch: Batch, desk: FilterContext) -> FilterResult:
        """Create views of used records, store rejected ones, advance the watermarks."""
        done = FilterResult()
        self._aside([(a.file, a.line, a.column, a.reason, a.raw) for a in batch.aside])
        highs: list[tuple[SourceProgress, datetime]] = []
        for table, pieces in _by_table(batch.pieces):
            if TABLES[table].record:
                rows = self._in_time(table, pieces, desk, done, highs)
                rows = self._once(table, rows, [p.origin for p in pieces], done)
                self._count_days(table, rows, desk.progress)
            else:
                rows = pa.concat_tables([_placed(pa.table(p.rows), k) for k, p in enumerate(pieces)])
            if rows.num_rows:
                self._view(table, rows)
                done.used += rows.num_rows
                self._filled(table, rows, desk.progress)
        for known, high in highs:  # only now: records must not be late because of others in the same batch
            desk.marks.advance(known, high, desk.now)
        return done

    def clear(self) -> None:
        """Drop the batch's views."""
        for table in self.rows:
            self._run(f"DROP VIEW IF EXISTS temp.{table}")
            self._db.unregister(f"given_{table}")
        self.rows.clear()

    def _view(self, table: str, rows: pa.Table) -> None:
        columns = ", ".join(c.name for c in TABLES[table].columns)
        # DuckDB's threads work on one Arrow batch each: a single large batch would keep a single thread busy
        shared = pa.Table.from_batches(rows.to_batches(max_chunksize=_SHARED_ROWS), schema=rows.schema)
        self._db.register(f"given_{table}", shared)
        self._run(f"DROP TABLE IF EXISTS temp.{table}")  # left over from an evaluation
        self._run(f"CREATE TEMP VIEW {table} AS SELECT {columns} FROM given_{table}")
        self.rows[table] = rows.num_rows

    def _in_time(
        self,
        table: str,
        pieces: Sequence[BatchPart],
        desk: FilterContext,
        done: FilterResult,
        highs: list[tuple[SourceProgress, datetime]],
    ) -> pa.Table:
        """Rows neither late nor ahead, with `event` and `place` (index of the piece)."""
        kept = []
        latest = desk.now + self._lateness.ahead
        for place, piece in enumerate(pieces):
            known = desk.marks.source(piece.source, table, desk.rules, desk.now)
            rows = pa.table(piece.rows)
            rows = rows.append_column("event", rows[str(TABLES[table].time)].cast(_EVENT))
            rows = _placed(rows, place)
            known.records += rows.num_rows
            before = desk.marks.late_before(known)
            if before:
                in_time = self._split(
                    table, piece.origin, rows, pc.less(rows["event"], before), LiveReason.LATE, done
                )
                known.late += rows.num_rows - in_time.num_rows
                rows = in_time
            ahead = pc.greater(rows["event"], latest)
            rows = self._split(table, piece.origin, rows, ahead, LiveReason.AHEAD, done)
            if rows.num_rows:
                highs.append((known, self._stretch(table, rows, desk.progress, done)))
                kept.append(rows)
        return pa.concat_tables(kept) if kept else rows

    def _split(
        self, table: str, origin: str, rows: pa.Table, out: Any, reason: LiveReason, done: FilterResult
    ) -> pa.Table:
        """`rows` without those that the mask `out` marks; these are rejected."""
        if not pc.any(out).as_py():
            return rows
        self._refuse(table, origin, reason, _filtered(rows, out), done)
        return _filtered(rows, pc.invert(out))

    @staticmethod
    def _stretch(table: str, rows: pa.Table, progress: Checkpoint, done: FilterResult) -> datetime:
        """Record first and last event of `rows`; return the last."""
        ends = pc.min_max(rows["event"]).as_py()
        first: datetime = ends["min"]
        last: datetime = ends["max"]
        progress.firsts[table] = min(progress.firsts.get(table, first), first)
        progress.lasts[table] = max(progress.lasts.get(table, last), last)
        known = done.spans.get(table, (first, last))
        done.spans[table] = (min(known[0], first), max(known[1], last))
        return last

    @staticmethod
    def _count_days(table: str, rows: pa.Table, progress: Checkpoint) -> None:
        """Count the records of each day, to recognise days of a wrong clock."""
        if progress.days is None or not rows.num_rows:
            return
        known = progress.days.setdefault(table, {})
        events = pl.DataFrame({"event": pl.from_arrow(rows["event"])})
        days = events.group_by(pl.col("event").dt.date().alias("day")).agg(
            pl.len(), pl.col("event").max().alias("last")
        )
        for day, records, last in days.iter_rows():
            before, last_before = known.get(day, (0, last))
            known[day] = (before + records, max(last, last_before))

    def _once(self, table: str, rows: pa.Table, origins: Sequence[str], done: FilterResult) -> pa.Table:
        """`rows` without repeats of records in this batch or an earlier one.

        Equal records have equal event times, so only hashes in the time span of the batch are compared.
        """
        if not rows.num_rows or table not in done.spans:
            return rows
        first, last = done.spans[table]
        self._db.register("given", rows)
        known = self._run(
            "SELECT count(*) FROM given SEMI JOIN (SELECT event, same FROM state.recent WHERE"
            f" tbl = '{table}' AND event BETWEEN TIMESTAMP '{first}' AND TIMESTAMP '{last}') r"
            " ON given.event = r.event AND given.same = r.same"
        )[0][0]
        distinct = self._run("SELECT count(DISTINCT (event, same)) FROM given")[0][0]
        if known or distinct < rows.num_rows:
            rows = self._without_repeats(table, rows, origins, done)
            self._db.unregister("given")
            self._db.register("given", rows)
        self._run(f"INSERT INTO state.recent SELECT '{table}', event, same FROM given")
        self._db.unregister("given")
        return rows

    def _without_repeats(
        self, table: str, rows: pa.Table, origins: Sequence[str], done: FilterResult
    ) -> pa.Table:
        first, last = done.spans[table]
        again: pa.Table = self._db.sql(
            f"""
            SELECT row_number() OVER (PARTITION BY g.event, g.same ORDER BY g.place, g.line) > 1
                   OR EXISTS (SELECT 1 FROM state.recent r WHERE r.tbl = '{table}' AND r.event = g.event
                              AND r.same = g.same
                              AND r.event BETWEEN TIMESTAMP '{first}' AND TIMESTAMP '{last}') AS again, g.*
            FROM given g"""
        ).to_arrow_table()
        repeated = again.filter(again["again"])
        for place, origin in enumerate(origins):
            mine = repeated.filter(pc.equal(repeated["place"], place))
            if mine.num_rows:
                self._refuse(table, origin, LiveReason.REPEATED, mine, done)
        return again.filter(pc.invert(again["again"])).drop_columns(["again"])

    def _refuse(
        self, table: str, origin: str, reason: LiveReason, rows: pa.Table, done: FilterResult
    ) -> None:
        columns = ", ".join(f"{c.name} := CAST({c.name} AS VARCHAR)" for c in TABLES[table].columns)
        self._db.register("refused", rows)
        self._db.execute(
            "INSERT INTO state.quarantine SELECT ?, line, ?, ?,"
            f" CAST(to_json(struct_pack({columns})) AS VARCHAR) FROM refused",
            [origin, str(TABLES[table].time), reason.value],
        ).fetchall()
        self._db.unregister("refused")
        done.refused[reason] += rows.num_rows

    def _aside(self, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            self._db.register("given", _aside_table(rows))
            self._run("INSERT INTO state.quarantine SELECT * FROM given")
            self._db.unregister("given")

    @staticmethod
    def _filled(table: str, rows: pa.Table, progress: Checkpoint) -> None:
        """Record the columns of `table` that hold a value."""
        known = progress.filled.setdefault(table, set())
        left = [c.name for c in TABLES[table].columns if c.name not in known]
        known |= {name for name in left if rows[name].null_count < rows.num_rows}

    def forget(self, over: Mapping[str, datetime]) -> None:
        """Drop hashes of events before `over` (by table): repeats of them would be late."""
        for table, moment in over.items():
            self._run(f"DELETE FROM state.recent WHERE tbl = '{table}' AND event < TIMESTAMP '{moment}'")


def _placed(rows: pa.Table, place: int) -> pa.Table:
    """`rows` with the column `place`: the index of their piece in the batch."""
    return rows.append_column("place", pa.repeat(pa.scalar(place, pa.int32()), rows.num_rows))


def _filtered(rows: pa.Table, keep: Any) -> pa.Table:
    """Rows marked by `keep`; uses polars, since Arrow cannot filter string views."""
    return pa.table(pl.DataFrame(rows).filter(pl.Series(keep)))


def _by_table(pieces: Sequence[BatchPart]) -> Iterator[tuple[str, list[BatchPart]]]:
    ordered = sorted(pieces, key=lambda p: p.table)
    for table, group in itertools.groupby(ordered, key=lambda p: p.table):
        yield table, list(group)


def _aside_table(rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    names = ("file", "line", "column", "reason", "raw")
    kinds = (pa.string(), pa.int64(), pa.string(), pa.string(), pa.string())
    columns = zip(*rows, strict=True)
    return pa.table({n: pa.array(list(c), k) for n, k, c in zip(names, kinds, columns, strict=True)})


def nothing_lost(batch: Batch, done: FilterResult) -> None:
    """Raise LostRecords unless every record is either used or rejected."""
    refused = sum(done.refused.values())
    if batch.records != done.used + refused + batch.rejected:
        raise LostRecords(
            f"{batch.records} records came in, {done.used} are used, {refused} refused and {batch.rejected}"
            " set aside: the rest is lost, which is a defect; please report it"
        )
