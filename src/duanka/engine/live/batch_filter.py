"""Filters a micro-batch; rejects records that are late, repeated or in the future.

Used records are held as recent ones; rows of registers are a temporary view `given_REGISTER`. A batch in which nothing
is rejected is not copied.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from duanka.domain.errors import LostRecords
from duanka.domain.schema import TABLES, Column
from duanka.domain.streaming import Batch, BatchPart, Lateness, LiveReason, SetAside
from duanka.engine.live.state.checkpoint import SourceProgress
from duanka.engine.live.state.recent_records import RecentRecords
from duanka.engine.live.state.state_file import LiveState
from duanka.engine.live.state.watermarks import Watermarks
from duanka.engine.shared.duckdb_database import lent

_EVENT = pa.timestamp("us")
_ASIDE = pa.schema(
    [("file", pa.string()), ("line", pa.int64())]
    + [(name, pa.string()) for name in ("column", "reason", "raw")]
)


@dataclass
class FilterResult:
    """Counts of used and rejected records; `spans`: table -> first and last event."""

    used: int = 0
    refused: Counter[LiveReason] = field(default_factory=Counter)
    spans: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)


class BatchFilter:
    """Filters batches one by one; `state.seen` holds hashes to detect repeats.

    Progress, `marks` and `recent` are updated. `registers`: those of the current batch.
    """

    def __init__(
        self, state: LiveState, lateness: Lateness, marks: Watermarks, recent: RecentRecords
    ) -> None:
        self._db, self._run, self._progress = state.db, state.run, state.progress
        self._lateness, self._marks, self._recent = lateness, marks, recent
        self.registers: list[str] = []

    def sort(self, batch: Batch, now: datetime) -> FilterResult:
        """Hold used records, store rejected ones, advance watermarks. `now`: local time."""
        done = FilterResult()
        self._take_texts(batch)
        self._aside(batch.aside)
        highs: list[tuple[SourceProgress, datetime]] = []
        for table, pieces in _by_table(batch.pieces):
            if TABLES[table].record:
                sources = [self._marks.source(piece.source, table, now) for piece in pieces]
                rows = self._in_time(table, pieces, sources, now, done, highs)
                rows = self._once(table, rows, pieces, sources, done)
                self._count_days(table, rows)
            else:
                rows = pa.concat_tables([_placed(pa.table(p.rows), k) for k, p in enumerate(pieces)])
            if rows.num_rows:
                if TABLES[table].record:
                    self._recent.hold(table, rows)
                else:
                    self._db.register(f"given_{table}", rows)
                    self.registers.append(table)
                done.used += rows.num_rows
                known = self._progress.filled.setdefault(table, set())
                left = [c.name for c in TABLES[table].columns if c.name not in known]
                known |= {name for name in left if rows[name].null_count < rows.num_rows}
        for source, high in highs:  # only now: records must not be late because of others in the same batch
            self._marks.advance(source, high, now)
        return done

    def _take_texts(self, batch: Batch) -> None:
        """Keep the texts of hashed record keys."""
        if batch.texts is not None:
            with lent(self._db, "given", pa.table(batch.texts)):
                new = "SELECT DISTINCT key, text FROM given ANTI JOIN state.texts USING (key)"
                self._run(f"INSERT INTO state.new_texts {new}")
                self._run(f"INSERT INTO state.texts {new}")

    def clear(self) -> None:
        """Drop the batch's views."""
        for register in self.registers:
            self._db.unregister(f"given_{register}")
        self.registers.clear()

    def _in_time(
        self,
        table: str,
        pieces: Sequence[BatchPart],
        sources: Sequence[SourceProgress],
        now: datetime,
        done: FilterResult,
        highs: list[tuple[SourceProgress, datetime]],
    ) -> pa.Table:
        """Rows neither late nor in the future, with `event` and `place` (index of the piece)."""
        kept = []
        for place, (piece, known) in enumerate(zip(pieces, sources, strict=True)):
            rows = pa.table(piece.rows)
            rows = rows.append_column("event", rows[str(TABLES[table].time)].cast(_EVENT))
            rows = _placed(rows, place)
            known.records += rows.num_rows
            if before := self._marks.late_before(known):
                in_time = self._split(
                    table, piece.origin, rows, pc.less(rows["event"], before), LiveReason.LATE, done
                )
                known.late += rows.num_rows - in_time.num_rows
                rows = in_time
            ahead = pc.greater(rows["event"], now + self._lateness.ahead)
            rows = self._split(table, piece.origin, rows, ahead, LiveReason.AHEAD, done)
            if rows.num_rows:
                highs.append((known, self._stretch(table, rows, done)))
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

    def _stretch(self, table: str, rows: pa.Table, done: FilterResult) -> datetime:
        """Record first and last event of `rows`; return the last."""
        firsts, lasts = self._progress.firsts, self._progress.lasts
        ends = pc.min_max(rows["event"]).as_py()
        first: datetime = ends["min"]
        last: datetime = ends["max"]
        firsts[table] = min(firsts.get(table, first), first)
        lasts[table] = max(lasts.get(table, last), last)
        known = done.spans.get(table, (first, last))
        done.spans[table] = (min(known[0], first), max(known[1], last))
        return last

    def _count_days(self, table: str, rows: pa.Table) -> None:
        """Count the records of each day, to recognise days of a wrong clock."""
        if self._progress.days is None or not rows.num_rows:
            return
        known = self._progress.days.setdefault(table, {})
        events = pl.DataFrame({"event": pl.from_arrow(rows["event"])})
        days = events.group_by(pl.col("event").dt.date().alias("day")).agg(
            pl.len(), pl.col("event").max().alias("last")
        )
        for day, records, last in days.iter_rows():
            before, last_before = known.get(day, (0, last))
            known[day] = (before + records, max(last, last_before))

    def _once(
        self,
        table: str,
        rows: pa.Table,
        pieces: Sequence[BatchPart],
        sources: Sequence[SourceProgress],
        done: FilterResult,
    ) -> pa.Table:
        """`rows` without repeats of records in this batch or an earlier one.

        Equal records have equal event times, so only hashes in the time span of the batch are compared.
        """
        if not rows.num_rows or table not in done.spans:
            return rows
        first, last = done.spans[table]
        earlier = (
            f"(SELECT event, same FROM state.seen WHERE tbl = '{table}'"
            f" AND event BETWEEN TIMESTAMP '{first}' AND TIMESTAMP '{last}')"
        )
        with lent(self._db, "given", rows):
            seen = self._run(f"SELECT count(*) FROM given SEMI JOIN {earlier} r USING (event, same)")[0][0]
            distinct = self._run("SELECT count(DISTINCT (event, same)) FROM given")[0][0]
            if seen or distinct < rows.num_rows:
                again: pa.Table = self._db.sql(
                    "SELECT row_number() OVER (PARTITION BY event, same ORDER BY place, line) > 1"
                    f" OR EXISTS (SELECT 1 FROM {earlier} r WHERE r.event = g.event AND r.same = g.same) AS again,"
                    " g.* FROM given g"
                ).to_arrow_table()
                rows = again.filter(pc.invert(again["again"])).drop_columns(["again"])
                repeated = again.filter(again["again"])
                for place, (piece, known) in enumerate(zip(pieces, sources, strict=True)):
                    mine = repeated.filter(pc.equal(repeated["place"], place))
                    known.repeated += mine.num_rows
                    if mine.num_rows:
                        self._refuse(table, piece.origin, LiveReason.REPEATED, mine, done)
        with lent(self._db, "given", rows):
            self._run(f"INSERT INTO state.seen SELECT '{table}', event, same FROM given")
        return rows

    def _refuse(
        self, table: str, origin: str, reason: LiveReason, rows: pa.Table, done: FilterResult
    ) -> None:
        columns = ", ".join(f"{c.name} := {_shown(c)}" for c in TABLES[table].columns)
        with lent(self._db, "refused", rows):
            self._db.execute(
                "INSERT INTO state.quarantine SELECT ?, line, ?, ?,"
                f" CAST(to_json(struct_pack({columns})) AS VARCHAR) FROM refused",
                [origin, str(TABLES[table].time), reason.value],
            ).fetchall()
        done.refused[reason] += rows.num_rows

    def _aside(self, rejected: Sequence[SetAside]) -> None:
        if rejected:
            rows = [vars(one) for one in rejected]
            with lent(self._db, "given", pa.Table.from_pylist(rows, schema=_ASIDE)):
                self._run("INSERT INTO state.quarantine SELECT * FROM given")

    def forget(self, over: Mapping[str, datetime]) -> None:
        """Drop hashes of events before `over` (table -> time); their repeats are late anyway."""
        for table, moment in over.items():
            self._run(f"DELETE FROM state.seen WHERE tbl = '{table}' AND event < TIMESTAMP '{moment}'")


def _shown(column: Column) -> str:
    if column.keyed:
        return f"{'device_text' if column.device else 'number_text'}({column.name})"
    return f"CAST({column.name} AS VARCHAR)"


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


def nothing_lost(batch: Batch, done: FilterResult) -> None:
    """Raise LostRecords unless every record is either used or rejected."""
    refused = sum(done.refused.values())
    if batch.records != done.used + refused + batch.rejected:
        raise LostRecords(
            f"{batch.records} records came in, {done.used} are used, {refused} refused and {batch.rejected}"
            " set aside: the rest is lost, which is a defect; please report it"
        )
