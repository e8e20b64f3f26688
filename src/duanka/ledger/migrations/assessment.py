"""Tables that version 14 adds for assessment and holders; immutable, and independent of present tables."""

from __future__ import annotations

from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, Integer, String, Text, UniqueConstraint, inspect

from duanka.ledger.migrations.assessment_figures import figures
from duanka.ledger.migrations.assessment_holders import objections, unlinked
from duanka.ledger.migrations.assessment_listings import listings
from duanka.ledger.migrations.assessment_sign_in import sign_in

_Serial = BigInteger().with_variant(Integer, "sqlite")


def assessment(op: Operations) -> None:
    """Create the tables of figures, of what is owed to holders, of runs, of listings and of signing in."""
    figures(op)
    _holders(op)
    objections(op)
    listings(op)
    _stop_texts(op)
    _card_services(op)
    unlinked(op)
    sign_in(op)


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
    # what is stopped already is not charged: billing that begins with the first event hears of it
    op.execute(
        "INSERT INTO billing_events (id, card, order_id, step, event, at, operator, city)"
        " SELECT row_number() OVER (ORDER BY c.since, c.card), c.card, c.order_id, o.step,"
        " CASE WHEN c.state = 'cancelled' THEN 'ended' ELSE 'paused' END, c.since, o.operator, o.city"
        " FROM cards c JOIN orders o ON o.id = c.order_id WHERE c.wanted <> 'active'"
    )


def _stop_texts(op: Operations) -> None:
    if inspect(op.get_bind()).has_table("stop_texts"):
        return
    op.create_table(
        "stop_texts",
        Column("order_id", String(16), primary_key=True),
        Column("step", Integer, primary_key=True, autoincrement=False),
        Column("head_zh", Text, nullable=False),
        Column("head_en", Text, nullable=False),
        Column("body", String(64), nullable=False),
        Column("sha256", String(64), nullable=False),
        Column("made_at", BigInteger, nullable=False),
        Column("belated", Integer, nullable=False, server_default="0"),
    )
    op.create_table(
        "stop_text_bodies",
        Column("sha256", String(64), primary_key=True),
        Column("zh", Text, nullable=False),
        Column("en", Text, nullable=False),
    )


def _card_services(op: Operations) -> None:
    if inspect(op.get_bind()).has_table("card_services"):
        return
    op.create_table(
        "card_services",
        Column("card", String(24), primary_key=True),
        Column("cs", Integer, nullable=False),
        Column("ps", Integer, nullable=False),
    )
