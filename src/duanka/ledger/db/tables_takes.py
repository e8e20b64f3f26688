"""Tables of takes: effects of a folder's decisions, and decisions without order."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table

from duanka.ledger.db.columns import String, Text, UtcMicroseconds
from duanka.ledger.db.tables import index_of_some, metadata

# A take: what one person, or the worker on one day, took of one run of decisions. `run`: "" if no line is
# sealed. `chosen`, `counts`, `covers`: JSON. `narrower`: the run's records covered less than those of the
# previous take, and nobody confirmed that.
takes = Table(
    "takes",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("at", UtcMicroseconds, nullable=False),
    Column("by", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("run", String(32), nullable=False),
    Column("chosen", Text, nullable=False),
    Column("counts", Text, nullable=False),
    Column("covers", Text, nullable=False),
    Column("narrower", Integer, nullable=False),
    Column("undone_at", UtcMicroseconds),
    Column("undone_by", Text),
    Index("takes_by_time", "at", "id"),
    Index("takes_of_run", "run", "narrower"),
)

# Effects of a take on orders. `what`: opened, attached, stopped.
taken_orders = Table(
    "taken_orders",
    metadata,
    Column("take_id", String(16), primary_key=True),
    Column("order_id", String(16), primary_key=True),
    Column("what", String(16), nullable=False),
    Index("takes_of_order", "order_id"),
)

# Decisions that were read but made no order, at most one per card and file. `line`: as in the file, sealed.
# `why`: left (not chosen or over limit), held by a person, narrower (withdrawal by a scan of fewer records).
kept_decisions = Table(
    "kept_decisions",
    metadata,
    Column("card", String(24), primary_key=True),
    Column("source", String(200), primary_key=True),
    Column("run", String(32), nullable=False),
    Column("why", String(16), nullable=False),
    Column("line", Text, nullable=False),
    Column("take_id", String(16), nullable=False),
    Column("kept_at", UtcMicroseconds, nullable=False),
    Column("kept_by", Text, nullable=False),
    Column("reason", Text, nullable=False),  # why a person held it
    Index("kept_of_source", "source", "why"),
    index_of_some("kept_held", "kept_at", "card", where="why = 'held'"),
)
