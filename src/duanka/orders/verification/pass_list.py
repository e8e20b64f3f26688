"""List of cards whose holder passed, rewritten for scans and live runs on change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import ColumnElement, exists, func, select, text

from duanka.domain.authority import Permission, authorize
from duanka.domain.errors import DuankaError
from duanka.domain.local_time import operator_zone
from duanka.domain.order import SYSTEM, Event, Kind, OrderError, Person, states_before
from duanka.domain.passed_cards import Pass, listed, read_list
from duanka.domain.private_files import private_folder, write_private
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import PASSED_ORDERS, audit, audit_head, orders
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.effects import apply_event
from duanka.orders.service import OrderService

_END = select(audit_head.c.seq)
# The concatenation keeps the database from using the index on `what`, which would read all passes: finding
# the recent entries by seq is faster.
_WHAT: ColumnElement[str] = audit.c.what.concat("")


class PassList:
    """Pass list of an order database; only passed verifications count.

    `path`: the file that the worker writes; `key`: seals it.
    """

    def __init__(self, store: Store, trail: Trail, path: Path, key: bytes) -> None:
        self._store, self._trail, self._path, self._key = store, trail, path, key
        self._end: int | None = None  # end of the trail when the file was last written or found current

    def passes(self) -> Sequence[Pass]:
        """Return each passed card with its last pass.

        Includes passes that only the file has, because the database was restored from a backup.
        """
        latest = {one.card: one for one in self._stored_passes()}
        for one in self._passes_in_database():
            if one.card not in latest or latest[one.card].passed_at < one.passed_at:
                latest[one.card] = one
        return [latest[card] for card in sorted(latest)]

    def put_in_force(self, order_service: OrderService, now: datetime) -> int:
        """Pass open verifications that the file says were passed; return how many."""
        return sum(_passes_again(order_service, one, now) for one in self._stored_passes())

    def _stored_passes(self) -> Sequence[Pass]:
        """Return the passes in the file; none if it is missing or not under our seal."""
        try:
            return read_list(self._path.read_bytes(), self._key, str(self._path))
        except (OSError, ValueError, LookupError, TypeError, DuankaError):
            return ()

    def _passes_in_database(self) -> Sequence[Pass]:
        query = (
            select(orders.c.card, func.max(orders.c.closed_at, type_=orders.c.closed_at.type))
            .where(text(PASSED_ORDERS), orders.c.closed_at.is_not(None))
            .group_by(orders.c.card)
            .order_by(orders.c.card)
        )
        with self._store.reading() as connection:
            return [Pass(card, passed_at) for card, passed_at in connection.execute(query)]

    def write_changed(self) -> bool:
        """Rewrite the file if a pass is new or the file is gone; True: it was rewritten."""
        end: int = self._store.read_one_row(_END)[0]
        if self._path.exists() and not self._passed_since(end):
            self._end = end
            return False
        private_folder(self._path.parent)
        write_private(self._path, listed(self.passes(), self._key))
        self._end = end
        return True

    def _passed_since(self, end: int) -> bool:
        """Whether there is a pass since the last check; True also for a replaced trail."""
        if self._end is None or end < self._end:
            return True
        if end == self._end:
            return False
        passed = exists().where(audit.c.seq > self._end, _WHAT.in_([f"{Kind.VERIFICATION}.{Event.PASS}"]))
        with self._store.reading() as connection:
            return bool(connection.execute(select(passed)).scalar())

    def export(self, path: Path, by: Person, now: datetime) -> int:
        """Write the list to `path`, for a machine without the database; return the count.

        It is audited. PermissionDenied: `by` may not, or has a scope narrower than the list.
        """
        authorize(by, Permission.EXPORT_PASSES)
        passes = self.passes()
        with self._store.writing() as connection:
            told: dict[str, object] = {"cards": len(passes)}
            entry = AuditEntry(now, by, "passes.export", "passes", "for scans and live runs", after=told)
            self._trail.append(connection, [entry])
        write_private(path, listed(passes, self._key))
        return len(passes)


def _passes_again(order_service: OrderService, one: Pass, now: datetime) -> bool:
    """Pass a verification opened before this pass; return whether there was one."""

    def work(unit: UnitOfWork) -> bool:
        order = unit.open_order(one.card, Kind.VERIFICATION)
        if order is None or order.opened_at > one.passed_at:
            return False
        why = f"passed at {operator_zone().written(one.passed_at)}, after the backup that was restored"
        if order.state in states_before(Kind.VERIFICATION, Event.BEGIN):
            order = apply_event(unit, order, Event.BEGIN, SYSTEM, why)
        apply_event(unit, order, Event.PASS, SYSTEM, why)
        return True

    try:
        return order_service.transaction(work, now)
    except OrderError:  # a police stop or cancellation intervened: a person decides
        return False
