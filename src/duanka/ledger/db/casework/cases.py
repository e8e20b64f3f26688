"""Tables of cases: files on cards, devices, places, outlets and rings, and what the police confirmed."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, Table, UniqueConstraint

from duanka.ledger.db.columns import String, Text, UtcMicroseconds
from duanka.ledger.db.tables import index_of_some, metadata, serial

# `change`: from `case_counter`, anew with every change of a case or its parts; a reader goes on behind the last one.
cases = Table(
    "cases",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("title", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("ground", String(16), nullable=False),
    Column("ground_number", String(80), nullable=False),  # of the hit, order, complaint or letter; "": none
    Column("seed_kind", String(8), nullable=False),
    Column("seed", String(80), nullable=False),
    Column("opened_by", String(32), nullable=False),
    Column("opened_at", UtcMicroseconds, nullable=False),
    Column("approved_by", String(32)),
    Column("approved_at", UtcMicroseconds),
    Column("assigned_to", String(32)),
    Column("updated_at", UtcMicroseconds, nullable=False),
    Column("closed_at", UtcMicroseconds),
    Column("outcome", Text, nullable=False, server_default=""),
    Column("merged_into", String(16)),
    Column("split_from", String(16)),
    Column("change", BigInteger, nullable=False),
    CheckConstraint(
        "state = 'proposed' OR state = 'rejected' OR length(ground_number) > 0 OR approved_by IS NOT NULL",
        name="case_ground",
    ),
    Index("cases_by_change", "change", unique=True),
    Index("cases_by_time", "opened_at", "id"),
)

# What a case is about. `value`: a card, the 14 digits of a device, city/cell, outlet, ring or account. `place_*`: of a
# card; they decide who may read the case.
case_items = Table(
    "case_items",
    metadata,
    Column("id", serial, primary_key=True, autoincrement=True),
    Column("case_id", String(16), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("value", String(120), nullable=False),
    Column("role", String(24), nullable=False, server_default=""),
    Column("certainty", Integer),  # percent; NULL: not estimated
    Column("source", Text, nullable=False),  # where it is from
    Column("operator", String(40), nullable=False, server_default=""),
    Column("city", String(40), nullable=False, server_default=""),
    Column("added_by", String(32), nullable=False),
    Column("added_at", UtcMicroseconds, nullable=False),
    UniqueConstraint("case_id", "kind", "value"),
    Index("case_items_by_value", "value", "kind"),
)

case_notes = Table(
    "case_notes",
    metadata,
    Column("id", serial, primary_key=True, autoincrement=True),
    Column("case_id", String(16), nullable=False),
    Column("at", UtcMicroseconds, nullable=False),
    Column("who", String(32), nullable=False),
    Column("text", Text, nullable=False),
    Index("notes_of_case", "case_id", "at"),
)

# Former ids of merged cases and the halves of split ones lead on: what names the old one finds the new one.
case_counter = Table(
    "case_counter",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)

# 涉案: the police said so, and in which case. `source`: police_notice, signed_file, clue_feedback. One that is
# withdrawn stays as a row.
confirmations = Table(
    "confirmations",
    metadata,
    Column("id", serial, primary_key=True, autoincrement=True),
    Column("card", String(24), nullable=False),
    Column("case_number", Text, nullable=False),
    Column("source", String(16), nullable=False),
    Column("origin", String(16), nullable=False, server_default=""),  # the clue that was answered
    Column("fraud_kind", String(24), nullable=False, server_default=""),
    Column("confirmed_at", UtcMicroseconds, nullable=False),
    Column("withdrawn_at", UtcMicroseconds),
    Column("withdrawn_why", Text, nullable=False, server_default=""),
    Index("confirmations_of_card", "card", "id"),
    index_of_some("confirmations_standing", "id", where="withdrawn_at IS NULL"),
)
