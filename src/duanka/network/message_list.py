"""The message proxy's list of restricted cards: in memory for every message, in SQLite for the day after a crash."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from duanka.domain.network import NetworkState

_SCHEMA = "CREATE TABLE IF NOT EXISTS restricted (card TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID"
_PUT = "INSERT INTO restricted VALUES (?, ?) ON CONFLICT (card) DO UPDATE SET state = excluded.state"


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
        gone = [(card,) for card, state in changed.items() if state is NetworkState.ACTIVE]
        with _Transaction(self._file):
            self._file.executemany(_PUT, put)
            self._file.executemany("DELETE FROM restricted WHERE card = ?", gone)
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
        rows = sorted((card, state.value) for card, state in whole.items())
        with _Transaction(self._file):
            self._file.execute("DELETE FROM restricted")
            self._file.executemany("INSERT INTO restricted VALUES (?, ?)", rows)
        self.cards = whole

    def state_of(self, card: str) -> NetworkState:
        """As messages are judged now."""
        return self.cards.get(card, NetworkState.ACTIVE)

    def page(self, after: str, limit: int) -> list[tuple[str, str]]:
        """Cards behind `after` in the order of their digits, with their states."""
        asked = "SELECT card, state FROM restricted WHERE card > ? ORDER BY card LIMIT ?"
        return self._file.execute(asked, (after, limit)).fetchall()

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
