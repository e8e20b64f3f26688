"""SQL statements compiled once in a process of tests, not once for each order database that is opened.

SQLAlchemy keeps what it has compiled in each engine. A test opens an engine of its own for a dozen statements, so that
compiling them was a third of what a test of orders cost.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Engine

_COMPILED: dict[Any, Any] = {}


class _Equal:
    """A statement is looked up by its dialect, too: those of a class are one, since each talks to the same program."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    @classmethod
    def engine_created(cls, engine: Engine) -> None:
        engine.update_execution_options(compiled_cache=_COMPILED)


class SharedSqlite(_Equal, SQLiteDialect_pysqlite):
    supports_statement_cache = True


class SharedPostgres(_Equal, PGDialect_psycopg):
    supports_statement_cache = True


def share() -> None:
    """From now on; an engine that is there keeps its own."""
    registry.register("sqlite", __name__, SharedSqlite.__name__)
    registry.register("postgresql.psycopg", __name__, SharedPostgres.__name__)
