"""Tables of what is owed to holders: what their stops mean for billing."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, UniqueConstraint

from duanka.ledger.db.columns import String, UtcMicroseconds
from duanka.ledger.db.tables import metadata, serial

# One row for each change of whether a card is to be charged, written in the transaction of the order's step. `event`:
# paused, resumed. `id` counts up, so that billing continues after the last one it took.
billing_events = Table(
    "billing_events",
    metadata,
    Column("id", serial, primary_key=True, autoincrement=True),
    Column("card", String(24), nullable=False),
    Column("order_id", String(16), nullable=False),
    Column("step", Integer, nullable=False),
    Column("event", String(8), nullable=False),
    Column("at", UtcMicroseconds, nullable=False),
    Column("operator", String(40), nullable=False, server_default=""),
    Column("city", String(40), nullable=False, server_default=""),
    UniqueConstraint("order_id", "step"),
)
