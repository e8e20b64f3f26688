"""A live rollup: partials of recent records in the state file, and those of all others in files of the store.

Readers merge the partials they read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa

from duanka.domain.rollups import Rollup
from duanka.engine.live.state.checkpoint import ShelfProgress
from duanka.engine.live.state.state_file import LiveState
from duanka.engine.live.state.store_files import StoreFiles
from duanka.engine.sql.rollup_sql import TYPES, key_type, merged_rows

_WINDOWS = ("day", "hour")


class RollupShelf:
    """One rollup; its partials of recent records are the table `state.ROLLUP`."""

    def __init__(self, rollup: Rollup, progress: ShelfProgress, state: LiveState, files: StoreFiles) -> None:
        self.rollup, self.progress = rollup, progress
        self.window = next((key for key in rollup.keys if key in _WINDOWS), None)
        self._run, self._db, self._files = state.run, state.db, files
        self._table = f"state.{rollup.name}"
        self.cleared = 0  # how often

    def create(self) -> None:
        """Create the table, uncompressed: compression would dominate the time to append a batch."""
        how = " USING COMPRESSION uncompressed"
        columns = [f"{key} {key_type(key)}{how}" for key in self.rollup.keys]
        columns += [f"{a.name} {TYPES[a.how]}{how}" for a in self.rollup.aggregates]
        self._run(f"CREATE OR REPLACE TABLE {self._table} ({', '.join(columns)})")

    def add(self, select: str) -> None:
        """Append the partial rollup `select`."""
        columns = ", ".join(self.rollup.columns)
        self.progress.rows += int(self._run(f"INSERT INTO {self._table} ({columns}) {select}")[0][0])

    def clear(self) -> None:
        """Drop the partials of recent records, which are in the store now."""
        if self.progress.rows:
            self.create()
        self.progress.rows = self.progress.judged = 0
        self.cleared += 1

    @property
    def unjudged(self) -> str:
        """SQL source of the partials not evaluated yet."""
        columns = ", ".join(self.rollup.columns)
        parts = [f"SELECT {columns} FROM {self._table} WHERE rowid >= {self.progress.judged}"]
        if waiting := self._files.waiting(self.rollup.name):
            parts.append(f"SELECT {columns} FROM {waiting}")
        return f"({' UNION ALL '.join(parts)})"

    @property
    def waits(self) -> bool:
        """Whether there are partials not evaluated yet."""
        return self.progress.rows > self.progress.judged or bool(self._files.waiting(self.rollup.name))

    def judged(self, rows: int) -> None:
        """Mark the first `rows` partials of recent records as evaluated."""
        self.progress.judged = rows

    def restricted(self, lean: Rollup, where: str, since: datetime | None) -> str:
        """SELECT that merges the partials into `lean`, filtered by `where` and `since`."""
        return merged_rows(lean, f"({self.raw(', '.join(lean.columns), since)})", where)

    def by_card(self, columns: Sequence[str], since: datetime | None) -> Iterator[pa.Table]:
        """`columns` of the partials in files, in windows from `since`: all rows of a range of cards at a time."""
        if since is None or self.window is None:
            yield from self._files.by_card(self.rollup, columns)
            return
        begin = np.datetime64(since, "us")
        for rows in self._files.by_card(self.rollup, (*columns, self.window), since.date()):
            kept = rows[self.window].to_numpy() >= begin
            yield (rows if kept.all() else rows.filter(pa.array(kept))).select(columns)

    def recent(self, columns: Sequence[str]) -> pa.Table:
        """`columns` of the partials of recent records."""
        return self._db.sql(f"SELECT {', '.join(columns)} FROM {self._table}").to_arrow_table()

    def raw(self, columns: str, since: datetime | None = None) -> str:
        """`columns` of all partials in windows from `since`, unmerged: keys may repeat."""
        later = f" WHERE {self.window} >= TIMESTAMP '{since}'" if since and self.window else ""
        day = since.date() if since and self.window else None
        sources = [self._table, *self._files.sources(self.rollup.name, day)]
        return " UNION ALL ".join(f"SELECT {columns} FROM {source}{later}" for source in sources)
