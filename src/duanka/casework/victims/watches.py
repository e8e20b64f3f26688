"""Watched confirmations: whose victims are still to be looked for, looked at again, or told of a withdrawal."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, exists, func, or_, select, update

from duanka.ledger.db.bulk import among, upsert
from duanka.ledger.db.casework.cases import confirmations
from duanka.ledger.db.casework.victims import victim_watches

_CLOCK_SET_BACK = timedelta(minutes=5)  # no look is so long after the present
_LATE_IDS = 1_000  # a transaction that took its number earlier may commit after so many others

UNSEEN = (victim_watches.c.looked_at.is_(None), victim_watches.c.corrected_at.is_(None))
_LAST = select(func.coalesce(func.max(victim_watches.c.confirmation_id), 0)).scalar_subquery()
_IS_RECENT = confirmations.c.id > _LAST - _LATE_IDS
_IS_WATCHED = exists().where(victim_watches.c.confirmation_id == confirmations.c.id)
_IS_WITHDRAWN = (
    victim_watches.c.confirmation_id == confirmations.c.id,
    victim_watches.c.corrected_at.is_(None),
    confirmations.c.withdrawn_at.is_not(None),
)
# Whether there are confirmations that are not watched, not looked for, withdrawn: asked every second, without a lock.
PENDING = select(
    exists().where(confirmations.c.withdrawn_at.is_(None), _IS_RECENT, ~_IS_WATCHED),
    exists().where(*UNSEEN),
    exists().where(*_IS_WITHDRAWN),
)


def adopt(connection: Connection, ids: Collection[int]) -> None:
    """Watch these confirmations, as far as nobody does."""
    found = connection.execute(
        select(confirmations.c.id, confirmations.c.card, confirmations.c.confirmed_at).where(
            among(connection, confirmations.c.id, ids)
        )
    )
    rows = [{"confirmation_id": row.id, "card": row.card, "confirmed_at": row.confirmed_at} for row in found]
    if rows:
        connection.execute(upsert(connection, victim_watches).on_conflict_do_nothing(), rows)


def unwatched(connection: Connection, since: datetime, limit: int, *, whole: bool) -> Sequence[int]:
    """Standing confirmations since `since` that nobody watches; `whole`: look beyond the latest numbers too."""
    recent = (_IS_RECENT,) if not whole else ()
    asked = (
        select(confirmations.c.id)
        .where(
            confirmations.c.withdrawn_at.is_(None),
            confirmations.c.confirmed_at >= since,
            *recent,
            ~_IS_WATCHED,
        )
        .order_by(confirmations.c.id)
        .limit(limit)
    )
    return connection.execute(asked).scalars().all()


def lease_unseen(
    connection: Connection, worker: str, now: datetime, lease: timedelta, limit: int
) -> Sequence[Row[Any]]:
    """Lease standing confirmations whose victims were not looked for; return their rows of `confirmations`."""
    free = or_(
        victim_watches.c.leased_until.is_(None),
        victim_watches.c.leased_until < now,
        victim_watches.c.leased_until > now + 2 * lease,  # of a wrong clock
    )
    ids = (
        connection.execute(
            select(victim_watches.c.confirmation_id)
            .where(*UNSEEN, free)
            .order_by(victim_watches.c.confirmation_id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        .scalars()
        .all()
    )
    mine = among(connection, victim_watches.c.confirmation_id, ids)
    connection.execute(
        update(victim_watches).where(mine).values(leased_until=now + lease, leased_by=worker[-40:])
    )
    return _standing(connection, among(connection, confirmations.c.id, ids))


def seen_before(
    connection: Connection, generation: int, since: datetime, looked_before: datetime, limit: int
) -> Sequence[Row[Any]]:
    """Standing confirmations since `since` that were last looked at in an older generation of the store."""
    watched = (
        select(victim_watches.c.confirmation_id)
        .where(
            victim_watches.c.confirmed_at >= since,
            or_(
                victim_watches.c.looked_at <= looked_before,
                victim_watches.c.looked_at > looked_before + _CLOCK_SET_BACK,
            ),
            victim_watches.c.generation != generation,
        )
        .order_by(victim_watches.c.confirmed_at.desc())
        .limit(limit)
    )
    return _standing(connection, confirmations.c.id.in_(watched.scalar_subquery()))


def _standing(connection: Connection, which: Any) -> Sequence[Row[Any]]:
    return connection.execute(
        select(confirmations)
        .where(which, confirmations.c.withdrawn_at.is_(None))
        .order_by(confirmations.c.id)
    ).all()


def release(connection: Connection, worker: str) -> None:
    """Give back what this worker leased."""
    mine = victim_watches.c.leased_by == worker[-40:]
    connection.execute(update(victim_watches).where(mine).values(leased_until=None, leased_by=None))


def looked(connection: Connection, ids: Collection[int], generation: int, now: datetime) -> None:
    """Note that the victims of these confirmations were looked for."""
    mine = among(connection, victim_watches.c.confirmation_id, ids)
    done = {"looked_at": now, "generation": generation, "leased_until": None, "leased_by": None}
    connection.execute(update(victim_watches).where(mine).values(done))


def withdrawn(connection: Connection, limit: int) -> Sequence[int]:
    """Watched confirmations that were withdrawn, and whose corrections are not queued yet."""
    asked = (
        select(victim_watches.c.confirmation_id)
        .join(confirmations, confirmations.c.id == victim_watches.c.confirmation_id)
        .where(victim_watches.c.corrected_at.is_(None), confirmations.c.withdrawn_at.is_not(None))
        .order_by(victim_watches.c.confirmation_id)
        .limit(limit)
    )
    return connection.execute(asked).scalars().all()


def corrected(connection: Connection, ids: Collection[int], now: datetime) -> None:
    """Note that the corrections of these confirmations are queued."""
    mine = among(connection, victim_watches.c.confirmation_id, ids)
    connection.execute(update(victim_watches).where(mine).values(corrected_at=now))
