"""Links in notices: signed, for one order, used once. The database knows only a hash of each.

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

from sqlalchemy import Connection, insert, select, update

from duanka.domain.order import AlreadyUsed, Order, UnknownOrder
from duanka.domain.order_policy import OrderPolicy
from duanka.orders.rows import LETTERS, order_of
from duanka.orders.store import Store
from duanka.orders.tables import links, orders

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


class Links:
    """Makes links, shows what is behind one, and uses it up. `key`: for links alone, 32 bytes."""

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

        UnknownOrder: not our link. AlreadyUsed: used, its time is over, or the order is closed.
        """
        with store.reading() as connection:
            return self.open_in(connection, token, now)

    def use(self, store: Store, token: str, now: datetime) -> Order:
        """The order behind the link, which is used up from now on: of two at once, one gets AlreadyUsed."""
        with store.writing() as connection:
            return self.use_in(connection, token, now)

    def use_in(self, connection: Connection, token: str, now: datetime) -> Order:
        """As `use`, as a part of a transaction that writes."""
        order = self.open_in(connection, token, now)
        taken = connection.execute(
            update(links)
            .where(links.c.token_hash == _hash(token), links.c.used_at.is_(None))
            .values(used_at=now)
        )
        if taken.rowcount != 1:
            raise _used()
        return order

    def open_in(self, connection: Connection, token: str, now: datetime) -> Order:
        """As `open_link`, as a part of a transaction."""
        said = self._read(token)
        if now >= said.expires_at:
            raise AlreadyUsed("the time of this link is over: call the hotline, or go to a counter")
        row = connection.execute(select(links).where(links.c.token_hash == _hash(token))).first()
        if row is None:
            raise UnknownOrder(_UNKNOWN)
        if row.used_at:
            raise _used()
        found = connection.execute(select(orders).where(orders.c.id == said.order_id)).mappings().first()
        if found is None:
            raise UnknownOrder(_UNKNOWN)
        order = order_of(found)
        if order.closed_at:
            raise AlreadyUsed("what this link was for is over: nothing is left to do")
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


def _used() -> AlreadyUsed:
    return AlreadyUsed("this link was used before: call the hotline, or go to a counter")


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
