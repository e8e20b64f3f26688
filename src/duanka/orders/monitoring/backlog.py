"""Counts of pending work, for metrics and health; no card numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, func, or_, select

from duanka.domain.network import NetworkState
from duanka.domain.order import Kind, State
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import alarms, cards, notices, orders, outbox
from duanka.orders.monitoring.offsets import store_offset
from duanka.orders.monitoring.waiting import unanswered_objections

_PROBE = "health"  # row that a write probe updates


@dataclass(frozen=True)
class Backlog:
    """Counts at one moment.

    `open_orders`: by kind and state; `overdue`: orders past their deadline; `*_tried`: rows with failed tries that
    still wait. `outbox*`: by element; `*_oldest`: age of the oldest row in seconds.
    """

    open_orders: Mapping[tuple[str, str], int] = field(default_factory=dict)
    overdue: int = 0
    reviews: int = 0
    restricted: Mapping[str, int] = field(default_factory=dict)
    outbox: Mapping[str, int] = field(default_factory=dict)
    outbox_tried: Mapping[str, int] = field(default_factory=dict)
    outbox_oldest: Mapping[str, float] = field(default_factory=dict)
    notices: int = 0
    notices_tried: int = 0
    notices_oldest: float = 0.0
    alarms: tuple[str, ...] = ()


def backlog(store: Store, now: datetime) -> Backlog:
    """Count pending work."""
    is_open = orders.c.closed_at.is_(None)
    with store.reading() as connection:
        run = connection.execute
        by_state = run(
            select(orders.c.kind, orders.c.state, func.count())
            .where(is_open)
            .group_by(orders.c.kind, orders.c.state)
        ).all()
        late = or_(orders.c.due_at < now, unanswered_objections())
        overdue = run(select(func.count()).where(is_open, late)).scalar_one()
        restricted = restricted_cards(connection)
        tasks = run(
            select(outbox.c.element, *_pending(outbox))
            .where(outbox.c.done_at.is_(None))
            .group_by(outbox.c.element)
        ).all()
        unsent = run(select(*_pending(notices)).where(notices.c.done_at.is_(None))).one()
        sources = run(select(alarms.c.source).where(alarms.c.cleared_at.is_(None))).scalars().all()
    review = (Kind.VERIFICATION.value, State.UNDER_REVIEW.value)
    counted = {(kind, state): count for kind, state, count in by_state}
    return Backlog(
        open_orders=counted,
        overdue=overdue,
        reviews=counted.get(review, 0),
        restricted=restricted,
        outbox={row.element: row.waiting for row in tasks},
        outbox_tried={row.element: row.tried for row in tasks if row.tried},
        outbox_oldest={row.element: _age(now, row.oldest) for row in tasks},
        notices=unsent.waiting,
        notices_tried=unsent.tried,
        notices_oldest=_age(now, unsent.oldest),
        alarms=tuple(sorted(sources)),
    )


def probe_writing(store: Store, now: datetime) -> None:
    """Commit a write; raises the database's error if that fails."""
    store.transact(lambda connection: store_offset(connection, _PROBE, int(now.timestamp())))


def restricted_cards(connection: Connection) -> dict[str, int]:
    """Count restricted cards by wanted state."""
    total = select(cards.c.wanted, func.count()).where(cards.c.wanted != NetworkState.ACTIVE.value)
    return {row[0]: row[1] for row in connection.execute(total.group_by(cards.c.wanted))}


def _pending(table: Table) -> tuple[ColumnElement[Any], ...]:
    """Columns of a query about pending rows: how many, how many with failed tries, the oldest."""
    tried = func.count().filter(table.c.tries > 0)
    return (
        *(func.count().label("waiting"), tried.label("tried")),
        func.min(table.c.created_at).label("oldest"),
    )


def _age(now: datetime, since: datetime | None) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0
