"""Dispatch of warnings and corrections: batches through the message centre with many unanswered submissions.

A batch is submitted before its outcomes are committed, so a crash in between sends up to one batch (`[victims] batch`)
twice and loses none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update

from duanka.casework.victims.confirmed import standing
from duanka.casework.victims.recording import without_service
from duanka.domain.network import BulkNoticeSender, NetworkError, Receipt, UnknownCard, Unreachable
from duanka.domain.victims import MessageKind, MessageOutcome
from duanka.ledger.db.bulk import among, put_rows
from duanka.ledger.db.casework.victims import victim_message_parts, victim_messages
from duanka.ledger.db.database import Store
from duanka.ledger.lease_queue import RELEASED, LeaseQueue, closed
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.monitoring.backoff import Circuit

_BATCH_SECONDS = 25.0
_LEASE = timedelta(seconds=60)  # longer than a batch and its commit
_IDLE_SECONDS = 10.0  # after which the link is closed: nothing keeps it alive
_MAX_REFUSED_TRIES = 5
_NAMES = ("id", "number", "body", "tries", "kind", "created_at")
_STALE = timedelta(
    hours=24
)  # a warning that waited so long comes too late, and its person was warned anew or not
_ALARM = "victim messages"


class WarningDispatcher:
    """Sends what waits for victims; owns its sender. A `Dispatcher` of the worker, single-threaded.

    `worker`: a name that no other process has. `batch`: messages of one commit; `window`: unanswered ones.
    """

    def __init__(
        self,
        store: Store,
        worker: str,
        sender: BulkNoticeSender,
        alarms: AlarmService,
        *,
        batch: int,
        window: int,
        ticks: Callable[[], float] = time.monotonic,
        seed: int = 3,
    ) -> None:
        self._store, self._sender, self._alarms = store, sender, alarms
        self._queue = LeaseQueue(store, victim_messages, worker, _LEASE)
        self._batch, self._window, self._ticks = batch, window, ticks
        self._circuit = Circuit(ticks, seed)
        self._stopping = False
        self._sent_at = ticks()

    def work(self, now: datetime) -> bool:
        """Send one batch; return whether more may be due. NetworkError: the message centre took none."""
        if self._circuit.resting or self._stopping:
            return False
        begun = self._ticks()
        rows = [] if self._queue.is_empty else self._store.transact(lambda c: self._claim(c, now))
        if not rows:
            if self._ticks() - self._sent_at > _IDLE_SECONDS:
                self._sender.close()
            return False
        results = self._sender.send_many(
            [(row.number, row.body) for row in rows], self._window, _BATCH_SECONDS
        )
        self._sent_at = self._ticks()
        at = now + timedelta(seconds=self._ticks() - begun)
        self._store.transact(lambda connection: self._settle(connection, rows, results, at))
        lost = [one for one in results if isinstance(one, Unreachable)]
        if len(lost) == len(rows):
            self._circuit.failed()
            raise lost[0]
        self._circuit.succeeded()
        return True

    def watch(self, now: datetime) -> None:
        """Raise or clear the alarm: a message has waited too long after failed tries."""
        detail = f"短信中心{self._sender.name}未接收受害人预警 / {self._sender.name} does not take warnings to victims"
        self._alarms.follow(_ALARM, self._queue.tried_since, detail, now)

    def stop(self) -> None:
        """Stop after the batch in progress; thread-safe."""
        self._stopping = True

    def close(self) -> None:
        """Close the connection."""
        self._sender.close()

    # --- internal ---

    def _claim(self, connection: Connection, now: datetime) -> Sequence[Row[Any]]:
        limit = self._batch if not self._circuit.failures else 1
        rows = self._queue.due(connection, _NAMES, now, limit)
        if idle := _not_to_be_sent(connection, rows, now):
            over = closed(now, MessageOutcome.WITHDRAWN.value, error="not to be sent any more")
            these = among(connection, victim_messages.c.id, sorted(idle))
            connection.execute(update(victim_messages).where(these).values(over))
            rows = [row for row in rows if row.id not in idle]
        if rows:
            self._queue.lease_rows(connection, [row.id for row in rows], now)
        return rows

    def _settle(
        self,
        connection: Connection,
        rows: Sequence[Row[Any]],
        results: Sequence[str | NetworkError],
        now: datetime,
    ) -> None:
        """Store the outcomes of a batch; rows that another worker has leased since stay as they are."""
        sent = {row.id: one for row, one in zip(rows, results, strict=True) if isinstance(one, str)}
        parts = {part: number for number, ids in sent.items() for part in ids.split(",")}
        connection.execute(
            delete(victim_message_parts).where(among(connection, victim_message_parts.c.part_id, list(parts)))
        )  # of an id that the message centre uses again
        put_rows(
            connection,
            victim_message_parts,
            [{"part_id": part, "message_id": number, "delivered": None} for part, number in parts.items()],
        )
        over = {"outcome": MessageOutcome.SENT.value, "sent_at": now, "done_at": now, "error": None}
        mine = (among(connection, victim_messages.c.id, list(sent)), self._queue.is_mine)
        connection.execute(update(victim_messages).where(*mine).values(over | RELEASED))
        failed = [
            self._failed(row, one, now)
            for row, one in zip(rows, results, strict=True)
            if isinstance(one, NetworkError)
        ]
        if failed:
            names = ("tries", "next_try_at", "done_at", "outcome", "error")
            each = update(victim_messages).where(
                victim_messages.c.id == bindparam("message"), self._queue.is_mine
            )
            connection.execute(each.values({name: bindparam(name) for name in names} | RELEASED), failed)

    def _failed(self, row: Row[Any], error: NetworkError, now: datetime) -> dict[str, object]:
        tries = row.tries + 1
        refused = not isinstance(error, Unreachable)
        over = isinstance(error, UnknownCard) or (refused and tries >= _MAX_REFUSED_TRIES)
        return {
            "message": row.id,
            "tries": tries,
            "next_try_at": now + self._circuit.back_off(tries),
            "done_at": now if over else None,
            "outcome": MessageOutcome.GIVEN_UP.value if over else None,
            "error": f"{type(error).__name__}: {error}",
        }


def _not_to_be_sent(connection: Connection, rows: Sequence[Row[Any]], now: datetime) -> frozenset[int]:
    """Which of these warnings are too old, or go to a card that was confirmed, stopped or cancelled meanwhile."""
    warnings = [row for row in rows if row.kind == MessageKind.WARNING]
    numbers = [row.number for row in warnings]
    gone = {*without_service(connection, numbers), *standing(connection, numbers)}
    return frozenset(
        row.id for row in warnings if row.number in gone or not now - _STALE <= row.created_at <= now + _STALE
    )


class VictimReceipts:
    """Takes the receipts of messages to victims, which arrive on the link of all notices."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def take(self, receipts: Mapping[str, Receipt], now: datetime) -> Collection[str]:
        """Store those that are of messages to victims; return their message ids."""
        return self._store.transact(lambda connection: _take(connection, receipts, now)) if receipts else ()


def _take(connection: Connection, receipts: Mapping[str, Receipt], now: datetime) -> Collection[str]:
    parts = victim_message_parts.c
    known = connection.execute(
        select(victim_message_parts).where(among(connection, parts.part_id, list(receipts)))
    ).all()
    new = [row for row in known if row.delivered is None]
    for delivered in (True, False):
        ids = [row.part_id for row in new if receipts[row.part_id].delivered is delivered]
        if ids:
            told = update(victim_message_parts).where(among(connection, parts.part_id, ids))
            connection.execute(told.values(delivered=int(delivered)))
    about = sorted({row.message_id for row in new})
    if about:
        lowest = func.min(func.coalesce(parts.delivered, -1))
        states = connection.execute(
            select(parts.message_id, lowest)
            .where(among(connection, parts.message_id, about))
            .group_by(parts.message_id)
        ).all()
        _conclude(connection, [row[0] for row in states if row[1] == 1], MessageOutcome.DELIVERED, now)
    failed = sorted({row.message_id for row in new if not receipts[row.part_id].delivered})
    _conclude(connection, failed, MessageOutcome.UNDELIVERED, now)
    return [row.part_id for row in known]


def _conclude(connection: Connection, ids: Sequence[int], outcome: MessageOutcome, now: datetime) -> None:
    """Close messages by their receipts; one that failed in a part stays failed."""
    stays = MessageOutcome.UNDELIVERED.value
    mine = (among(connection, victim_messages.c.id, ids), victim_messages.c.outcome != stays)
    if ids:
        done = {"outcome": outcome.value, "receipt_at": now}
        connection.execute(update(victim_messages).where(*mine).values(done))
