"""Lease queue: a table of tasks for several workers; one works on a row at a time.

A worker leases the rows that it carries out. The leases of a crashed worker run out. A worker that was only
suspended may wake after its lease: it cannot close a row that another worker has leased since, but its late
call may still have an effect. So no call begins that could outlive the lease; see the dispatchers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Row,
    ScalarSelect,
    Table,
    and_,
    func,
    or_,
    select,
    update,
)

from duanka.ledger.db.database import Store
from duanka.ledger.monitoring.backoff import LONGEST

RELEASED = {"leased_until": None, "leased_by": None}


def closed(now: datetime, outcome: str, **facts: object) -> dict[str, Any]:
    """Return the columns that close a row."""
    return {"done_at": now, "outcome": outcome, **RELEASED, **facts}


class LeaseQueue:
    """One worker's access to the tasks in `table`.

    `table` has the columns id, created_at, next_try_at, tries, leased_until, leased_by and done_at. `worker`: a name
    that no other process has. `only`: conditions on the rows that belong to this queue.
    """

    def __init__(
        self, store: Store, table: Table, worker: str, lease: timedelta, *only: ColumnElement[bool]
    ) -> None:
        self.lease = lease
        self._store, self._table, self._worker = store, table, worker[-40:]
        self._open = (table.c.done_at.is_(None), *only)
        # built once, for polling
        self._first = select(earliest(table.c.next_try_at, *self._open))
        self._tried = select(func.min(table.c.created_at)).where(*self._open, table.c.tries > 0)

    @property
    def is_empty(self) -> bool:
        """Whether no row waits, due or not; takes no lock."""
        return self._store.read_one_row(self._first)[0] is None

    @property
    def tried_since(self) -> datetime | None:
        """When the oldest row with failed tries was created; None: there is none."""
        found: datetime | None = self._store.read_one_row(self._tried)[0]
        return found

    def is_leased(self, rows: FromClause, now: datetime) -> ColumnElement[bool]:
        """Whether a lease is in force; one that ends too far ahead is from a wrong clock."""
        return and_(rows.c.leased_until >= now, rows.c.leased_until <= now + 2 * self.lease)

    def due(
        self,
        connection: Connection,
        names: Sequence[str],
        now: datetime,
        limit: int,
        *which: ColumnElement[bool],
    ) -> Sequence[Row[Any]]:
        """Lock up to `limit` due, free rows that fulfil `which`; return columns `names`."""
        columns = self._table.c
        free = or_(columns.leased_until.is_(None), ~self.is_leased(self._table, now))
        found = (
            select(*(columns[name] for name in names))
            .where(*self._open, free, *which)
            .order_by(columns.next_try_at, columns.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        rows = connection.execute(found.where(columns.next_try_at <= now)).all()
        if rows:
            return rows
        # No back-off is this long: the clock was set back, so these rows are due.
        return connection.execute(found.where(columns.next_try_at > now + 2 * LONGEST)).all()

    def lease_rows(self, connection: Connection, ids: Collection[int], now: datetime) -> datetime:
        """Lease these rows; return until when."""
        until = now + self.lease
        mine = {"leased_until": until, "leased_by": self._worker}
        connection.execute(update(self._table).where(self._table.c.id.in_(ids)).values(mine))
        return until

    @property
    def is_mine(self) -> ColumnElement[bool]:
        """Whether a row is leased by this worker."""
        return self._table.c.leased_by == self._worker

    def change_mine(
        self, ids: Collection[int], *which: ColumnElement[bool], values: Mapping[str, object]
    ) -> None:
        """Change those of these rows that are still leased by this worker and fulfil `which`."""
        if ids:
            these = (self._table.c.id.in_(ids), self.is_mine, *which)
            self._store.transact(
                lambda connection: connection.execute(update(self._table).where(*these).values(values))
            )

    def give_back(self, ids: Collection[int]) -> None:
        """End this worker's leases of these rows before they run out."""
        self.change_mine(ids, values=RELEASED)

    def try_later(self, number: int, tries: int, at: datetime, error: str) -> None:
        """End the lease of row `number` after its failed try; the next is due at `at`. `tries`: with this one."""
        tried = {"tries": tries, "next_try_at": at, "error": error}
        self.change_mine([number], self._table.c.done_at.is_(None), values=tried | RELEASED)

    def retry_now(self, now: datetime) -> None:
        """Make rows in back-off due, when the cause of their failures is gone."""
        waiting = update(self._table).where(*self._open, self._table.c.next_try_at > now)
        self._store.transact(lambda connection: connection.execute(waiting.values(next_try_at=now)))


def earliest(when: Column[datetime], *which: ColumnElement[bool]) -> ScalarSelect[datetime]:
    """Earliest time among rows: served by a partial index even without statistics.

    The plainer EXISTS query would scan the table on a PostgreSQL without statistics.
    """
    return select(when).where(*which).order_by(when).limit(1).scalar_subquery()
