"""Sealed pictures that a reviewer may compare; deleted when the order closes.

There are two per verification. Each is sealed with AES-256-GCM (NIST SP 800-38D) under a key outside of the database,
bound to its order and its kind: in another row it cannot be decrypted.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import ColumnElement, Connection, Select, and_, delete, or_, select

from duanka.domain.errors import DuankaError
from duanka.domain.order import SYSTEM
from duanka.domain.text import BilingualText
from duanka.ledger.db.bulk import upsert
from duanka.ledger.db.tables import orders
from duanka.ledger.db.tables_identity import pictures
from duanka.ledger.monitoring.isolation import each_alone
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.service import OrderService

REFERENCE, CAPTURED = "reference", "captured"
LONGEST = timedelta(days=400)  # maximum since the order was opened, whatever its state
KEY_BYTES = 32
_PICTURES = BilingualText("照片所属工单", "the deletion of the pictures of")
_NONCE_BYTES = 12  # bytes, random per picture, as the standard advises for so few pictures under one key


class PictureSealed(DuankaError):
    """A stored picture does not open: another secret, or the row was changed."""


class Pictures:
    """Stores, opens and deletes sealed pictures. `key`: 32 bytes, for pictures only."""

    def __init__(self, order_service: OrderService, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key of {KEY_BYTES} bytes is needed")
        self._orders, self._cipher = order_service, AESGCM(key)
        self._in_the_log = False  # a deleted picture may still be in SQLite's write-ahead log

    def keep(self, unit: UnitOfWork, order_id: str, what: str, picture: bytes) -> None:
        """Store a picture in the unit of work; replaces the previous one of its kind.

        `what`: REFERENCE, CAPTURED.
        """
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, picture, _bound_to(order_id, what))
        facts = {"sealed": sealed, "kept_at": unit.now}
        row = upsert(unit.connection, pictures).values(order_id=order_id, what=what, **facts)
        unit.connection.execute(row.on_conflict_do_update(index_elements=["order_id", "what"], set_=facts))

    def opened(self, connection: Connection, order_id: str, what: str) -> bytes | None:
        """Return the picture, if stored. PictureSealed: it does not open."""
        kept = select(pictures.c.sealed).where(pictures.c.order_id == order_id, pictures.c.what == what)
        sealed = connection.execute(kept).scalar()
        if sealed is None:
            return None
        try:
            return self._cipher.decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bound_to(order_id, what)
            )
        except (InvalidTag, ValueError):  # ValueError: too short for a sealed picture
            raise PictureSealed(
                f"the {what} picture of {order_id} does not open: DUANKA_SECRET is not the one it was sealed under,"
                " or its row was changed; send the holder to a counter"
            ) from None

    def purge(self, now: datetime, limit: int = 200) -> int:
        """Delete expired pictures of up to `limit` orders; return the number of orders.

        0: none is left. The audit trail says for each order what was deleted. Safe to run concurrently.
        """
        over = self._over(now).limit(limit)
        # Read before locking: usually no picture has expired, and no writer is delayed.
        with self._orders.store.reading() as connection:
            ids = connection.execute(over).scalars().all()
        left: list[str] = []

        def set_aside(order_id: str, error: Exception) -> None:
            left.append(order_id)
            self._orders.set_aside(_PICTURES, order_id, error, now)

        each_alone(
            ids, lambda some: self._orders.transaction(lambda unit: _delete(unit, some), now), set_aside
        )
        found = len(ids) - len(left)
        if found or self._in_the_log:
            self._in_the_log = not self._orders.store.scrub()
        return found

    def _over(self, now: datetime) -> Select[str]:
        """Select orders with pictures that must not be kept any longer."""
        keep = timedelta(hours=self._orders.terms.policy.identity.keep_hours)
        over: ColumnElement[bool] = or_(
            and_(orders.c.closed_at.is_not(None), orders.c.closed_at <= now - keep),
            orders.c.opened_at <= now - LONGEST,
        )
        return (
            select(pictures.c.order_id)
            .join(orders, orders.c.id == pictures.c.order_id)
            .where(over)
            .distinct()
            .order_by(pictures.c.order_id)
        )


def _delete(unit: UnitOfWork, of: Sequence[str]) -> None:
    for order_id in of:
        gone = delete(pictures).where(pictures.c.order_id == order_id).returning(pictures.c.what)
        if what := sorted(unit.connection.execute(gone).scalars()):  # empty if another worker was quicker
            unit.note(SYSTEM, "pictures.purge", order_id, "kept no longer", {"kept": what}, {})


def _bound_to(order_id: str, what: str) -> bytes:
    return f"{order_id}\0{what}".encode()
