"""Tables of the installation: identity, version of the tables, network elements."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table

from duanka.ledger.db.columns import String, Text, UtcMicroseconds
from duanka.ledger.db.tables import metadata

# One row. `secret_seal`: HMAC of `installation_id` under the installation's secret; it reveals a wrong secret before
# anything is written with it.
installation = Table(
    "installation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("schema_version", Integer, nullable=False),
    Column("installation_id", String(32), nullable=False),
    Column("secret_seal", String(64), nullable=False),
    Column("created_at", UtcMicroseconds, nullable=False),
)

# What a card could use in the home register before a lifeline or a stop took part of it: calls (`cs`), data (`ps`).
card_services = Table(
    "card_services",
    metadata,
    Column("card", String(24), primary_key=True),
    Column("cs", Integer, nullable=False),
    Column("ps", Integer, nullable=False),
)

# Network elements, the same for every process. Empty address: removed by a person, which a setting does not undo.
# `changes_allowed`: what a supervisor lets the next comparison change, and until when.
elements = Table(
    "elements",
    metadata,
    Column("name", String(24), primary_key=True),
    Column("address", Text, nullable=False),
    Column("changed_at", UtcMicroseconds, nullable=False),
    Column("changes_allowed", Integer),
    Column("allowed_until", UtcMicroseconds),
)
