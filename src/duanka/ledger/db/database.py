"""Order database: SQLite without set-up, or PostgreSQL by URL; same statements."""

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
from duanka.ledger.db.installation import OlderVersion, SealKey, Upgrade, check, prepare, version_words
from duanka.ledger.db.tables import SCHEMA_VERSION

_BUSY_MS = 30_000  # ms that a writer waits for another one on SQLite
_CONNECT_TIMEOUT_SECONDS = 3  # time-out of a server for read-only access
_DISK_FULL_MESSAGES = ("disk I/O error", "disk is full", "No space left")  # messages of SQLite and PostgreSQL
_DAMAGE_MESSAGES = ("database disk image is malformed", "file is not a database")  # of SQLite
_UPGRADE_WAITS = 20  # multiples of _BUSY_MS to wait for an upgrade by another process
_WAL_RETRY_SECONDS = 0.5  # between attempts to switch to the write-ahead log
_TRANSACTION_TRIES = 5  # of a transaction that conflicts with another writer

Result = TypeVar("Result")


class NoOrderDatabase(DuankaError):
    """There is no order database, and this command does not create one."""


class Store:
    """One database. `reading` sees a single snapshot; `writing` is atomic and durable."""

    def __init__(
        self,
        url: str,
        seal_key: SealKey | None = None,
        *,
        create: bool = True,
        read_only: bool = False,
        upgrade: Upgrade | None = None,
    ) -> None:
        """Open an order database, or create it.

        `url`: sqlite:///FOLDER/orders.sqlite or postgresql://USER:PASSWORD@HOST/NAME. `seal_key`: returns the key of
        the installation's seal; None: the secret is not checked. `read_only`: nothing is written, not even a file
        mode, and a server must answer within _CONNECT_TIMEOUT_SECONDS. `upgrade`: terms for upgrading an earlier
        version; None: raises OlderVersion.

        NoOrderDatabase: no database, and `create` is False. NotUsable: newer version, other secret, or no order
        database. DuankaError: no answer.
        """
        self._turn = threading.Lock()
        try:
            parsed = _parsed(url)
            self._read_only, self._upgrade = read_only, None if read_only else upgrade
            self.secret_form = 0  # index of the key in `seal_key` that the database was created with
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
                hide_parameters=True,  # logged errors must not contain card numbers
            )
            # Autocommit connections for single statements: BEGIN and ROLLBACK are not needed.
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
                    "an order database of an earlier version is upgraded with Alembic: pip install alembic"
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
            if _tells_damage(error):
                raise DuankaError(
                    f"the order database {self.name} is damaged ({_reason(error)}): stop what uses it, keep a copy of"
                    " the file, and restore the last backup (docs/OPERATIONS.md)"
                ) from None
            raise DuankaError(f"the order database {self.name} does not answer: {_reason(error)}") from None

    def _look_for(self, file: Path, create: bool) -> None:
        if file.exists():
            return
        if not create:
            raise NoOrderDatabase(
                f"no order database at {file}; set DUANKA_ORDERS to its folder or start in the folder above it, or"
                " name its home folder with --home (`duanka init`, `duanka persons init` or `duanka serve` begin a"
                " new one)"
            )
        private_folder(file.parent)
        private_database(file)

    def _open(self, seal_key: SealKey | None, create: bool) -> None:
        with self.reading() as connection:  # a foreign database is not written to, not even its file mode
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
            raise NoOrderDatabase(
                f"no order database in {self.name}; set DUANKA_ORDERS or DUANKA_DATABASE_URL to where it is"
                " (`duanka persons init` or `duanka serve` begin a new one)"
            )
        if self._read_only:
            raise NoOrderDatabase(
                f"the order database in {self.name} has not begun: nobody has acted in it yet"
            )
        if self.embedded:
            if self.engine.url.database:
                private_database(Path(self.engine.url.database))
            self._keep_log()
        if not ready:
            with self._alone() as connection:
                self.secret_form = prepare(connection, self.name, seal_key, may_write=True) or 0

    def _keep_log(self) -> None:
        """Switch SQLite to write-ahead logging.

        The mode is persistent in the file, and can only be set outside of a transaction.
        """
        raw = self.engine.raw_connection()
        try:
            for left in reversed(range(_TRANSACTION_TRIES)):
                try:
                    raw.cursor().execute("PRAGMA journal_mode=WAL")
                    return
                except SQLiteBusy:
                    # While others read a restored copy, SQLite raises this at once instead of waiting.
                    if not left:
                        raise
                    time.sleep(_WAL_RETRY_SECONDS)
        finally:
            raw.close()

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        """A transaction that creates or changes tables, serialised across processes."""
        with self.writing() as connection:
            if not self.embedded:
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(20201010)")
            yield connection

    @contextmanager
    def _alone_after_others(self) -> Iterator[Connection]:
        """As `_alone`; on SQLite also waits for a long upgrade by another process."""
        with ExitStack() as stack:
            for left in reversed(range(_UPGRADE_WAITS)):
                try:
                    connection = stack.enter_context(self._alone())
                    break
                except OperationalError as error:
                    if not (left and self.embedded and "locked" in str(error.orig)):
                        raise
            yield connection

    def _upgrade_once(self, terms: Upgrade) -> None:
        """Upgrade in one transaction, unless another process has done so meanwhile."""
        database = Path(self.engine.url.database) if self.embedded and self.engine.url.database else None
        with self._alone_after_others() as connection:
            try:
                check(connection, self.name)
            except OlderVersion as found:
                was = version_words(found.version)
                terms.say(
                    BilingualText(
                        f"正在升级工单库 {self.name}（{was.zh}）……",
                        f"upgrading the order database {self.name} {was.en} ...",
                    )
                )
                done = terms.run(connection, self.name, terms, found, database)
            else:
                return
        zh, en = (f"；原样备份：{done.copy}", f"; as it was: {done.copy}") if done.copy else ("", "")
        now = BilingualText(
            f"现为版本 {SCHEMA_VERSION}{zh}", f"the order database is of version {SCHEMA_VERSION} now{en}"
        )
        terms.say(now)
        for line in done.said:
            terms.say(line)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A write transaction. On SQLite one at a time, locked from its start."""
        with (
            self._in_turn(),
            self.engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """On SQLite, serialise the writing threads of this process.

        A writer that finds the database locked polls, with pauses growing to 0.1 s; a waiting thread of this process
        continues immediately.
        """
        # After a time-out here, the database itself reports that it is busy.
        mine = self.embedded and self._turn.acquire(timeout=_BUSY_MS / 1000)
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
        """Run `work` in a write transaction; retry when two writers conflict.

        `again`: the errors that report a conflict.
        """
        for _ in range(_TRANSACTION_TRIES - 1):
            try:
                with self.writing() as connection:
                    return work(connection)
            except again:
                continue
        with self.writing() as connection:
            return work(connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A read transaction with one snapshot for all its statements."""
        with self.engine.connect() as connection, connection.begin():
            if not self.embedded:  # PostgreSQL would otherwise take a new snapshot for each statement
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield connection

    def check(self) -> None:
        """NotUsable if the database is no longer an order database of this version."""
        with self.reading() as connection:
            check(connection, self.name)

    def read_one_row(self, statement: Executable) -> Row[Any]:
        """Return the one row of a query, cheaper than with a transaction; for polling.

        `statement`: built once by the caller, because building costs more than running it.
        """
        try:
            with self._glances.connect() as connection:
                return connection.execute(statement).one()
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        with self._glances.connect() as connection:  # the server was restarted: a new connection
            return connection.execute(statement).one()

    def scrub(self) -> bool:
        """Truncate SQLite's write-ahead log, which may hold deleted data; False: in use.

        On PostgreSQL deleted data is removed by its vacuum.
        """
        if not self.embedded:
            return True
        with self.engine.connect() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None  # noqa: S101  # the connection is open
            raw.execute("PRAGMA busy_timeout=0")  # does not delay other users
            try:
                busy, *_ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                raw.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
            return not busy

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()
        self._glances.dispose()


def _parsed(url: str) -> URL:
    """Parse the URL and set the installed driver. ArgumentError: another database."""
    parsed = make_url(url)
    if parsed.get_backend_name() in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() != "sqlite":
        raise ArgumentError(parsed.get_backend_name())
    return parsed.set(drivername="sqlite")


def in_words(error: Exception) -> DuankaError | None:
    """The error that a person can fix behind one of the database; None: another kind of error."""
    if isinstance(error, DBAPIError) and _tells_damage(error):
        return DuankaError(
            f"the order database is damaged, and nothing was done ({_reason(error)}): stop what uses it, keep a copy of"
            " the file, and restore the last backup (docs/OPERATIONS.md)"
        )
    if not isinstance(error, OperationalError):
        return None
    return DuankaError(f"the order database did not take it, and nothing of it was done: {_reason(error)}")


def _tells_damage(error: DBAPIError) -> bool:
    return any(one in str(error.orig) for one in _DAMAGE_MESSAGES)


def _reason(error: DBAPIError) -> str:
    """Return the first line of the message; on a full disk, also what to do."""
    said = str(error.orig).strip().splitlines()[0] if error.orig else type(error).__name__
    return f"{said}{MAKE_ROOM}" if any(one in said for one in _DISK_FULL_MESSAGES) else said


def _only_read(url: URL) -> URL:
    """Return the URL for read-only access that creates no files."""
    if url.get_backend_name() != "sqlite":
        return url.update_query_dict({"connect_timeout": str(_CONNECT_TIMEOUT_SECONDS)})
    if not url.database:
        return url
    path = Path(url.database).absolute()
    log = path.with_name(path.name + "-wal")
    # Without a log SQLite would create one for reading; a file that nobody has open can be treated as immutable.
    how = {"mode": "ro"} if log.exists() else {"mode": "ro", "immutable": "1"}
    return url.set(database=path.as_uri(), query={**how, "uri": "true"})


def _as_sqlite_should(engine: Engine) -> None:
    event.listen(engine, "connect", _connected)

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _connected(connection: SQLiteConnection, _: object) -> None:
    connection.isolation_level = None  # transactions begin by our statements, not implicitly by the driver
    connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")  # first, so that the following statements wait, too
    connection.execute("PRAGMA synchronous=FULL")  # acknowledged writes survive a loss of power
    connection.execute("PRAGMA secure_delete=ON")  # deleted pictures do not remain in free pages


def _plan_each_time(connection: Any, _: object) -> None:
    """Make PostgreSQL plan each statement for the present size of the tables.

    The driver prepares frequent statements. A cached plan made for a nearly empty table scans it, and would be kept
    while the table grows by thousands of rows.
    """
    was, connection.autocommit = connection.autocommit, True
    connection.execute("SET plan_cache_mode = force_custom_plan")
    connection.autocommit = was
