"""The message proxy's list of restricted cards: read from memory, kept in SQLite."""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from duanka.domain.network import ListOrigin, NetworkState
from duanka.domain.private_files import private_database
from duanka.network.sqlite_files import keep_good_copy, put_aside, restore

_SCHEMA = """
CREATE TABLE IF NOT EXISTS restricted (card TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS origin (of TEXT PRIMARY KEY) WITHOUT ROWID;
"""
# Many rows per statement: with one call per row a thread would wait for the interpreter lock at each of them, and the
# message loop holds it nearly always. `WHERE true` tells the parser that ON CONFLICT does not belong to a join.
_PUT = """
INSERT INTO restricted SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?) WHERE true
ON CONFLICT (card) DO UPDATE SET state = excluded.state
"""
_GONE = "DELETE FROM restricted WHERE card IN (SELECT value FROM json_each(?))"
_PAGE = """
SELECT json_group_array(json_array(card, state))
FROM (SELECT card, state FROM restricted WHERE card > ? ORDER BY card LIMIT ?)
"""
_LOG = logging.getLogger(__name__)
_ROWS_PER_BATCH = 10_000  # rows serialised at once, while messages wait: a few milliseconds


class MessageList:
    """Restricted cards and their states, in the file at `path`.

    `write` and `write_whole` return when the change is durable, and only then is it in `cards`. One thread
    writes at a time; any thread may read `cards`. A damaged file stops nothing: the last good copy is used,
    else an empty list, and an error is logged. `origin` says which until `confirm`, over restarts too.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._copy = path, path.with_name(f"{path.name}.copy")
        self._copied = True
        self.cards: dict[str, NetworkState] = {}
        self.origin = ListOrigin.FILE
        try:
            if self._copy.exists() and not (path.exists() and path.stat().st_size):
                raise sqlite3.DatabaseError("it is empty or gone, and was not")
            self._open()
        except sqlite3.OperationalError:  # locked, full, no permission: the file itself may be intact
            raise
        except sqlite3.DatabaseError as error:
            self._fall_back(error)

    def _open(self) -> None:
        self._file = sqlite3.connect(
            private_database(self._path), isolation_level=None, check_same_thread=False, timeout=10
        )
        try:
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute("PRAGMA synchronous = FULL")
            self._file.executescript(_SCHEMA)
            self.cards = self._read()
            kept = self._file.execute("SELECT of FROM origin").fetchone()
            self.origin = next((one for one in ListOrigin if kept == (one.value,)), ListOrigin.FILE)
            self._inode = self._path.stat().st_ino
        except sqlite3.Error:
            self._file.close()
            raise

    def _read(self) -> dict[str, NetworkState]:
        if self._file.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("the file contradicts itself")
        states = {state.value: state for state in NetworkState}
        rows = self._file.execute("SELECT card, state FROM restricted").fetchall()
        known = {card: states[state] for card, state in rows if state in states}
        if len(known) < len(rows):
            _LOG.error("%s: %d cards in an unknown state are passed over", self._path, len(rows) - len(known))
        return known

    def _fall_back(self, error: sqlite3.DatabaseError) -> None:
        """Use the last good copy, else an empty list; a reconciliation completes it."""
        aside, origin = restore(self._path, self._copy, self._open)
        self._note_origin(origin)
        _LOG.error(
            "%s is spoilt (%s), kept as %s; %d cards are on the list now, read from %s."
            " The comparison with the order database puts it right",
            *(self._path, error, aside, len(self.cards), self.origin),
        )

    def confirm(self) -> None:
        """Record that the list agrees with the orders."""
        if self.origin is not ListOrigin.FILE:
            self._durably(lambda: self._note_origin(ListOrigin.FILE))

    def _note_origin(self, origin: ListOrigin) -> None:
        with _transaction(self._file):
            self._file.execute("DELETE FROM origin")
            if origin is not ListOrigin.FILE:
                self._file.execute("INSERT INTO origin VALUES (?)", (origin.value,))
        self.origin = origin

    def keep_copy(self) -> None:
        """Copy the list to a file beside it, if it changed since the last copy."""
        if self._copied:
            return
        keep_good_copy(self._copy, lambda statement, name: self._file.execute(statement, (name,)))
        self._copied = True

    def _rewrite(self, error: sqlite3.DatabaseError) -> None:
        """Write a lost file anew from memory, which is authoritative while we run."""
        _LOG.error("%s is spoilt (%s): written anew from memory", self._path, error)
        self._file.close()
        put_aside(self._path)
        cards, origin = self.cards, self.origin
        try:
            self._open()
            self._note_origin(origin)
        finally:
            self.cards, self.origin = cards, origin
        self._exchange([(card, state.value) for card, state in cards.items()])

    def write(self, changes: Mapping[str, NetworkState]) -> None:
        """Set the states of these cards."""
        changed = {card: state for card, state in changes.items() if self.state_of(card) is not state}
        if not changed:  # what is in memory is on disk already
            return
        put = [(card, state.value) for card, state in changed.items() if state is not NetworkState.ACTIVE]
        gone = [card for card, state in changed.items() if state is NetworkState.ACTIVE]
        self._durably(lambda: self._change(put, gone))
        for card, state in changed.items():
            if state is NetworkState.ACTIVE:
                self.cards.pop(card, None)
            else:
                self.cards[card] = state

    def write_whole(self, cards: Mapping[str, NetworkState]) -> None:
        """Restrict exactly these cards."""
        whole: dict[str, NetworkState] = {
            card: state for card, state in cards.items() if state is not NetworkState.ACTIVE
        }
        rows = [(card, state.value) for card, state in whole.items()]
        self._durably(lambda: self._exchange(rows))
        self.cards = whole

    def state_of(self, card: str) -> NetworkState:
        """Return the state by which messages are judged now."""
        return self.cards.get(card, NetworkState.ACTIVE)

    def page(self, after: str, limit: int) -> list[tuple[str, str]]:
        """Return cards after `after` in the order of their digits, with their states."""
        rows = json.loads(self._file.execute(_PAGE, (after, limit)).fetchone()[0])
        return [(card, state) for card, state in rows]

    def _durably(self, change: Callable[[], None]) -> None:
        """Apply the change to the file; if that is damaged or gone, write it anew first."""
        try:
            if not self._path.exists() or self._path.stat().st_ino != self._inode:
                raise sqlite3.DatabaseError("another file lies in its place, or none")
            change()
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:  # subclasses do not mean damage
                raise
            self._rewrite(error)
            change()
        self._copied = False

    def _exchange(self, rows: list[tuple[str, str]]) -> None:
        with _transaction(self._file):
            self._file.execute("DELETE FROM restricted")
            self._put(rows)

    def _change(self, put: list[tuple[str, str]], gone: list[str]) -> None:
        with _transaction(self._file):
            self._put(put)
            self._file.execute(_GONE, (json.dumps(gone),))

    def _put(self, rows: list[tuple[str, str]]) -> None:
        for at in range(0, len(rows), _ROWS_PER_BATCH):
            self._file.execute(_PUT, (json.dumps(rows[at : at + _ROWS_PER_BATCH]),))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextmanager
def _transaction(file: sqlite3.Connection) -> Iterator[None]:
    """Transaction on a connection in autocommit mode: all or nothing."""
    file.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # in a damaged file the transaction is closed already
            file.execute("ROLLBACK")
        raise
    file.execute("COMMIT")
