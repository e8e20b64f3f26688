"""Signed links in notices: for one order, bound to the first consenting browser.

Until then anybody who has the link may use it, as with any message. Afterwards it belongs to that browser, known by a
secret in a cookie; in another browser it only offers to send a new link to the card itself. Consent with a later link
takes the verification over. The database stores only a hash of each link.

A token is 33 bytes, so 44 letters of base64url without padding: 8 for the order's id (a letter and 12 times 5 bits),
4 for the second in which it ends, 5 random, and 16 of HMAC-SHA256 (RFC 2104 permits half of the hash).
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
from duanka.ledger.db.rows import LETTERS, find_order
from duanka.ledger.db.tables import links

_KINDS = "VRO"
_ID_LETTERS = 12
_NONCE_BYTES, _MAC_BYTES = 5, 16
_TOKEN_BYTES = 8 + 4 + _NONCE_BYTES + _MAC_BYTES
LENGTH = _TOKEN_BYTES * 4 // 3  # letters of a token
_UNKNOWN = "this link is none of ours: call the hotline, or go to a counter"


@dataclass(frozen=True)
class _Token:
    order_id: str
    expires_at: datetime


class LinkState(StrEnum):
    """Whom a link belongs to, as seen from the browser that presents it."""

    OPEN = "open"  # no consent with it yet
    YOURS = "yours"
    ELSEWHERE = "elsewhere"  # another browser consented with it


class OtherBrowser(CheckRefused):
    """Another browser consented with this link."""

    def __init__(self) -> None:
        super().__init__(CheckReason.OTHER_BROWSER)


class Links:
    """Makes and resolves links, binds them to browsers. `key`: 32 bytes, links only."""

    def __init__(self, key: bytes, policy: OrderPolicy) -> None:
        self._key, self._policy = key, policy

    def make(self, connection: Connection, order_id: str, now: datetime) -> str:
        """Create a token of 44 letters for the order, valid from the commit on.

        It ends with a letter or digit.
        """
        ends = (now + timedelta(hours=self._policy.link_hours)).replace(microsecond=0)
        head = _id_bytes(order_id) + int(ends.timestamp()).to_bytes(4)
        while True:
            body = head + secrets.token_bytes(_NONCE_BYTES)
            token = base64.urlsafe_b64encode(body + self._mac(body)).decode()
            if token[-1].isalnum():  # phones exclude a trailing dash from what can be tapped
                break
        connection.execute(insert(links).values(token_hash=_hash(token), order_id=order_id, expires_at=ends))
        return token

    def address(self, token: str) -> str:
        """Address for the notice: what follows # never reaches a server, so no log has it."""
        return f"{self._policy.site.rstrip('/')}/v#{token}"

    def claim(self, connection: Connection, token: str, browser: str, now: datetime) -> Order:
        """Bind the link to this browser, in a writing transaction; return its order.

        `browser`: the secret in its cookie. OtherBrowser: bound to another one. Raises also as `open_in`.
        """
        order = self.open_in(connection, token, now)
        mine, link = _hash(browser), links.c.token_hash == _hash(token)
        free = or_(links.c.browser_hash.is_(None), links.c.browser_hash == mine)
        taken = connection.execute(update(links).where(link, free).values(browser_hash=mine))
        if taken.rowcount != 1:
            raise OtherBrowser
        ends = select(links.c.expires_at).where(link).scalar_subquery()
        others = or_(links.c.browser_hash.is_(None), links.c.browser_hash != mine)
        # Of two links of the same second each counts as earlier than the other: the first consent gets the
        # verification.
        earlier = (links.c.order_id == order.id, links.c.expires_at <= ends, ~link, others)
        connection.execute(update(links).where(*earlier).values(superseded_at=now))
        return order

    def state_of(self, connection: Connection, token: str, browser: str) -> LinkState:
        """Return whose the link is; `browser`: the caller's secret, empty if it has none."""
        row = connection.execute(
            select(links.c.browser_hash).where(links.c.token_hash == _hash(token))
        ).first()
        if row is None or row.browser_hash is None:
            return LinkState.OPEN
        mine = hmac.compare_digest(row.browser_hash, _hash(browser))
        return LinkState.YOURS if mine else LinkState.ELSEWHERE

    def order_of(self, connection: Connection, token: str) -> Order:
        """Return the open order of a link that may have expired, to request a new link.

        UnknownOrder: invalid link. AlreadyUsed: the order is closed.
        """
        said = self._read(token)
        if connection.execute(select(links).where(links.c.token_hash == _hash(token))).first() is None:
            raise UnknownOrder(_UNKNOWN)
        return _open_order(connection, said.order_id)

    def open_in(self, connection: Connection, token: str, now: datetime) -> Order:
        """Return the link's order, without using the link up.

        UnknownOrder: invalid link. AlreadyUsed: the link expired, a later one was used, or the order is closed.
        """
        said = self._read(token)
        if now >= said.expires_at:
            raise AlreadyUsed("the time of this link is over: call the hotline, or go to a counter")
        row = connection.execute(select(links).where(links.c.token_hash == _hash(token))).first()
        if row is None:
            raise UnknownOrder(_UNKNOWN)
        if row.superseded_at:
            raise AlreadyUsed("a later link was sent and used: open that one")
        return _open_order(connection, said.order_id)

    def _read(self, token: str) -> _Token:
        """Parse the token and check its signature, or raise UnknownOrder."""
        try:
            raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error):
            raw = b""
        if len(raw) != _TOKEN_BYTES:
            raise UnknownOrder(_UNKNOWN)
        body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        if not hmac.compare_digest(self._mac(body), mac):
            raise UnknownOrder(_UNKNOWN)
        return _Token(_id_of(body[:8]), datetime.fromtimestamp(int.from_bytes(body[8:12]), UTC))

    def _mac(self, body: bytes) -> bytes:
        return hmac.new(self._key, body, hashlib.sha256).digest()[:_MAC_BYTES]


def _open_order(connection: Connection, number: str) -> Order:
    """Return the order of a link. UnknownOrder: there is none. AlreadyUsed: it is closed."""
    order = find_order(connection, number)
    if order is None:
        raise UnknownOrder(_UNKNOWN)
    if order.closed_at:
        raise AlreadyUsed("the order of this link is closed: nothing is left to do")
    return order


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
