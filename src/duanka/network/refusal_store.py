"""What an element refused, in a file that it writes by itself and that we read when we can."""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from duanka.domain.network import Carried, Refusal, RefusalReason, Unreachable
from duanka.domain.private_files import private_database

_MADE = """
PRAGMA journal_mode=WAL;
CREATE TABLE IF NOT EXISTS refused (
  id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, at TEXT NOT NULL,
  card TEXT NOT NULL, peer TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS epochs (epoch INTEGER PRIMARY KEY);
"""
# A position is an epoch, 31 bits, and a number in it, 32 bits. SQLite counts on from where its sequence stands. Epochs
# of one file grow; the first is drawn by lot, and so is each step, so that no other file or copy has the same.
_EPOCH_BITS, _LAST_EPOCH = 32, (1 << 31) - 1
_FIRST_EPOCHS, _STEPS = 1 << 30, 4096
# All rows in one statement: row by row, a thread would wait for the interpreter's lock at each of them.
_ADDED = """
INSERT OR IGNORE INTO refused (key, at, card, peer, reason, detail)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
  json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]') FROM json_each(?)
"""
_LOG = logging.getLogger(__name__)
_WAITS = 5.0  # seconds for the other side to finish a write


class RefusedFile:
    """The file at `path`. `at` in it is seconds since 1970, UTC, as text."""

    def __init__(self, path: Path, element: str, carried: Carried) -> None:
        self._path, self._element, self._carried = path, element, carried

    def make(self) -> None:
        """Make it where it is missing, and begin an epoch: a position of another file or of a copy means nothing here.

        A file that is no database is put aside (`NAME.spoilt`), and an empty one takes its place.
        """
        try:
            self._begin_epoch()
        except (
            OSError,
            sqlite3.OperationalError,
        ) as error:  # locked, full, not allowed: the file may be whole
            raise Unreachable(f"{self._path} cannot be written: {error}") from error
        except sqlite3.DatabaseError as error:
            self._renew(error)

    def _renew(self, error: Exception) -> None:
        """Put a file that is no database, or no whole one, aside: a later refusal is worth more than an old one."""
        try:
            aside = put_aside(self._path)
            _LOG.error(
                "%s is spoilt (%s): kept as %s, what it held is not recorded", self._path, error, aside
            )
            self._begin_epoch()
        except (OSError, sqlite3.Error) as again:
            raise Unreachable(f"{self._path} cannot be made anew: {again}") from again

    def _begin_epoch(self) -> None:
        with contextlib.closing(sqlite3.connect(private_database(self._path), timeout=_WAITS)) as database:
            database.executescript(_MADE)
            with database:
                database.execute("BEGIN IMMEDIATE")
                if (
                    not database.execute("SELECT count(*) FROM epochs").fetchone()[0]
                    and (database.execute("SELECT count(*) FROM refused").fetchone()[0])
                ):
                    database.execute("INSERT INTO epochs VALUES (0)")  # as an earlier version wrote it
                last = database.execute("SELECT max(epoch) FROM epochs").fetchone()[0]
                step = secrets.randbelow(_STEPS if last else _FIRST_EPOCHS)
                epoch = min((last or 0) + 1 + step, _LAST_EPOCH)
                database.execute("INSERT OR IGNORE INTO epochs VALUES (?)", (epoch,))
                if epoch != last:
                    database.execute("DELETE FROM sqlite_sequence WHERE name = 'refused'")
                    database.execute(
                        "INSERT INTO sqlite_sequence VALUES ('refused', ?)", (epoch << _EPOCH_BITS,)
                    )

    def add(self, rows: Iterable[tuple[str, float, str, str, str, str]]) -> None:
        """Add (key, at, card, peer, reason, detail); a key that is there stays as it is."""
        given = json.dumps([(key, f"{at:.6f}", *rest) for key, at, *rest in rows])
        if not self._path.exists():  # somebody removed it under us
            self.make()
        try:
            self._insert(given)
        except Unreachable as error:
            if (
                type(error.__cause__) is not sqlite3.DatabaseError
            ):  # OperationalError and others are no spoilt file
                raise
            self._renew(error)
            self._insert(given)

    def _insert(self, given: str) -> None:
        with self._open() as database:
            database.execute("PRAGMA synchronous=FULL")
            database.execute(_ADDED, (given,))

    def read(self, after: int, limit: int) -> tuple[Sequence[Refusal], int]:
        """What stands behind position `after`, and the position to go on from.

        Everything, where `after` is of no epoch of this file: it was made anew since.
        """
        with self._open() as database:
            rows = database.execute(
                "SELECT id, key, at, card, peer, reason, detail FROM refused WHERE id > ? ORDER BY id LIMIT ?",
                (after if _is_of(database, after) else 0, limit),
            ).fetchall()
        found = [one for row in rows if (one := self._refusal(*row))]
        return found, rows[-1][0] if rows else after

    def _refusal(
        self, position: int, key: str, at: str, card: str, peer: str, reason: str, detail: str
    ) -> Refusal | None:
        """None for a row that cannot be one: it is said, and stops no other."""
        try:
            moment, why = datetime.fromtimestamp(float(at), UTC), RefusalReason(reason)
        except (ValueError, TypeError, OverflowError, OSError) as error:
            _LOG.error("%s: refusal %d cannot be read and is passed over: %s", self._path, position, error)
            return None
        return Refusal(self._element, key, moment, self._carried, card, peer, why, detail)

    def forget(self, before: int) -> None:
        """Remove positions up to `before`; nothing where `before` is of no epoch of this file."""
        with self._open() as database:
            if _is_of(database, before):
                database.execute("DELETE FROM refused WHERE id <= ?", (before,))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            database = sqlite3.connect(f"file:{self._path}?mode=rw", uri=True, timeout=_WAITS)
            database.text_factory = _lenient
            try:
                with database:
                    yield database
            finally:
                database.close()
        except sqlite3.Error as error:
            raise Unreachable(f"{self._path} cannot be read or written: {error}") from error


def _is_of(database: sqlite3.Connection, position: int) -> bool:
    epoch = position >> _EPOCH_BITS
    return database.execute("SELECT 1 FROM epochs WHERE epoch = ?", (epoch,)).fetchone() is not None


def _lenient(text: bytes) -> str:
    """What an element wrote of a caller may be no UTF-8."""
    return text.decode("utf-8", "replace")


def put_aside(path: Path) -> Path:
    """Move a spoilt SQLite file out of the way, with what belongs to it; where it lies now, one generation kept."""
    aside = path.with_name(f"{path.name}.spoilt")
    with contextlib.suppress(FileNotFoundError):
        path.replace(aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return aside
