"""Tables of the headline figures: counted events, their counts by day, and what of the network was read.

Days and months are of the operator's calendar: days since 1970-01-01, and months since year 0.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table

from duanka.ledger.db.columns import String, UtcMicroseconds
from duanka.ledger.db.tables import index_of_some, metadata

# Events that a figure counts, as the audit trail has them. `key`: the card, clue or victim; a figure counts it once in
# a period. `previous`: when the same key was counted before. `seq`: of the event's row. `places`: 1, or 2 if the key
# was counted in several places: such keys are in no count by day.
counted_events = Table(
    "counted_events",
    metadata,
    Column("figure", String(20), primary_key=True),
    Column("key", String(24), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("operator", String(40), primary_key=True),
    Column("city", String(40), primary_key=True),
    Column("at", UtcMicroseconds, nullable=False),
    Column("previous", UtcMicroseconds),
    Column("what", String(40), nullable=False),
    Column("source", String(24), nullable=False),
    Column("places", Integer, nullable=False),
    Index("counted_by_time", "figure", "at"),
    index_of_some("counted_again", "figure", "previous", where="previous IS NOT NULL"),
    index_of_some("counted_elsewhere", "figure", "at", where="places > 1"),
)

# How many keys were counted on a day.
counted_days = Table(
    "counted_days",
    metadata,
    Column("figure", String(20), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("operator", String(40), primary_key=True),
    Column("city", String(40), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

# How many of them were counted before, by the last day of that: what they add to a longer period is taken off again.
counted_again_days = Table(
    "counted_again_days",
    metadata,
    Column("figure", String(20), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("previous", Integer, primary_key=True, autoincrement=False),
    Column("operator", String(40), primary_key=True),
    Column("city", String(40), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Index("counted_again_by_previous", "figure", "previous"),
)
counted_again_months = Table(
    "counted_again_months",
    metadata,
    Column("figure", String(20), primary_key=True),
    Column("month", Integer, primary_key=True, autoincrement=False),
    Column("previous", Integer, primary_key=True, autoincrement=False),
    Column("operator", String(40), primary_key=True),
    Column("city", String(40), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

# Refusals of a day, counted when they were recorded.
refusal_days = Table(
    "refusal_days",
    metadata,
    Column("carried", String(8), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("operator", String(40), primary_key=True),
    Column("city", String(40), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

# From when until when all refusals of an element were read.
refusal_coverage = Table(
    "refusal_coverage",
    metadata,
    Column("element", String(24), primary_key=True),
    Column("since", UtcMicroseconds, primary_key=True),
    Column("carried", String(8), nullable=False),
    Column("until", UtcMicroseconds, nullable=False),
)

# Refusals that are known to be lost. `key`: of the loss, so that it counts once. `count` NULL: nobody knows how many.
refusal_losses = Table(
    "refusal_losses",
    metadata,
    Column("element", String(24), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("carried", String(8), nullable=False),
    Column("since", UtcMicroseconds, nullable=False),
    Column("until", UtcMicroseconds, nullable=False),
    Column("count", BigInteger),
    Column("why", String(24), nullable=False),
    Index("losses_by_time", "carried", "until"),
)
