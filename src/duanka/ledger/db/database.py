"""The database of the order book: SQLite without set-up, PostgreSQL by a URL, the same statements on both."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from sqlite3 import Connection as SQLiteConnection
from sqlite3 import OperationalError as SQLiteBusy
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, Executable, Row, create_engine, event, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from duanka.domain.errors import MAKE_ROOM, DuankaError
from duanka.domain.private_files import private_database, private_folder
from duanka.domain.text import BilingualText
from duanka.ledger.db.installation import (
    GENESIS,
    OlderVersion,
    SealKey,
    Upgrade,
    check,
    prepare,
    version_words,
)
from duanka.ledger.db.tables import SCHEMA_VERSION

__all__ = ["GENESIS", "SCHEMA_VERSION", "NoOrderBook", "Store"]

_BUSY_MS = 30_000  # that a writer waits for another one on SQLite
_ANSWERS_WITHIN_SECONDS = 3  # a server, where it is only looked at
_NO_ROOM = ("disk I/O error", "disk is full", "No space left")  # SQLite, PostgreSQL
_UPGRADES = 20  # times _BUSY_MS that another process may upgrade
_LOG_SECONDS = 0.5  # between tries to write into a log
_TRIES = 5  # of a transaction that two writers made impossible: the database says which one must begin again

Result = TypeVar("Result")


class NoOrderBook(DuankaError):
    """There is no order book where one was looked for, and this command does not begin one."""


class Store:
    """One database. `reading` sees one state of it; what `writing` did is durable when it ends, or not done at all."""

    def __init__(
        self,
        url: str,
        seal_key: SealKey | None = None,
        *,
        create: bool = True,
        read_only: bool = False,
        upgrade: Upgrade | None = None,
    ) -> None:
        """Open an order book, or begin one.

        `url`: sqlite:///FOLDER/orders.sqlite or postgresql://USER:PASSWORD@HOST/NAME. `seal_key`: gives the key that
        the installation is sealed with; None: the secret is not checked. `read_only`: nothing is written, not even
        the mode of a file, and a server has _ANSWERS_WITHIN_SECONDS. NoOrderBook: there is none, and `create` is
        False. NotUsable: of another version, under another secret, or no order book. DuankaError: no answer.
        `upgrade`: makes an order book of an earlier version one of this version; None: OlderVersion.
        """
        self._turn = threading.Lock()
        try:
            parsed = _parsed(url)
            self._read_only, self._upgrade = read_only, None if read_only else upgrade
            self.secret_form = (
                0  # which of the keys of `seal_key` is the one that the order book was made with
            )
            self.embedded = parsed.get_backend_name() == "sqlite"
            self.name = parsed.render_as_string(hide_password=True)
            if self.embedded and parsed.database:
                self._look_for(Path(parsed.database), create)
            if read_only:
                parsed = _only_read(parsed)
            self.engine = create_engine(
                parsed,
                pool_pre_ping=not self.embedded,
                pool_size=10,
                max_overflow=20,
                hide_parameters=True,  # an error that is logged names no card
            )
            # of statements that stand alone: a connection that is in no transaction need not begin or end one
            in_memory = self.embedded and not parsed.database
            self._glances = (
                self.engine
                if in_memory
                else create_engine(
                    parsed, pool_reset_on_return=None, hide_parameters=True, isolation_level="AUTOCOMMIT"
                )
            )
            if self.embedded:
                _as_sqlite_should(self.engine)
                if self._glances is not self.engine:
                    event.listen(self._glances, "connect", _connected)
            else:
                event.listen(self.engine, "connect", _plan_each_time)
            try:
                self._open(seal_key, create)
            except BaseException:
                self.close()
                raise
        except ImportError as error:
            if (error.name or "").partition(".")[0] == "alembic":
                raise DuankaError(
                    "an order book of an earlier version is upgraded with Alembic: pip install alembic"
                ) from None
            raise DuankaError(
                'an order database on PostgreSQL needs psycopg: pip install "duanka[postgresql]"'
            ) from None
        except ArgumentError as error:
            raise DuankaError(
                f"DUANKA_DATABASE_URL cannot be used ({type(error).__name__}); write it like"
                " postgresql://user:password@host/duanka or sqlite:///folder/orders.sqlite"
            ) from None
        except DBAPIError as error:
            raise DuankaError(f"the order database {self.name} does not answer: {_reason(error)}") from None

    def _look_for(self, file: Path, create: bool) -> None:
        if file.exists():
            return
        if not create:
            raise NoOrderBook(
                f"no order book at {file}; set DUANKA_ORDERS to its folder or start in the folder above it, or name its"
                " place with --home (`duanka init`, `duanka persons init` or `duanka serve` begin a new one)"
            )
        private_folder(file.parent)
        private_database(file)

    def _open(self, seal_key: SealKey | None, create: bool) -> None:
        with self.reading() as connection:  # a database that is not ours is not written to, not even its mode
            try:
                form, older = prepare(connection, self.name, seal_key, may_write=False), None
            except OlderVersion as found:
                if self._upgrade is None:
                    raise
                form, older = None, found
            ready = form is not None
            is_new = not ready and not inspect(connection).get_table_names()
        if older and self._upgrade:
            self._upgrade_once(self._upgrade)
            self._open(seal_key, create)
            return
        self.secret_form = form or 0
        if self._read_only and ready:
            return
        if is_new and not create:
            raise NoOrderBook(
                f"no order book in {self.name}; set DUANKA_ORDERS or DUANKA_DATABASE_URL to where it is"
                " (`duanka persons init` or `duanka serve` begin a new one)"
            )
        if self._read_only:
            raise NoOrderBook(f"the order book in {self.name} has not begun: nobody has acted in it yet")
        if self.embedded:
            if self.engine.url.database:
                private_database(Path(self.engine.url.database))
            self._keep_log()
        if not ready:
            with self._alone() as connection:
                self.secret_form = prepare(connection, self.name, seal_key, may_write=True) or 0

    def _keep_log(self) -> None:
        """Let SQLite write into a log beside the file; it is kept in the file, and set outside of any transaction."""
        raw = self.engine.raw_connection()
        try:
            for left in reversed(range(_TRIES)):
                try:
                    raw.cursor().execute("PRAGMA journal_mode=WAL")
                    return
                except SQLiteBusy:  # of a restored copy: who changes this is told at once that others read
                    if not left:
                        raise
                    time.sleep(_LOG_SECONDS)
        finally:
            raw.close()

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        """A transaction that makes or changes tables: of processes that start at once, one after the other."""
        with self.writing() as connection:
            if not self.embedded:
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(20201010)")
            yield connection

    @contextmanager
    def _alone_after_others(self) -> Iterator[Connection]:
        """As `_alone`; waits on SQLite also for an upgrade that takes longer than a writer ever does."""
        with ExitStack() as stack:
            for left in reversed(range(_UPGRADES)):
                try:
                    connection = stack.enter_context(self._alone())
                    break
                except OperationalError as error:
                    if not (left and self.embedded and "locked" in str(error.orig)):
                        raise
            yield connection

    def _upgrade_once(self, terms: Upgrade) -> None:
        """Upgrade the database in one transaction, unless another process did so meanwhile."""
        from duanka.ledger.migrations.upgrading import upgrade_database  # noqa: PLC0415  # it brings Alembic

        database = Path(self.engine.url.database) if self.embedded and self.engine.url.database else None
        with self._alone_after_others() as connection:
            try:
                check(connection, self.name)
            except OlderVersion as found:
                was = version_words(found.version)
                terms.say(
                    BilingualText(
                        f"正在升级工单数据库 {self.name}（{was.zh}）……",
                        f"upgrading the order book {self.name} {was.en} ...",
                    )
                )
                done = upgrade_database(connection, self.name, terms, found, database)
            else:
                return
        zh, en = (f"；原样备份：{done.copy}", f"; as it was: {done.copy}") if done.copy else ("", "")
        now = BilingualText(
            f"现为版本 {SCHEMA_VERSION}{zh}", f"the order book is of version {SCHEMA_VERSION} now{en}"
        )
        terms.say(now)
        for line in done.said:
            terms.say(line)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes. On SQLite one at a time; it begins by taking the lock, so it cannot fail late."""
        with (
            self._in_turn(),
            self.engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """On SQLite, let one thread of this process write at a time.

        Who finds the database locked looks again after a sleep that grows to a tenth of a second; a thread that waits
        for another one of its own process goes on as soon as it may.
        """
        mine = self.embedded and self._turn.acquire(
            timeout=_BUSY_MS / 1000
        )  # else the database says that it is busy
        try:
            yield
        finally:
            if mine:
                self._turn.release()

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

    def check(self) -> None:
        """See that the database is an order book of this version still; NotUsable."""
        with self.reading() as connection:
            check(connection, self.name)

    def glance(self, statement: Executable) -> Row[Any]:
        """The one row of a statement that reads: cheaper than a transaction, for what is asked all the time.

        `statement`: made once by who asks, since to make it costs more than to ask.
        """
        try:
            with self._glances.connect() as connection:
                return connection.execute(statement).one()
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        with self._glances.connect() as connection:  # the server was restarted meanwhile: all are new now
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
        self._glances.dispose()


def _parsed(url: str) -> URL:
    """The URL with the driver that is installed; ArgumentError where it names another database."""
    parsed = make_url(url)
    if parsed.get_backend_name() in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() != "sqlite":
        raise ArgumentError(parsed.get_backend_name())
    return parsed.set(drivername="sqlite")


def in_words(error: Exception) -> str | None:
    """What the database said while it was written or read, with the next step; None: the error is of another kind."""
    if not isinstance(error, OperationalError):
        return None
    return f"the order database did not take it, and nothing of it was done: {_reason(error)}"


def _reason(error: DBAPIError) -> str:
    """The first line of what it said; of a disk without room, what to do."""
    said = str(error.orig).strip().splitlines()[0] if error.orig else type(error).__name__
    return f"{said}{MAKE_ROOM}" if any(one in said for one in _NO_ROOM) else said


def _only_read(url: URL) -> URL:
    """The URL so that the database is opened to be read alone, and nothing is made beside it."""
    if url.get_backend_name() != "sqlite":
        return url.update_query_dict({"connect_timeout": str(_ANSWERS_WITHIN_SECONDS)})
    if not url.database:
        return url
    path = Path(url.database).absolute()
    log = path.with_name(path.name + "-wal")
    # without a log SQLite would make one to read; a file that nobody has open is as good as one that never changes
    how = {"mode": "ro"} if log.exists() else {"mode": "ro", "immutable": "1"}
    return url.set(database=path.as_uri(), query={**how, "uri": "true"})


def _as_sqlite_should(engine: Engine) -> None:
    event.listen(engine, "connect", _connected)

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _connected(connection: SQLiteConnection, _: object) -> None:
    connection.isolation_level = None  # transactions begin where we say so, not where the driver guesses
    connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")  # first: what follows waits for others too
    connection.execute("PRAGMA synchronous=FULL")  # what was acknowledged survives the loss of power
    connection.execute("PRAGMA secure_delete=ON")  # a picture that was deleted lies in no free page


def _plan_each_time(connection: Any, _: object) -> None:
    """Let PostgreSQL plan a statement for the tables as they are now.

    The driver prepares what comes often. A plan that was made while a table was nearly empty reads all of it, and
    would be kept while thousands of rows come.
    """
    was, connection.autocommit = connection.autocommit, True
    connection.execute("SET plan_cache_mode = force_custom_plan")
    connection.autocommit = was
