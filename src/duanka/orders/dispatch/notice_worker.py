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

from sqlalchemy import Connection, and_, exists, func, or_, select, update

from duanka.domain.errors import DuankaError
from duanka.domain.network import ElementRefused, NoticeSender, UnknownCard
from duanka.domain.order import Order
from duanka.domain.order_decision import RequestedAction
from duanka.ledger.db.rows import order_of
from duanka.ledger.db.tables import notices, orders
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.monitoring.backoff import LONGEST, Circuit
from duanka.ledger.monitoring.isolation import in_one_line, is_outage
from duanka.orders.dispatch.receipts import NoticeOutcome, Receipts
from duanka.orders.service import OrderService

_CALL_TIMEOUT_SECONDS = 6.0
_OUTAGE_FAILURES = 3  # consecutive; from here on the message centre, not a notice, is considered at fault
_MAX_REFUSED_TRIES = 5
_ASKS = (RequestedAction.VERIFY, RequestedAction.VERIFY_AT_COUNTER)
_BEHIND_THE_HASH = re.compile(r"(https?://[^\s#]+#)\S+")  # a link's token is not stored with the text
_UNWRITTEN = "notice {}"  # source of an alarm, by the id of the notice

_FIRST = select(
    select(notices.c.id)
    .where(notices.c.done_at.is_(None))
    .order_by(notices.c.next_try_at)
    .limit(1)
    .scalar_subquery()
)
_OLDEST_TRIED = select(func.min(notices.c.created_at)).where(notices.c.done_at.is_(None), notices.c.tries > 0)

# Writes a notice from its template, its order and the time; stores links of the text on the connection.
Write = Callable[[Connection, str, Order, datetime], str]


@dataclass(frozen=True)
class ClaimedNotice:
    """A notice leased by this worker, with its text."""

    id: int
    template: str
    order: Order
    text: str
    tries: int
    leased_until: datetime


class NoticeDispatcher:
    """Sends notices and takes receipts; owns its sender. Single-threaded.

    `worker`: a name that no other process has.
    """

    def __init__(
        self,
        book: OrderService,
        worker: str,
        sender: NoticeSender,
        write: Write,
        alarms: AlarmService,
        *,
        lease: timedelta = timedelta(seconds=20),
        ticks: Callable[[], float] = time.monotonic,
        seed: int = 2,
        at_once: int = 50,
    ) -> None:
        self._store, self._worker = book.store, worker[-40:]
        self._sender, self._write, self._alarms = sender, write, alarms
        self._lease, self._ticks, self._at_once = lease, ticks, at_once
        self._stopping = False
        self._circuit = Circuit(ticks, seed)
        self._receipts = Receipts(book, sender, alarms)

    def work(self, now: datetime) -> bool:
        """Take receipts, send a batch of notices; whether more may be due. NetworkError."""
        if self._circuit.resting or self._stopping:
            return False
        begun, failures = self._ticks(), self._circuit.failures

        def at() -> datetime:
            return now + timedelta(seconds=self._ticks() - begun)

        try:
            more = self._receipts.take(now)
            letters = self._claim(now, 1 if failures else self._at_once)
            self._hand_in(letters, begun + self._lease.total_seconds() - _CALL_TIMEOUT_SECONDS, at)
        except DuankaError:  # the link to the message centre is down
            self._circuit.failed()
            raise
        self._circuit.worked()
        if failures >= _OUTAGE_FAILURES:
            self._hasten(at())
        return more or bool(letters)

    def watch(self, now: datetime) -> None:
        """Raise or clear the alarm: a notice has waited too long after failed tries.

        The response time of its order has not started.
        """
        since: datetime | None = self._store.glance(_OLDEST_TRIED)[0]
        if since is None:
            self._alarms.working(self._sender.name, now)
            return
        detail = f"短信中心{self._sender.name}未接收通知 / {self._sender.name} does not take notices"
        self._alarms.failing(self._sender.name, since, detail, now)

    def stop(self) -> None:
        """Stop after the notice in progress and return the other ones; thread-safe."""
        self._stopping = True

    def close(self) -> None:
        """Close the connection."""
        self._sender.close()

    # --- internal ---

    def _claim(self, now: datetime, limit: int) -> list[ClaimedNotice]:
        """Lease due notices and write their texts; one at a time per card."""
        unwritten: list[tuple[int, str, str]] = []
        if not self._waiting():
            return []

        def work(connection: Connection) -> list[ClaimedNotice]:
            unwritten.clear()
            due = self._due(connection, notices.c.next_try_at <= now, now, limit) or self._due(
                connection, notices.c.next_try_at > now + 2 * LONGEST, now, limit
            )
            about = select(orders).where(orders.c.id.in_({order_id for _, order_id, _, _ in due}))
            known = {row["id"]: row for row in connection.execute(about).mappings()}
            letters = []
            for number, order_id, template, tries in due:
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
                letters.append(ClaimedNotice(number, template, order, text, tries, now + self._lease))
            mine = {"leased_until": now + self._lease, "leased_by": self._worker}
            ids = [letter.id for letter in letters]
            connection.execute(update(notices).where(notices.c.id.in_(ids)).values(mine))
            return letters

        letters = self._store.transact(work)
        for number, template, why in unwritten:
            self._receipts.given_up(number, f"no text: {why}", now)
            detail = f"通知“{template}”无法生成 / the notice {template} cannot be written: {why}"
            self._alarms.raise_now(_UNWRITTEN.format(number), now, detail)
        return letters

    def _waiting(self) -> bool:
        """Whether any notice waits: mostly none does, and then no lock is needed."""
        return self._store.glance(_FIRST)[0] is not None

    def _due(
        self, connection: Connection, due: object, now: datetime, limit: int
    ) -> Sequence[tuple[int, str, str, int]]:
        """Select and lock rows that are due: id, order_id, template, tries."""
        in_force = and_(notices.c.leased_until >= now, notices.c.leased_until <= now + 2 * self._lease)
        earlier = notices.alias()
        waits = exists().where(
            earlier.c.card == notices.c.card, earlier.c.id < notices.c.id, earlier.c.done_at.is_(None)
        )
        free = or_(notices.c.leased_until.is_(None), ~in_force)
        found = (
            select(notices.c.id, notices.c.order_id, notices.c.template, notices.c.tries)
            .where(notices.c.done_at.is_(None), due, free, ~waits)  # type: ignore[arg-type]
            .order_by(notices.c.next_try_at, notices.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return [(*row,) for row in connection.execute(found)]

    def _hand_in(self, letters: Sequence[ClaimedNotice], until: float, at: Callable[[], datetime]) -> None:
        """Send notices; none begins after `until` (ticks), or it could outlive its lease."""
        for number, letter in enumerate(letters):
            if self._stopping or self._ticks() > until:
                return self._give_back(letters[number:])
            try:
                ids = self._sender.send(letter.order.card, letter.text)
            except UnknownCard as error:
                self._receipts.given_up(letter.id, str(error), at())
            except ElementRefused as error:
                if letter.tries + 1 < _MAX_REFUSED_TRIES:
                    self._later(letter, at(), error)
                else:
                    self._receipts.given_up(letter.id, str(error), at())
            except Exception as error:
                self._later(letter, at(), error)
                self._give_back(letters[number + 1 :])
                raise
            else:
                kept = _BEHIND_THE_HASH.sub(r"\1…", letter.text)
                self._receipts.handed_in(letter.id, ids.split(","), kept, self._worker, at())
        return None

    def _later(self, letter: ClaimedNotice, now: datetime, error: Exception) -> None:
        tried = {
            "tries": letter.tries + 1,
            "next_try_at": now + self._circuit.back_off(letter.tries + 1),
            "error": f"{type(error).__name__}: {error}",
            "leased_until": None,
            "leased_by": None,
        }
        mine = (notices.c.id == letter.id, notices.c.leased_by == self._worker, notices.c.done_at.is_(None))
        self._store.transact(
            lambda connection: connection.execute(update(notices).where(*mine).values(tried))
        )

    def _give_back(self, letters: Sequence[ClaimedNotice]) -> None:
        mine = (notices.c.id.in_([one.id for one in letters]), notices.c.leased_by == self._worker)
        free = {"leased_until": None, "leased_by": None}
        if letters:
            self._store.transact(lambda c: c.execute(update(notices).where(*mine).values(free)))

    def _hasten(self, now: datetime) -> None:
        """Retry failed notices now: the message centre works again."""
        waiting = (notices.c.done_at.is_(None), notices.c.next_try_at > now)
        self._store.transact(lambda c: c.execute(update(notices).where(*waiting).values(next_try_at=now)))


def _give_up(connection: Connection, number: int, now: datetime, why: str) -> None:
    given_up = NoticeOutcome.GIVEN_UP.value
    over = {"done_at": now, "outcome": given_up, "error": why, "leased_until": None, "leased_by": None}
    connection.execute(
        update(notices).where(notices.c.id == number, notices.c.done_at.is_(None)).values(over)
    )
