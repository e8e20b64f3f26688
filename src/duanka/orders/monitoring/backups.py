"""Backup of the SQLite order database to one file, and deadlines after a restore.

The copy is complete, readable by its owner alone, and made while workers write.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import and_, or_, select

from duanka.domain.authority import Permission, authorize
from duanka.domain.errors import DuankaError
from duanka.domain.order import SYSTEM, Kind, Person, State
from duanka.domain.private_files import put_in_place
from duanka.domain.restriction_states import in_the_network
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.bulk import in_parts
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import orders
from duanka.ledger.monitoring.isolation import each_alone
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.objections.filing import WARNED_BEFORE
from duanka.orders.service import OrderService

_BATCH_ORDERS = 500
_ORDER = BilingualText("恢复的工单", "the restored order")
_PAGES_PER_STEP = 4096  # pages copied per step, during which writers wait


def back_up(store: Store, trail: Trail, file: Path, by: Person, why: str, now: datetime) -> int:
    """Write the whole order database to a new `file`; return its size in bytes.

    The backup is written to the audit trail. PermissionDenied: `by` may not. DuankaError: the database is on a
    server, which has its own backups, or `file` exists. OSError.
    """
    authorize(by, Permission.BACK_UP)
    if not store.embedded:
        raise DuankaError(
            "this order database is on a PostgreSQL server: back it up with `umask 077; pg_dump --format=custom"
            " --file FILE DATABASE_URL`, with the URL of DUANKA_DATABASE_URL (docs/OPERATIONS.md)"
        )
    if file.exists():
        raise DuankaError(f"{file} is there already; name another file, or move it away")
    with store.writing() as connection:
        trail.append(connection, [AuditEntry(now, by, "book.backup", file.name[:40], why)])
    with (
        put_in_place(file) as aside,
        store.engine.connect() as connection,
        closing(sqlite3.connect(aside)) as copy,
    ):
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)  # noqa: S101  # checked above: SQLite
        raw.backup(copy, pages=_PAGES_PER_STEP)
        copy.execute("PRAGMA journal_mode=DELETE")  # a single file, without a write-ahead log
    return file.stat().st_size


def hours_anew(order_service: OrderService, now: datetime) -> int:
    """Restart the deadlines of a restored database; return how many orders changed.

    It lacks the withdrawals, extensions and decided objections since the backup. Deadlines that passed
    meanwhile would restrict those cards, or give them back, at once, before anybody can enter these again. An
    order that cannot be read is set aside alone.
    """
    policy, moved = order_service.terms.policy, list[str]()
    stages = {
        state: timedelta(hours=policy.hours_until_next(in_the_network(state)))
        for state in (State.OUTGOING_BARRED, State.LIFELINE)
    }
    least_of = {
        Kind.VERIFICATION: policy.answer_within,
        Kind.DISAVOWAL: timedelta(days=policy.disowned_days),
        Kind.OBJECTION: policy.working_days_after(now, WARNED_BEFORE) - now,
    }
    barred = and_(orders.c.kind == Kind.RESTRICTION.value, orders.c.state.in_([one.value for one in stages]))
    clocks = or_(orders.c.kind.in_([kind.value for kind in least_of]), barred)
    runs = (orders.c.closed_at.is_(None), orders.c.due_at.is_not(None), clocks)
    with order_service.store.reading() as connection:
        query = select(orders.c.id, orders.c.card).where(*runs).order_by(orders.c.card)
        found = [(row.id, row.card) for row in connection.execute(query)]

    def begin(some: Sequence[tuple[str, str]]) -> None:
        def work(unit: UnitOfWork) -> list[str]:
            unit.lock([card for _, card in some])
            changed = list[str]()
            for number, _ in some:
                order = unit.order(number)
                least = now + (least_of.get(order.kind) or stages.get(order.state, timedelta(0)))
                if order.closed_at is None and order.due_at is not None and order.due_at < least:
                    until = least if order.state is State.CONFIRMED else order.until
                    unit.change(
                        order, SYSTEM, "hours_anew", "a backup was restored", due_at=least, until=until
                    )
                    changed.append(number)
            return changed

        moved.extend(order_service.transaction(work, now))

    for part in in_parts(found, _BATCH_ORDERS):
        each_alone(part, begin, lambda one, error: order_service.set_aside(_ORDER, one[0], error, now))
    return len(moved)
