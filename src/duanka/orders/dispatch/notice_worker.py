"""Notice dispatcher: hands notices to the message centre and takes their receipts.

Only a receipt starts the response time of an order (see `receipts`). A notice is handed in before its message ids can
be stored, so a crash between the two sends it twice and loses none. That window is one commit, made after each
notice.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, exists, select, update

from duanka.domain.errors import DuankaError
from duanka.domain.network import ElementRefused, NoticeSender, UnknownCard
from duanka.domain.order import Order
from duanka.domain.order_decision import RequestedAction
from duanka.ledger.db.rows import order_of
from duanka.ledger.db.tables import notices, orders
from duanka.ledger.lease_queue import LeaseQueue, closed
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.monitoring.backoff import Circuit
from duanka.ledger.monitoring.isolation import in_one_line, is_outage
from duanka.orders.dispatch.receipts import NoticeOutcome, OtherReceipts, ReceiptRecorder, nobodys
from duanka.orders.service import OrderService

_CALL_TIMEOUT_SECONDS = 6.0
_OUTAGE_FAILURES = 3  # consecutive; from here on the message centre, not a notice, is considered at fault
_MAX_REFUSED_TRIES = 5
_ASKS = (RequestedAction.VERIFY, RequestedAction.VERIFY_AT_COUNTER)
_BEHIND_THE_HASH = re.compile(r"(https?://[^\s#]+#)\S+")  # a link's token is not stored with the text
_UNWRITTEN = "notice {}"  # source of an alarm, with the id of the notice

# Writes a notice from its template, its order and the time; stores its links through the connection.
Write = Callable[[Connection, str, Order, datetime], str]


@dataclass(frozen=True)
class ClaimedNotice:
    """A notice leased by this worker, with its text."""

    id: int
    template: str
    order: Order
    text: str
    tries: int


class NoticeDispatcher:
    """Sends notices and takes receipts; owns its sender. Single-threaded.

    `worker`: a name that no other process has. `other_receipts`: takes receipts that are of no notice, and returns the
    ids of those that are its own: the message centre delivers all of one account on one link.
    """

    def __init__(
        self,
        order_service: OrderService,
        worker: str,
        sender: NoticeSender,
        write: Write,
        alarms: AlarmService,
        other_receipts: OtherReceipts = nobodys,
        *,
        lease: timedelta = timedelta(seconds=20),
        ticks: Callable[[], float] = time.monotonic,
        seed: int = 2,
        at_once: int = 50,
    ) -> None:
        self._store, self._queue = (
            order_service.store,
            LeaseQueue(order_service.store, notices, worker, lease),
        )
        self._sender, self._write, self._alarms = sender, write, alarms
        self._ticks, self._at_once = ticks, at_once
        self._stopping = False
        self._circuit = Circuit(ticks, seed)
        self._receipts = ReceiptRecorder(order_service, self._queue, sender, alarms, other_receipts)

    def work(self, now: datetime) -> bool:
        """Take receipts, send notices; return whether more may be due. NetworkError."""
        if self._circuit.resting or self._stopping:
            return False
        begun, failures = self._ticks(), self._circuit.failures

        def at() -> datetime:
            return now + timedelta(seconds=self._ticks() - begun)

        try:
            more = self._receipts.take(now)
            claimed = self._claim(now, 1 if failures else self._at_once)
            self._hand_in(claimed, begun + self._queue.lease.total_seconds() - _CALL_TIMEOUT_SECONDS, at)
        except DuankaError:  # the link to the message centre is down
            self._circuit.failed()
            raise
        self._circuit.succeeded()
        if failures >= _OUTAGE_FAILURES:
            self._queue.retry_now(at())
        return more or bool(claimed)

    def watch(self, now: datetime) -> None:
        """Raise or clear the alarm: a notice has waited too long after failed tries.

        The response time of its order has not started.
        """
        detail = f"短信中心{self._sender.name}未接收通知 / {self._sender.name} does not take notices"
        self._alarms.follow(self._sender.name, self._queue.tried_since, detail, now)

    def stop(self) -> None:
        """Stop after the notice in progress and return the other ones; thread-safe."""
        self._stopping = True

    def close(self) -> None:
        """Close the connection."""
        self._sender.close()

    # --- internal ---

    def _claim(self, now: datetime, limit: int) -> list[ClaimedNotice]:
        """Lease due notices and write their texts; one at a time per card."""
        if self._queue.is_empty:  # mostly so: no lock is needed
            return []
        unwritten: list[tuple[int, str, str]] = []
        earlier = notices.alias()
        waits = exists().where(
            earlier.c.card == notices.c.card, earlier.c.id < notices.c.id, earlier.c.done_at.is_(None)
        )

        def work(connection: Connection) -> list[ClaimedNotice]:
            unwritten.clear()
            names = ("id", "order_id", "template", "tries")
            due = self._queue.due(connection, names, now, limit, ~waits)
            about = select(orders).where(orders.c.id.in_({row.order_id for row in due}))
            known = {one["id"]: one for one in connection.execute(about).mappings()}
            claimed = []
            for row in due:
                number, order_id, template = row.id, row.order_id, row.template
                try:
                    order = order_of(known[order_id])
                    if template in _ASKS and (order.closed_at or order.asked != template):
                        _give_up(connection, number, now, "no longer asked")
                        continue
                    with connection.begin_nested():  # if writing the text fails, its link is rolled back too
                        text = self._write(connection, template, order, now)
                except Exception as error:  # one notice that cannot be written does not delay the others
                    if is_outage(error):
                        raise
                    unwritten.append((number, template, f"{order_id}: {in_one_line(error)}"))
                    continue
                claimed.append(ClaimedNotice(number, template, order, text, row.tries))
            self._queue.lease_rows(connection, [notice.id for notice in claimed], now)
            return claimed

        claimed = self._store.transact(work)
        for number, template, why in unwritten:
            self._receipts.given_up(number, f"no text: {why}", now)
            detail = f"通知“{template}”无法生成 / the notice {template} cannot be written: {why}"
            self._alarms.raise_now(_UNWRITTEN.format(number), now, detail)
        return claimed

    def _hand_in(self, claimed: Sequence[ClaimedNotice], until: float, at: Callable[[], datetime]) -> None:
        """Send notices; none begins after `until` (ticks), or it could outlive its lease."""
        for number, notice in enumerate(claimed):
            if self._stopping or self._ticks() > until:
                return self._give_back(claimed[number:])
            try:
                ids = self._sender.send(notice.order.card, notice.text)
            except UnknownCard as error:
                self._receipts.given_up(notice.id, str(error), at())
            except ElementRefused as error:
                if notice.tries + 1 < _MAX_REFUSED_TRIES:
                    self._later(notice, at(), error)
                else:
                    self._receipts.given_up(notice.id, str(error), at())
            except Exception as error:
                self._later(notice, at(), error)
                self._give_back(claimed[number + 1 :])
                raise
            else:
                kept = _BEHIND_THE_HASH.sub(r"\1…", notice.text)
                self._receipts.handed_in(notice.id, ids.split(","), kept, at())
        return None

    def _later(self, notice: ClaimedNotice, now: datetime, error: Exception) -> None:
        tries = notice.tries + 1
        at = now + self._circuit.back_off(tries)
        self._queue.try_later(notice.id, tries, at, f"{type(error).__name__}: {error}")

    def _give_back(self, claimed: Sequence[ClaimedNotice]) -> None:
        self._queue.give_back([notice.id for notice in claimed])


def _give_up(connection: Connection, number: int, now: datetime, why: str) -> None:
    over = closed(now, NoticeOutcome.GIVEN_UP.value, error=why)
    connection.execute(
        update(notices).where(notices.c.id == number, notices.c.done_at.is_(None)).values(over)
    )
