"""Sessions without a link: begun by number and order number, limited by card and by address, in event time.

Whoever begins one learns nothing: two numbers that lead nowhere get a session like any other, which never passes. All
that is counted is counted by both numbers as typed, so that limits tell nobody whether there is such an order, and who
has the phone number alone uses up nothing. The number of a stop counts as that of its verification: one budget.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, func, insert, select

from duanka.domain.identity import Consent, Session, UnlinkedNumbers
from duanka.domain.identity_policy import IdentityPolicy
from duanka.domain.order import AlreadyUsed, Kind, Order, State, UnknownOrder
from duanka.ledger.db.database import Store
from duanka.ledger.db.rows import find_order, new_id, order_of
from duanka.ledger.db.tables import orders
from duanka.ledger.db.tables_holders import unlinked_checks, unlinked_sessions
from duanka.ledger.unit_of_work.locks import lock_cards
from duanka.orders.verification.attempts import RELEASED, attempts_of

PREFIX = "hu_"  # identifies a session token found in a text
DAY = timedelta(hours=24)
_TOKEN_BYTES = 32
_MAX_DIGEST_LETTERS = 128
_BEGUN_PER_DRAWN = 2  # sessions begun from an address, over the challenges that may be drawn from it
_CLOCK_RUNS = (State.NOTIFIED, State.IN_PROGRESS, State.SENT_TO_COUNTER)
_LATE = (State.EXPIRED, State.FAILED)
# What only somebody else lifts: a pass would change nothing for the holder.
_NOT_LIFTED = (State.FORCED_STOP, State.PUNISHED, State.STOPPED_AT_REQUEST)
_NO_ORDER = "V000000000000"  # looked up where nothing leads anywhere, so that it takes as long


class UnlinkedSessions:
    """Begins and finds sessions. `key`: for hashes of numbers and addresses only."""

    def __init__(self, key: bytes, policy: IdentityPolicy) -> None:
        self._key, self._policy = key, policy

    def begin(
        self,
        connection: Connection,
        numbers: UnlinkedNumbers,
        consent: Consent,
        address: str,
        now: datetime,
    ) -> tuple[Session, str] | None:
        """Create a session; return it and the id of its verification, "" if the numbers lead nowhere.

        None: no challenge is left for these numbers, or too many sessions were begun from this address.
        """
        order = reachable(connection, numbers, self._policy)
        about = order.id if order else ""
        pair, where = self._pair(numbers, about), self.address(address)
        lock(connection, pair, where)
        if not self._may_begin(connection, pair, where, now):
            return None
        token, number = PREFIX + secrets.token_urlsafe(_TOKEN_BYTES), new_id("S")
        ends = now + timedelta(minutes=self._policy.session_minutes)
        row = {
            "id": number,
            "token_hash": _hash(token),
            "order_id": about,
            "pair_hash": pair,
            "address_hash": where,
            "agreed_at": now,
            "words": consent.words[:_MAX_DIGEST_LETTERS],
            "expires_at": ends,
        }
        connection.execute(insert(unlinked_sessions).values(row))
        return Session(number, number, number, "", ends, token, unlinked=True), about

    def _may_begin(self, connection: Connection, pair: str, where: str, now: datetime) -> bool:
        """Whether a challenge is left, and the address has not begun too many sessions; both: keyed hashes."""
        mine = (unlinked_sessions.c.address_hash == where, unlinked_sessions.c.agreed_at > now - DAY)
        begun: int = connection.execute(
            select(func.count()).select_from(unlinked_sessions).where(*mine)
        ).scalar_one()
        most = _BEGUN_PER_DRAWN * self._policy.unlinked_address
        return begun < most and self.left(connection, pair, where, now) > 0

    def left(self, connection: Connection, pair: str, where: str, now: datetime) -> int:
        """Return how many challenges may still be drawn for these numbers from this address; both: keyed hashes."""
        drawn, policy = unlinked_checks.c, self._policy
        of_card, from_here = drawn.pair_hash == pair, drawn.address_hash == where
        return max(
            0,
            min(
                policy.unlinked_tries - _drawn(connection, now, of_card, from_here),
                policy.unlinked_card - _drawn(connection, now, of_card),
                policy.unlinked_address - _drawn(connection, now, from_here),
            ),
        )

    def _pair(self, numbers: UnlinkedNumbers, about: str) -> str:
        """Return the keyed hash of the two numbers. `about`: the verification that they lead to; "": nowhere."""
        return self._keyed(f"pair\n{numbers.card}\n{about or numbers.order_id}")

    def address(self, address: str) -> str:
        """Return the keyed hash of a network address."""
        return self._keyed(f"address\n{address}")

    def _keyed(self, text: str) -> str:
        return hmac.new(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def lock(connection: Connection, pair: str, where: str) -> None:
    """Serialise what counts for these numbers or this address (keyed hashes), until the transaction ends."""
    lock_cards(connection, [pair, where])


def row_of(connection: Connection, token: str, now: datetime) -> RowMapping:
    """Return the row of a token. UnknownOrder: none of ours. AlreadyUsed: its time is over."""
    mine = select(unlinked_sessions).where(unlinked_sessions.c.token_hash == _hash(token))
    row = connection.execute(mine).mappings().first()
    if row is None:
        raise UnknownOrder("this session is none of ours: begin again on the page")
    if now >= row["expires_at"]:
        raise AlreadyUsed("the time of this session is over: begin again on the page")
    return row


def reachable(connection: Connection, numbers: UnlinkedNumbers, policy: IdentityPolicy) -> Order | None:
    """Return the verification that these numbers lead to and that a pass would end; None: nowhere.

    Its deadline runs, or it ran out while the card is restricted for it. The number is compared in constant time.
    """
    named = find_order(connection, numbers.order_id) or find_order(connection, _NO_ORDER)
    card = named.card if named else ""
    ours = hmac.compare_digest(card.encode(), numbers.card.encode())
    of_card = select(orders).where(orders.c.card == card, orders.c.closed_at.is_(None))
    is_open = {order.kind: order for order in map(order_of, connection.execute(of_card).mappings())}
    asked, stopped = is_open.get(Kind.VERIFICATION), is_open.get(Kind.RESTRICTION)
    if not (ours and named and asked):
        return None
    if named.id not in {asked.id, stopped.id if stopped and stopped.parent == asked.id else ""}:
        return None
    return asked if still_reachable(connection, asked, stopped, policy) else None


def still_reachable(
    connection: Connection, asked: Order, stopped: Order | None, policy: IdentityPolicy
) -> bool:
    """Whether a check without a link may still end this verification; `stopped`: the restriction of its card."""
    if stopped and stopped.state in _NOT_LIFTED:
        return False
    runs = asked.state in _CLOCK_RUNS and asked.due_at is not None
    late = asked.state in _LATE and stopped is not None
    if asked.closed_at or not (runs or late):
        return False
    now = asked.updated_at  # no row that counts by time is asked for
    return not attempts_of(connection, asked.id, policy, now).in_person(asked)


def forget_old(store: Store, before: datetime) -> int:
    """Delete sessions that ended before, and their challenges; return how many."""
    over = unlinked_sessions.c.expires_at < before
    with store.reading() as connection:
        if connection.execute(select(unlinked_sessions.c.id).where(over).limit(1)).first() is None:
            return 0

    def work(connection: Connection) -> int:
        connection.execute(delete(unlinked_checks).where(unlinked_checks.c.drawn_at < before - DAY))
        return connection.execute(delete(unlinked_sessions).where(over)).rowcount

    return store.transact(work)


def _drawn(connection: Connection, now: datetime, *which: ColumnElement[bool]) -> int:
    drawn = unlinked_checks.c
    counts = (drawn.drawn_at > now - DAY, drawn.outcome.is_distinct_from(RELEASED), *which)
    found: int = connection.execute(
        select(func.count()).select_from(unlinked_checks).where(*counts)
    ).scalar_one()
    return found


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
