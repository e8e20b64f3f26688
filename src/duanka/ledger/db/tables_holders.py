"""Tables of what is owed to holders: the texts of their stops, what these mean for billing."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table, UniqueConstraint

from duanka.ledger.db.columns import String, Text, UtcMicroseconds
from duanka.ledger.db.tables import metadata, serial

# One row for each change of whether a card is charged (domain/billing.py), written in the transaction of the order's
# step. `id`: 1, 2, 3, ... in the order of commits, given by `write_billing_events`; billing goes on after the last one.
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

# The text of each step that restricts a card, made in its transaction and never worded anew (domain/stop_text.py).
# `sha256`: of the whole text, head and body joined, in UTF-8; `belated`: 1 if made later, for an order of an earlier
# version. The audit trail names a text by its order and step (`text_id`).
stop_texts = Table(
    "stop_texts",
    metadata,
    Column("order_id", String(16), primary_key=True),
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("head_zh", Text, nullable=False),
    Column("head_en", Text, nullable=False),
    Column("body", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("made_at", UtcMicroseconds, nullable=False),
    Column("belated", Integer, nullable=False, server_default="0"),
)

# What texts of stops share, by its SHA-256: cards with the same rules and grounds have one row.
stop_text_bodies = Table(
    "stop_text_bodies",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("zh", Text, nullable=False),
    Column("en", Text, nullable=False),
)

# Visits without a link, by number and order number; apart from `sessions`, so that whoever has both numbers ends and
# uses up nothing of the holder's. `order_id`: "" where they lead nowhere, which the visitor is not told. Numbers and
# addresses are keyed hashes.
unlinked_sessions = Table(
    "unlinked_sessions",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("order_id", String(16), nullable=False),
    Column("pair_hash", String(64), nullable=False),  # of number and verification, else as typed
    Column("address_hash", String(64), nullable=False),
    Column("agreed_at", UtcMicroseconds, nullable=False),
    Column("words", Text, nullable=False),  # digest of the accepted texts
    Column("expires_at", UtcMicroseconds, nullable=False),
    Index("unlinked_by_address", "address_hash", "agreed_at"),
    Index("unlinked_by_end", "expires_at"),
)

# Challenges drawn in such visits. One that passed is copied to `checks`.
unlinked_checks = Table(
    "unlinked_checks",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("session_id", String(16), nullable=False),
    Column("pair_hash", String(64), nullable=False),
    Column("address_hash", String(64), nullable=False),
    Column("steps", Text, nullable=False),  # JSON, as in `checks`
    Column("drawn_at", UtcMicroseconds, nullable=False),
    Column("expires_at", UtcMicroseconds, nullable=False),
    Column("submitted_at", UtcMicroseconds),
    Column("decided_at", UtcMicroseconds),
    Column("outcome", String(16)),
    Column("reasons", Text, nullable=False, server_default=""),
    Index("unlinked_checks_of_session", "session_id", "drawn_at"),
    Index("unlinked_checks_of_pair", "pair_hash", "drawn_at"),
    Index("unlinked_checks_by_address", "address_hash", "drawn_at"),
)
