"""The message proxy's list of restricted cards: in memory for every message, in SQLite for the day after a crash."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

from duanka.domain.network import ListOrigin, NetworkState
from duanka.domain.private_files import private_database
from duanka.network.refusal_store import put_aside

_SCHEMA = """
CREATE TABLE IF NOT EXISTS restricted (card TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS origin (of TEXT PRIMARY KEY) WITHOUT ROWID;
"""
# Many rows in one statement: row by row, a thread would wait for the interpreter's lock at each of them, and messages
# hold that nearly always. `WHERE true` tells the parser that ON CONFLICT is no join.
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
_AT_ONCE = 10_000  # rows whose text is made while messages wait: some milliseconds


class MessageList:
    """Cards and states in the file at `path`.

    `write` and `write_whole` return when the change is durable, and only then is it in `cards`. One thread writes at a
    time; any may read `cards`, which is exchanged as a whole. A spoilt file ends no process: its last good copy
    counts, else an empty list (`origin`), and an error is logged. That stays so over restarts until `confirm`.
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
        except sqlite3.OperationalError:  # locked, full, not allowed: the file itself may be whole
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
        """The last good copy, else an empty list: messages pass, and the comparison of the orders tells the rest."""
        aside = put_aside(self._path)
        origin = ListOrigin.NOTHING
        if self._copy.exists():
            shutil.copyfile(self._copy, self._path)
            with contextlib.suppress(sqlite3.DatabaseError):
                self._open()
                origin = ListOrigin.COPY
        if origin is ListOrigin.NOTHING:
            self._path.unlink(missing_ok=True)
            self._open()
        self._note_origin(origin)
        _LOG.error(
            "%s is spoilt (%s), kept as %s; %d cards are on the list now, read from %s."
            " The comparison with the order book puts it right",
            *(self._path, error, aside, len(self.cards), self.origin),
        )

    def confirm(self) -> None:
        """Note that the list agrees with the order book."""
        if self.origin is not ListOrigin.FILE:
            self._durably(lambda: self._note_origin(ListOrigin.FILE))

    def _note_origin(self, origin: ListOrigin) -> None:
        with _Transaction(self._file):
            self._file.execute("DELETE FROM origin")
            if origin is not ListOrigin.FILE:
                self._file.execute("INSERT INTO origin VALUES (?)", (origin.value,))
        self.origin = origin

    def keep_copy(self) -> None:
        """Write the list beside its file where it changed since the last copy."""
        if self._copied:
            return
        fresh = self._copy.with_name(f"{self._copy.name}.new")
        fresh.unlink(missing_ok=True)
        self._file.execute("VACUUM INTO ?", (str(fresh),))
        with fresh.open("rb") as written:
            os.fsync(written.fileno())
        fresh.replace(self._copy)
        self._copied = True

    def _rewrite(self, error: sqlite3.DatabaseError) -> None:
        """The file was lost while we ran: what counts is in memory."""
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
        """Put these cards into these states."""
        changed = {card: state for card, state in changes.items() if self.state_of(card) is not state}
        if not changed:  # what is in memory is on disk
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
        """Restrict these and no other."""
        whole: dict[str, NetworkState] = {
            card: state for card, state in cards.items() if state is not NetworkState.ACTIVE
        }
        rows = [(card, state.value) for card, state in whole.items()]
        self._durably(lambda: self._exchange(rows))
        self.cards = whole

    def state_of(self, card: str) -> NetworkState:
        """As messages are judged now."""
        return self.cards.get(card, NetworkState.ACTIVE)

    def page(self, after: str, limit: int) -> list[tuple[str, str]]:
        """Cards behind `after` in the order of their digits, with their states."""
        rows = json.loads(self._file.execute(_PAGE, (after, limit)).fetchone()[0])
        return [(card, state) for card, state in rows]

    def _durably(self, change: Callable[[], None]) -> None:
        """Make the change in the file; where the file is spoilt or gone, write it anew before."""
        try:
            if not self._path.exists() or self._path.stat().st_ino != self._inode:
                raise sqlite3.DatabaseError("another file lies in its place, or none")
            change()
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:  # OperationalError and others are no spoilt file
                raise
            self._rewrite(error)
            change()
        self._copied = False

    def _exchange(self, rows: list[tuple[str, str]]) -> None:
        with _Transaction(self._file):
            self._file.execute("DELETE FROM restricted")
            self._put(rows)

    def _change(self, put: list[tuple[str, str]], gone: list[str]) -> None:
        with _Transaction(self._file):
            self._put(put)
            self._file.execute(_GONE, (json.dumps(gone),))

    def _put(self, rows: list[tuple[str, str]]) -> None:
        for at in range(0, len(rows), _AT_ONCE):
            self._file.execute(_PUT, (json.dumps(rows[at : at + _AT_ONCE]),))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _Transaction:
    """All or nothing. The connection is in autocommit mode, so that nothing begins by itself."""

    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file

    def __enter__(self) -> None:
        self._file.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self._file.execute("COMMIT")
            return
        with contextlib.suppress(sqlite3.Error):  # of a spoilt file the transaction has ended by itself
            self._file.execute("ROLLBACK")
