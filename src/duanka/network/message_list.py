"""The message proxy's list of restricted cards: in memory for every message, in SQLite for the day after a crash."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from duanka.domain.network import NetworkState

_SCHEMA = "CREATE TABLE IF NOT EXISTS restricted (card TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID"
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
_AT_ONCE = 10_000  # rows whose text is made while messages wait: some milliseconds


class MessageList:
    """Cards and states in the file at `path`.

    `write` and `write_whole` return when the change is durable, and only then is it in `cards`. One thread writes at a
    time; any may read `cards`, which is exchanged as a whole.
    """

    def __init__(self, path: Path) -> None:
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = FULL")
        self._file.execute(_SCHEMA)
        states = {state.value: state for state in NetworkState}
        self.cards: dict[str, NetworkState] = {
            card: states[state] for card, state in self._file.execute("SELECT card, state FROM restricted")
        }

    def write(self, changes: Mapping[str, NetworkState]) -> None:
        """Put these cards into these states."""
        changed = {card: state for card, state in changes.items() if self.state_of(card) is not state}
        if not changed:  # what is in memory is on disk
            return
        put = [(card, state.value) for card, state in changed.items() if state is not NetworkState.ACTIVE]
        gone = [card for card, state in changed.items() if state is NetworkState.ACTIVE]
        with _Transaction(self._file):
            self._put(put)
            self._file.execute(_GONE, (json.dumps(gone),))
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
        with _Transaction(self._file):
            self._file.execute("DELETE FROM restricted")
            self._put(rows)
        self.cards = whole

    def state_of(self, card: str) -> NetworkState:
        """As messages are judged now."""
        return self.cards.get(card, NetworkState.ACTIVE)

    def page(self, after: str, limit: int) -> list[tuple[str, str]]:
        """Cards behind `after` in the order of their digits, with their states."""
        rows = json.loads(self._file.execute(_PAGE, (after, limit)).fetchone()[0])
        return [(card, state) for card, state in rows]

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
        self._file.execute("ROLLBACK" if kind else "COMMIT")
