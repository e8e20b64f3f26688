"""What version 14 adds for holders who object or are away; immutable, and independent of present tables."""

from __future__ import annotations

from typing import Any

from alembic.operations import Operations
from sqlalchemy import Column, String, inspect, text

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


def _create_index(op: Operations, name: str, columns: list[str], where: str) -> None:
    only: dict[str, Any] = {"sqlite_where": text(where), "postgresql_where": text(where)}
    op.create_index(name, "orders", columns, **only)
