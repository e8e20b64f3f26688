"""Corrections: who was warned on a confirmation that is withdrawn is told so, exactly once.

A person whose warnings rest on another standing confirmation too is told nothing. Warnings that wait are withdrawn
before they are sent. A warning on its way is left until its outcome is known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, String, cast, exists, literal, or_, select, update

from duanka.casework.victims import watches
from duanka.casework.victims.recording import BookTerms
from duanka.casework.victims.texts import correction_text
from duanka.domain.victims import CallState, MessageKind, MessageOutcome
from duanka.ledger.db.bulk import among, in_parts, upsert
from duanka.ledger.db.casework.cases import confirmations
from duanka.ledger.db.casework.victims import (
    victim_contacts,
    victim_messages,
    victims,
    warning_grounds,
)
from duanka.ledger.db.database import Store
from duanka.ledger.lease_queue import closed

_AT_ONCE = 500  # persons of one transaction
_CONFIRMATIONS_AT_ONCE = 50
_DAY_LEFT_FREE = literal("withdrawn ") + cast(victim_messages.c.id, String)  # for another warning
_ARRIVED = (MessageOutcome.SENT.value, MessageOutcome.DELIVERED.value)
_TO_CALL = (CallState.WAITING.value, CallState.CLAIMED.value, CallState.ESCALATED.value)


class Corrections:
    """Queues corrections; several workers and a kill at any moment make none twice."""

    def __init__(self, store: Store, terms: BookTerms) -> None:
        self._store, self._terms = store, terms

    def queue(self, now: datetime) -> bool:
        """Queue the corrections of withdrawn confirmations; return whether any were withdrawn."""
        with self._store.reading() as connection:
            ids = watches.withdrawn(connection, _CONFIRMATIONS_AT_ONCE)
            numbers = _warned_on(connection, ids) if ids else []
        if not ids:
            return False
        on_the_way = False
        for some in in_parts(numbers, _AT_ONCE):
            on_the_way |= self._store.transact(
                lambda connection, some=some: _correct(connection, some, self._terms, now)  # type: ignore[misc]
            )
        if not on_the_way:
            self._store.transact(lambda connection: _close(connection, ids, now))
        return not on_the_way


def _close(connection: Connection, ids: Sequence[int], now: datetime) -> None:
    """Nobody is left to tell: who has no standing confirmation any more need not be called either."""
    connected = among(connection, victim_contacts.c.confirmation_id, ids)
    of_these = select(victim_contacts.c.victim_id).where(connected)
    stands = exists().where(
        victim_contacts.c.victim_id == victims.c.id,
        victim_contacts.c.card == confirmations.c.card,
        confirmations.c.withdrawn_at.is_(None),
    )
    idle = (victims.c.id.in_(of_these), victims.c.call_state.in_(_TO_CALL), ~stands)
    done = {"call_state": CallState.NONE.value, "claimed_by": None, "claimed_until": None, "updated_at": now}
    connection.execute(update(victims).where(*idle).values(done))
    watches.corrected(connection, ids, now)


def _warned_on(connection: Connection, ids: Collection[int]) -> Sequence[str]:
    """Numbers that were warned, or are to be, on one of these confirmations, and not corrected."""
    asked = (
        select(victim_messages.c.number)
        .join(warning_grounds, warning_grounds.c.message_id == victim_messages.c.id)
        .where(among(connection, warning_grounds.c.confirmation_id, ids), *_uncorrected())
        .distinct()
        .order_by(victim_messages.c.number)
    )
    return connection.execute(asked).scalars().all()


def _uncorrected() -> tuple[Any, ...]:
    columns = victim_messages.c
    over = (MessageOutcome.WITHDRAWN.value, MessageOutcome.UNDELIVERED.value, MessageOutcome.GIVEN_UP.value)
    return (
        columns.kind == MessageKind.WARNING.value,
        columns.corrected_by.is_(None),
        or_(columns.outcome.is_(None), columns.outcome.not_in(over)),
    )


def _correct(connection: Connection, numbers: Sequence[str], terms: BookTerms, now: datetime) -> bool:
    """Withdraw what waits, queue what is to be taken back; return whether a warning is on its way."""
    locked = (
        select(victim_messages)
        .where(among(connection, victim_messages.c.number, numbers), *_uncorrected())
        .order_by(victim_messages.c.id)
        .with_for_update()
    )
    rows = defaultdict[str, list[Row[Any]]](list)
    for row in connection.execute(locked):
        rows[row.number].append(row)
    carried = _carried(connection, [row.id for those in rows.values() for row in those])
    unsent, told, on_the_way = list[Row[Any]](), list[list[Row[Any]]](), False
    for those in rows.values():
        carrying = [row for row in those if row.id in carried]
        if any(row.outcome in _ARRIVED for row in carrying):
            continue
        if carrying:  # whether it arrives is not known yet
            on_the_way = True
            continue
        if any(row.leased_by and row.leased_until >= now for row in those):
            on_the_way = True  # its outcome comes within the lease
            continue
        unsent += [row for row in those if row.done_at is None]
        # one that was tried before, or whose worker died, may have arrived
        if arrived := [row for row in those if row.outcome in _ARRIVED or row.tries or row.leased_by]:
            told.append(arrived)
    for tried in (False, True):
        mine = [row.id for row in unsent if bool(row.tries or row.leased_by) is tried]
        if mine:
            day = (
                {} if tried else {"occasion": _DAY_LEFT_FREE}
            )  # what may have arrived was the warning of its day
            gone = closed(now, MessageOutcome.WITHDRAWN.value, **day)
            these = among(connection, victim_messages.c.id, mine)
            connection.execute(update(victim_messages).where(these).values(gone))
    _tell(connection, told, terms, now)
    return on_the_way


def _carried(connection: Connection, ids: Sequence[int]) -> frozenset[int]:
    """Which of these warnings rest on a standing confirmation too."""
    asked = (
        select(warning_grounds.c.message_id)
        .join(confirmations, confirmations.c.id == warning_grounds.c.confirmation_id)
        .where(among(connection, warning_grounds.c.message_id, ids), confirmations.c.withdrawn_at.is_(None))
    )
    return frozenset(connection.execute(asked).scalars())


def _tell(
    connection: Connection, told: Sequence[Sequence[Row[Any]]], terms: BookTerms, now: datetime
) -> None:
    """Queue one correction for the warnings of each person."""
    if not told:
        return
    rows = [_correction(those, terms, now) for those in told]
    connection.execute(upsert(connection, victim_messages).on_conflict_do_nothing(), rows)
    occasions = {row["occasion"]: those for row, those in zip(rows, told, strict=True)}
    made = select(victim_messages.c.id, victim_messages.c.occasion).where(
        victim_messages.c.kind == MessageKind.CORRECTION.value,
        among(connection, victim_messages.c.number, [those[0].number for those in told]),
    )
    for row in connection.execute(made).all():
        if those := occasions.get(row.occasion):
            mine = among(connection, victim_messages.c.id, [one.id for one in those])
            connection.execute(update(victim_messages).where(mine).values(corrected_by=row.id))


def _correction(those: Sequence[Row[Any]], terms: BookTerms, now: datetime) -> dict[str, object]:
    first = those[0]
    days = [terms.orders.local_time.local(row.created_at).date() for row in those]
    cards = sorted({row.card for row in those})
    return {
        "victim_id": first.victim_id,
        "number": first.number,
        "kind": MessageKind.CORRECTION.value,
        "occasion": f"of {first.id}",
        "card": first.card,
        "body": correction_text(terms.orders.operator, cards, days),
        "operator": first.operator,
        "city": first.city,
        "created_at": now,
        "next_try_at": now,
    }
