"""Tables of accounts: platforms, what they are asked and answer, and items for take-down."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, Table, UniqueConstraint

from duanka.ledger.db.columns import String, Text, UtcMicroseconds
from duanka.ledger.db.tables import index_of_some, metadata, serial

# Platforms that take requests; `seal`: keyed hash; a row without a valid one does not count. `key_file`: path of our
# key, which is never in the database.
platforms = Table(
    "platforms",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("transport", String(8), nullable=False),
    Column("address", Text, nullable=False),
    Column("key_file", Text, nullable=False),
    Column("public_key", String(64), nullable=False),
    Column("proposed_by", String(32), nullable=False),
    Column("proposed_at", UtcMicroseconds, nullable=False),
    Column("approved_by", String(32)),
    Column("removed_at", UtcMicroseconds),
    Column("seal", String(64), nullable=False),
)

# Cards whose grounds may have changed, written in the transaction that changed them; the worker then compares what is
# asked of platforms with the grounds that stand, and deletes the row.
account_looks = Table(
    "account_looks",
    metadata,
    Column("id", serial, primary_key=True, autoincrement=True),
    Column("card", String(24), nullable=False),
    Column("created_at", UtcMicroseconds, nullable=False),
    Column("next_try_at", UtcMicroseconds, nullable=False),
    Index("account_looks_due", "next_try_at", "id"),
)

# One account, one kind of request, one ground. `over_at`: released, withdrawn or rejected; a new ground is then a new
# request. `account`, `card`: empty once they are kept no longer.
account_requests = Table(
    "account_requests",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("card", String(24), nullable=False),
    Column("platform", String(64), nullable=False),
    Column("account", String(120), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("ground", String(16), nullable=False),
    Column("ground_number", String(80), nullable=False),  # the police's case, or the verification
    Column("state", String(16), nullable=False),
    Column("operator", String(40), nullable=False, server_default=""),
    Column("city", String(40), nullable=False, server_default=""),
    Column("requested_by", String(32), nullable=False),
    Column("requested_at", UtcMicroseconds, nullable=False),
    Column("why", Text, nullable=False, server_default=""),
    Column("approved_by", String(32)),
    Column("due_at", UtcMicroseconds),  # NULL: no answer is waited for
    Column("sent_at", UtcMicroseconds),
    Column("asked_at", UtcMicroseconds),  # when the platform was last asked for its answer
    Column("answered_at", UtcMicroseconds),
    Column("answered_by", String(32)),  # `platform`, or the person who entered it
    Column("release_at", UtcMicroseconds),
    Column("released_by", String(32)),  # `duanka` where the ground fell, or the person
    Column("released_at", UtcMicroseconds),
    Column("over_at", UtcMicroseconds),
    Column("updated_at", UtcMicroseconds, nullable=False),
    CheckConstraint(
        "kind <> 'close' OR approved_by IS NOT NULL OR state IN ('proposed', 'withdrawn', 'rejected')",
        name="close_by_two",
    ),
    index_of_some(
        "one_open_account_request",
        *("card", "platform", "account", "kind", "ground"),
        where="over_at IS NULL",
        unique=True,
    ),
    index_of_some("account_requests_waiting", "due_at", where="due_at IS NOT NULL"),
    index_of_some(
        "account_requests_unanswered", "platform", "asked_at", where="state IN ('sent', 'releasing')"
    ),
    Index("account_requests_of_card", "card", "requested_at"),
    Index("account_requests_by_time", "requested_at", "id"),
)

# What is sent to platforms. `body`: as it is signed, so that the same is sent again.
account_deliveries = Table(
    "account_deliveries",
    metadata,
    Column("id", serial, primary_key=True, autoincrement=True),
    Column("request_id", String(16), nullable=False),
    Column("what", String(8), nullable=False),
    Column("platform", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("seal", String(64), nullable=False),  # keyed hash: one that was written past us is never sent
    Column("created_at", UtcMicroseconds, nullable=False),
    Column("next_try_at", UtcMicroseconds, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("leased_until", UtcMicroseconds),
    Column("leased_by", String(40)),
    Column("done_at", UtcMicroseconds),
    Column("outcome", String(16)),
    Column("error", Text),
    UniqueConstraint("request_id", "what"),
    index_of_some("account_deliveries_waiting", "platform", "next_try_at", where="done_at IS NULL"),
)

# Every answer, in order; one that came twice stands once.
account_answers = Table(
    "account_answers",
    metadata,
    Column("id", serial, primary_key=True, autoincrement=True),
    Column("request_id", String(16), nullable=False),
    Column("at", UtcMicroseconds, nullable=False),
    Column("state", String(16), nullable=False),
    Column("who", String(32), nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("signature", Text, nullable=False, server_default=""),
    Index("answers_of_request", "request_id", "id"),
)

# Indicators of refused messages, until they are counted; never the text. `key`: of the refusal, which comes once.
refused_indicators = Table(
    "refused_indicators",
    metadata,
    Column("element", String(24), primary_key=True),
    Column("key", String(160), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("value", String(255), primary_key=True),
    Column("at", UtcMicroseconds, nullable=False),
)

# Hosts, numbers and accounts that fraud uses: items for take-down. `refused`, `complaints`: how often each source named
# it. `blocked_by`: the second person, by whom the message filter refuses it.
takedown_items = Table(
    "takedown_items",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("value", String(255), nullable=False),
    Column("state", String(16), nullable=False),
    Column("refused", BigInteger, nullable=False, server_default="0"),
    Column("complaints", BigInteger, nullable=False, server_default="0"),
    Column("first_seen", UtcMicroseconds, nullable=False),
    Column("last_seen", UtcMicroseconds, nullable=False),
    Column("agreed_by", String(32)),
    Column("agreed_at", UtcMicroseconds),
    Column("blocked_by", String(32)),
    Column("blocked_at", UtcMicroseconds),
    Column("passed_to", Text, nullable=False, server_default=""),
    Column("updated_at", UtcMicroseconds, nullable=False),
    UniqueConstraint("kind", "value"),
    index_of_some("takedown_items_blocked", "kind", where="blocked_at IS NOT NULL"),
    Index("takedown_items_by_time", "last_seen", "id"),
)
