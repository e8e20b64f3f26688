"""Retention: what is known of a victim is deleted for good some days after the last change; counts stay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, exists, func, select, update

from duanka.casework.victims.searching import VictimSearch
from duanka.domain.order import SYSTEM
from duanka.ledger.audit.trail import AuditEntry
from duanka.ledger.db.bulk import add_to_counts, among
from duanka.ledger.db.casework.victims import (
    callback_cards,
    callback_requests,
    forgotten_warnings,
    victim_contacts,
    victim_message_parts,
    victim_messages,
    victim_outcomes,
    victims,
    warning_grounds,
)

_AT_ONCE = 500


class VictimRetention:
    """Deletes victims whom nothing was added to for `[victims] keep_days`."""

    def __init__(self, search: VictimSearch) -> None:
        self._store, self._trail, self._policy = search.store, search.trail, search.terms.policy

    def purge(self, now: datetime) -> int:
        """Delete some; above 0: more may be left. Their numbers are in no table then, nor in SQLite's log."""
        before = now - timedelta(days=self._policy.keep_days)
        with self._store.reading() as connection:
            found = _outdated(connection, before)
            lists = _old_lists(connection, before)
        if not found and not lists:
            return 0

        def work(connection: Connection) -> None:
            ids = _outdated(connection, before)
            _count(connection, ids)
            _delete(connection, ids)
            connection.execute(
                delete(callback_cards).where(among(connection, callback_cards.c.request_id, lists))
            )
            told = {"victims": len(ids), "worklists": len(lists)}
            entry = AuditEntry(now, SYSTEM, "victims.purge", "victims", f"older than {before}", after=told)
            self._trail.append(connection, [entry])

        self._store.transact(work)
        self._store.scrub()
        return len(found) + len(lists)


def _outdated(connection: Connection, before: datetime) -> Sequence[str]:
    waits = exists().where(victim_messages.c.victim_id == victims.c.id, victim_messages.c.done_at.is_(None))
    query = select(victims.c.id).where(victims.c.updated_at < before, ~waits)
    return connection.execute(query.order_by(victims.c.updated_at).limit(_AT_ONCE)).scalars().all()


def _old_lists(connection: Connection, before: datetime) -> Sequence[str]:
    listed = exists().where(callback_cards.c.request_id == callback_requests.c.id)
    query = select(callback_requests.c.id).where(callback_requests.c.proposed_at < before, listed)
    return connection.execute(query.limit(_AT_ONCE)).scalars().all()


def _count(connection: Connection, ids: Sequence[str]) -> None:
    """Count the messages that are forgotten, by hour and place."""
    own = victim_messages.c
    query = (
        select(own.sent_at, own.kind, own.outcome, own.operator, own.city, func.count())
        .where(among(connection, own.victim_id, ids), own.sent_at.is_not(None))
        .group_by(own.sent_at, own.kind, own.outcome, own.operator, own.city)
    )
    counts = dict[tuple[object, ...], int]()
    for at, *facts, count in connection.execute(query):
        key = (at.replace(minute=0, second=0, microsecond=0), *facts)
        counts[key] = counts.get(key, 0) + count
    names = ("hour", "kind", "outcome", "operator", "city")
    add_to_counts(connection, forgotten_warnings, names, counts)


def _delete(connection: Connection, ids: Sequence[str]) -> None:
    messages = select(victim_messages.c.id).where(among(connection, victim_messages.c.victim_id, ids))
    connection.execute(delete(warning_grounds).where(warning_grounds.c.message_id.in_(messages)))
    connection.execute(delete(victim_message_parts).where(victim_message_parts.c.message_id.in_(messages)))
    connection.execute(delete(victim_messages).where(among(connection, victim_messages.c.victim_id, ids)))
    connection.execute(delete(victim_contacts).where(among(connection, victim_contacts.c.victim_id, ids)))
    outcomes = among(connection, victim_outcomes.c.victim_id, ids)
    connection.execute(update(victim_outcomes).where(outcomes).values(note=""))
    connection.execute(delete(victims).where(among(connection, victims.c.id, ids)))
