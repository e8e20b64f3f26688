"""The live state: one DuckDB file, and the document that says how far it has come; whole batches or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from duanka.domain.errors import DuankaError
from duanka.domain.live import GONE
from duanka.domain.tables import TABLES
from duanka.engine.embedded import TYPES
from duanka.engine.live.progress import Progress
from duanka.engine.span import Rows

STATE = "live.duckdb"
REGISTERS = tuple(name for name, table in TABLES.items() if not table.record)
_WAL = "256MB"  # the log that a restart reads again; a smaller one is emptied more often, and each time costs
_TABLES = {
    "positions": "origin VARCHAR, done BIGINT",
    "recent": "tbl VARCHAR, event TIMESTAMP, same UBIGINT",
    "quarantine": '"file" VARCHAR, line BIGINT, "column" VARCHAR, reason VARCHAR, raw VARCHAR',
    "touched": "tbl VARCHAR, card VARCHAR",
    "ahead": "tbl VARCHAR, card VARCHAR, due_at TIMESTAMP",
    "again": "rule VARCHAR, card VARCHAR",
    "due": "rule VARCHAR, card VARCHAR, due_at TIMESTAMP",
    "hits": "card VARCHAR, rule VARCHAR, seen_at TIMESTAMP, evidence VARCHAR",
    "changes": "seq BIGINT, kind VARCHAR, card VARCHAR, rule VARCHAR, seen_at TIMESTAMP, evidence VARCHAR",
}


class State:
    """The file in `folder`. `again` is called when `progress` was taken back to what the file says."""

    def __init__(self, folder: Path, *, memory: str, threads: int | None, again: Callable[[], None]) -> None:
        self.db = _opened(folder)
        self._again = again
        self._busy = False
        self.progress = Progress()
        self.run(f"SET memory_limit = '{memory}'")
        self.run(f"SET temp_directory = '{quoted(str(folder / 'spill'))}'")
        self.run("SET preserve_insertion_order = false")
        self.run(f"SET checkpoint_threshold = '{_WAL}'")
        if threads:
            self.run(f"SET threads = {threads}")

    def run(self, sql: str) -> Rows:
        """Run one statement and read its result whole."""
        return self.db.execute(sql).fetchall()

    def restore(self, *, history: bool) -> None:
        """Read the progress, or begin a new state that reads history first."""
        self.run("CREATE SCHEMA IF NOT EXISTS state")
        self.run("CREATE TABLE IF NOT EXISTS state.progress (value VARCHAR)")
        found = self.run("SELECT value FROM state.progress")
        if found:
            self.progress = Progress.model_validate_json(found[0][0])
            return
        for name in REGISTERS:
            shape = ", ".join(f"{c.name} {TYPES.get(c.kind, 'VARCHAR')}" for c in TABLES[name].columns)
            self.run(f"CREATE TABLE state.{name} ({shape})")
        for name, columns in _TABLES.items():
            self.run(f"CREATE TABLE state.{name} ({columns})")
        self.run("INSERT INTO state.progress VALUES ('')")
        self.progress = Progress(history=history)

    def keep_positions(self, positions: Mapping[str, int]) -> None:
        """How far every origin is read, in the open transaction."""
        if positions:
            given = pa.table({"origin": list(positions), "done": list(positions.values())})
            self.db.register("given", given)
            self.run("DELETE FROM state.positions WHERE origin IN (SELECT origin FROM given)")
            self.run(f"INSERT INTO state.positions SELECT origin, done FROM given WHERE done <> {GONE}")
            self.db.unregister("given")

    @contextmanager
    def working(self) -> Iterator[None]:
        """Work in the open transaction; after a failure the state is again what was last committed."""
        try:
            if not self._busy:
                self.run("BEGIN")
                self._busy = True
            yield
        except BaseException as error:
            self._rolled_back()
            if isinstance(error, duckdb.IOException | duckdb.FatalException | duckdb.OutOfMemoryException):
                raise DuankaError(
                    f"the live state cannot be written: {str(error).splitlines()[0]}; what was committed is whole,"
                    " start again once there is room"
                ) from error
            raise

    def commit(self) -> None:
        """Everything since the last commit is there for good."""
        document = self.progress.model_dump_json()
        self.db.execute("UPDATE state.progress SET value = ?", [document]).fetchall()
        self.run("COMMIT")
        self._busy = False

    def _rolled_back(self) -> None:
        self._busy = False
        try:
            self.run("ROLLBACK")
            found = self.run("SELECT value FROM state.progress")
        except duckdb.Error:  # the file is out of reach: whoever opens it again finds the last whole batch
            return
        if found and found[0][0]:
            self.progress = Progress.model_validate_json(found[0][0])
            self._again()


def _opened(folder: Path) -> duckdb.DuckDBPyConnection:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return duckdb.connect(str(folder / STATE))
    except OSError as error:
        raise DuankaError(
            f"cannot write to {folder} ({error.strerror}); choose another folder with --state"
        ) from error
    except duckdb.IOException as error:
        text = str(error)
        if "lock" in text.lower():
            raise DuankaError(f"{folder} is in use by another duanka live; stop that one first") from error
        raise DuankaError(f"cannot open the live state in {folder}: {text.splitlines()[0]}") from error


def quoted(text: str) -> str:
    """`text` for the inside of an SQL string."""
    return text.replace("'", "''")
