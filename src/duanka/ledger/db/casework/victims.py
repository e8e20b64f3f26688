"""Tables of victims: who is in danger, through which cards, what was sent, what came of the call."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, UniqueConstraint

from duanka.ledger.db.columns import String, Text, UtcMicroseconds
from duanka.ledger.db.tables import index_of_some, metadata, serial

# One row per person, renewed by each search that finds them. `signs`: JSON, [sign, figure, points] each.
victims = Table(
    "victims",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("number", String(24), nullable=False, unique=True),
    Column("origin", String(12), nullable=False),
    Column("operator", String(40), nullable=False, server_default=""),
    Column("city", String(40), nullable=False, server_default=""),
    Column("age_band", String(24), nullable=False, server_default=""),
    Column("fraud_kind", String(24), nullable=False, server_default=""),
    Column("points", Integer, nullable=False),
    Column("signs", Text, nullable=False),
    Column("last_contact", UtcMicroseconds, nullable=False),
    Column("found_at", UtcMicroseconds, nullable=False),
    Column("updated_at", UtcMicroseconds, nullable=False),
    Column("call_state", String(12), nullable=False),
    Column("claimed_by", String(32)),
    Column("claimed_until", UtcMicroseconds),
    Column("not_reached", Integer, nullable=False, server_default="0"),
    Column("outcome", String(16), nullable=False, server_default=""),  # of the last call
    Column("outcome_at", UtcMicroseconds),
    Index("victims_by_danger", "points", "id"),
    Index("victims_by_change", "updated_at"),
    index_of_some(
        "victims_to_call", "points", "id", where="call_state IN ('waiting', 'claimed', 'escalated')"
    ),
)

# What passed between a victim and a card. `confirmation_id` NULL: of a worklist for a card that is not confirmed.
victim_contacts = Table(
    "victim_contacts",
    metadata,
    Column("victim_id", String(16), primary_key=True),
    Column("card", String(24), primary_key=True),
    Column("confirmation_id", BigInteger),
    Column("calls", Integer, nullable=False),
    Column("answered", Integer, nullable=False),
    Column("seconds", Integer, nullable=False),
    Column("longest", Integer, nullable=False),
    Column("messages", Integer, nullable=False),
    Column("first_at", UtcMicroseconds, nullable=False),
    Column("last_at", UtcMicroseconds, nullable=False),
    Index("victim_contacts_of_card", "card"),
)

# Confirmations whose contacts are looked for. `looked_at` NULL: not yet. `generation`: of the store that was looked at.
# `corrected_at`: it was withdrawn, and corrections are queued.
victim_watches = Table(
    "victim_watches",
    metadata,
    Column("confirmation_id", BigInteger, primary_key=True, autoincrement=False),
    Column("card", String(24), nullable=False),
    Column("confirmed_at", UtcMicroseconds, nullable=False),
    Column("looked_at", UtcMicroseconds),
    Column("generation", BigInteger),
    Column("leased_until", UtcMicroseconds),
    Column("leased_by", String(40)),
    Column("corrected_at", UtcMicroseconds),
    Index("victim_watches_by_time", "confirmed_at"),
    index_of_some(
        "victim_watches_new", "confirmation_id", where="looked_at IS NULL AND corrected_at IS NULL"
    ),
)

# Warnings and corrections. `occasion`: local day of a warning, or what a correction corrects: the unique constraint
# makes each once, however many workers. `corrected_by`: the correction that takes a warning back.
victim_messages = Table(
    "victim_messages",
    metadata,
    Column("id", serial, primary_key=True, autoincrement=True),
    Column("victim_id", String(16), nullable=False),
    Column("number", String(24), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("occasion", String(24), nullable=False),
    Column("card", String(24), nullable=False),  # that the text names by its tail
    Column("body", Text, nullable=False),
    Column("operator", String(40), nullable=False, server_default=""),
    Column("city", String(40), nullable=False, server_default=""),
    Column("created_at", UtcMicroseconds, nullable=False),
    Column("next_try_at", UtcMicroseconds, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("leased_until", UtcMicroseconds),
    Column("leased_by", String(40)),
    Column("sent_at", UtcMicroseconds),
    Column("done_at", UtcMicroseconds),
    Column("outcome", String(16)),
    Column("receipt_at", UtcMicroseconds),
    Column("error", Text),
    Column("corrected_by", BigInteger),
    UniqueConstraint("number", "kind", "occasion"),
    Index("victim_messages_of", "victim_id", "id"),
    Index("victim_messages_by_time", "created_at"),
    index_of_some("victim_messages_waiting", "next_try_at", "id", where="done_at IS NULL"),
)

# On which confirmations a warning rests.
warning_grounds = Table(
    "warning_grounds",
    metadata,
    Column("message_id", BigInteger, primary_key=True, autoincrement=False),
    Column("confirmation_id", BigInteger, primary_key=True, autoincrement=False),
    Index("grounds_of_confirmation", "confirmation_id"),
)

# Parts that the message centre accepted, until their receipts arrive.
victim_message_parts = Table(
    "victim_message_parts",
    metadata,
    Column("part_id", String(72), primary_key=True),
    Column("message_id", BigInteger, nullable=False),
    Column("delivered", Integer),  # 1, 0; NULL: no receipt yet
    Index("victim_parts_of", "message_id"),
)

# Outcomes of calls, without a number: they stay for the figures when the victim is forgotten.
victim_outcomes = Table(
    "victim_outcomes",
    metadata,
    Column("id", serial, primary_key=True, autoincrement=True),
    Column("victim_id", String(16), nullable=False),
    Column("at", UtcMicroseconds, nullable=False),
    Column("who", String(32), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("operator", String(40), nullable=False, server_default=""),
    Column("city", String(40), nullable=False, server_default=""),
    Index("victim_outcomes_by_time", "at"),
    Index("victim_outcomes_of", "victim_id", "id"),
)

# Warnings that were sent and then forgotten, counted by hour and place of the person.
forgotten_warnings = Table(
    "forgotten_warnings",
    metadata,
    Column("hour", UtcMicroseconds, primary_key=True),
    Column("kind", String(12), primary_key=True),
    Column("outcome", String(16), primary_key=True),
    Column("operator", String(40), primary_key=True),
    Column("city", String(40), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

# Worklists for the contacts of cards that nobody confirmed: one proposes, another approves.
callback_requests = Table(
    "callback_requests",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("state", String(12), nullable=False),  # proposed, approved, rejected
    Column("basis", String(16), nullable=False),
    Column("basis_number", String(80), nullable=False),
    Column("hours", Integer, nullable=False),
    Column("why", Text, nullable=False),
    Column("proposed_by", String(32), nullable=False),
    Column("proposed_at", UtcMicroseconds, nullable=False),
    Column("decided_by", String(32)),
    Column("decided_at", UtcMicroseconds),
    Column("found", Integer, nullable=False, server_default="0"),
    Index("callback_requests_by_time", "proposed_at", "id"),
)

callback_cards = Table(
    "callback_cards",
    metadata,
    Column("request_id", String(16), primary_key=True),
    Column("card", String(24), primary_key=True),
)
