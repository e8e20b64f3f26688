"""What the network still has to be told: taken under a lease, enacted elsewhere, and settled.

A worker that died leaves leases, which run out. One that only slept may wake after its lease and still act: it cannot
settle what another took, but its late act can be wrong in the network. So the time limit of every call is far shorter
than the lease, nobody begins an act that might outlive the lease (`element_worker`), and `reconciliation` mends
what is left.
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

_SETTLED_AT_ONCE = 500
_STATES = frozenset(state.value for state in NetworkState)


class TaskOutcome(WordedEnum):
    """What became of a task. The last three are not stored: the row waits on."""

    DONE = "done", "已执行"
    SUPERSEDED = "superseded", "被后续指令取代"  # a later row of the card counts
    UNKNOWN_CARD = "unknown_card", "网元无此号码"
    REFUSED = "refused", "网元拒绝"
    UNREACHABLE = "unreachable", "网元不可达"
    FAILED = "failed", "失败，将重试"  # this one alone: tried again, and the others go on
    LEFT = "left", "退回未办", "given back"  # given back untried


@dataclass(frozen=True)
class Task:
    """A row of the outbox under a lease of ours."""

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
    """What became of a task; `wait`: for UNREACHABLE and FAILED, until the next try."""

    task: Task
    outcome: TaskOutcome
    error: str = ""
    wait: timedelta = timedelta(0)


@dataclass(frozen=True)
class EnactedRow:
    """From the decision to the network: one enacted row. `wanted` ACTIVE: from passed to restored."""

    order_id: str
    element: str
    wanted: NetworkState
    decided_at: datetime
    enforced_at: datetime

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.enforced_at - self.decided_at).total_seconds()


class Outbox:
    """One worker's hand on the outbox. `worker`: a name that no other process has."""

    def __init__(
        self,
        store: Store,
        worker: str,
        lease: timedelta = timedelta(seconds=15),
        held_since: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        """`held_since`: while it gives a moment, only cards that an order gave back after it are told (`kept_end`)."""
        self.lease = lease
        self._held_since = held_since
        self._store, self._worker = store, worker[-40:]
        self._spoilt: list[tuple[str, Exception]] = []
        self._oldest: dict[str, Select[tuple[datetime]]] = {}  # of each element, made once

    def spoilt(self) -> list[tuple[str, Exception]]:
        """The orders whose rows the last `claim` could not read and took out of the queue, each with the reason."""
        spoilt, self._spoilt = self._spoilt, []
        return spoilt

    def claim(self, element: str, now: datetime, limit: int = 100) -> list[Task]:
        """Take up to `limit` rows that are due; of each card only the last one, and none while one is on its way."""

        def work(connection: Connection) -> list[Task]:
            self._spoilt.clear()
            _one_at_a_time(connection, element)
            found = self._due(connection, outbox.c.next_try_at <= now, element, now, limit)
            if not found:  # the clock was put back: nothing of ours waits so long
                far = outbox.c.next_try_at > now + 2 * LONGEST
                found = self._due(connection, far, element, now, limit)
            return self._lease(connection, element, found, now) if found else []

        return self._store.transact(work)

    def settle(self, results: Sequence[TaskResult], now: datetime) -> None:
        """Write what became of tasks; those that another worker took since stay as they are."""
        for some in in_parts(results, _SETTLED_AT_ONCE):
            self._store.transact(lambda connection, some=some: self._settle(connection, some, now))  # type: ignore[misc]

    def hasten(self, element: str, now: datetime) -> None:
        """The element works again: what was tried in vain need not wait any longer."""
        waiting = (outbox.c.element == element, outbox.c.done_at.is_(None), outbox.c.next_try_at > now)
        self._store.transact(lambda c: c.execute(update(outbox).where(*waiting).values(next_try_at=now)))

    def tried_since(self, element: str) -> datetime | None:
        """When the oldest row was decided that was tried and still waits; None: there is none."""
        if element not in self._oldest:
            tried = (outbox.c.element == element, outbox.c.done_at.is_(None), outbox.c.tries > 0)
            self._oldest[element] = select(func.min(outbox.c.created_at)).where(*tried)
        found: datetime | None = self._store.glance(self._oldest[element])[0]
        return found

    def police_stops(self, order_ids: Collection[str]) -> frozenset[str]:
        """Those of these orders that stand on a notice of the police, or on a case that they signed."""
        if not order_ids:
            return frozenset()
        on_notice = orders.c.carried_by.startswith(Evidence.POLICE_NOTICE.of(""), autoescape=True)
        asked = select(orders.c.id).where(orders.c.id.in_(order_ids), on_notice)
        with self._store.reading() as connection:
            return frozenset(connection.execute(asked).scalars())

    def legs(self, since: datetime) -> Iterator[EnactedRow]:
        """Every row that was enacted from `since` on, repairs left out."""
        done = select(outbox).where(
            outbox.c.created_at >= since, outbox.c.outcome == TaskOutcome.DONE, outbox.c.step >= 0
        )
        with self._store.reading() as connection:
            for row in connection.execute(done.order_by(outbox.c.id)):
                wanted = NetworkState(row.wanted)
                yield EnactedRow(row.order_id, row.element, wanted, row.created_at, row.done_at)

    # --- inside ---

    def _held(self, rows: FromClause, now: datetime) -> ColumnElement[bool]:
        """Whether somebody's lease on the row is in force; one that ends too late is of a clock that was put back."""
        return and_(rows.c.leased_until >= now, rows.c.leased_until <= now + 2 * self.lease)

    def _due(
        self, connection: Connection, due: ColumnElement[bool], element: str, now: datetime, limit: int
    ) -> dict[int, str]:
        """Rows that may be taken, locked: id -> card."""
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
        """Of each card the last row counts: what stands before it never will, whenever it was to be tried again."""
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
            except ValueError as error:  # whoever wrote it: it holds up no other
                self._set_aside(connection, r.id, r.order_id, error, now)
                continue
            tasks.append(Task(r.id, r.order_id, r.step, element, r.card, wanted, r.tries, until))
        return tasks

    def _as_the_book_says(
        self, connection: Connection, element: str, rows: Sequence[Row[Any]], now: datetime
    ) -> list[Row[Any]]:
        """Those of these last rows that want of a card what the order book wants of it; the others are set aside.

        A row that somebody wrote into the outbox past the book stops no card, and gives none back.
        """
        said = select(cards.c.card, cards.c.wanted).where(cards.c.card.in_([row.card for row in rows]))
        wanted = {row.card: row.wanted for row in connection.execute(said)}
        as_said = [
            row
            for row in rows
            if row.wanted == wanted.get(row.card, NetworkState.ACTIVE) or row.wanted not in _STATES
        ]  # of a state that is none the caller says what is wrong
        for row in rows:
            if row in as_said:
                continue
            # a transaction that ended since may have moved the card: then a later row says so
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
    """Two workers must not look at the rows of a card at once, or each could take one of them."""
    if connection.dialect.name == "postgresql":
        lock = zlib.crc32(f"duanka outbox {element}".encode())
        connection.execute(select(func.pg_advisory_xact_lock(lock)))


DEADLINES, ACTS, NOTICES = "deadlines", "acts", "notices"


class PendingWorkProbe:
    """One cheap question for everything that may wait: ten such a second are not felt."""

    def __init__(self, store: Store, elements: Collection[str]) -> None:
        self._store = store
        asked = {name: _first(outbox, outbox.c.next_try_at, outbox.c.element == name) for name in elements}
        asked[DEADLINES] = _first(orders, orders.c.due_at, orders.c.due_at.is_not(None))
        asked[ACTS] = _first(acts, acts.c.approved_at, acts.c.approved_at.is_not(None))
        asked[NOTICES] = _first(notices, notices.c.next_try_at)
        self._names, self._query = tuple(asked), select(*asked.values())

    def __call__(self, now: datetime) -> Iterable[str]:
        """Names of what has work: an element, DEADLINES, ACTS or NOTICES."""
        row = self._store.glance(self._query)
        return [name for name, at in zip(self._names, row, strict=True) if at is not None and at <= now]


def _first(table: Table, when: Column[datetime], *which: ColumnElement[bool]) -> ScalarSelect[datetime]:
    """The earliest moment among rows that are not over: the first entry of an index, whatever the database believes.

    Whether one exists that is due would be the plainer question; a PostgreSQL without statistics reads the table.
    """
    if table is not orders:  # whose index has no row that is over: a closed order has no deadline
        which = (*which, (table.c.finished_at if table is acts else table.c.done_at).is_(None))
    return select(when).where(*which).order_by(when).limit(1).scalar_subquery()
