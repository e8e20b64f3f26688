"""Links in notices: signed, for one order, of one browser once it agreed. The database knows only a hash of each.

Until somebody agrees, whoever has the link may open it and act by it, as with any message. From then on it is the
browser's that agreed, which is known by a secret in a cookie: in another browser the link opens nothing but the way to
a new link, which goes to the number itself. Who agrees by a later link takes the verification over.

A token is 33 bytes, so 44 letters of base64url and no padding: 8 for the order's id (a letter and 12 times 5 bits),
4 for the second in which it ends, 5 drawn by lot, and 16 of HMAC-SHA256 (RFC 2104 lets half of a hash stand for it).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, insert, or_, select, update

from duanka.domain.identity import CheckReason, CheckRefused
from duanka.domain.order import AlreadyUsed, Order, UnknownOrder
from duanka.domain.order_policy import OrderPolicy
from duanka.ledger.db.database import Store
from duanka.ledger.db.rows import LETTERS, order_of
from duanka.ledger.db.tables import links, orders

_KINDS = "VRO"
_ID_LETTERS = 12
_NONCE, _MAC = 5, 16
_BYTES = 8 + 4 + _NONCE + _MAC
LENGTH = _BYTES * 4 // 3  # letters of a token
_UNKNOWN = "this link is none of ours: call the hotline, or go to a counter"


@dataclass(frozen=True)
class _Token:
    order_id: str
    expires_at: datetime


class LinkState(StrEnum):
    """Whose a link is, seen from the browser that asks."""

    OPEN = "open"  # nobody agreed by it
    YOURS = "yours"
    ELSEWHERE = "elsewhere"  # another browser agreed by it


class OtherBrowser(CheckRefused):
    """Another browser agreed by this link."""

    def __init__(self) -> None:
        super().__init__(CheckReason.OTHER_BROWSER)


class Links:
    """Makes links, shows what is behind one, and gives it to a browser. `key`: for links alone, 32 bytes."""

    def __init__(self, key: bytes, policy: OrderPolicy) -> None:
        self._key, self._policy = key, policy

    def make(self, connection: Connection, order_id: str, now: datetime) -> str:
        """A new token for the order, known from the end of this transaction on; 44 letters, a letter or digit last."""
        ends = (now + timedelta(hours=self._policy.link_hours)).replace(microsecond=0)
        head = _id_bytes(order_id) + int(ends.timestamp()).to_bytes(4)
        while True:
            body = head + secrets.token_bytes(_NONCE)
            token = base64.urlsafe_b64encode(body + self._mac(body)).decode()
            if token[-1].isalnum():  # telephones leave a dash at the end out of what can be touched
                break
        connection.execute(insert(links).values(token_hash=_hash(token), order_id=order_id, expires_at=ends))
        return token

    def address(self, token: str) -> str:
        """The address that stands in the notice. What follows # is never sent to a server, so no log keeps it."""
        return f"{self._policy.site.rstrip('/')}/v#{token}"

    def open_link(self, store: Store, token: str, now: datetime) -> Order:
        """The order behind the link, which stays as good as it was.

        UnknownOrder: not our link. AlreadyUsed: its time is over, a later one was used, or the order is closed.
        """
        with store.reading() as connection:
            return self.open_in(connection, token, now)

    def claim(self, connection: Connection, token: str, browser: str, now: datetime) -> Order:
        """The order behind the link, which is this browser's from now on, as a part of a transaction that writes.

        `browser`: the secret in its cookie. OtherBrowser: another one agreed by it. Errors of `open_link`.
        """
        order = self.open_in(connection, token, now)
        mine, link = _hash(browser), links.c.token_hash == _hash(token)
        free = or_(links.c.browser_hash.is_(None), links.c.browser_hash == mine)
        taken = connection.execute(update(links).where(link, free).values(browser_hash=mine))
        if taken.rowcount != 1:
            raise OtherBrowser
        ends = select(links.c.expires_at).where(link).scalar_subquery()
        others = or_(links.c.browser_hash.is_(None), links.c.browser_hash != mine)
        # of two of one second neither is the earlier one: whoever agrees first has the verification
        earlier = (links.c.order_id == order.id, links.c.expires_at <= ends, ~link, others)
        connection.execute(update(links).where(*earlier).values(superseded_at=now))
        return order

    def state_of(self, connection: Connection, token: str, browser: str) -> LinkState:
        """Whose the link is; `browser`: the secret of who asks, empty where it has none."""
        row = connection.execute(
            select(links.c.browser_hash).where(links.c.token_hash == _hash(token))
        ).first()
        if row is None or row.browser_hash is None:
            return LinkState.OPEN
        mine = hmac.compare_digest(row.browser_hash, _hash(browser))
        return LinkState.YOURS if mine else LinkState.ELSEWHERE

    def order_of(self, connection: Connection, token: str) -> Order:
        """The open order that a link of ours is for, also when its time is over: for asking for a new one.

        UnknownOrder: not our link. AlreadyUsed: the order is closed.
        """
        said = self._read(token)
        if connection.execute(select(links).where(links.c.token_hash == _hash(token))).first() is None:
            raise UnknownOrder(_UNKNOWN)
        found = connection.execute(select(orders).where(orders.c.id == said.order_id)).mappings().first()
        if found is None:
            raise UnknownOrder(_UNKNOWN)
        order = order_of(found)
        if order.closed_at:
            raise _over()
        return order

    def open_in(self, connection: Connection, token: str, now: datetime) -> Order:
        """As `open_link`, as a part of a transaction."""
        said = self._read(token)
        if now >= said.expires_at:
            raise AlreadyUsed("the time of this link is over: call the hotline, or go to a counter")
        row = connection.execute(select(links).where(links.c.token_hash == _hash(token))).first()
        if row is None:
            raise UnknownOrder(_UNKNOWN)
        if row.superseded_at:
            raise AlreadyUsed("a later link was sent and used: open that one")
        found = connection.execute(select(orders).where(orders.c.id == said.order_id)).mappings().first()
        if found is None:
            raise UnknownOrder(_UNKNOWN)
        order = order_of(found)
        if order.closed_at:
            raise _over()
        return order

    def _read(self, token: str) -> _Token:
        """What the token says, if it is signed by us."""
        try:
            raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error):
            raw = b""
        if len(raw) != _BYTES:
            raise UnknownOrder(_UNKNOWN)
        body, mac = raw[:-_MAC], raw[-_MAC:]
        if not hmac.compare_digest(self._mac(body), mac):
            raise UnknownOrder(_UNKNOWN)
        return _Token(_id_of(body[:8]), datetime.fromtimestamp(int.from_bytes(body[8:12]), UTC))

    def _mac(self, body: bytes) -> bytes:
        return hmac.new(self._key, body, hashlib.sha256).digest()[:_MAC]


def _over() -> AlreadyUsed:
    return AlreadyUsed("what this link was for is over: nothing is left to do")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _id_bytes(order_id: str) -> bytes:
    number = _KINDS.index(order_id[0])
    for letter in order_id[1:]:
        number = number * len(LETTERS) + LETTERS.index(letter)
    return number.to_bytes(8)


def _id_of(raw: bytes) -> str:
    number, letters = int.from_bytes(raw), ""
    for _ in range(_ID_LETTERS):
        number, at = divmod(number, len(LETTERS))
        letters = LETTERS[at] + letters
    return _KINDS[number] + letters if number < len(_KINDS) else letters
