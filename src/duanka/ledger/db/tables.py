"""The tables of the order book: one text for SQLite and PostgreSQL. Times are microseconds since 1970, UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateIndex
from sqlalchemy.sql.compiler import DDLCompiler

from duanka.ledger.db.columns import String, Text, UtcMicroseconds

# Of the tables of all the files tables*.py; raise it by one with every change of a table, column, index or constraint.
SCHEMA_VERSION = 10

_WHERE = "where"  # of an index: over which rows it is
metadata = MetaData()
serial = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only an INTEGER key by itself


def index_of_some(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """A partial index, mostly over what is not over yet: rows that are done cost nothing."""
    return Index(name, *columns, unique=unique, info={_WHERE: where})


@compiles(CreateIndex)
def _created(element: CreateIndex, compiler: DDLCompiler, **options: Any) -> str:
    """Both databases write a condition alike; `postgresql_where` would import that dialect into every command."""
    made: str = compiler.visit_create_index(element, **options)  # type: ignore[no-untyped-call]
    where = element.element.info.get(_WHERE)
    return f"{made} WHERE {where}" if where else made


PASSED_ORDERS = "kind = 'verification' AND state = 'passed'"  # a condition on `orders`, as its index has it

# Another: open, on no clock, and no stop by itself. A person has to go on with these.
WAITING_ORDERS = (
    "closed_at IS NULL AND due_at IS NULL AND kind <> 'restriction'"
    " AND (kind = 'objection' OR evidence = '' OR state NOT IN ('expired', 'failed'))"
)


def _grounds() -> list[Column[str]]:
    """What a holder must be told of a stop: the columns that rows.columns_of fills."""
    names = (f"{what}_{language}" for what in ("reason", "redress", "papers") for language in ("zh", "en"))
    return [Column(name, Text, nullable=False) for name in names]


def _lease() -> tuple[Column[int], Column[datetime], Column[str]]:
    """Of what a worker takes to hand on: how often it was tried, and who has it until when."""
    return (
        Column("tries", Integer, nullable=False, server_default="0"),
        Column("leased_until", UtcMicroseconds),
        Column("leased_by", String(40)),
    )


orders = Table(
    "orders",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("card", String(24), nullable=False),
    Column("state", String(24), nullable=False),
    Column("step", Integer, nullable=False),
    *_grounds(),
    Column("opened_at", UtcMicroseconds, nullable=False),
    Column("updated_at", UtcMicroseconds, nullable=False),
    Column("tier", String(8), nullable=False),
    Column("asked", String(24), nullable=False),
    Column("rules", Text, nullable=False),  # ids, heaviest first, joined by spaces
    Column("carried_by", Text, nullable=False),
    Column("parent", String(16)),
    Column("delivered_at", UtcMicroseconds),
    Column("due_at", UtcMicroseconds),
    Column("until", UtcMicroseconds),
    Column("closed_at", UtcMicroseconds),
    Column("hits", Integer, nullable=False),
    Column("extended", String(24), nullable=False),
    Column("operator", String(40), nullable=False, server_default=""),  # of the card; "" where unknown
    Column("city", String(40), nullable=False, server_default=""),
    # what a stop after a verification may rest on
    Column("opened_by", Text, nullable=False, server_default=""),
    Column("helped_by", Text, nullable=False, server_default=""),  # names, a line each
    Column("decision", String(64), nullable=False, server_default=""),
    Column("receipt_at", UtcMicroseconds),
    Column("evidence", String(24), nullable=False, server_default=""),
    Column(
        "hit_summaries", Text, nullable=False, server_default=""
    ),  # JSON: what the rules saw, on which days
    # the law's three: a restriction without them cannot be stored, whoever writes it
    CheckConstraint(
        "kind <> 'restriction' OR (length(trim(reason_zh)) > 0 AND length(trim(reason_en)) > 0"
        " AND length(trim(redress_zh)) > 0 AND length(trim(redress_en)) > 0"
        " AND length(trim(papers_zh)) > 0 AND length(trim(papers_en)) > 0)",
        name="grounds",
    ),
    index_of_some("one_open_order", "card", "kind", unique=True, where="closed_at IS NULL"),
    index_of_some("orders_due", "due_at", where="due_at IS NOT NULL"),
    Index("orders_of_card", "card", "opened_at"),
    Index("orders_by_time", "opened_at", "id"),
    Index("orders_by_parent", "parent"),
    index_of_some("orders_waiting", "updated_at", where=WAITING_ORDERS),
    index_of_some("orders_passed", "card", "closed_at", where=PASSED_ORDERS),
    index_of_some(
        "orders_opened_by", "opened_by", "opened_at", where="opened_by <> 'duanka' AND opened_by <> ''"
    ),
)

# How the network is to treat each card that an order ever touched; `order_id` is the order that says so.
cards = Table(
    "cards",
    metadata,
    Column("card", String(24), primary_key=True),
    Column("state", String(24), nullable=False),
    Column("wanted", String(24), nullable=False),
    Column("order_id", String(16), nullable=False),
    Column("since", UtcMicroseconds, nullable=False),
    index_of_some("cards_restricted", "card", where="wanted <> 'active'"),
)

# What the network still has to be told; one row per order, step and element. Of a card's rows for an element the last
# one counts: earlier ones that are not done are superseded.
outbox = Table(
    "outbox",
    metadata,
    Column("id", serial, primary_key=True, autoincrement=True),
    Column("order_id", String(16), nullable=False),
    Column("step", Integer, nullable=False),
    Column("element", String(24), nullable=False),
    Column("card", String(24), nullable=False),
    Column("wanted", String(24), nullable=False),
    Column("created_at", UtcMicroseconds, nullable=False),
    Column("next_try_at", UtcMicroseconds, nullable=False),
    *_lease(),
    Column("done_at", UtcMicroseconds),
    Column("outcome", String(16)),  # done, superseded, unknown_card, refused
    Column("error", Text),
    UniqueConstraint("order_id", "step", "element"),
    index_of_some("outbox_waiting", "element", "next_try_at", "id", where="done_at IS NULL"),
    index_of_some("outbox_of_card", "card", "element", "id", where="done_at IS NULL"),
)

notices = Table(
    "notices",
    metadata,
    Column("id", serial, primary_key=True, autoincrement=True),
    Column("order_id", String(16), nullable=False),
    Column("step", Integer, nullable=False),
    Column("template", String(32), nullable=False),
    Column("card", String(24), nullable=False),
    Column(
        "body", Text
    ),  # written when it is sent: the link in it is young then, and no link lies in the database
    Column("created_at", UtcMicroseconds, nullable=False),
    Column("next_try_at", UtcMicroseconds, nullable=False),
    *_lease(),
    Column("sent_at", UtcMicroseconds),
    Column("done_at", UtcMicroseconds),  # handed in, or given up
    Column("outcome", String(16)),  # sent, delivered, undelivered, given_up
    Column("receipt_at", UtcMicroseconds),
    Column("error", Text),
    Column("repeat", Integer, nullable=False, server_default="0"),  # the holder asked for it again, so often
    UniqueConstraint("order_id", "step", "template", "repeat"),
    index_of_some("notices_waiting", "next_try_at", "id", where="done_at IS NULL"),
    Index("notices_of_card", "card", "created_at"),
)

# The parts of notices that the message centre took, until their receipts came.
notice_parts = Table(
    "notice_parts",
    metadata,
    Column("message_id", String(72), primary_key=True),
    Column("notice_id", BigInteger, nullable=False),
    Column("delivered", Integer),  # 1, 0; NULL: no receipt yet
    Index("parts_of_notice", "notice_id"),
)

# Links in notices, by a hash of their token: reading the database opens nothing.
links = Table(
    "links",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("order_id", String(16), nullable=False),
    Column("expires_at", UtcMicroseconds, nullable=False),
    Column("browser_hash", String(64)),  # of the secret of the browser that agreed by it; NULL: nobody did
    Column("superseded_at", UtcMicroseconds),  # a later link of the order was agreed with, in another browser
    Index("links_of_order", "order_id"),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcMicroseconds, nullable=False),
    Column("who", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("what", String(40), nullable=False),
    Column("subject", String(40), nullable=False),
    Column("why", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("digests", Text, nullable=False),  # JSON: of the rows that it is about, as they are afterwards
    Column("hash", String(64), nullable=False),
    Index("audit_of_subject", "subject", "seq"),
    Index("audit_by_what", "what", "at"),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("seal", String(64), nullable=False, server_default=""),  # keyed: only we say where the trail ends
)


# What a person asks for one card or for ten thousand; `approved_by` is somebody else.
acts = Table(
    "acts",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("event", String(24), nullable=False),
    Column("state", String(16), nullable=False),  # proposed, running, done, rejected, undone
    *_grounds(),
    Column("until", UtcMicroseconds),
    Column("proposed_by", Text, nullable=False),
    Column("proposed_at", UtcMicroseconds, nullable=False),
    Column("approved_by", Text),
    Column("approved_at", UtcMicroseconds),
    Column("finished_at", UtcMicroseconds),
    Column("undoes", String(16)),
    Column(
        "verification", String(16)
    ),  # that ended unpassed, without evidence for a stop: a second person decides
    Column("total", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("skipped", Integer, nullable=False),
    index_of_some("acts_running", "approved_at", where="finished_at IS NULL"),
    index_of_some(
        "one_proposal", "verification", unique=True, where="state = 'proposed' AND verification IS NOT NULL"
    ),
)

act_cards = Table(
    "act_cards",
    metadata,
    Column("act_id", String(16), primary_key=True),
    Column("card", String(24), primary_key=True),
    Column("order_id", String(16)),
    Column("before", String(24)),
    Column("after", String(24)),
    Column("was", Text),  # JSON: what the act overwrote of the order, for undoing
    Column("outcome", String(16)),  # done, skipped
    Column("why", Text),  # it was skipped
    index_of_some("act_cards_left", "act_id", "card", where="outcome IS NULL"),
)

# The operators and cities of an act's cards: who may see it and decide on it.
act_places = Table(
    "act_places",
    metadata,
    Column("act_id", String(16), primary_key=True),
    Column("operator", String(40), primary_key=True),
    Column("city", String(40), primary_key=True),
)

refusals = Table(
    "refusals",
    metadata,
    Column("element", String(24), primary_key=True),
    Column("key", String(160), primary_key=True),
    Column("at", UtcMicroseconds, nullable=False),
    Column("carried", String(8), nullable=False),
    Column("card", String(24), nullable=False),
    Column("peer", String(24), nullable=False),
    Column("reason", String(24), nullable=False),
    Column("detail", Text, nullable=False),
    Index("refusals_by_time", "at", "carried", "reason"),
    Index("refusals_of_card", "card", "at"),
)

# How far a source was read: decisions of a live run, refusals of an element.
positions = Table(
    "positions",
    metadata,
    Column("source", String(200), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("digest", String(64)),  # of everything up to there: a file that was replaced is another file
)


# Sealed decisions that were taken: run and number. Each counts once, whatever file or copy it comes from.
decisions_taken = Table(
    "decisions_taken",
    metadata,
    Column("decision", String(64), primary_key=True),
    Column("at", UtcMicroseconds, nullable=False),
)

alarms = Table(
    "alarms",
    metadata,
    Column("id", serial, primary_key=True, autoincrement=True),
    Column("source", String(24), nullable=False),
    Column("since", UtcMicroseconds, nullable=False),
    Column("raised_at", UtcMicroseconds, nullable=False),
    Column("cleared_at", UtcMicroseconds),
    Column("detail", Text, nullable=False),
    index_of_some("one_alarm", "source", unique=True, where="cleared_at IS NULL"),
)

# Where the network did otherwise than the order book says.
drifts = Table(
    "drifts",
    metadata,
    Column("id", serial, primary_key=True, autoincrement=True),
    Column("element", String(24), nullable=False),
    Column("card", String(24), nullable=False),
    Column("wanted", String(24), nullable=False),
    Column("found", String(24), nullable=False),
    Column("found_at", UtcMicroseconds, nullable=False),
    Column("repaired_at", UtcMicroseconds),
    Index("drifts_by_time", "found_at"),
)
