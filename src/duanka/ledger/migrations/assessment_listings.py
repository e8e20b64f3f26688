"""Tables of runs and listings that version 14 adds; immutable, and independent of present tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alembic.operations import Operations
from sqlalchemy import BigInteger, CheckConstraint, Column, Float, Integer, String, Text, inspect, text

_Serial = BigInteger().with_variant(Integer, "sqlite")


def listings(op: Operations) -> None:
    """Create the tables of runs, and of units listed for rectification."""
    if inspect(op.get_bind()).has_table("assessment_runs"):
        return
    _units_and_runs(op)
    _listings(op)


def _text(name: str, length: int = 0, **more: Any) -> Column[str]:
    return Column(name, String(length) if length else Text, **{"nullable": False, **more})


def _moment(name: str, **more: Any) -> Column[int]:
    return Column(name, BigInteger, **{"nullable": False, **more})


def _units_and_runs(op: Operations) -> None:
    op.create_table(
        "card_units",
        _text("card", 24, primary_key=True),
        _moment("since", primary_key=True, autoincrement=False),
        _moment("until", nullable=True),
        *(_text("operator", 40), _text("city", 40), _text("outlet", 80), _text("month", 7)),
    )
    _index(op, "card_units_now", "card_units", ["card"], "until IS NULL", unique=True)
    op.create_table(
        "assessment_runs",
        _text("id", 16, primary_key=True),
        Column("first_month", Integer, nullable=False),
        Column("months", Integer, nullable=False),
        _moment("made_at"),
        *(_text("made_by", 32), _text("policy", 64), _text("criteria"), _text("policy_digest", 64)),
        *(_text("exposure"), _text("digest", 64)),
    )
    op.create_index("runs_of_period", "assessment_runs", ["first_month", "months", "made_at"])
    op.create_table(
        "assessment_figures",
        _text("run_id", 16, primary_key=True),
        _text("measure", 16, primary_key=True),
        _text("kind", 12, primary_key=True),
        _text("unit", 80, primary_key=True),
        *(_moment(name, nullable=True) for name in ("count", "exposure", "duration")),
        *(Column(name, Float) for name in ("standard", "basis")),
        *(_text("operator", 40), _text("city", 40)),
    )
    op.create_index("figures_of_unit", "assessment_figures", ["kind", "unit", "measure"])
    op.create_table(
        "assessment_candidates",
        _text("run_id", 16, primary_key=True),
        _text("measure", 16, primary_key=True),
        _text("kind", 12, primary_key=True),
        _text("unit", 80, primary_key=True),
        *(_text("operator", 40), _text("city", 40), _text("facts")),
    )


def _listings(op: Operations) -> None:
    op.create_table(
        "listings",
        _text("id", 16, primary_key=True),
        *(_text("run_id", 16), _text("measure", 16), _text("kind", 12), _text("unit", 80)),
        *(_text("operator", 40), _text("city", 40), _text("state", 16)),
        Column("step", Integer, nullable=False),
        _text("facts"),
        *(_text(name, server_default="") for name in ("notice_zh", "notice_en")),
        _text("notice_digest", 64, server_default=""),
        Column("term_days", Integer, nullable=False),
        *(_text("proposed_by", 32), _moment("proposed_at"), _text("approved_by", 32, nullable=True)),
        *(_moment("approved_at", nullable=True), _moment("due_at", nullable=True)),
        *(_moment("updated_at"), _moment("closed_at", nullable=True)),
        CheckConstraint(
            "state IN ('proposed', 'rejected') OR (approved_by <> proposed_by AND length(trim(notice_zh)) > 0"
            " AND length(trim(notice_en)) > 0 AND due_at IS NOT NULL)",
            name="listed_by_two_with_notice",
        ),
    )
    _index(op, "one_listing", "listings", ["measure", "kind", "unit"], "closed_at IS NULL", unique=True)
    _index(op, "listings_due", "listings", ["due_at"], "closed_at IS NULL AND due_at IS NOT NULL")
    op.create_index("listings_by_time", "listings", ["proposed_at", "id"])
    op.create_table(
        "listing_steps",
        Column("id", _Serial, primary_key=True, autoincrement=True),
        *(_text("listing_id", 16), _moment("at"), _text("who", 32), _text("event", 16)),
        *(_text("state", 16), _text("text")),
    )
    op.create_index("steps_of_listing", "listing_steps", ["listing_id", "id"])


def _index(
    op: Operations, name: str, table: str, columns: Sequence[str], where: str, *, unique: bool = False
) -> None:
    only: dict[str, Any] = {"sqlite_where": text(where), "postgresql_where": text(where)}
    op.create_index(name, table, list(columns), unique=unique, **only)
