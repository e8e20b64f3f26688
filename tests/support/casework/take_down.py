"""Items for take-down in an order database."""

from __future__ import annotations

from sqlalchemy import insert

from duanka.domain.takedown import IndicatorKind, ItemState
from duanka.ledger.db.casework.accounts import takedown_items
from duanka.ledger.db.database import Store
from support.orders.books import NOW


def put(store: Store, number: str, value: str, kind: IndicatorKind = IndicatorKind.HOST) -> None:
    """An item that was reported."""
    row: dict[str, object] = {"id": number, "kind": kind.value, "value": value}
    row |= {"state": ItemState.REPORTED.value, "first_seen": NOW, "last_seen": NOW, "updated_at": NOW}
    with store.writing() as connection:
        connection.execute(insert(takedown_items).values(row))
