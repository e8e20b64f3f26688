"""Tables of the second verification: sessions, checks, pictures, counter checks."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, Table

from duanka.ledger.db.columns import String, Text, UtcMicroseconds
from duanka.ledger.db.tables import index_of_some, metadata, serial

# Visits of holders, from consent on. Only an order's latest session may draw a challenge and send frames.
sessions = Table(
    "sessions",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),  # hashed: a reader cannot use it
    Column("order_id", String(16), nullable=False),
    Column("agreed_at", UtcMicroseconds, nullable=False),
    Column("words", Text, nullable=False),  # digest of the accepted texts
    Column("expires_at", UtcMicroseconds, nullable=False),
    Column("ended_at", UtcMicroseconds),  # replaced by another session, or consent withdrawn
    Column("disowns", Integer, nullable=False, server_default="0"),  # the holder says: not my number
    Index("sessions_of_order", "order_id"),
    Index("sessions_by_end", "expires_at"),
)

# Challenges and their results. No picture and no embedding is stored here.
checks = Table(
    "checks",
    metadata,
    Column("seq", serial, primary_key=True, autoincrement=True),  # order in which they were drawn
    Column("id", String(32), nullable=False, unique=True),
    Column("order_id", String(16), nullable=False),
    Column("session_id", String(16), nullable=False),
    Column("steps", Text, nullable=False),  # JSON: gesture, begin, end
    Column("drawn_at", UtcMicroseconds, nullable=False),
    Column("expires_at", UtcMicroseconds, nullable=False),
    Column("submitted_at", UtcMicroseconds),  # the challenge is used up
    Column("decided_at", UtcMicroseconds),
    Column("outcome", String(16)),  # passed, review, failed; without a verdict: refused, released, superseded
    Column("counted", Integer, nullable=False, server_default="0"),
    Column("similarity", Float),
    Column("reasons", Text, nullable=False, server_default=""),  # separated by spaces
    Column("signals", Text, nullable=False, server_default="{}"),  # JSON: liveness measurements by name
    Column("reviewed_at", UtcMicroseconds),  # decided by a person, or nothing left to decide
    Column("disowns", Integer, nullable=False, server_default="0"),  # as its session, which is kept less long
    # passed without a link; `session_id` is of `unlinked_sessions`
    Column("unlinked", Integer, nullable=False, server_default="0"),
    Index("checks_of_order", "order_id", "seq"),
    index_of_some("one_review", "order_id", unique=True, where="outcome = 'review' AND reviewed_at IS NULL"),
    index_of_some("reviews_waiting", "decided_at", where="outcome = 'review' AND reviewed_at IS NULL"),
)

# Keyed hashes of the frames sent before: a reader of the table cannot tell whether a picture was among them.
# Also hashes of the recordings of challenges, and of the challenges that have a recording.
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

# Verifications in person, also of who disowns a number. Rejected ones stay with their outcome, for comparison with the
# trail.
counter_checks = Table(
    "counter_checks",
    metadata,
    Column("id", serial, primary_key=True, autoincrement=True),
    Column("order_id", String(16), nullable=False),
    Column("document", String(24), nullable=False),  # kind of document; its number is never stored
    Column("counter", Text, nullable=False),
    Column("person_present", Integer, nullable=False),
    Column("card_in_hand", Integer, nullable=False),
    Column("notice_signed", Integer, nullable=False),
    Column("words", String(64), nullable=False),  # digest of the signed notice
    Column("first_by", Text, nullable=False),
    Column("first_at", UtcMicroseconds, nullable=False),
    Column("second_by", Text),
    Column("second_at", UtcMicroseconds),
    Column("outcome", String(16)),  # passed, rejected; NULL: waits for a second person
    Column("outlet", Text, nullable=False, server_default=""),  # of a disavowal: where the card was opened
    Index("counter_checks_of_order", "order_id"),
    index_of_some("one_counter_check", "order_id", unique=True, where="outcome IS NULL"),
    index_of_some("counter_checks_waiting", "first_at", where="outcome IS NULL"),
)
