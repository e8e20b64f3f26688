"""Outbox: state changes still to be carried out by network elements.

If a suspended worker wakes after its lease and calls the element, the network may be left wrong. So the time-out of
every call is far shorter than the lease, and `reconciliation` repairs what remains.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, exists, func, select, update

from duanka.domain.errors import DuankaError
from duanka.domain.evidence import Evidence
from duanka.domain.network import NetworkState
from duanka.domain.text import WordedEnum
from duanka.ledger.db.bulk import in_parts
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import acts, cards, drifts, notices, orders, outbox
from duanka.ledger.lease_queue import RELEASED, LeaseQueue, closed, earliest

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


class Outbox:
    """One worker's access to the outbox of one element. `worker`: see `LeaseQueue`."""

    def __init__(
        self,
        store: Store,
        element: str,
        worker: str,
        lease: timedelta = timedelta(seconds=15),
        held_since: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        """`held_since`: if it returns a time, only lifts made after it are leased."""
        self.queue = LeaseQueue(store, outbox, worker, lease, outbox.c.element == element)
        self._store, self._element, self._held_since = store, element, held_since
        self._spoilt: list[tuple[str, Exception]] = []

    def spoilt(self) -> list[tuple[str, Exception]]:
        """Return (order id, error) of the unreadable rows that the last `claim` closed."""
        spoilt, self._spoilt = self._spoilt, []
        return spoilt

    def claim(self, now: datetime, limit: int = 100) -> list[Task]:
        """Lease up to `limit` due rows.

        Only the last row of a card is leased, and none while an earlier one still is.
        """

        def work(connection: Connection) -> list[Task]:
            self._spoilt.clear()
            _one_at_a_time(connection, self._element)
            rows = self.queue.due(connection, ("id", "card"), now, limit, *self._claimable(now))
            return self._lease(connection, {row.id: row.card for row in rows}, now) if rows else []

        return self._store.transact(work)

    def settle(self, results: Sequence[TaskResult], now: datetime) -> None:
        """Store outcomes; rows that another worker has leased since stay as they are."""
        for some in in_parts(results, _SETTLE_BATCH_ROWS):
            self._store.transact(lambda connection, some=some: self._settle(connection, some, now))  # type: ignore[misc]

    def police_stops(self, order_ids: Collection[str]) -> frozenset[str]:
        """Return which of these orders rest on a police notice or a signed case."""
        if not order_ids:
            return frozenset()
        on_notice = orders.c.carried_by.startswith(Evidence.POLICE_NOTICE.of(""), autoescape=True)
        asked = select(orders.c.id).where(orders.c.id.in_(order_ids), on_notice)
        with self._store.reading() as connection:
            return frozenset(connection.execute(asked).scalars())

    # --- internal ---

    def _claimable(self, now: datetime) -> tuple[ColumnElement[bool], ...]:
        """Conditions on due rows: no earlier row of the card is leased, and `held_since` allows it."""
        earlier = outbox.alias()
        on_its_way = exists().where(
            earlier.c.card == outbox.c.card,
            earlier.c.element == self._element,
            earlier.c.id < outbox.c.id,
            earlier.c.done_at.is_(None),
            self.queue.is_leased(earlier, now),
        )
        since = self._held_since()
        if since is None:
            return (~on_its_way,)
        lifts = (outbox.c.wanted == NetworkState.ACTIVE.value, outbox.c.step >= 0)
        return (~on_its_way, *lifts, outbox.c.created_at > since)

    def _lease(self, connection: Connection, found: dict[int, str], now: datetime) -> list[Task]:
        """Lease the last row of each card; close earlier ones as superseded."""
        rows = connection.execute(
            select(outbox)
            .where(
                outbox.c.card.in_(set(found.values())),
                outbox.c.element == self._element,
                outbox.c.done_at.is_(None),
            )
            .order_by(outbox.c.id)
        ).all()
        last = {row.card: row.id for row in rows}
        stale = [
            row.id for row in rows if row.id != last[row.card] and (row.id in found or not row.leased_by)
        ]
        if stale:
            over = closed(now, TaskOutcome.SUPERSEDED.value)
            connection.execute(update(outbox).where(outbox.c.id.in_(stale)).values(over))
        taken = [row for row in rows if row.id in found and row.id == last[row.card]]
        taken = self._as_the_book_says(connection, taken, now)
        until = self.queue.lease_rows(connection, [row.id for row in taken], now)
        tasks = []
        for r in taken:
            try:
                wanted = NetworkState(r.wanted)
            except ValueError as error:  # an unknown state in one row must not delay the others
                self._set_aside(connection, r, error, now)
                continue
            tasks.append(Task(r.id, r.order_id, r.step, self._element, r.card, wanted, r.tries, until))
        return tasks

    def _as_the_book_says(
        self, connection: Connection, rows: Sequence[Row[Any]], now: datetime
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
            # A later row shows that an order moved the card meanwhile: this one is merely outdated.
            later = (outbox.c.card == row.card, outbox.c.element == self._element, outbox.c.id > row.id)
            if not connection.execute(select(exists().where(*later))).scalar():
                error = DuankaError("no order wants this of the card: it was written past Duanka")
                self._set_aside(connection, row, error, now)
        return as_said

    def _set_aside(self, connection: Connection, row: Row[Any], error: Exception, now: datetime) -> None:
        self._spoilt.append((row.order_id, error))
        over = closed(now, TaskOutcome.REFUSED.value, error=str(error))
        connection.execute(update(outbox).where(outbox.c.id == row.id).values(over))

    def _settle(self, connection: Connection, results: Sequence[TaskResult], now: datetime) -> None:
        alike: dict[tuple[datetime, TaskOutcome], list[int]] = defaultdict(list)
        others = []
        for result in results:
            if result.outcome in (TaskOutcome.DONE, TaskOutcome.LEFT):
                alike[result.task.leased_until, result.outcome].append(result.task.id)
            else:
                others.append(_columns(result, now))
        mine = update(outbox).where(self.queue.is_mine)
        for (until, outcome), ids in alike.items():
            these = mine.where(outbox.c.id.in_(ids), outbox.c.leased_until == until)
            over = closed(now, outcome.value) if outcome is TaskOutcome.DONE else RELEASED
            connection.execute(these.values(over))
        if others:
            each = mine.where(outbox.c.id == bindparam("number"), outbox.c.leased_until == bindparam("until"))
            names = ("tries", "next_try_at", "done_at", "outcome", "error")
            connection.execute(each.values({name: bindparam(name) for name in names} | RELEASED), others)
        repaired = [-r.task.step for r in results if r.outcome is TaskOutcome.DONE and r.task.step < 0]
        if repaired:
            mended = update(drifts).where(drifts.c.id.in_(repaired), drifts.c.repaired_at.is_(None))
            connection.execute(mended.values(repaired_at=now))


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
        asked = {
            name: earliest(outbox.c.next_try_at, outbox.c.element == name, outbox.c.done_at.is_(None))
            for name in elements
        }
        # Closed orders have no deadline, so the index of deadlines holds only open ones.
        asked[DEADLINES] = earliest(orders.c.due_at, orders.c.due_at.is_not(None))
        started = (acts.c.approved_at.is_not(None), acts.c.finished_at.is_(None))
        asked[ACTS] = earliest(acts.c.approved_at, *started)
        asked[NOTICES] = earliest(notices.c.next_try_at, notices.c.done_at.is_(None))
        self._names, self._query = tuple(asked), select(*asked.values())

    def __call__(self, now: datetime) -> Iterable[str]:
        """Yield the names of what has work: an element, DEADLINES, ACTS or NOTICES."""
        row = self._store.read_one_row(self._query)
        return [name for name, at in zip(self._names, row, strict=True) if at is not None and at <= now]
