"""Live state: one DuckDB file with the checkpoint inside; commits whole batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa
from pydantic import ValidationError

from duanka.domain.errors import DuankaError
from duanka.domain.private_files import private_folder, tighten
from duanka.domain.schema import TABLES
from duanka.domain.streaming import GONE
from duanka.engine.live.state.checkpoint import VERSION, Checkpoint, version_in
from duanka.engine.shared import key_texts
from duanka.engine.shared.duckdb_database import Rows, bound, lent, sql_type
from duanka.engine.store.manifest import damaged, spoilt_file

Run = Callable[[str], Rows]
STATE = "live.duckdb"
REGISTERS = tuple(name for name, table in TABLES.items() if not table.record)
RECORDS = tuple(name for name, table in TABLES.items() if table.record)
_WAL_SIZE = "256MB"  # maximum log that a restart replays; smaller means more frequent flushes
_HEADER_BYTES = 3 * 4096  # bytes of the headers of a DuckDB file
_NO_ROOM = (
    OSError,
    duckdb.IOException,
    duckdb.FatalException,
    duckdb.OutOfMemoryException,
    duckdb.TransactionException,  # a commit that could not be written
)
# what DuckDB says of a file that is not as it was written; only the error of a few of them is an IOException
_DAMAGE = (
    *("not a valid duckdb database", "corrupt database file", "could not read enough bytes"),
    *("failure while replaying wal", "failed to deserialize"),
)
# tables that a state of version 1 may lack: created empty, filled from its cases and the pass list
_OPTIONAL_TABLES = ("confirmed", "passes")
_LATER_REGISTERS = ("rings", "outlet_batches")  # those that a state of this version may lack: created empty
_LATER_COLUMNS = {  # that its registers may lack: added empty
    "cards": ("age_band",),
    "cases": ("fraud_kind",),
    "complaints": ("indicator_kind", "indicator"),
}
_TABLES = {
    "positions": "origin VARCHAR, done BIGINT",
    "store": "manifest VARCHAR",  # of the store's last commit, which its own manifest follows
    "seen": "tbl VARCHAR, event TIMESTAMP, same UBIGINT",  # hashes of records, to detect repeats
    "quarantine": '"file" VARCHAR, line BIGINT, "column" VARCHAR, reason VARCHAR, raw VARCHAR',
    "touched": "tbl VARCHAR, card BIGINT, turn BIGINT",  # cards whose register rows changed
    "ahead": "tbl VARCHAR, card BIGINT, due_at TIMESTAMP",  # register rows that take effect later
    "again": "rule VARCHAR, card BIGINT",  # cards that a daily rule evaluates again, and one that reads hits
    "due": "rule VARCHAR, card BIGINT, due_at TIMESTAMP",
    "confirmed": "card BIGINT, case_id VARCHAR, signed_by VARCHAR",  # police cases already logged as changes
    "passes": "card BIGINT, passed_at TIMESTAMP",  # passes of the second verification, as last evaluated
    "hits": "card BIGINT, rule VARCHAR, seen_at TIMESTAMP, evidence VARCHAR",
    "texts": key_texts.COLUMNS,  # of hashed record keys
    "new_texts": key_texts.COLUMNS,  # those that the store lacks
    "changes": "seq BIGINT, kind VARCHAR, card BIGINT, rule VARCHAR, seen_at TIMESTAMP, evidence VARCHAR",
}


class LiveState:
    """The file in `folder`; `again` is called when a rollback has replaced `progress`."""

    def __init__(self, folder: Path, *, memory: str, threads: int | None, again: Callable[[], None]) -> None:
        self.db = _opened(folder)
        self._folder = folder
        self._again = again
        self._busy = False
        self._ours = False  # whether the file holds a committed checkpoint
        self.progress = Checkpoint()
        bound(self.db, folder, memory, threads)
        self.run(f"SET checkpoint_threshold = '{_WAL_SIZE}'")

    def run(self, sql: str) -> Rows:
        """Run one statement and return all rows. DuankaError: the state file or a file of the store is damaged."""
        try:
            return self.db.execute(sql).fetchall()
        except duckdb.Error as error:
            if told := _damage(self._folder, error):
                raise told from error
            raise

    def restore(self, *, history: bool) -> bool:
        """Read the checkpoint, or create a state, and return whether it is new; `history`: it reads the backlog."""
        self.run("CREATE SCHEMA IF NOT EXISTS state")
        there = {
            name for (name,) in self.run("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'state'")
        }
        if there:
            for name in _OPTIONAL_TABLES:
                self.run(f"CREATE TABLE IF NOT EXISTS state.{name} ({_TABLES[name]})")
            for name in _LATER_REGISTERS:
                self._make_register(name)
            self._add_later_columns()
            self.progress = self._read(there.union(_OPTIONAL_TABLES, _LATER_REGISTERS))
            self._ours = True
            key_texts.create(self.run, "state.texts")
            return False
        self.run("CREATE TABLE state.progress (value VARCHAR)")
        for name in REGISTERS:
            self._make_register(name)
        for name in RECORDS:
            self.make_recent(name)
        for name, columns in _TABLES.items():
            self.run(f"CREATE TABLE state.{name} ({columns})")
        self.run("INSERT INTO state.progress VALUES ('')")
        key_texts.create(self.run, "state.texts")
        self.progress = Checkpoint(history=history, days={})
        return True

    def _read(self, there: set[str]) -> Checkpoint:
        """The stored checkpoint; DuankaError if its version or its tables do not fit."""
        found = self.run("SELECT value FROM state.progress") if "progress" in there else []
        try:
            progress = Checkpoint.model_validate_json(found[0][0] if found else "")
            recent = {f"recent_{name}" for name in RECORDS}
            if progress.version == VERSION and {*progress.shelves, *recent, *REGISTERS, *_TABLES} <= there:
                return progress
        except ValidationError:
            pass
        told = version_in(found[0][0] if found else "")
        if told in (None, VERSION):
            raise _state_damaged(self._folder)
        raise DuankaError(
            f"the live state in {self._folder} is of version {told}, and this Duanka needs version {VERSION}; begin a"
            " new one with --store FOLDER (what lies in the inbox is read again)"
        )

    def _make_register(self, name: str) -> None:
        """Create the empty table of a register, unless it is there."""
        shape = ", ".join(f"{c.name} {sql_type(c)}" for c in TABLES[name].columns)
        self.run(f"CREATE TABLE IF NOT EXISTS state.{name} ({shape})")

    def _add_later_columns(self) -> None:
        for register, names in _LATER_COLUMNS.items():
            for column in map(TABLES[register].column, names):
                self.run(
                    f"ALTER TABLE IF EXISTS state.{register} ADD COLUMN IF NOT EXISTS {column.name} {sql_type(column)}"
                )

    def make_recent(self, table: str) -> None:
        """Create the empty table of recent records, uncompressed: it is emptied every minute."""
        columns = (f"{c.name} {sql_type(c)} USING COMPRESSION uncompressed" for c in TABLES[table].columns)
        self.run(f"CREATE OR REPLACE TABLE state.recent_{table} ({', '.join(columns)})")

    def keep_manifest(self, manifest: str) -> None:
        """Store the manifest that the store gets, in the open transaction."""
        self.run("DELETE FROM state.store")
        self.db.execute("INSERT INTO state.store VALUES (?)", [manifest]).fetchall()

    def kept_manifest(self) -> str:
        """The manifest as last committed; "" if there is none."""
        found = self.run("SELECT manifest FROM state.store") if self._ours else []
        return str(found[0][0]) if found else ""

    def keep_positions(self, positions: Mapping[str, int]) -> None:
        """Store the position of each origin, in the open transaction."""
        if positions:
            given = pa.table({"origin": list(positions), "done": list(positions.values())})
            with lent(self.db, "given", given):
                self.run("DELETE FROM state.positions WHERE origin IN (SELECT origin FROM given)")
                self.run(f"INSERT INTO state.positions SELECT origin, done FROM given WHERE done <> {GONE}")

    @contextmanager
    def working(self) -> Iterator[None]:
        """Open a transaction if there is none; roll back to the last commit on failure."""
        try:
            if not self._busy:
                self.run("BEGIN")
                self._busy = True
            yield
        except BaseException as error:
            self._rolled_back()
            if isinstance(error, duckdb.Error) and (told := _damage(self._folder, error)):
                raise told from error
            if isinstance(error, _NO_ROOM):
                raise DuankaError(
                    f"the live state cannot be written: {str(error).splitlines()[0]}; what was committed is whole,"
                    " start again once there is room"
                ) from error
            raise

    def commit(self) -> None:
        """Commit everything since the last commit, with the checkpoint."""
        document = self.progress.model_dump_json()
        self.db.execute("UPDATE state.progress SET value = ?", [document]).fetchall()
        self.run("COMMIT")
        self._busy = False
        self._ours = True

    def _rolled_back(self) -> None:
        self._busy = False
        try:
            self.run("ROLLBACK")
            found = self.run("SELECT value FROM state.progress") if self._ours else []
        except duckdb.Error:  # file unreachable: the next run opens it at the last committed batch
            return
        if self._ours:
            self.progress = Checkpoint.model_validate_json(found[0][0])
            self._again()


def _opened(folder: Path) -> duckdb.DuckDBPyConnection:
    try:
        private_folder(folder)
        _without_stub(folder / STATE)
        opened = duckdb.connect(str(folder / STATE))
        tighten(folder / STATE, folder / f"{STATE}.wal")
        return opened
    except OSError as error:
        raise DuankaError(
            f"cannot write to {folder} ({error.strerror}); choose another folder with --store"
        ) from error
    except duckdb.Error as error:
        text = str(error)
        if told := _damage(folder, error):
            raise told from error
        if not isinstance(error, duckdb.IOException):
            raise
        if "lock" in text.lower():
            raise DuankaError(f"{folder} is in use by another duanka live; stop that one first") from error
        raise DuankaError(
            f"cannot open the live state in {folder}: {text.splitlines()[0]}; make room, or choose another folder"
            " with --store"
        ) from error


def _damage(folder: Path, error: duckdb.Error) -> DuankaError | None:
    """The error of a damaged file of the store or of the state in `folder`; None: `error` is about something else."""
    said = str(error)
    if spoilt := spoilt_file(said):
        return damaged(folder.parent, spoilt)
    return _state_damaged(folder) if any(one in said.lower() for one in _DAMAGE) else None


def _state_damaged(folder: Path) -> DuankaError:
    return DuankaError(
        f"the state of duanka live is damaged ({folder / STATE}): move this file out of the folder, {STATE}.wal too if"
        " it is there, and start again with the same --store and --out. The store keeps its records; those of the last"
        " minute may be lost. What lies in the inbox is read again, as late where the store has later records, and all"
        " hits are told anew"
    )


def _without_stub(path: Path) -> None:
    """Delete an empty file left by an interrupted creation; DuckDB would not open it."""
    if path.is_file() and 0 < path.stat().st_size < _HEADER_BYTES:
        with path.open("rb") as file:
            begun = file.read(12)[8:] == b"DUCK"
        if begun:
            path.unlink()
