"""The registered photo of an order in the database, sealed, until the order closes."""

from __future__ import annotations

import logging
from datetime import datetime

from duanka.domain.order import SYSTEM
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.service import OrderService
from duanka.orders.verification.pictures import REFERENCE, Pictures, PictureSealed

UNUSABLE = "photo.unusable"  # audit trail entry

_log = logging.getLogger("duanka.orders.verification.registered_photos")


class RegisteredPhotos:
    """PhotoStore on the order database."""

    def __init__(self, order_service: OrderService, pictures: Pictures) -> None:
        self._orders, self._pictures = order_service, pictures

    def stored(self, order_id: str) -> bytes | None:
        """Return the photo if it is stored for this order and can be unsealed."""
        with self._orders.store.reading() as connection:
            try:
                return self._pictures.opened(connection, order_id, REFERENCE)
            except PictureSealed as error:  # the photo is fetched again and replaces this one
                _log.warning("%s", error)
                return None

    def keep(self, order_id: str, photo: bytes, now: datetime) -> None:
        """Store the photo, sealed, until the order closes; not if it is closed."""

        def work(unit: UnitOfWork) -> None:
            if unit.order(order_id).closed_at is None:
                self._pictures.keep(unit, order_id, REFERENCE, photo)

        self._orders.transaction(work, now)

    def note_unusable(self, order_id: str, why: str, now: datetime) -> None:
        """Audit once per order why there is no usable photo to compare with."""

        def work(unit: UnitOfWork) -> None:
            if not self._orders.terms.trail.has(unit.connection, UNUSABLE, order_id):
                unit.note(SYSTEM, UNUSABLE, order_id, why, {}, {})

        self._orders.transaction(work, now)
