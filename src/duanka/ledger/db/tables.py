"""Tables of the order database. Times: microseconds since 1970, UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, MetaData, Table, UniqueConstraint
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateIndex
from sqlalchemy.sql.compiler import DDLCompiler

from duanka.ledger.db.columns import String, Text, UtcMicroseconds

# Covers the tables of all files tables*.py, of `casework` and of `assessment`; increment with every change of a table,
# column, index or constraint.
SCHEMA_VERSION = 14

_WHERE = "where"  # key in an index's info: its condition
metadata = MetaData()
serial = BigInteger().with_variant(Integer, "sqlite")  # SQLite auto-increments only an INTEGER key


def index_of_some(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """Partial index, mostly over open rows, so that closed rows cost nothing."""
    return Index(name, *columns, unique=unique, info={_WHERE: where})


@compiles(CreateIndex)
def _created(element: CreateIndex, compiler: DDLCompiler, **options: Any) -> str:
    """Compile a partial index without importing the PostgreSQL dialect everywhere."""
    made: str = compiler.visit_create_index(element, **options)  # type: ignore[no-untyped-call]
    where = element.element.info.get(_WHERE)
    return f"{made} WHERE {where}" if where else made


PASSED_ORDERS = "kind = 'verification' AND state = 'passed'"  # condition on `orders`, as in its index

LAPSED_ORDERS = "kind = 'objection' AND state = 'lapsed'"

# The same for open orders without a deadline or a restriction of their own, and for objections that nobody has taken
# up: a person has to act.
WAITING_ORDERS = (
    "closed_at IS NULL AND (due_at IS NULL OR state = 'filed') AND kind <> 'restriction'"
    " AND (kind = 'objection' OR evidence = '' OR state NOT IN ('expired', 'failed'))"
)


def _grounds() -> list[Column[str]]:
    """Columns of the grounds that a holder must be told; see rows.columns_of."""
    names = (f"{what}_{language}" for what in ("reason", "redress", "papers") for language in ("zh", "en"))
    return [Column(name, Text, nullable=False) for name in names]


def _lease() -> tuple[Column[int], Column[datetime], Column[str]]:
    """Lease columns: number of tries, leased until when, leased by whom."""
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
    Column("rules", Text, nullable=False),  # ids, heaviest first, separated by spaces
    Column("carried_by", Text, nullable=False),
    Column("parent", String(16)),
    Column("delivered_at", UtcMicroseconds),
    Column("due_at", UtcMicroseconds),
    Column("until", UtcMicroseconds),
    Column("closed_at", UtcMicroseconds),
    Column("hits", Integer, nullable=False),
    Column("extended", String(24), nullable=False),
    Column("operator", String(40), nullable=False, server_default=""),  # of the card; "" if unknown
    Column("city", String(40), nullable=False, server_default=""),
    # what a restriction after a verification may rest on
    Column("opened_by", Text, nullable=False, server_default=""),
    Column("helped_by", Text, nullable=False, server_default=""),  # names, one a line
    Column("decision", String(64), nullable=False, server_default=""),
    Column("receipt_at", UtcMicroseconds),
    Column("evidence", String(24), nullable=False, server_default=""),
    # JSON: what the rules found, on which days.
    Column("hit_summaries", Text, nullable=False, server_default=""),
    Column("channel", String(8), nullable=False, server_default=""),  # how an objection was filed
    # The three grounds of the law: no restriction can be stored without them, whoever writes it.
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
    index_of_some("orders_lapsed", "card", "closed_at", where=LAPSED_ORDERS),
    index_of_some(
        "orders_opened_by", "opened_by", "opened_at", where="opened_by <> 'duanka' AND opened_by <> ''"
    ),
)

# Wanted network state of each card that ever had a restriction; `order_id`: the order it follows from.
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

# Changes for network elements, one row per order, step and element. Of a card's open rows for an element the last one
# counts; the earlier ones are superseded.
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
    Column("body", Text),  # written on sending: its link is fresh then, and no link is stored
    Column("created_at", UtcMicroseconds, nullable=False),
    Column("next_try_at", UtcMicroseconds, nullable=False),
    *_lease(),
    Column("sent_at", UtcMicroseconds),
    Column("done_at", UtcMicroseconds),  # sent, or given up
    Column("outcome", String(16)),  # sent, delivered, undelivered, given_up
    Column("receipt_at", UtcMicroseconds),
    Column("error", Text),
    Column("repeat", Integer, nullable=False, server_default="0"),  # how often the holder has asked again
    UniqueConstraint("order_id", "step", "template", "repeat"),
    index_of_some("notices_waiting", "next_try_at", "id", where="done_at IS NULL"),
    Index("notices_of_card", "card", "created_at"),
)

# Parts of notices that the message centre accepted, until their receipts arrive.
notice_parts = Table(
    "notice_parts",
    metadata,
    Column("message_id", String(72), primary_key=True),
    Column("notice_id", BigInteger, nullable=False),
    Column("delivered", Integer),  # 1, 0; NULL: no receipt yet
    Index("parts_of_notice", "notice_id"),
)

# Links in notices, by the hash of their token, so that a reader of the database cannot use them.
links = Table(
    "links",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("order_id", String(16), nullable=False),
    Column("expires_at", UtcMicroseconds, nullable=False),
    Column("browser_hash", String(64)),  # of the secret of the browser that consented with it; NULL: none
    Column("superseded_at", UtcMicroseconds),  # consent was given with a later link, in another browser
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
    Column("digests", Text, nullable=False),  # JSON: of the rows concerned, after the change
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
    Column("seal", String(64), nullable=False, server_default=""),  # keyed: nobody else can move the end
)


# Bulk actions, of one card or many; `approved_by` is not the proposer.
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
    # Verification that ended without a pass and without evidence for a stop, so a second person decides.
    Column("verification", String(16)),
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
    Column("was", Text),  # JSON: overwritten fields of the order, for undo
    Column("outcome", String(16)),  # done, skipped
    Column("why", Text),  # if skipped
    index_of_some("act_cards_left", "act_id", "card", where="outcome IS NULL"),
)

# Operators and cities of a bulk action's cards: they decide who may see and approve it.
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
    Column("operator", String(40), nullable=False, server_default=""),  # under which it was counted
    Column("city", String(40), nullable=False, server_default=""),
    Index("refusals_by_time", "at", "carried", "reason"),
    Index("refusals_of_card", "card", "at"),
)

# Refusals of an hour, counted when they were recorded; `refusals` holds those of the last day, the store of records
# the others. The place is the card's then, else that of who was called.
refusal_hours = Table(
    "refusal_hours",
    metadata,
    Column("hour", UtcMicroseconds, primary_key=True),
    Column("carried", String(8), primary_key=True),
    Column("reason", String(24), primary_key=True),
    Column("operator", String(40), primary_key=True),
    Column("city", String(40), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

# Offsets of sources: decisions of a live run, refusals of an element.
positions = Table(
    "positions",
    metadata,
    Column("source", String(200), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("digest", String(64)),  # of everything before the offset, to detect a replaced file
)


# Sealed decisions taken so far, by run and number: each counts once, whatever file or copy it comes from.
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

# Cards that the network treats otherwise than the order database wants.
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
