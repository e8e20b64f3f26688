"""Tables of people: persons, keys, requests, trusted signers of police cases."""

from __future__ import annotations

from sqlalchemy import Column, Index, Table

from duanka.ledger.db.columns import String, Text, UtcMicroseconds
from duanka.ledger.db.tables import index_of_some, metadata

# People who act. `id` is used for comparison and in the trail; a scope is names joined by |, empty: all.
persons = Table(
    "persons",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("operators", Text, nullable=False, server_default=""),
    Column("cities", Text, nullable=False, server_default=""),
    Column("created_at", UtcMicroseconds, nullable=False),
    Column("disabled_at", UtcMicroseconds),
)

# Requests about people that a supervisor decides: a person, a change of one, a key, or a password.
person_requests = Table(
    "person_requests",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("what", String(8), nullable=False),  # of PersonProposal
    Column("person", String(32), nullable=False),
    Column("display_name", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("operators", Text, nullable=False),
    Column("cities", Text, nullable=False),
    Column("half", String(64)),  # SHA-256 of the half of a key or password that the proposer was shown
    Column("proposed_by", String(32), nullable=False),
    Column("proposed_at", UtcMicroseconds, nullable=False),
    Column("decided_by", String(32)),
    Column("decided_at", UtcMicroseconds),
    Column("outcome", String(16)),  # approved, rejected
    Column("account", Text, nullable=False, server_default=""),  # login name of a password
    index_of_some("one_open_request", "person", unique=True, where="decided_at IS NULL"),
)

# Single-use invitation of the second supervisor, by its hash.
invitations = Table(
    "invitations",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("made_by", String(32), nullable=False),
    Column("made_at", UtcMicroseconds, nullable=False),
    Column("expires_at", UtcMicroseconds, nullable=False),
    Column("used_at", UtcMicroseconds),
)

keys = Table(
    "keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("person", String(32), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("created_at", UtcMicroseconds, nullable=False),
    Column("proposed_by", String(32), nullable=False),
    Column("approved_by", String(32), nullable=False),
    Column("revoked_at", UtcMicroseconds),
    Index("keys_of_person", "person"),
)

# Trusted signers of police cases; `seal`: keyed hash; a row without a valid one does not count.
case_sources = Table(
    "case_sources",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(32), nullable=False),
    Column("public_key", String(64), nullable=False),
    Column("proposed_by", String(32), nullable=False),
    Column("proposed_at", UtcMicroseconds, nullable=False),
    Column("approved_by", String(32)),
    Column("removed_at", UtcMicroseconds),
    Column("seal", String(64), nullable=False),
)
