"""The database of the order book: SQLite without set-up, PostgreSQL by a URL, the same statements on both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection as SQLiteConnection
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Executable, Row, create_engine, event, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

import duanka.orders.tables_identity  # noqa: F401  # its tables are made with the others
from duanka.domain.errors import DuankaError
from duanka.orders.tables import audit_head, metadata

_BUSY_MS = 30_000  # that a writer waits for another one on SQLite
GENESIS = "0" * 64
_TRIES = 5  # of a transaction that two writers made impossible: the database says which one must begin again

Result = TypeVar("Result")


class Store:
    """One database. `reading` sees one state of it; what `writing` did is durable when it ends, or not done at all."""

    def __init__(self, url: str) -> None:
        """`url`: sqlite:///FOLDER/orders.sqlite or postgresql://USER:PASSWORD@HOST/NAME. DuankaError if it fails."""
        try:
            parsed = make_url(url)
            if parsed.drivername in ("postgresql", "postgres"):
                parsed = parsed.set(drivername="postgresql+psycopg")
            self.embedded = parsed.get_backend_name() == "sqlite"
            if self.embedded and parsed.database:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            self.name = parsed.render_as_string(hide_password=True)
            self.engine = create_engine(
                parsed,
                pool_pre_ping=not self.embedded,
                pool_size=10,
                max_overflow=20,
                hide_parameters=True,  # an error that is logged names no card
            )
            if self.embedded:
                _as_sqlite_should(self.engine)
            with self.writing() as connection:
                _prepare(connection)
        except (ArgumentError, NoSuchModuleError) as error:
            raise DuankaError(
                f"DUANKA_DATABASE_URL cannot be used ({type(error).__name__}); write it like"
                " postgresql://user:password@host/duanka or sqlite:///folder/orders.sqlite"
            ) from None
        except DBAPIError as error:
            reason = str(error.orig).strip().splitlines()[0] if error.orig else type(error).__name__
            raise DuankaError(f"the order database {self.name} does not answer: {reason}") from None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes. On SQLite one at a time; it begins by taking the lock, so it cannot fail late."""
        with self.engine.connect().execution_options(writes=True) as connection, connection.begin():
            yield connection

    def transact(
        self,
        work: Callable[[Connection], Result],
        again: tuple[type[DBAPIError], ...] = (OperationalError,),
    ) -> Result:
        """Do `work` in a transaction that writes; begins again where two writers stood in each other's way.

        `again`: the errors by which the database says so.
        """
        for _ in range(_TRIES - 1):
            try:
                with self.writing() as connection:
                    return work(connection)
            except again:
                continue
        with self.writing() as connection:
            return work(connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads, and sees one state from its first statement to its last."""
        with self.engine.connect() as connection, connection.begin():
            if not self.embedded:  # PostgreSQL would otherwise look anew for each statement
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield connection

    def glance(self, statement: Executable) -> Row[Any]:
        """The one row of a statement that reads: cheaper than a transaction, for what is asked all the time."""
        if self.embedded:
            with self.reading() as connection:
                return connection.execute(statement).one()
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            return connection.execute(statement).one()

    def scrub(self) -> bool:
        """Let nothing that was deleted lie in SQLite's log any longer; whether it worked: not while others are at it.

        On PostgreSQL that is the server's affair: what was deleted goes when it vacuums.
        """
        if not self.embedded:
            return True
        with self.engine.connect() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None  # noqa: S101  # the connection is open
            raw.execute("PRAGMA busy_timeout=0")  # who works now goes first
            try:
                busy, *_ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                raw.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
            return not busy

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def _prepare(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # two processes that start at once must not make the tables twice
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(20201010)")
    metadata.create_all(connection)
    if connection.execute(select(audit_head.c.id)).first() is None:
        connection.execute(insert(audit_head).values(id=1, seq=0, hash=GENESIS))


def _as_sqlite_should(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connected(connection: SQLiteConnection, _: object) -> None:
        connection.isolation_level = None  # transactions begin where we say so, not where the driver guesses
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")  # first: what follows waits for others too
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")  # what was acknowledged survives the loss of power
        connection.execute("PRAGMA secure_delete=ON")  # a picture that was deleted lies in no free page

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
