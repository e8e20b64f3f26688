"""Storage of a live rollup: append to an open generation, compact the sealed ones.

Readers merge the partials they read, so compaction changes no result; it only makes the state smaller. A merge writes
a new generation beside its inputs, one slice of cards a step, and replaces them after the last slice. So a batch never
waits for more than one slice.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from duanka.domain.rollups import Rollup
from duanka.engine.live.state.checkpoint import Generation, Merging, ShelfProgress
from duanka.engine.sql.rollup_sql import TYPES, key_type, merged_rows

Run = Callable[[str], list[tuple[Any, ...]]]
SLICES = 8
_WEEK = timedelta(days=7)
SEAL_ROWS = 6_000_000
_IDLE_SEAL_DIVISOR = 8  # divides the sealing size while idle, so that small generations are merged too
_WINDOWS = ("day", "hour")


class RollupStore:
    """The generations of one rollup in the schema `state`."""

    def __init__(self, rollup: Rollup, progress: ShelfProgress, run: Run, seal_rows: int = SEAL_ROWS) -> None:
        self.rollup = rollup
        self.progress = progress
        self.window = next((key for key in rollup.keys if key in _WINDOWS), None)
        self._run = run
        self._seal_rows = seal_rows

    def create(self) -> None:
        """Create the table of the open generation."""
        self._make(self.progress.fresh.number)

    def _make(self, number: int, *, packed: bool = False) -> None:
        """Create the table of a generation.

        The open generation is not `packed` (compressed): compression would dominate the time to append a batch.
        """
        how = "" if packed else " USING COMPRESSION uncompressed"
        columns = [f"{key} {key_type(key)}{how}" for key in self.rollup.keys]
        columns += [f"{a.name} {TYPES[a.how]}{how}" for a in self.rollup.aggregates]
        self._run(f"CREATE TABLE {self._table(number)} ({', '.join(columns)})")

    def _table(self, number: int) -> str:
        return f"state.{self.rollup.name}_{number}"

    def add(self, select: str) -> int:
        """Append the partial rollup `select`; returns its number of rows."""
        columns = ", ".join(self.rollup.columns)
        rows = int(
            self._run(f"INSERT INTO {self._table(self.progress.fresh.number)} ({columns}) {select}")[0][0]
        )
        self.progress.fresh.rows += rows
        return rows

    def stretch(self, first: datetime, last: datetime) -> None:
        """Extend the window range of the open generation to include `first` and `last`."""
        fresh = self.progress.fresh
        fresh.first = min(fresh.first or first, first)
        fresh.last = max(fresh.last or last, last)

    @property
    def unjudged(self) -> str:
        """FROM and WHERE of the partials not evaluated yet."""
        return f"{self._table(self.progress.fresh.number)} WHERE rowid >= {self.progress.judged}"

    @property
    def waits(self) -> bool:
        """Whether there are partials not evaluated yet."""
        return self.progress.fresh.rows > self.progress.judged

    @property
    def unmerged(self) -> int:
        """Number of sealed generations not merged yet."""
        return sum(not generation.merged for generation in self.progress.sealed)

    def judged(self) -> None:
        """Mark all partials as evaluated."""
        self.progress.judged = self.progress.fresh.rows

    def restricted(self, lean: Rollup, where: str, since: datetime | None) -> str:
        """SELECT that merges the partials into `lean`, filtered by `where` and `since`."""
        return merged_rows(lean, f"({self.raw(', '.join(lean.columns), since)})", where)

    def raw(self, columns: str, since: datetime | None = None) -> str:
        """`columns` of all partials in windows from `since`, unmerged: keys may repeat."""
        later = f" WHERE {self.window} >= TIMESTAMP '{since}'" if since and self.window else ""
        parts = (f"SELECT {columns} FROM {self._table(g.number)}{later}" for g in self._from(since))
        return " UNION ALL ".join(parts)

    def _from(self, since: datetime | None) -> list[Generation]:
        """The generations that may hold windows from `since`, always with the open one."""
        fresh = self.progress.fresh
        if since is None or not self.window:
            return [*self.progress.sealed, fresh]
        return [*(g for g in self.progress.sealed if g.last is not None and g.last >= since), fresh]

    def seal(self, closed: datetime | None = None, *, quiet: bool = False) -> None:
        """Seal the open generation when it is large or holds windows before `closed`.

        `quiet`: nothing arrives, so a smaller generation is sealed too. One with unevaluated rows stays open.
        """
        fresh = self.progress.fresh
        large = self._seal_rows // _IDLE_SEAL_DIVISOR if quiet else self._seal_rows
        over = closed is not None and self.window and fresh.first is not None and fresh.first < closed
        if self.waits or not fresh.rows or not (fresh.rows >= large or over):
            return
        self.progress.sealed.append(fresh)
        self.progress.fresh = Generation(number=1 + max(self.progress.numbers))
        self.progress.judged = 0
        self.create()

    def merge_some(self) -> bool:
        """Merge one slice; False when there is nothing to merge."""
        merging = self.progress.merging or self._begin()
        if merging is None:
            return False
        keys = ", ".join(self.rollup.keys)
        aggregates = "".join(f", {a.how}({a.name})" for a in self.rollup.aggregates)
        columns = ", ".join(self.rollup.columns)
        parts = " UNION ALL ".join(f"SELECT {columns} FROM {self._table(n)}" for n in merging.inputs)
        merging.rows += int(
            self._run(
                f"INSERT INTO {self._table(merging.output)} SELECT {keys}{aggregates} FROM ({parts})"
                f" WHERE hash(card) % {SLICES} = {merging.slices} GROUP BY {keys} ORDER BY card"
            )[0][0]
        )
        merging.slices += 1
        if merging.slices == SLICES:
            self._finish(merging)
        return True

    def _begin(self) -> Merging | None:
        sealed = self.progress.sealed
        raw = [g for g in sealed if not g.merged]
        if not raw:
            return None
        inputs = self._near(raw) if self.window else sealed
        output = 1 + max(self.progress.numbers)
        self._make(output, packed=True)
        self.progress.merging = Merging(inputs=[g.number for g in inputs], output=output)
        return self.progress.merging

    @staticmethod
    def _near(raw: list[Generation]) -> list[Generation]:
        """Generations to merge: within one week, as `forget` drops the result as a whole."""
        begin = raw[0].first
        return [g for g in raw if begin is None or g.last is None or g.last - begin <= _WEEK] or raw[:1]

    def _finish(self, merging: Merging) -> None:
        inputs = [g for g in self.progress.sealed if g.number in merging.inputs]
        rest = [g for g in self.progress.sealed if g.number not in merging.inputs]
        merged = Generation(number=merging.output, rows=merging.rows, merged=True)
        firsts, lasts = [g.first for g in inputs if g.first], [g.last for g in inputs if g.last]
        if firsts and lasts:
            merged.first, merged.last = min(firsts), max(lasts)
        self.progress.sealed = [*rest, merged]
        self.progress.merging = None
        for generation in inputs:
            self._run(f"DROP TABLE {self._table(generation.number)}")

    def forget(self, horizon: datetime) -> None:
        """Drop the sealed generations whose windows all lie before `horizon`."""
        if not self.window or self.progress.merging:
            return
        old = [g for g in self.progress.sealed if g.last is not None and g.last < horizon]
        for generation in old:
            self._run(f"DROP TABLE {self._table(generation.number)}")
        self.progress.sealed = [g for g in self.progress.sealed if g not in old]
