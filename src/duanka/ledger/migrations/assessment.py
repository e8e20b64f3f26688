"""Tables that version 14 adds for assessment and holders; immutable, and independent of present tables."""

from __future__ import annotations

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, Integer, String, UniqueConstraint, inspect

from duanka.ledger.migrations.assessment_holders import objections
from duanka.ledger.migrations.assessment_listings import listings

_Serial = BigInteger().with_variant(Integer, "sqlite")


def assessment(op: Operations) -> None:
    """Create the tables of what is owed to holders, of runs and of listings."""
    _holders(op)
    objections(op)
    listings(op)


def _holders(op: Operations) -> None:
    if inspect(op.get_bind()).has_table("billing_events"):
        return
    op.create_table(
        "billing_events",
        Column("id", _Serial, primary_key=True, autoincrement=True),
        Column("card", String(24), nullable=False),
        Column("order_id", String(16), nullable=False),
        Column("step", Integer, nullable=False),
        Column("event", String(8), nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("operator", String(40), nullable=False, server_default=""),
        Column("city", String(40), nullable=False, server_default=""),
        UniqueConstraint("order_id", "step"),
    )
