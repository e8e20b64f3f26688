"""Deletion of expired sessions and frame hashes of the online verification."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, select

from duanka.ledger.db.database import Store
from duanka.ledger.db.tables_identity import frames_seen
from duanka.ledger.db.tables_identity import sessions as sessions_table
from duanka.orders.verification import sessions

_BATCH_HASHES = 5000  # frame hashes deleted per transaction


def forget_old(store: Store, sessions_before: datetime, frames_before: datetime) -> int:
    """Delete older sessions and frame hashes; above 0: more may be left."""
    old = select(frames_seen.c.hash).where(frames_seen.c.at < frames_before)
    over = select(sessions_table.c.id).where(sessions_table.c.expires_at < sessions_before)
    with store.reading() as connection:
        if not any(connection.execute(query.limit(1)).first() for query in (old, over)):
            return 0

    def work(connection: Connection) -> int:
        sessions.forget(connection, sessions_before)
        some = delete(frames_seen).where(frames_seen.c.hash.in_(old.limit(_BATCH_HASHES)))
        return connection.execute(some).rowcount

    forgotten = store.transact(work)
    return forgotten if forgotten >= _BATCH_HASHES else 0
