"""Sessions of holders: consent, expiry, and which phone may send frames."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from duanka.domain.identity import Session
from duanka.domain.order import AlreadyUsed, Order, UnknownOrder
from duanka.ledger.db.rows import new_id, order_of
from duanka.ledger.db.tables import orders
from duanka.ledger.db.tables_identity import checks, sessions
from duanka.orders.verification.attempts import SUPERSEDED

PREFIX = "hs_"  # identifies a session token found in a text
_TOKEN_BYTES = 32  # random bytes
_MAX_DIGEST_LETTERS = 128  # letters of a digest


def begin(connection: Connection, order: Order, words: str, now: datetime, minutes: float) -> Session:
    """Create a session for the order; call `end_all` first."""
    token = PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
    ends = now + timedelta(minutes=minutes)
    session = Session(new_id("S"), order.id, order.card, order.tier, ends, token)
    row = {
        "id": session.id,
        "token_hash": _hash(token),
        "order_id": order.id,
        "agreed_at": now,
        "words": words[:_MAX_DIGEST_LETTERS],
        "expires_at": ends,
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
    about = (
        row and connection.execute(select(orders).where(orders.c.id == row["order_id"])).mappings().first()
    )
    if not row or not about:
        raise UnknownOrder("this session is none of ours: open the link of the notice again")
    if now >= row["expires_at"]:
        raise AlreadyUsed("the time of this session is over: open the link of the notice again")
    order = order_of(about)
    return Session(row["id"], order.id, order.card, order.tier, row["expires_at"])


def goes_on(connection: Connection, session: Session, now: datetime) -> bool:
    """Whether this session may draw and send frames."""
    mine = (
        sessions.c.id == session.id,
        sessions.c.order_id == session.order_id,
        sessions.c.ended_at.is_(None),
        sessions.c.expires_at > now,
    )
    return connection.execute(select(sessions.c.id).where(*mine)).first() is not None


def forget(connection: Connection, before: datetime) -> None:
    """Delete sessions that ended before this time."""
    connection.execute(delete(sessions).where(sessions.c.expires_at < before))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
