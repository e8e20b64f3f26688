"""Tables of victims that version 13 adds; immutable, and independent of present tables."""

from __future__ import annotations

from typing import Any

from alembic.operations import Operations
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

_frozen = MetaData()
_serial = BigInteger().with_variant(Integer, "sqlite")


def _only(where: str) -> dict[str, Any]:
    """A partial index, on both databases."""
    return {"sqlite_where": text(where), "postgresql_where": text(where)}


def victims(op: Operations) -> None:
    """Create those of the tables that are missing."""
    _frozen.create_all(op.get_bind())


Table(
    "victims",
    _frozen,
    Column("id", String(16), primary_key=True),
    Column("number", String(24), nullable=False, unique=True),
    Column("origin", String(12), nullable=False),
    Column("operator", String(40), nullable=False, server_default=""),
    Column("city", String(40), nullable=False, server_default=""),
    Column("age_band", String(24), nullable=False, server_default=""),
    Column("fraud_kind", String(24), nullable=False, server_default=""),
    Column("points", Integer, nullable=False),
    Column("signs", Text, nullable=False),
    Column("last_contact", BigInteger, nullable=False),
    Column("found_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("call_state", String(12), nullable=False),
    Column("claimed_by", String(32)),
    Column("claimed_until", BigInteger),
    Column("not_reached", Integer, nullable=False, server_default="0"),
    Column("outcome", String(16), nullable=False, server_default=""),
    Column("outcome_at", BigInteger),
    Index("victims_by_change", "updated_at"),
    Index("victims_by_danger", "points", "id"),
    Index("victims_to_call", "points", "id", **_only("call_state IN ('waiting', 'claimed', 'escalated')")),
)
Table(
    "victim_contacts",
    _frozen,
    Column("victim_id", String(16), primary_key=True),
    Column("card", String(24), primary_key=True),
    Column("confirmation_id", BigInteger),
    Column("calls", Integer, nullable=False),
    Column("answered", Integer, nullable=False),
    Column("seconds", Integer, nullable=False),
    Column("longest", Integer, nullable=False),
    Column("messages", Integer, nullable=False),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Index("victim_contacts_of_card", "card"),
)
Table(
    "victim_watches",
    _frozen,
    Column("confirmation_id", BigInteger, primary_key=True, autoincrement=False),
    Column("card", String(24), nullable=False),
    Column("confirmed_at", BigInteger, nullable=False),
    Column("looked_at", BigInteger),
    Column("generation", BigInteger),
    Column("leased_until", BigInteger),
    Column("leased_by", String(40)),
    Column("corrected_at", BigInteger),
    Index("victim_watches_by_time", "confirmed_at"),
    Index("victim_watches_new", "confirmation_id", **_only("looked_at IS NULL AND corrected_at IS NULL")),
)
Table(
    "victim_messages",
    _frozen,
    Column("id", _serial, primary_key=True, autoincrement=True),
    Column("victim_id", String(16), nullable=False),
    Column("number", String(24), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("occasion", String(24), nullable=False),
    Column("card", String(24), nullable=False),
    Column("body", Text, nullable=False),
    Column("operator", String(40), nullable=False, server_default=""),
    Column("city", String(40), nullable=False, server_default=""),
    Column("created_at", BigInteger, nullable=False),
    Column("next_try_at", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("leased_until", BigInteger),
    Column("leased_by", String(40)),
    Column("sent_at", BigInteger),
    Column("done_at", BigInteger),
    Column("outcome", String(16)),
    Column("receipt_at", BigInteger),
    Column("error", Text),
    Column("corrected_by", BigInteger),
    UniqueConstraint("number", "kind", "occasion"),
    Index("victim_messages_by_time", "created_at"),
    Index("victim_messages_of", "victim_id", "id"),
    Index("victim_messages_waiting", "next_try_at", "id", **_only("done_at IS NULL")),
)
Table(
    "warning_grounds",
    _frozen,
    Column("message_id", BigInteger, primary_key=True, autoincrement=False),
    Column("confirmation_id", BigInteger, primary_key=True, autoincrement=False),
    Index("grounds_of_confirmation", "confirmation_id"),
)
Table(
    "victim_message_parts",
    _frozen,
    Column("part_id", String(72), primary_key=True),
    Column("message_id", BigInteger, nullable=False),
    Column("delivered", Integer),
    Index("victim_parts_of", "message_id"),
)
Table(
    "victim_outcomes",
    _frozen,
    Column("id", _serial, primary_key=True, autoincrement=True),
    Column("victim_id", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("who", String(32), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("operator", String(40), nullable=False, server_default=""),
    Column("city", String(40), nullable=False, server_default=""),
    Index("victim_outcomes_by_time", "at"),
    Index("victim_outcomes_of", "victim_id", "id"),
)
Table(
    "forgotten_warnings",
    _frozen,
    Column("hour", BigInteger, primary_key=True),
    Column("kind", String(12), primary_key=True),
    Column("outcome", String(16), primary_key=True),
    Column("operator", String(40), primary_key=True),
    Column("city", String(40), primary_key=True),
    Column("count", BigInteger, nullable=False),
)
Table(
    "callback_requests",
    _frozen,
    Column("id", String(16), primary_key=True),
    Column("state", String(12), nullable=False),
    Column("basis", String(16), nullable=False),
    Column("basis_number", String(80), nullable=False),
    Column("hours", Integer, nullable=False),
    Column("why", Text, nullable=False),
    Column("proposed_by", String(32), nullable=False),
    Column("proposed_at", BigInteger, nullable=False),
    Column("decided_by", String(32)),
    Column("decided_at", BigInteger),
    Column("found", Integer, nullable=False, server_default="0"),
    Index("callback_requests_by_time", "proposed_at", "id"),
)
Table(
    "callback_cards",
    _frozen,
    Column("request_id", String(16), primary_key=True),
    Column("card", String(24), primary_key=True),
)
