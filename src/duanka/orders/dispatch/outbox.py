"""Outbox: state changes still to be carried out by network elements, leased.

The leases of a crashed worker run out. A worker that was only suspended may wake after its lease and still call the
element: it cannot settle a row that another worker has leased since, but its late call may leave the network wrong.
So the time-out of every call is far shorter than the lease, no call begins that could outlive the lease
(`element_worker`), and `reconciliation` repairs what remains.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Row,
    ScalarSelect,
    Select,
    Table,
    Update,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    update,
)

from duanka.domain.errors import DuankaError
from duanka.domain.evidence import Evidence
from duanka.domain.network import NetworkState
from duanka.domain.text import WordedEnum
from duanka.ledger.db.bulk import in_parts
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import acts, cards, drifts, notices, orders, outbox
from duanka.ledger.monitoring.backoff import LONGEST

_SETTLE_BATCH_ROWS = 500
_STATES = frozenset(state.value for state in NetworkState)


class TaskOutcome(WordedEnum):
    """Outcome of a task. The last three are not stored: the row keeps waiting."""

    DONE = "done", "已执行"
    SUPERSEDED = "superseded", "被后续指令取代"  # a later row of the card applies
    UNKNOWN_CARD = "unknown_card", "网元无此号码"
    REFUSED = "refused", "网元拒绝"
    UNREACHABLE = "unreachable", "网元不可达"
    FAILED = "failed", "失败，将重试"  # this row alone: it is retried, and the others continue
    LEFT = "left", "退回未办", "given back"  # returned without a try


@dataclass(frozen=True)
class Task:
    """An outbox row leased by this worker."""

    id: int
    order_id: str
    step: int
    element: str
    card: str
    wanted: NetworkState
    tries: int
    leased_until: datetime


@dataclass(frozen=True)
class TaskResult:
    """Outcome of a task; `wait`: time until the next try, for UNREACHABLE and FAILED."""

    task: Task
    outcome: TaskOutcome
    error: str = ""
    wait: timedelta = timedelta(0)


@dataclass(frozen=True)
class EnactedRow:
    """A row that was carried out, with both times. `wanted` ACTIVE: pass to restore."""

    order_id: str
    element: str
    wanted: NetworkState
    decided_at: datetime
    enforced_at: datetime

    @property
    def seconds(self) -> float:
        """Seconds from decision to completion."""
        return (self.enforced_at - self.decided_at).total_seconds()


class Outbox:
    """One worker's access to the outbox. `worker`: a name that no other process has."""

    def __init__(
        self,
        store: Store,
        worker: str,
        lease: timedelta = timedelta(seconds=15),
        held_since: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        """`held_since`: if it gives a time, only later lifts are leased (`kept_end`)."""
        self.lease = lease
        self._held_since = held_since
        self._store, self._worker = store, worker[-40:]
        self._spoilt: list[tuple[str, Exception]] = []
        self._oldest: dict[str, Select[tuple[datetime]]] = {}  # by element; built once

    def spoilt(self) -> list[tuple[str, Exception]]:
        """Return (order id, error) of the unreadable rows that the last `claim` closed."""
        spoilt, self._spoilt = self._spoilt, []
        return spoilt

    def claim(self, element: str, now: datetime, limit: int = 100) -> list[Task]:
        """Lease up to `limit` due rows.

        Of each card only the last row, and none while an earlier one is leased.
        """

        def work(connection: Connection) -> list[Task]:
            self._spoilt.clear()
            _one_at_a_time(connection, element)
            found = self._due(connection, outbox.c.next_try_at <= now, element, now, limit)
            if not found:  # the clock was set back: no back-off is this long
                far = outbox.c.next_try_at > now + 2 * LONGEST
                found = self._due(connection, far, element, now, limit)
            return self._lease(connection, element, found, now) if found else []

        return self._store.transact(work)

    def settle(self, results: Sequence[TaskResult], now: datetime) -> None:
        """Store outcomes; rows that another worker has leased since stay as they are."""
        for some in in_parts(results, _SETTLE_BATCH_ROWS):
            self._store.transact(lambda connection, some=some: self._settle(connection, some, now))  # type: ignore[misc]

    def retry_now(self, element: str, now: datetime) -> None:
        """Retry waiting rows now: the element works again."""
        waiting = (outbox.c.element == element, outbox.c.done_at.is_(None), outbox.c.next_try_at > now)
        self._store.transact(lambda c: c.execute(update(outbox).where(*waiting).values(next_try_at=now)))

    def tried_since(self, element: str) -> datetime | None:
        """Return when the oldest row with failed tries was decided; None: there is none."""
        if element not in self._oldest:
            tried = (outbox.c.element == element, outbox.c.done_at.is_(None), outbox.c.tries > 0)
            self._oldest[element] = select(func.min(outbox.c.created_at)).where(*tried)
        found: datetime | None = self._store.glance(self._oldest[element])[0]
        return found

    def police_stops(self, order_ids: Collection[str]) -> frozenset[str]:
        """Return which of these orders rest on a police notice or a signed case."""
        if not order_ids:
            return frozenset()
        on_notice = orders.c.carried_by.startswith(Evidence.POLICE_NOTICE.of(""), autoescape=True)
        asked = select(orders.c.id).where(orders.c.id.in_(order_ids), on_notice)
        with self._store.reading() as connection:
            return frozenset(connection.execute(asked).scalars())

    def legs(self, since: datetime) -> Iterator[EnactedRow]:
        """Yield every row carried out from `since` on, without repairs."""
        done = select(outbox).where(
            outbox.c.created_at >= since, outbox.c.outcome == TaskOutcome.DONE, outbox.c.step >= 0
        )
        with self._store.reading() as connection:
            for row in connection.execute(done.order_by(outbox.c.id)):
                wanted = NetworkState(row.wanted)
                yield EnactedRow(row.order_id, row.element, wanted, row.created_at, row.done_at)

    # --- internal ---

    def _held(self, rows: FromClause, now: datetime) -> ColumnElement[bool]:
        """Whether a lease is in force; one that ends too late predates a clock set back."""
        return and_(rows.c.leased_until >= now, rows.c.leased_until <= now + 2 * self.lease)

    def _due(
        self, connection: Connection, due: ColumnElement[bool], element: str, now: datetime, limit: int
    ) -> dict[int, str]:
        """Select and lock rows that can be leased: id -> card."""
        earlier = outbox.alias()
        on_its_way = exists().where(
            earlier.c.card == outbox.c.card,
            earlier.c.element == element,
            earlier.c.id < outbox.c.id,
            earlier.c.done_at.is_(None),
            self._held(earlier, now),
        )
        since = self._held_since()
        if since is not None:
            lifts = (outbox.c.wanted == NetworkState.ACTIVE.value, outbox.c.step >= 0)
            due = and_(due, *lifts, outbox.c.created_at > since)
        free = or_(outbox.c.leased_until.is_(None), ~self._held(outbox, now))
        found = (
            select(outbox.c.id, outbox.c.card)
            .where(outbox.c.element == element, outbox.c.done_at.is_(None), due, free, ~on_its_way)
            .order_by(outbox.c.next_try_at, outbox.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return {row.id: row.card for row in connection.execute(found)}

    def _lease(
        self, connection: Connection, element: str, found: dict[int, str], now: datetime
    ) -> list[Task]:
        """Lease the last row of each card; close earlier ones as superseded."""
        rows = connection.execute(
            select(outbox)
            .where(
                outbox.c.card.in_(set(found.values())),
                outbox.c.element == element,
                outbox.c.done_at.is_(None),
            )
            .order_by(outbox.c.id)
        ).all()
        last = {row.card: row.id for row in rows}
        stale = [
            row.id for row in rows if row.id != last[row.card] and (row.id in found or not row.leased_by)
        ]
        if stale:
            over = {
                "done_at": now,
                "outcome": TaskOutcome.SUPERSEDED,
                "leased_until": None,
                "leased_by": None,
            }
            connection.execute(update(outbox).where(outbox.c.id.in_(stale)).values(over))
        taken = [row for row in rows if row.id in found and row.id == last[row.card]]
        taken = self._as_the_book_says(connection, element, taken, now)
        until = now + self.lease
        connection.execute(
            update(outbox)
            .where(outbox.c.id.in_([row.id for row in taken]))
            .values(leased_until=until, leased_by=self._worker)
        )
        tasks = []
        for r in taken:
            try:
                wanted = NetworkState(r.wanted)
            except ValueError as error:  # an unknown state in one row must not delay the others
                self._set_aside(connection, r.id, r.order_id, error, now)
                continue
            tasks.append(Task(r.id, r.order_id, r.step, element, r.card, wanted, r.tries, until))
        return tasks

    def _as_the_book_says(
        self, connection: Connection, element: str, rows: Sequence[Row[Any]], now: datetime
    ) -> list[Row[Any]]:
        """Return rows that agree with the state wanted of their card; close the others.

        So a row that was written into the outbox past the order service neither stops nor restores a card.
        """
        said = select(cards.c.card, cards.c.wanted).where(cards.c.card.in_([row.card for row in rows]))
        wanted = {row.card: row.wanted for row in connection.execute(said)}
        # Rows with an unknown state are kept: the caller reports them.
        as_said = [
            row
            for row in rows
            if row.wanted == wanted.get(row.card, NetworkState.ACTIVE) or row.wanted not in _STATES
        ]
        for row in rows:
            if row in as_said:
                continue
            # If a transaction that has ended since moved the card, there is a later row.
            later = (outbox.c.card == row.card, outbox.c.element == element, outbox.c.id > row.id)
            if not connection.execute(select(exists().where(*later))).scalar():
                error = DuankaError(
                    "the order book does not want this of the card: it was written past the book"
                )
                self._set_aside(connection, row.id, row.order_id, error, now)
        return as_said

    def _set_aside(
        self, connection: Connection, row_id: int, order_id: str, error: Exception, now: datetime
    ) -> None:
        self._spoilt.append((order_id, error))
        over = {"done_at": now, "outcome": TaskOutcome.REFUSED, "error": str(error)}
        free = {"leased_until": None, "leased_by": None}
        connection.execute(update(outbox).where(outbox.c.id == row_id).values(over | free))

    def _settle(self, connection: Connection, results: Sequence[TaskResult], now: datetime) -> None:
        alike: dict[tuple[datetime, TaskOutcome], list[int]] = defaultdict(list)
        for result in results:
            if result.outcome in (TaskOutcome.DONE, TaskOutcome.LEFT):
                alike[result.task.leased_until, result.outcome].append(result.task.id)
        free = {"leased_until": None, "leased_by": None}
        for (until, outcome), ids in alike.items():
            values = (
                {**free, "done_at": now, "outcome": outcome.value} if outcome is TaskOutcome.DONE else free
            )
            mine = (outbox.c.leased_by == self._worker, outbox.c.leased_until == until)
            connection.execute(update(outbox).where(outbox.c.id.in_(ids), *mine).values(values))
        others = [r for r in results if r.outcome not in (TaskOutcome.DONE, TaskOutcome.LEFT)]
        if others:
            connection.execute(_told_apart(self._worker), [_columns(result, now) for result in others])
        repaired = [-r.task.step for r in results if r.outcome is TaskOutcome.DONE and r.task.step < 0]
        if repaired:
            mended = update(drifts).where(drifts.c.id.in_(repaired), drifts.c.repaired_at.is_(None))
            connection.execute(mended.values(repaired_at=now))


def _told_apart(worker: str) -> Update:
    names = ("tries", "next_try_at", "done_at", "outcome", "error")
    return (
        update(outbox)
        .where(
            outbox.c.id == bindparam("number"),
            outbox.c.leased_by == worker,
            outbox.c.leased_until == bindparam("until"),
        )
        .values({**{name: bindparam(name) for name in names}, "leased_until": None, "leased_by": None})
    )


def _columns(result: TaskResult, now: datetime) -> dict[str, object]:
    waits = result.outcome in (TaskOutcome.UNREACHABLE, TaskOutcome.FAILED)
    return {
        "number": result.task.id,
        "until": result.task.leased_until,
        "tries": result.task.tries + 1,
        "next_try_at": now + result.wait,
        "done_at": None if waits else now,
        "outcome": None if waits else result.outcome.value,
        "error": result.error,
    }


def _one_at_a_time(connection: Connection, element: str) -> None:
    """Serialise claims per element: two workers could each lease one row of a card."""
    if connection.dialect.name == "postgresql":
        lock = zlib.crc32(f"duanka outbox {element}".encode())
        connection.execute(select(func.pg_advisory_xact_lock(lock)))


DEADLINES, ACTS, NOTICES = "deadlines", "acts", "notices"


class PendingWorkProbe:
    """Cheap query for pending work of every kind: ten a second add no noticeable load."""

    def __init__(self, store: Store, elements: Collection[str]) -> None:
        self._store = store
        asked = {name: _first(outbox, outbox.c.next_try_at, outbox.c.element == name) for name in elements}
        asked[DEADLINES] = _first(orders, orders.c.due_at, orders.c.due_at.is_not(None))
        asked[ACTS] = _first(acts, acts.c.approved_at, acts.c.approved_at.is_not(None))
        asked[NOTICES] = _first(notices, notices.c.next_try_at)
        self._names, self._query = tuple(asked), select(*asked.values())

    def __call__(self, now: datetime) -> Iterable[str]:
        """Yield the names of what has work: an element, DEADLINES, ACTS or NOTICES."""
        row = self._store.glance(self._query)
        return [name for name, at in zip(self._names, row, strict=True) if at is not None and at <= now]


def _first(table: Table, when: Column[datetime], *which: ColumnElement[bool]) -> ScalarSelect[datetime]:
    """Earliest open time: served by a partial index even without statistics.

    The plainer EXISTS query would scan the table on a PostgreSQL without statistics.
    """
    if table is not orders:  # the index of orders holds no closed ones: these have no deadline
        which = (*which, (table.c.finished_at if table is acts else table.c.done_at).is_(None))
    return select(when).where(*which).order_by(when).limit(1).scalar_subquery()
