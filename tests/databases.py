"""Both databases of the order book for tests and benchmarks: SQLite files, and a real PostgreSQL of our own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from pytest_postgresql.janitor import DatabaseJanitor

from duanka.network.own_part import free_port
from duanka.orders.store import Store
from waiting import HANG

_STARTS_WITHIN = HANG
_OWNER = "postgres"


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


class Postgres:
    """A server on loopback with a folder of its own. It refuses to run as root: root starts it as another user."""

    def __init__(self, *, survives_power_cuts: bool = True) -> None:
        """`survives_power_cuts`: waits for the disk at each commit, which a test of anything else need not."""
        self._options = "" if survives_power_cuts else " -c fsync=off"
        self._template = ""
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
    def order_book(self) -> Iterator[str]:
        """The URL of a new order book without orders, gone afterwards: a copy, which takes a third of making one."""
        if not self._template:
            self._template = f"t{uuid4().hex[:12]}"
            self._janitor(self._template).init()
            Store(self._url(self._template)).close()
        name = f"t{uuid4().hex[:12]}"
        janitor = self._janitor(name, self._template)
        janitor.init()
        try:
            with psycopg.connect(self._url(name)) as connection:
                connection.execute("UPDATE installation SET installation_id = %s", (uuid4().hex,))
            connection.close()
            yield self._url(name)
        finally:
            janitor.drop()

    def _janitor(self, name: str, template: str | None = None) -> DatabaseJanitor:
        return DatabaseJanitor(
            user=_OWNER, host="127.0.0.1", port=self.port, dbname=name, template_dbname=template
        )

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
