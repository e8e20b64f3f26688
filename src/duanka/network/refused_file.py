"""What an element refused, in a file that it writes by itself and that we read when we can."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from duanka.domain.network import Carried, Refusal, RefusalReason, Unreachable

_MADE = """
PRAGMA journal_mode=WAL;
CREATE TABLE IF NOT EXISTS refused (
  id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, at TEXT NOT NULL,
  card TEXT NOT NULL, peer TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL DEFAULT ''
);
"""
# All rows in one statement: row by row, a thread would wait for the interpreter's lock at each of them.
_ADDED = """
INSERT OR IGNORE INTO refused (key, at, card, peer, reason, detail)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
  json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]') FROM json_each(?)
"""
_WAITS = 5.0  # seconds for the other side to finish a write


class RefusedFile:
    """The file at `path`. `at` in it is seconds since 1970, UTC, as text."""

    def __init__(self, path: Path, element: str, carried: Carried) -> None:
        self._path, self._element, self._carried = path, element, carried

    def make(self) -> None:
        """Make it where it is missing."""
        database = sqlite3.connect(self._path)
        database.executescript(_MADE)
        database.close()

    def add(self, rows: Iterable[tuple[str, float, str, str, str, str]]) -> None:
        """Add (key, at, card, peer, reason, detail); a key that is there stays as it is."""
        given = json.dumps([(key, f"{at:.6f}", *rest) for key, at, *rest in rows])
        with self._open() as database:
            database.execute("PRAGMA synchronous=FULL")
            database.execute(_ADDED, (given,))

    def read(self, after: int, limit: int) -> tuple[Sequence[Refusal], int]:
        """What stands behind position `after`, and the position to go on from."""
        with self._open() as database:
            rows = database.execute(
                "SELECT id, key, at, card, peer, reason, detail FROM refused WHERE id > ? ORDER BY id LIMIT ?",
                (after, limit),
            ).fetchall()
        found = [
            Refusal(
                self._element,
                key,
                datetime.fromtimestamp(float(at), UTC),
                self._carried,
                card,
                peer,
                RefusalReason(reason),
                detail,
            )
            for _, key, at, card, peer, reason, detail in rows
        ]
        return found, rows[-1][0] if rows else after

    def forget(self, before: int) -> None:
        """Remove positions up to `before`."""
        with self._open() as database:
            database.execute("DELETE FROM refused WHERE id <= ?", (before,))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            database = sqlite3.connect(f"file:{self._path}?mode=rw", uri=True, timeout=_WAITS)
            try:
                with database:
                    yield database
            finally:
                database.close()
        except sqlite3.Error as error:
            raise Unreachable(f"{self._path} cannot be read or written: {error}") from error
