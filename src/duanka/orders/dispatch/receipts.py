"""Delivery receipts: which parts of a notice arrived, and the effect on its order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import RowMapping, delete, insert, select, update

from duanka.domain.network import NoticeSender, Receipt
from duanka.domain.order import SYSTEM, Event, NoSuchTransition
from duanka.domain.order_decision import RequestedAction
from duanka.domain.text import BilingualText, WordedEnum
from duanka.ledger.db.bulk import in_parts
from duanka.ledger.db.tables import notice_parts, notices
from duanka.ledger.lease_queue import LeaseQueue, closed
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.monitoring.isolation import each_alone, is_outage
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.effects import apply_event
from duanka.orders.service import OrderService

_ASKS = (RequestedAction.VERIFY, RequestedAction.VERIFY_AT_COUNTER)  # their delivery starts the response time
_BATCH_RECEIPTS = 400
_UNKNOWN_KEPT_FOR = timedelta(minutes=10)  # another worker may not have stored the receipt's message id yet
_MAX_UNKNOWN_KEPT = 10_000
_UNKNOWN = "unknown receipts"
_RECEIPT = BilingualText("短信回执", "the receipt")


OtherReceipts = Callable[[Mapping[str, Receipt], datetime], Collection[str]]


def nobodys(receipts: Mapping[str, Receipt], now: datetime) -> Collection[str]:
    """No receipts of others."""
    del receipts, now
    return ()


class NoticeOutcome(WordedEnum):
    """Outcome of a notice."""

    SENT = "sent", "已发送"
    DELIVERED = "delivered", "已送达"
    UNDELIVERED = "undelivered", "未送达"
    GIVEN_UP = "given_up", "放弃发送"


class ReceiptRecorder:
    """Stores receipts of `sender`; asks it for more only after these are committed."""

    def __init__(
        self,
        order_service: OrderService,
        queue: LeaseQueue,
        sender: NoticeSender,
        alarms: AlarmService,
        others: OtherReceipts = nobodys,
    ) -> None:
        self._orders, self._queue, self._sender, self._alarms = order_service, queue, sender, alarms
        self._others = others
        self._held: list[Receipt] = []
        self._unknown: dict[str, tuple[Receipt, datetime]] = {}

    def take(self, now: datetime) -> bool:
        """Store the receipts since the last call; return whether a full batch came.

        Raises NetworkError.
        """
        if not self._held:
            self._held = list(self._sender.receipts())
        came = len(self._held)
        waiting = {number: receipt for number, (receipt, _) in self._unknown.items()}
        by_id = waiting | _final(self._held)
        ids = sorted(by_id)
        unknown: set[str] = set()

        def store(some: Sequence[str]) -> None:
            part = {number: by_id[number] for number in some}
            unknown.update(self._orders.transaction(lambda unit: _store(unit, part), now))

        def set_aside(number: str, error: Exception) -> None:
            self._alarms.set_aside(_RECEIPT, number, error, now)

        for some in in_parts(ids, _BATCH_RECEIPTS):
            each_alone(some, store, set_aside)
        if unknown:
            unknown.difference_update(self._others({number: by_id[number] for number in unknown}, now))
        self._held = []
        self._keep({number: by_id[number] for number in unknown}, now)
        return came >= _BATCH_RECEIPTS

    def handed_in(self, notice: int, message_ids: Sequence[str], kept: str, now: datetime) -> None:
        """Record that the message centre accepted the notice under these message ids.

        `kept`: text to store. If the message centre reuses an id, the row of its earlier use is deleted.
        """
        ids = list(dict.fromkeys(message_ids))
        sent = closed(now, NoticeOutcome.SENT.value, sent_at=now, body=kept, error=None)

        def work(unit: UnitOfWork) -> None:
            connection = unit.connection
            connection.execute(delete(notice_parts).where(notice_parts.c.message_id.in_(ids)))
            connection.execute(
                insert(notice_parts), [{"message_id": one, "notice_id": notice} for one in ids]
            )
            mine = (notices.c.id == notice, self._queue.is_mine)
            connection.execute(update(notices).where(*mine).values(sent))

        self._orders.transaction(work, now)

    def given_up(self, notice: int, why: str, now: datetime) -> None:
        """Record that the notice cannot be sent at all: a person must look at its order.

        The response time of its order does not start.
        """

        def work(unit: UnitOfWork) -> None:
            mine = notices.c.id == notice
            row = unit.connection.execute(select(notices).where(mine).with_for_update()).one()
            if row.done_at:
                return
            over = closed(now, NoticeOutcome.GIVEN_UP.value, error=why)
            unit.connection.execute(update(notices).where(mine).values(over))
            if row.template in _ASKS and follows:
                _apply_if_open(unit, row.order_id, Event.NOT_DELIVERED, why)

        follows = True
        try:
            self._orders.transaction(work, now)
        except Exception as error:
            if is_outage(error):
                raise
            follows = False  # the order itself cannot be read: close its notice anyway, or it would be retried forever
            self._orders.transaction(work, now)

    def _keep(self, unknown: Mapping[str, Receipt], now: datetime) -> None:
        """Keep receipts with unknown message ids for a while, then report them."""
        before = self._unknown
        self._unknown = {}
        given_up = []
        for number, receipt in unknown.items():
            since = before[number][1] if number in before else now
            if timedelta(0) <= now - since < _UNKNOWN_KEPT_FOR and len(self._unknown) < _MAX_UNKNOWN_KEPT:
                self._unknown[number] = (receipt, since)
            else:
                given_up.append(number)
        if given_up:
            detail = (
                f"收到未知回执 / {len(given_up)} receipts name no notice of ours, the first {given_up[0]}"
            )
            self._alarms.raise_now(_UNKNOWN, now, detail)


def _final(receipts: Iterable[Receipt]) -> dict[str, Receipt]:
    """Keep the first receipt for each id: repeats say the same."""
    found: dict[str, Receipt] = {}
    for receipt in receipts:
        found.setdefault(receipt.message_id, receipt)
    return found


def _store(unit: UnitOfWork, receipts: Mapping[str, Receipt]) -> set[str]:
    """Store receipts with their effects; return the ids that belong to no notice."""
    connection = unit.connection
    parts = notice_parts.c
    known = {
        row.message_id: (row.notice_id, row.delivered)
        for row in connection.execute(select(notice_parts).where(parts.message_id.in_(receipts)))
    }
    new = {number: notice for number, (notice, delivered) in known.items() if delivered is None}
    for delivered in (True, False):
        ids = [number for number in new if receipts[number].delivered is delivered]
        if ids:
            told = update(notice_parts).where(parts.message_id.in_(ids), parts.delivered.is_(None))
            connection.execute(told.values(delivered=int(delivered)))
    about = set(new.values())
    if about:
        came: dict[int, list[Receipt]] = defaultdict(list)
        for number, notice in new.items():
            came[notice].append(receipts[number])
        states: dict[int, list[int | None]] = defaultdict(list)
        for part in connection.execute(select(notice_parts).where(parts.notice_id.in_(about))):
            states[part.notice_id].append(part.delivered)
        found = connection.execute(select(notices).where(notices.c.id.in_(about)).order_by(notices.c.id))
        rows = found.mappings().all()
        unit.lock({row["card"] for row in rows})
        for row in rows:
            _record_receipts(unit, row, came[row["id"]], states[row["id"]])
    return set(receipts) - known.keys()


def _record_receipts(
    unit: UnitOfWork, notice: RowMapping, came: Sequence[Receipt], parts: Sequence[int | None]
) -> None:
    """Update the notice: delivered when all parts are, undelivered when one is not."""
    if notice["outcome"] == NoticeOutcome.UNDELIVERED:
        return
    sent_at = min(notice["sent_at"] or unit.now, unit.now)
    at = max(sent_at, min(unit.now, max(receipt.at for receipt in came)))
    at = max(at, min(notice["receipt_at"], unit.now)) if notice["receipt_at"] else at
    values: dict[str, object] = {"receipt_at": at}
    failed = [receipt for receipt in came if not receipt.delivered]
    if failed:
        values |= {"outcome": NoticeOutcome.UNDELIVERED.value, "error": failed[0].detail or "undelivered"}
    elif all(parts):
        values |= {"outcome": NoticeOutcome.DELIVERED.value}
    unit.connection.execute(update(notices).where(notices.c.id == notice["id"]).values(values))
    if notice["template"] not in _ASKS or "outcome" not in values:
        return
    if failed:
        why = f"receipt {failed[0].message_id}: {failed[0].detail or 'not delivered'}"
        _apply_if_open(unit, notice["order_id"], Event.NOT_DELIVERED, why)
    else:
        why = f"receipt {came[-1].message_id}"
        _apply_if_open(unit, notice["order_id"], Event.DELIVERED, why, delivered_at=at)


def _apply_if_open(unit: UnitOfWork, order_id: str, event: Event, why: str, **facts: datetime) -> None:
    with suppress(NoSuchTransition):  # the holder answered before the receipt came, or the order is closed
        apply_event(unit, unit.order(order_id), event, SYSTEM, why, **facts)
