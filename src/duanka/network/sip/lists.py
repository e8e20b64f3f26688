"""The two block lists of a call proxy on disk.

Kamailio loads the active one at its start; every change is written here before Kamailio gets it.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from duanka.domain.network import ElementRefused, ListOrigin, NetworkState, Unreachable
from duanka.domain.private_files import private_database, private_file, private_folder
from duanka.network.sqlite_files import keep_good_copy, restore

LISTS, GOOD_COPY = "lists.sqlite", "lists.good.sqlite"
_LOG = logging.getLogger(__name__)
_SPOILT = (
    "the lists of the call proxy in {} cannot be read: {}; calls are judged from memory meanwhile, and a start of the"
    " call proxy puts a spoilt list right"
)
_STATES = tuple(state.value for state in NetworkState if state is not NetworkState.ACTIVE)
_CARDS_PER_BATCH = 5_000
_POLL_SECONDS = 0.0005  # polling interval (s) for a lock
_MADE = """
PRAGMA journal_mode=WAL;
CREATE TABLE IF NOT EXISTS a (card TEXT PRIMARY KEY, state TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS b (card TEXT PRIMARY KEY, state TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS live (name TEXT PRIMARY KEY, list TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS changed (id INTEGER PRIMARY KEY AUTOINCREMENT, card TEXT NOT NULL, state TEXT);
INSERT OR IGNORE INTO live VALUES ('list', 'a');
"""


def make(folder: Path) -> None:
    """Create the files of a call proxy in `folder` where they are missing or damaged.

    A damaged list file must not stop calls: it is moved aside and replaced by its last good copy, else by an
    empty list.
    """
    private_folder(folder)
    path, copy = folder / LISTS, folder / GOOD_COPY
    try:
        if copy.exists() and not path.exists():
            raise sqlite3.DatabaseError("it is gone")
        _check(path)
    except sqlite3.OperationalError as error:  # locked, full, no permission: the file itself may be intact
        _LOG.error("%s cannot be looked through (%s): the call proxy starts with it as it is", path, error)
    except sqlite3.DatabaseError as error:
        aside, origin = restore(path, copy, lambda: _check(path))
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            database.execute("INSERT OR REPLACE INTO live VALUES ('origin', ?)", (origin.value,))
        _LOG.error(
            "ALARM: %s is spoilt (%s), kept as %s; what counts now is read from %s."
            " The comparison with the order database puts it right",
            *(path, error, aside, copy.name if origin is ListOrigin.COPY else "nothing"),
        )


def _check(path: Path) -> None:
    """Create missing tables, delete invalid rows; sqlite3.DatabaseError if damaged."""
    with contextlib.closing(sqlite3.connect(private_database(path))) as database:
        database.executescript(_MADE)
        if database.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("it contradicts itself")
        known = ", ".join("?" * len(_STATES))
        for table in ("a", "b"):
            database.execute(f"DELETE FROM {table} WHERE card IS NULL OR state NOT IN ({known})", _STATES)
        if database.execute("SELECT list FROM live WHERE name = 'list'").fetchone()[0] not in ("a", "b"):
            raise sqlite3.DatabaseError("it does not say which list counts")
        database.commit()


def other(table: str) -> str:
    """Return the name of the list other than `table`."""
    return "b" if table == "a" else "a"


def _taken(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class CallLists:
    """The lists in `folder`. A change is durable on return; `locked` excludes other processes."""

    def __init__(self, folder: Path, *, seconds: float) -> None:
        self._folder, self._seconds = folder, seconds
        self._database: sqlite3.Connection | None = None
        self._inode: int | None = None  # of the file that is open

    def close(self) -> None:
        """Close the database."""
        if self._database:
            self._database.close()
        self._database = None

    @property
    def live(self) -> str:
        """Return the name of the active list: a or b."""
        return self._noted("list") or "a"

    @property
    def filling(self) -> str | None:
        """Return the name of the list that is being filled to become active, if any."""
        return self._noted("filling")

    @property
    def origin(self) -> ListOrigin:
        """Return what the lists were last restored from; FILE once confirmed."""
        found = self._noted("origin")
        return next((one for one in ListOrigin if one.value == found), ListOrigin.FILE)

    def confirm(self) -> None:
        """Record that the lists agree with the orders."""
        with self._writing() as database:
            database.execute("DELETE FROM live WHERE name = 'origin'")

    @contextmanager
    def locked(self, name: str = "lists.lock") -> Iterator[None]:
        """Hold a lock between processes, so that disk and memory change in the same order.

        Unreachable if it is not obtained in time.
        """
        until = time.monotonic() + self._seconds
        with self._lock(name) as lock:
            while not _taken(lock):
                if time.monotonic() > until:
                    raise Unreachable(f"the lists of the call proxy in {self._folder} are being changed")
                time.sleep(_POLL_SECONDS)
            yield

    @contextmanager
    def exchanging(self) -> Iterator[None]:
        """Allow one switch of the whole list at a time; ElementRefused while another runs."""
        with self._lock("exchange.lock") as lock:
            if not _taken(lock):
                raise ElementRefused(
                    "another whole list is being loaded into the call proxy; try again when it is there"
                )
            yield

    def put(self, cards: Mapping[str, NetworkState | None]) -> None:
        """Change these cards, also in a list that is being filled."""
        with self._writing() as database:
            live, filling = self.live, self.filling
            for card, state in cards.items():
                _put(database, live, card, state)
            if filling:
                database.executemany(
                    "INSERT INTO changed (card, state) VALUES (?, ?)",
                    [(card, state and state.value) for card, state in cards.items()],
                )

    def begin(self) -> str:
        """Empty the inactive list, start recording single changes; return its name."""
        filling = other(self.live)
        with self._writing() as database:
            database.execute("INSERT OR REPLACE INTO live VALUES ('filling', ?)", (filling,))
            database.execute("DELETE FROM changed")
            database.execute(f"DELETE FROM {filling}")
        return filling

    def fill(self, filling: str, cards: Mapping[str, NetworkState]) -> None:
        """Write `cards` into the inactive list."""
        rows = [(card, state.value) for card, state in cards.items() if state is not NetworkState.ACTIVE]
        for at in range(0, len(rows), _CARDS_PER_BATCH):  # single changes can run in between
            with self.locked(), self._writing() as database:
                database.executemany(f"INSERT INTO {filling} VALUES (?, ?)", rows[at : at + _CARDS_PER_BATCH])
            time.sleep(2 * _POLL_SECONDS)

    def copy(self, filling: str) -> None:
        """Copy the active list into the inactive one."""
        with self._writing() as database:
            database.execute(f"INSERT INTO {filling} SELECT card, state FROM {self.live}")

    def keep_copy(self) -> None:
        """Copy the active list to a file beside it, if it changed since the last copy."""
        path, copy = self._folder / LISTS, self._folder / GOOD_COPY
        written = [one.stat().st_mtime_ns for one in (path, path.with_name(f"{LISTS}-wal")) if one.exists()]
        if copy.exists() and copy.stat().st_mtime_ns > max(written, default=0):
            return
        try:
            keep_good_copy(copy, self._reading)
        except OSError as error:
            raise Unreachable(f"the lists of the call proxy cannot be copied: {error}") from error

    def changed(self) -> dict[str, NetworkState | None]:
        """Return the single changes made while a list was being filled, latest state each."""
        rows = self._reading("SELECT card, state FROM changed ORDER BY id")
        return {card: NetworkState(state) if state else None for card, state in rows}

    def end(self, filled: str) -> None:
        """Activate `filled` with the changes made meanwhile; empty the other list."""
        with self._writing() as database:
            for card, state in self.changed().items():
                _put(database, filled, card, state)
            database.execute("UPDATE live SET list = ? WHERE name = 'list'", (filled,))
            database.execute("DELETE FROM live WHERE name = 'filling'")
            database.execute(f"DELETE FROM {other(filled)}")  # fast: no WHERE, so SQLite truncates the table

    def abandon(self) -> None:
        """Empty the inactive list."""
        with self._writing() as database:
            database.execute("DELETE FROM live WHERE name = 'filling'")
            database.execute("DELETE FROM changed")
            database.execute(f"DELETE FROM {other(self.live)}")

    def cards(self) -> list[str]:
        """Return the cards on the active list."""
        return [str(card) for (card,) in self._reading(f"SELECT card FROM {self.live}")]

    def has(self, card: str) -> bool:
        """Return whether the card is on the active list."""
        return bool(self._reading(f"SELECT 1 FROM {self.live} WHERE card = ?", card))

    def count(self) -> int:
        """Return the number of cards on the active list."""
        return int(self._reading(f"SELECT count(*) FROM {self.live}")[0][0])

    @contextmanager
    def _lock(self, name: str) -> Iterator[TextIO]:
        try:
            lock = private_file(self._folder / name).open("w")
        except OSError as error:
            raise Unreachable(f"no call proxy in {self._folder}: {error}; start one there") from error
        with lock:
            yield lock

    def _noted(self, name: str) -> str | None:
        rows = self._reading("SELECT list FROM live WHERE name = ?", name)
        return rows[0][0] if rows else None

    def _reading(self, query: str, *values: str) -> list[tuple[str, ...]]:
        try:
            return self._open().execute(query, values).fetchall()
        except sqlite3.Error as error:
            self.close()
            raise Unreachable(_SPOILT.format(self._folder, error)) from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            database = self._open()
            with database:
                database.execute("BEGIN IMMEDIATE")
                yield database
        except sqlite3.Error as error:
            self.close()
            raise Unreachable(
                f"the lists of the call proxy in {self._folder} cannot be written: {error}"
            ) from error

    def _open(self) -> sqlite3.Connection:
        if self._database and not self._is_in_place():  # SQLite would keep using the deleted file
            self.close()
        if self._database is None:
            try:
                found = sqlite3.connect(
                    f"file:{self._folder / LISTS}?mode=rw",
                    uri=True,
                    timeout=self._seconds,
                    isolation_level=None,
                    check_same_thread=False,
                )
                found.execute("PRAGMA synchronous=FULL")
            except sqlite3.OperationalError as error:
                raise Unreachable(f"no call proxy in {self._folder}: {error}; start one there") from error
            except sqlite3.DatabaseError as error:
                raise Unreachable(_SPOILT.format(self._folder, error)) from error
            self._database = found
            self._inode = self._inode_in_place()
        return self._database

    def _is_in_place(self) -> bool:
        return self._inode is not None and self._inode == self._inode_in_place()

    def _inode_in_place(self) -> int | None:
        with contextlib.suppress(OSError):
            return (self._folder / LISTS).stat().st_ino
        return None


def _put(database: sqlite3.Connection, where: str, card: str, state: NetworkState | None) -> None:
    if state is None:
        database.execute(f"DELETE FROM {where} WHERE card = ?", (card,))
    else:
        database.execute(f"INSERT OR REPLACE INTO {where} VALUES (?, ?)", (card, state.value))
