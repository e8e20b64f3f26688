"""What version 14 adds for holders who object or are away; immutable, and independent of present tables."""

from __future__ import annotations

from typing import Any

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, Integer, String, Text, inspect, text

_WAITING = (
    "closed_at IS NULL AND (due_at IS NULL OR state = 'filed') AND kind <> 'restriction'"
    " AND (kind = 'objection' OR evidence = '' OR state NOT IN ('expired', 'failed'))"
)
_LAPSED = "kind = 'objection' AND state = 'lapsed'"


def objections(op: Operations) -> None:
    """Record how objections are filed; those that nobody has taken up wait for a person although their term runs."""
    there = inspect(op.get_bind())
    if "channel" in {column["name"] for column in there.get_columns("orders")}:
        return
    op.add_column("orders", Column("channel", String(8), nullable=False, server_default=""))
    op.drop_index("orders_waiting", "orders")
    _create_index(op, "orders_waiting", ["updated_at"], _WAITING)
    _create_index(op, "orders_lapsed", ["card", "closed_at"], _LAPSED)


def unlinked(op: Operations) -> None:
    """Keep visits without a link apart from those by a link."""
    there = inspect(op.get_bind())
    if "unlinked" not in {column["name"] for column in there.get_columns("checks")}:
        op.add_column("checks", Column("unlinked", Integer, nullable=False, server_default="0"))
    if there.has_table("unlinked_sessions"):
        return
    of_visit = (("pair_hash", 64), ("address_hash", 64))
    op.create_table(
        "unlinked_sessions",
        Column("id", String(16), primary_key=True),
        Column("token_hash", String(64), nullable=False, unique=True),
        Column("order_id", String(16), nullable=False),
        *(Column(name, String(length), nullable=False) for name, length in of_visit),
        Column("agreed_at", BigInteger, nullable=False),
        Column("words", Text, nullable=False),
        Column("expires_at", BigInteger, nullable=False),
    )
    op.create_index("unlinked_by_address", "unlinked_sessions", ["address_hash", "agreed_at"])
    op.create_index("unlinked_by_end", "unlinked_sessions", ["expires_at"])
    op.create_table(
        "unlinked_checks",
        Column("id", String(32), primary_key=True),
        Column("session_id", String(16), nullable=False),
        *(Column(name, String(length), nullable=False) for name, length in of_visit),
        Column("steps", Text, nullable=False),
        Column("drawn_at", BigInteger, nullable=False),
        Column("expires_at", BigInteger, nullable=False),
        Column("submitted_at", BigInteger),
        Column("decided_at", BigInteger),
        Column("outcome", String(16)),
        Column("reasons", Text, nullable=False, server_default=""),
    )
    for name, columns in (
        ("unlinked_checks_of_session", ["session_id", "drawn_at"]),
        ("unlinked_checks_of_pair", ["pair_hash", "drawn_at"]),
        ("unlinked_checks_by_address", ["address_hash", "drawn_at"]),
    ):
        op.create_index(name, "unlinked_checks", columns)


def _create_index(op: Operations, name: str, columns: list[str], where: str) -> None:
    only: dict[str, Any] = {"sqlite_where": text(where), "postgresql_where": text(where)}
    op.create_index(name, "orders", columns, **only)
