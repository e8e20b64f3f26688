"""Sessions of holders: consent, which phone may send frames, expiry, deletion."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from duanka.domain.identity import CheckReason, CheckRefused, Consent, Session
from duanka.domain.order import AlreadyUsed, Event, Kind, Order, State, UnknownOrder, states_before
from duanka.domain.person import HOLDER
from duanka.ledger.db.database import Store
from duanka.ledger.db.rows import find_order, new_id
from duanka.ledger.db.tables_identity import checks, frames_seen, sessions
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.effects import apply_event
from duanka.orders.verification.attempts import SUPERSEDED, VerificationAttempts

PREFIX = "hs_"  # identifies a session token found in a text
_TOKEN_BYTES = 32  # random bytes
_MAX_DIGEST_LETTERS = 128  # stored length of the digest of the consent text
_BATCH_HASHES = 5000  # frame hashes deleted per transaction
_RETRY_AFTER_SECONDS = 10  # seconds after which a refused caller retries
_BEGUN_FROM = states_before(Kind.VERIFICATION, Event.BEGIN)


def begin(connection: Connection, order: Order, consent: Consent, now: datetime, minutes: float) -> Session:
    """Create a session for the order; call `end_all` first."""
    token = PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
    ends = now + timedelta(minutes=minutes)
    session = Session(new_id("S"), order.id, order.card, order.tier, ends, token, consent.disowns)
    row = {
        "id": session.id,
        "token_hash": _hash(token),
        "order_id": order.id,
        "agreed_at": now,
        "words": consent.words[:_MAX_DIGEST_LETTERS],
        "expires_at": ends,
        "disowns": int(consent.disowns),
    }
    connection.execute(insert(sessions).values(row))
    return session


def end_all(connection: Connection, order_id: str, now: datetime) -> None:
    """End the order's sessions: they may not draw or send frames, only show progress.

    So of several phones only the last one continues; challenges of the others are superseded.
    """
    going_on = (sessions.c.order_id == order_id, sessions.c.ended_at.is_(None))
    connection.execute(update(sessions).where(*going_on).values(ended_at=now))
    unused = (checks.c.order_id == order_id, checks.c.submitted_at.is_(None))
    over = {"submitted_at": now, "decided_at": now, "outcome": SUPERSEDED}
    connection.execute(update(checks).where(*unused).values(over))


def found(connection: Connection, token: str, now: datetime) -> Session:
    """Return the session of a token. UnknownOrder: not ours. AlreadyUsed: expired."""
    row = connection.execute(select(sessions).where(sessions.c.token_hash == _hash(token))).mappings().first()
    order = find_order(connection, row["order_id"]) if row else None
    if not row or not order:
        raise UnknownOrder("this session is none of ours: open the link of the notice again")
    if now >= row["expires_at"]:
        raise AlreadyUsed("the time of this session is over: open the link of the notice again")
    disowns = bool(row["disowns"])
    return Session(row["id"], order.id, order.card, order.tier, row["expires_at"], disowns=disowns)


def refusal(
    unit: UnitOfWork, session: Session, order: Order, tries: VerificationAttempts
) -> CheckRefused | None:
    """Return why this session may not draw or send frames now; None: it may."""
    mine = (
        sessions.c.id == session.id,
        sessions.c.order_id == session.order_id,
        sessions.c.ended_at.is_(None),
        sessions.c.expires_at > unit.now,
    )
    if unit.connection.execute(select(sessions.c.id).where(*mine)).first() is None:
        return CheckRefused(CheckReason.OTHER_SESSION)
    if order.state is State.UNDER_REVIEW or tries.in_person(order):
        return CheckRefused(CheckReason.NOT_AVAILABLE)
    return CheckRefused(CheckReason.BUSY, _RETRY_AFTER_SECONDS) if tries.under_way else None


def begun(unit: UnitOfWork, order: Order) -> Order:
    """Mark the verification as begun, also after a refused consent.

    An expired verification stays expired; a pass then lifts the restriction.
    """
    if order.state in _BEGUN_FROM:
        return apply_event(unit, order, Event.BEGIN, HOLDER, "verified online")
    return order


def forget_old(store: Store, sessions_before: datetime, frames_before: datetime) -> int:
    """Delete older sessions and hashes of frames; above 0: more may be left."""
    old = select(frames_seen.c.hash).where(frames_seen.c.at < frames_before)
    over = sessions.c.expires_at < sessions_before
    with store.reading() as connection:
        if not any(
            connection.execute(query.limit(1)).first() for query in (old, select(sessions.c.id).where(over))
        ):
            return 0

    def work(connection: Connection) -> int:
        connection.execute(delete(sessions).where(over))
        some = delete(frames_seen).where(frames_seen.c.hash.in_(old.limit(_BATCH_HASHES)))
        return connection.execute(some).rowcount

    forgotten = store.transact(work)
    return forgotten if forgotten >= _BATCH_HASHES else 0


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
