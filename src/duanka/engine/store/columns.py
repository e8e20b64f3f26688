"""Columns of the store's files: those of the canonical tables, with record keys instead of texts."""

from __future__ import annotations

from duanka.domain.schema import TABLES, Table
from duanka.engine.shared.duckdb_database import sql_type


def typed(table: Table) -> str:
    """Select list of all columns of a canonical table, in their types of the store."""
    return ", ".join(f"CAST({c.name} AS {sql_type(c)}) AS {c.name}" for c in table.columns)


def whole_register(table: str, source: str) -> str:
    """SQL source of a register with all its columns; those that files of an earlier version lack are empty."""
    empty = ", ".join(f"NULL::{sql_type(column)} AS {column.name}" for column in TABLES[table].columns)
    return f"(SELECT {', '.join(names(table))} FROM (FROM {source} UNION ALL BY NAME SELECT {empty} WHERE false))"


def names(table: str) -> list[str]:
    """Column names of a canonical table."""
    return [column.name for column in TABLES[table].columns]


def time_of(table: str) -> str:
    """The event-time column of a record table."""
    moment = TABLES[table].time
    if moment is None:
        raise KeyError(table)
    return moment
