"""The tables of the second verification, on the metadata of the order book: sessions, checks, pictures, counters."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, Table

from duanka.ledger.db.columns import String, Text, UtcMicroseconds
from duanka.ledger.db.tables import index_of_some, metadata, serial

# One holder at one verification, from the consent on. Of an order the last one may draw and send frames.
sessions = Table(
    "sessions",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),  # reading the database opens nothing
    Column("order_id", String(16), nullable=False),
    Column("agreed_at", UtcMicroseconds, nullable=False),
    Column("words", Text, nullable=False),  # digest of the texts that were agreed to
    Column("expires_at", UtcMicroseconds, nullable=False),
    Column("ended_at", UtcMicroseconds),  # another session took over, or the consent was taken back
    Index("sessions_of_order", "order_id"),
    Index("sessions_by_end", "expires_at"),
)

# Challenges and what came of them. No picture and no embedding stands here.
checks = Table(
    "checks",
    metadata,
    Column("seq", serial, primary_key=True, autoincrement=True),  # in which they were drawn
    Column("id", String(32), nullable=False, unique=True),
    Column("order_id", String(16), nullable=False),
    Column("session_id", String(16), nullable=False),
    Column("steps", Text, nullable=False),  # JSON: gesture, begins, ends
    Column("drawn_at", UtcMicroseconds, nullable=False),
    Column("expires_at", UtcMicroseconds, nullable=False),
    Column("submitted_at", UtcMicroseconds),  # used up, by whatever
    Column("decided_at", UtcMicroseconds),
    Column("outcome", String(16)),  # passed, review, failed; refused, released, superseded: not looked at
    Column("counted", Integer, nullable=False, server_default="0"),
    Column("similarity", Float),
    Column("reasons", Text, nullable=False, server_default=""),  # joined by spaces
    Column("signals", Text, nullable=False, server_default="{}"),  # JSON: what liveness measured, by name
    Column("reviewed_at", UtcMicroseconds),  # a person decided, or there was nothing left to decide
    Index("checks_of_order", "order_id", "seq"),
    index_of_some("one_review", "order_id", unique=True, where="outcome = 'review' AND reviewed_at IS NULL"),
    index_of_some("reviews_waiting", "decided_at", where="outcome = 'review' AND reviewed_at IS NULL"),
)

# Frames that came once, by a keyed hash of their bytes: nobody can tell from it whether a picture was among them.
# Also the recording that was told for a challenge, and that one was.
frames_seen = Table(
    "frames_seen",
    metadata,
    Column("hash", String(32), primary_key=True),
    Column("order_id", String(16), nullable=False),
    Column("at", UtcMicroseconds, nullable=False),
    Index("frames_by_time", "at"),
)

pictures = Table(
    "pictures",
    metadata,
    Column("order_id", String(16), primary_key=True),
    Column("what", String(16), primary_key=True),  # reference, captured
    Column("sealed", LargeBinary, nullable=False),
    Column("kept_at", UtcMicroseconds, nullable=False),
)

# Who was verified in person. What is discarded stays here with its outcome, so that the trail can be compared.
counter_checks = Table(
    "counter_checks",
    metadata,
    Column("id", serial, primary_key=True, autoincrement=True),
    Column("order_id", String(16), nullable=False),
    Column("document", String(24), nullable=False),  # its kind; no number of a document is ever stored
    Column("counter", Text, nullable=False),
    Column("person_present", Integer, nullable=False),
    Column("card_in_hand", Integer, nullable=False),
    Column("notice_signed", Integer, nullable=False),
    Column("words", String(64), nullable=False),  # digest of the notice that was signed
    Column("first_by", Text, nullable=False),
    Column("first_at", UtcMicroseconds, nullable=False),
    Column("second_by", Text),
    Column("second_at", UtcMicroseconds),
    Column("outcome", String(16)),  # passed, rejected; NULL: waits for a second person
    Index("counter_checks_of_order", "order_id"),
    index_of_some("one_counter_check", "order_id", unique=True, where="outcome IS NULL"),
    index_of_some("counter_checks_waiting", "first_at", where="outcome IS NULL"),
)
