"""Tables of the assessment: units of cards, runs with their figures, units listed for rectification."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Float, Index, Integer, Table

from duanka.ledger.db.columns import String, Text, UtcMicroseconds
from duanka.ledger.db.tables import index_of_some, metadata, serial

# What the register said of a card that a run counts, from `since` until before `until` (NULL: still): so the cards
# behind an earlier run stay those that it counted. "": unknown.
card_units = Table(
    "card_units",
    metadata,
    Column("card", String(24), primary_key=True),
    Column("since", UtcMicroseconds, primary_key=True),
    Column("until", UtcMicroseconds),
    Column("operator", String(40), nullable=False),
    Column("city", String(40), nullable=False),
    Column("outlet", String(80), nullable=False),
    Column("month", String(7), nullable=False),  # in which it was opened, like 2026-10
    index_of_some("card_units_now", "card", unique=True, where="until IS NULL"),
)

# A run counts what was known at `made_at`. `digest`: of period, policy and figures; the same data give the same.
# `exposure`: why active cards are unknown; "": they are known.
assessment_runs = Table(
    "assessment_runs",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("first_month", Integer, nullable=False),  # counted from year 0
    Column("months", Integer, nullable=False),
    Column("made_at", UtcMicroseconds, nullable=False),
    Column("made_by", String(32), nullable=False),
    Column("policy", String(64), nullable=False),
    Column("criteria", Text, nullable=False),  # JSON
    Column("policy_digest", String(64), nullable=False),
    Column("exposure", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Index("runs_of_period", "first_month", "months", "made_at"),
)

# `kind` "all": of everything together. `count`, `exposure`: NULL: unknown. `duration`: of a quantile. `standard`,
# `basis`: as `domain.assessment.StandardExposure`; NULL: not counted by age of the cards. `operator`, `city`: of all
# cards of the unit, "": several; they decide who may see it.
assessment_figures = Table(
    "assessment_figures",
    metadata,
    Column("run_id", String(16), primary_key=True),
    Column("measure", String(16), primary_key=True),
    Column("kind", String(12), primary_key=True),
    Column("unit", String(80), primary_key=True),
    Column("count", BigInteger),
    Column("exposure", BigInteger),
    Column("duration", BigInteger),  # microseconds
    Column("standard", Float),
    Column("basis", Float),
    Column("operator", String(40), nullable=False),
    Column("city", String(40), nullable=False),
    Index("figures_of_unit", "kind", "unit", "measure"),
)

# Units that meet the criterion of a run; nobody else can be listed. `facts`: JSON, as `domain.listing.ListingFacts`.
assessment_candidates = Table(
    "assessment_candidates",
    metadata,
    Column("run_id", String(16), primary_key=True),
    Column("measure", String(16), primary_key=True),
    Column("kind", String(12), primary_key=True),
    Column("unit", String(80), primary_key=True),
    Column("operator", String(40), nullable=False),
    Column("city", String(40), nullable=False),
    Column("facts", Text, nullable=False),
)

# Units that were proposed for rectification (挂牌整治). `facts`: of the criterion, as in the run. `notice_*`: as
# the unit is told, with the SHA-256 of both. `term_days`: for putting things right, from the
# approval on; `due_at`: their end.
listings = Table(
    "listings",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("run_id", String(16), nullable=False),
    Column("measure", String(16), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("unit", String(80), nullable=False),
    Column("operator", String(40), nullable=False),
    Column("city", String(40), nullable=False),
    Column("state", String(16), nullable=False),
    Column("step", Integer, nullable=False),
    Column("facts", Text, nullable=False),
    Column("notice_zh", Text, nullable=False, server_default=""),
    Column("notice_en", Text, nullable=False, server_default=""),
    Column("notice_digest", String(64), nullable=False, server_default=""),
    Column("term_days", Integer, nullable=False),
    Column("proposed_by", String(32), nullable=False),
    Column("proposed_at", UtcMicroseconds, nullable=False),
    Column("approved_by", String(32)),
    Column("approved_at", UtcMicroseconds),
    Column("due_at", UtcMicroseconds),
    Column("updated_at", UtcMicroseconds, nullable=False),
    Column("closed_at", UtcMicroseconds),
    CheckConstraint(
        "state IN ('proposed', 'rejected') OR (approved_by <> proposed_by AND length(trim(notice_zh)) > 0"
        " AND length(trim(notice_en)) > 0 AND due_at IS NOT NULL)",
        name="listed_by_two_with_notice",
    ),
    index_of_some("one_listing", "measure", "kind", "unit", unique=True, where="closed_at IS NULL"),
    index_of_some("listings_due", "due_at", where="closed_at IS NULL AND due_at IS NOT NULL"),
    Index("listings_by_time", "proposed_at", "id"),
)

# Everything that happened to a listing, in order. `text`: the reason, the evidence, or the objection.
listing_steps = Table(
    "listing_steps",
    metadata,
    Column("id", serial, primary_key=True, autoincrement=True),
    Column("listing_id", String(16), nullable=False),
    Column("at", UtcMicroseconds, nullable=False),
    Column("who", String(32), nullable=False),
    Column("event", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Index("steps_of_listing", "listing_id", "id"),
)
