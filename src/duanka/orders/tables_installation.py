"""Tables about the installation itself: its identity, the version of its tables, the network's elements."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table

from duanka.orders.tables import Moment, metadata

# One row. `secret_seal` is an HMAC of `installation_id` under the installation's secret: it tells a secret that does
# not fit before anything is written under it.
installation = Table(
    "installation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("schema_version", Integer, nullable=False),
    Column("installation_id", String(32), nullable=False),
    Column("secret_seal", String(64), nullable=False),
    Column("created_at", Moment, nullable=False),
)
