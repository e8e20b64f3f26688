"""Counts of pending work, for metrics and health; no card numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import and_, func, select

from duanka.domain.order import Kind, State
from duanka.ledger.db.bulk import upsert
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import alarms, cards, notices, orders, outbox, positions

_PROBE = "health"  # row that a write probe updates


@dataclass(frozen=True)
class Backlog:
    """Counts at one moment.

    `open_orders`: by kind and state; `overdue`: orders past their deadline; `*_tried`: rows with failed tries that
    still wait. `outbox*`: by element; `*_oldest`: seconds since the oldest row was decided.
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
    is_open, waits, unsent = (
        orders.c.closed_at.is_(None),
        outbox.c.done_at.is_(None),
        notices.c.done_at.is_(None),
    )
    with store.reading() as connection:
        run = connection.execute
        by_state = run(
            select(orders.c.kind, orders.c.state, func.count())
            .where(is_open)
            .group_by(orders.c.kind, orders.c.state)
        ).all()
        overdue = run(select(func.count()).where(is_open, orders.c.due_at < now)).scalar_one()
        restricted = run(
            select(cards.c.wanted, func.count()).where(cards.c.wanted != "active").group_by(cards.c.wanted)
        ).all()
        legs = run(
            select(outbox.c.element, func.count(), func.min(outbox.c.created_at))
            .where(waits)
            .group_by(outbox.c.element)
        ).all()
        tried = run(
            select(outbox.c.element, func.count())
            .where(and_(waits, outbox.c.tries > 0))
            .group_by(outbox.c.element)
        ).all()
        letters = run(select(func.count(), func.min(notices.c.created_at)).where(unsent)).one()
        in_vain = run(select(func.count()).where(unsent, notices.c.tries > 0)).scalar_one()
        sources = run(select(alarms.c.source).where(alarms.c.cleared_at.is_(None))).scalars().all()
    review = (Kind.VERIFICATION.value, State.UNDER_REVIEW.value)
    counted = {(kind, state): count for kind, state, count in by_state}
    return Backlog(
        open_orders=counted,
        overdue=overdue,
        reviews=counted.get(review, 0),
        restricted={row[0]: row[1] for row in restricted},
        outbox={element: count for element, count, _ in legs},
        outbox_tried={row[0]: row[1] for row in tried},
        outbox_oldest={element: _age(now, oldest) for element, _, oldest in legs},
        notices=letters[0],
        notices_tried=in_vain,
        notices_oldest=_age(now, letters[1]),
        alarms=tuple(sorted(sources)),
    )


def probe_writing(store: Store, now: datetime) -> None:
    """Commit a write; raises the database's error if that fails."""
    facts = {"position": int(now.timestamp()), "digest": None}
    store.transact(
        lambda connection: connection.execute(
            upsert(connection, positions)
            .values(source=_PROBE, **facts)
            .on_conflict_do_update(index_elements=["source"], set_=facts)
        )
    )


def _age(now: datetime, since: datetime | None) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0
