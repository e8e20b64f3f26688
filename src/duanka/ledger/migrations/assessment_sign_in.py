"""What version 14 adds for signing in; immutable, and independent of present tables."""

from __future__ import annotations

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, Integer, String, Text, inspect, text


def sign_in(op: Operations) -> None:
    """Create credentials, sessions of people and wrong passwords; a request about people names a login."""
    there = inspect(op.get_bind())
    if "account" not in {column["name"] for column in there.get_columns("person_requests")}:
        op.add_column("person_requests", Column("account", Text, nullable=False, server_default=""))
    if there.has_table("credentials"):
        return
    op.create_table(
        "credentials",
        Column("id", String(16), primary_key=True),
        Column("person", String(32), nullable=False),
        Column("kind", String(8), nullable=False),
        Column("issuer", Text, nullable=False, server_default=""),
        Column("name", Text, nullable=False),
        Column("hash", Text, nullable=False, server_default=""),
        Column("generated", Integer, nullable=False, server_default="0"),
        Column("created_at", BigInteger, nullable=False),
        Column("proposed_by", String(32), nullable=False),
        Column("approved_by", String(32), nullable=False),
        Column("revoked_at", BigInteger),
    )
    for name, columns in (
        ("credential_in_force", ["kind", "issuer", "name"]),
        ("one_credential", ["person", "kind"]),
    ):
        only = text("revoked_at IS NULL")
        op.create_index(name, "credentials", columns, unique=True, sqlite_where=only, postgresql_where=only)
    op.create_table(
        "staff_sessions",
        Column("id", String(16), primary_key=True),
        Column("token_hash", String(64), nullable=False, unique=True),
        Column("person", String(32), nullable=False),
        Column("credential", String(16), nullable=False),
        Column("address", String(64), nullable=False),
        Column("begun_at", BigInteger, nullable=False),
        Column("seen_at", BigInteger, nullable=False),
        Column("ends_at", BigInteger, nullable=False),
        Column("ended_at", BigInteger),
    )
    op.create_index("staff_sessions_of_person", "staff_sessions", ["person", "begun_at"])
    op.create_table(
        "sign_in_tries",
        Column("login_hash", String(64), primary_key=True),
        Column("failures", Integer, nullable=False),
        Column("failed_at", BigInteger, nullable=False),
    )
    op.create_index("sign_in_tries_by_time", "sign_in_tries", ["failed_at"])
