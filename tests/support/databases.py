"""Both databases of the order database for tests and benchmarks: SQLite files, and a real PostgreSQL of our own."""

from __future__ import annotations

import os
import pwd
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg.types.json import Jsonb
from pytest_postgresql.janitor import DatabaseJanitor

from duanka.ledger.db.database import Store
from duanka.network.process import free_port
from support.waiting import HANG

_STARTS_WITHIN = HANG
_OWNER = "postgres"
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
_OTHERS_OUT = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""
_SEQUENCES_BACK = "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"
# each table, view, index, sequence, function, column, constraint, trigger and setting; `xmin` says if it was changed
_SHAPE = """
    SELECT relname::text, oid::bigint, '' FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT proname::text, oid::bigint, xmin::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT attname::text, attrelid::bigint, a.xmin::text FROM pg_attribute AS a JOIN pg_class AS c
        ON c.oid = attrelid WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT conname::text, oid::bigint, xmin::text FROM pg_constraint
    UNION ALL SELECT tgname::text, oid::bigint, xmin::text FROM pg_trigger
    UNION ALL SELECT setconfig::text, setdatabase::bigint, setrole::text FROM pg_db_role_setting
    ORDER BY 1, 2, 3"""


def missing() -> str:
    """What a PostgreSQL lacks here, and the command that brings it; empty when all is there."""
    if _programs() is None:
        return "no PostgreSQL; apt-get install postgresql, or make setup-network"
    return ""


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


def sqlite_order_database(new: Path, file: Path) -> str:
    """The URL of an order database without orders in `file`: a copy of `new`, which takes a fifth of making one.

    `new`: made by the first who asks.
    """
    if not new.exists():
        Store(f"sqlite:///{new}").close()
    shutil.copy(new, file)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE installation SET installation_id = ?", [uuid4().hex])
    return f"sqlite:///{file}"


class _Book:
    """An order database on a server, that one test after another has as if it were new."""

    def __init__(self, url: str) -> None:
        self.url = url
        with self._connected() as connection:
            self._shape = self._shape_of(connection)
            self._tables = [name for (name,) in connection.execute(_TABLES).fetchall()]
            self._rows = {
                name: connection.execute(f"SELECT to_jsonb(t) FROM {name} AS t").fetchall()
                for name in self._tables
            }

    def emptied(self) -> bool:
        """Take out whatever a test left; False where it changed what the database is made of: nobody else has it."""
        with self._connected() as connection:
            connection.execute(_OTHERS_OUT)
            if self._shape_of(connection) != self._shape:
                return False
            connection.execute("SET session_replication_role = replica")  # in any order of the tables
            connection.execute("".join(map(_emptying, self._tables)))
            connection.execute(_SEQUENCES_BACK)
            for table, rows in self._rows.items():
                for (row,) in rows:
                    new = {**row, "installation_id": uuid4().hex} if "installation_id" in row else row
                    text = f"INSERT INTO {table} SELECT * FROM jsonb_populate_record(NULL::{table}, %s)"
                    connection.execute(text, [Jsonb(new)])
        return True

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection]:
        with closing(psycopg.connect(self.url)) as connection, connection:
            yield connection

    @staticmethod
    def _shape_of(connection: psycopg.Connection) -> object:
        return connection.execute(_SHAPE).fetchall()


def _emptying(table: str) -> str:
    """To delete few rows is cheaper than a new file for the table and each index; many would leave a large file."""
    return f"""DO $$ BEGIN
        IF pg_relation_size('{table}') > 200000 THEN TRUNCATE {table} CASCADE;
        ELSIF EXISTS (SELECT 1 FROM {table}) THEN DELETE FROM {table}; END IF;
    END $$;"""


class Postgres:
    """A server on loopback with a folder of its own. It refuses to run as root: root starts it as another user."""

    def __init__(self, *, survives_power_cuts: bool = True) -> None:
        """`survives_power_cuts`: waits for the disk at each commit, which a test of anything else need not."""
        self._options = "" if survives_power_cuts else " -c fsync=off"
        self._books: list[_Book] = []
        programs = _programs()
        assert programs is not None, missing()
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="duanka-pg-"))
        self._as = []
        if os.geteuid() == 0:
            pwd.getpwnam(_OWNER)
            shutil.chown(self._folder, _OWNER)
            self._as = ["runuser", "-u", _OWNER, "--"]
        self.port = free_port()
        self._run(
            "initdb", "-D", str(self._folder / "data"), "-U", _OWNER, "-A", "trust", "-E", "UTF8", "--no-sync"
        )

    def start(self) -> None:
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1 -c max_connections=200"
        options += self._options
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-o", options, "-l", log, "-w", "-s", "start")

    @property
    def pid(self) -> int:
        """Of the process whose children do the work."""
        return int((self._folder / "data" / "postmaster.pid").read_text().splitlines()[0])

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "-w", "-s", "stop")

    def close(self) -> None:
        """Stop and remove everything."""
        try:
            self.stop()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a new empty database, gone afterwards."""
        name = f"t{uuid4().hex[:12]}"
        janitor = self._janitor(name)
        janitor.init()
        try:
            yield self._url(name)
        finally:
            janitor.drop()

    @contextmanager
    def order_database(self) -> Iterator[str]:
        """The URL of an order database without orders. It is emptied afterwards: a quarter of a new one's time."""
        book = self._books.pop() if self._books else self._new_book()
        yield book.url
        if book.emptied():
            self._books.append(book)

    def _new_book(self) -> _Book:
        name = f"t{uuid4().hex[:12]}"
        self._janitor(name).init()
        Store(self._url(name)).close()
        return _Book(self._url(name))

    def _janitor(self, name: str) -> DatabaseJanitor:
        return DatabaseJanitor(user=_OWNER, host="127.0.0.1", port=self.port, dbname=name)

    def _url(self, name: str) -> str:
        return f"postgresql://{_OWNER}@127.0.0.1:{self.port}/{name}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as, str(self._programs / program), *arguments]
        end = time.monotonic() + _STARTS_WITHIN
        done = subprocess.run(
            command,
            cwd="/",
            capture_output=program != "pg_ctl",
            text=True,
            timeout=end - time.monotonic(),
            check=False,
        )
        assert done.returncode == 0, f"{program}: {done.stdout} {done.stderr}"
