"""Tables of signing in: credentials, sessions, wrong passwords."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table

from duanka.ledger.db.columns import String, Text, UtcMicroseconds
from duanka.ledger.db.tables import index_of_some, metadata

# By what a person signs in: a password (`name`: login name, `hash`: argon2id) or a subject of an OIDC issuer.
credentials = Table(
    "credentials",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("person", String(32), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("issuer", Text, nullable=False, server_default=""),
    Column("name", Text, nullable=False),
    Column("hash", Text, nullable=False, server_default=""),
    Column("generated", Integer, nullable=False, server_default="0"),  # must be changed at the first sign-in
    Column("created_at", UtcMicroseconds, nullable=False),
    Column("proposed_by", String(32), nullable=False),
    Column("approved_by", String(32), nullable=False),
    Column("revoked_at", UtcMicroseconds),
    index_of_some("credential_in_force", "kind", "issuer", "name", unique=True, where="revoked_at IS NULL"),
    index_of_some("one_credential", "person", "kind", unique=True, where="revoked_at IS NULL"),
)

# Sessions of people, by the SHA-256 of what their cookie holds. They are kept when they are over, as the trail names
# them; `seen_at` is written once a minute at most.
staff_sessions = Table(
    "staff_sessions",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("person", String(32), nullable=False),
    Column("credential", String(16), nullable=False),
    Column("address", String(64), nullable=False),
    Column("begun_at", UtcMicroseconds, nullable=False),
    Column("seen_at", UtcMicroseconds, nullable=False),
    Column("ends_at", UtcMicroseconds, nullable=False),
    Column("ended_at", UtcMicroseconds),
    Index("staff_sessions_of_person", "person", "begun_at"),
)

# Wrong passwords in a row, by keyed hash of the login name, whether there is such a login name or not.
sign_in_tries = Table(
    "sign_in_tries",
    metadata,
    Column("login_hash", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("failed_at", UtcMicroseconds, nullable=False),
    Index("sign_in_tries_by_time", "failed_at"),
)
