"""SQLite file of refusals: written by a proxy, read and pruned by orders."""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from duanka.domain.network import Carried, Loss, LossCause, Refusal, RefusalReason, Unreachable
from duanka.domain.private_files import private_database
from duanka.domain.takedown import Indicator, IndicatorKind
from duanka.network.sqlite_files import put_aside

# Executed also where a loss is written, as a version of before may have made the file.
_LOST = """
CREATE TABLE IF NOT EXISTS lost (key TEXT PRIMARY KEY, since TEXT, until TEXT, count INTEGER, why TEXT NOT NULL);
"""
_MADE = f"""
PRAGMA journal_mode=WAL;
CREATE TABLE IF NOT EXISTS refused (
  id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, at TEXT NOT NULL,
  card TEXT NOT NULL, peer TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL DEFAULT '',
  indicators TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS epochs (epoch INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS running (began TEXT PRIMARY KEY, written TEXT NOT NULL);
{_LOST}"""
# A position is an epoch (31 bits) and a row number in it (32 bits), which SQLite counts in `sqlite_sequence`.
# Epochs of one file increase; the first one and each step are random, so that other files and copies differ.
_EPOCH_BITS, _LAST_EPOCH = 32, (1 << 31) - 1
_FIRST_EPOCHS, _MAX_EPOCH_STEP = 1 << 30, 4096
# All rows in one statement: with one call per row a thread would wait for the interpreter lock at each of them.
_ADDED = """
INSERT OR IGNORE INTO refused (key, at, card, peer, reason, detail, indicators)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
  json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]'),
  coalesce(json_extract(value, '$[6]'), '') FROM json_each(?)
"""
_EPOCH_OF_EARLIER_VERSION = """
INSERT INTO epochs SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM epochs) AND EXISTS (SELECT 1 FROM refused)
"""
_COLUMN_OF_EARLIER_VERSION = "ALTER TABLE refused ADD COLUMN indicators TEXT NOT NULL DEFAULT ''"
_LOG = logging.getLogger(__name__)
_LOCK_SECONDS = 5.0  # seconds to wait for the lock of the other side


# key, at, card, peer, reason, detail; of messages also indicators, JSON pairs of kind and value
RefusalRow = tuple[str, float, str, str, str, str] | tuple[str, float, str, str, str, str, str]


@dataclass(frozen=True)
class FileLoss:
    """A loss as the file keeps it; see `domain.network.Loss`. `since`, `until`: seconds since 1970."""

    key: str
    since: float | None
    until: float | None
    count: int | None
    why: LossCause


class RefusedFile:
    """The file at `path`. Column `at`: seconds since 1970, UTC, as text."""

    def __init__(self, path: Path, element: str, carried: Carried) -> None:
        self._path, self._element, self.carried = path, element, carried

    def make(self) -> None:
        """Create the file if missing, and begin an epoch.

        The epoch makes positions of another file, or of a copy, invalid here. A file that is not a database is moved
        aside (`NAME.spoilt`) and replaced by an empty one.
        """
        try:
            self._begin_epoch()
        except (OSError, sqlite3.OperationalError) as error:  # locked, full: the file itself may be intact
            raise Unreachable(f"{self._path} cannot be written: {error}") from error
        except sqlite3.DatabaseError as error:
            self._renew(error)

    def _renew(self, error: Exception) -> None:
        """Move a damaged file aside: recording later refusals matters more than old ones."""
        try:
            aside = put_aside(self._path)
            _LOG.error(
                "%s is spoilt (%s): kept as %s, what it held is not recorded", self._path, error, aside
            )
            self._begin_epoch()
            with self._open() as database:
                _put_loss(
                    database, FileLoss(f"damaged {secrets.token_hex(8)}", None, None, None, LossCause.DAMAGED)
                )
        except (OSError, sqlite3.Error) as again:
            raise Unreachable(f"{self._path} cannot be made anew: {again}") from again

    def _begin_epoch(self) -> None:
        with contextlib.closing(
            sqlite3.connect(private_database(self._path), timeout=_LOCK_SECONDS)
        ) as database:
            database.executescript(_MADE)
            with database:
                database.execute("BEGIN IMMEDIATE")
                if not _has_indicators(database):
                    database.execute(_COLUMN_OF_EARLIER_VERSION)
                database.execute(_EPOCH_OF_EARLIER_VERSION)
                last = database.execute("SELECT max(epoch) FROM epochs").fetchone()[0]
                step = secrets.randbelow(_MAX_EPOCH_STEP if last else _FIRST_EPOCHS)
                epoch = min((last or 0) + 1 + step, _LAST_EPOCH)
                database.execute("INSERT OR IGNORE INTO epochs VALUES (?)", (epoch,))
                if epoch != last:
                    database.execute("DELETE FROM sqlite_sequence WHERE name = 'refused'")
                    database.execute(
                        "INSERT INTO sqlite_sequence VALUES ('refused', ?)", (epoch << _EPOCH_BITS,)
                    )

    def add(self, rows: Iterable[RefusalRow], losses: Sequence[FileLoss] = ()) -> None:
        """Add rows and losses; the row of an existing key stays, its loss is replaced."""
        texts = [(key, f"{at:.6f}", *rest) for key, at, *rest in rows]
        given, written = json.dumps(texts), max((str(text[1]) for text in texts), default="")
        if not self._path.exists():  # the file was removed meanwhile
            self.make()
        try:
            self._insert(given, losses, written)
        except Unreachable as error:
            if type(error.__cause__) is not sqlite3.DatabaseError:  # a subclass does not mean damage
                raise
            self._renew(error)
            self._insert(given, losses, written)

    def _insert(self, given: str, losses: Sequence[FileLoss], written: str) -> None:
        with self._open() as database:
            database.execute("PRAGMA synchronous=FULL")
            database.execute(_ADDED, (given,))
            if _has(database, "running"):
                database.execute("UPDATE running SET written = max(written, ?)", (written,))
            for loss in losses:
                _put_loss(database, loss)

    def begin(self, at: float) -> None:
        """Say that a writer runs from `at` on; one that did not `end` may have lost what it held."""
        with self._open() as database:
            for began, written in database.execute("SELECT began, written FROM running").fetchall():
                loss = FileLoss(f"killed {began}", float(written), at, None, LossCause.KILLED)
                _put_loss(database, loss)
            database.execute("DELETE FROM running")
            database.execute("INSERT INTO running VALUES (?, ?)", (f"{at:.6f}", f"{at:.6f}"))

    def end(self) -> None:
        """Say that the writer of `begin` ended, and holds nothing in memory."""
        with self._open() as database:
            database.execute("DELETE FROM running")

    def read(self, after: int, limit: int) -> tuple[Sequence[Refusal], int]:
        """Return refusals after position `after`, and the position to continue from.

        All of them if `after` belongs to no epoch of this file: the file was created anew. That, and what cannot be
        read, is a loss.
        """
        with self._open() as database:
            indicators = (
                "indicators" if _has_indicators(database) else "''"
            )  # a proxy of before made the file
            is_of = _is_of(database, after)
            rows = database.execute(
                f"SELECT id, key, at, card, peer, reason, detail, {indicators} FROM refused WHERE id > ?"
                " ORDER BY id LIMIT ?",
                (after if is_of else 0, limit),
            ).fetchall()
            read = [(row[0], self._refusal(*row)) for row in rows]
            lost = [
                FileLoss(f"row {position}", None, None, 1, LossCause.UNREADABLE)
                for position, one in read
                if one is None
            ]
            if after and not is_of:
                lost.append(FileLoss(f"file {after}", None, None, None, LossCause.FILE_REPLACED))
            for loss in lost:
                _put_loss(database, loss)
        return [one for _, one in read if one], rows[-1][0] if rows else after

    def losses(self) -> Sequence[Loss]:
        """Return the losses that nobody has forgotten."""
        with self._open() as database:
            if not _has(database, "lost"):  # a proxy of before made the file
                return ()
            rows = database.execute("SELECT key, since, until, count, why FROM lost LIMIT 1000").fetchall()
        return [
            Loss(self._element, key, self.carried, _moment(since), _moment(until), count, _cause(why))
            for key, since, until, count, why in rows
        ]

    def forget_losses(self, keys: Sequence[str]) -> None:
        """Delete these losses."""
        with self._open() as database:
            database.executemany("DELETE FROM lost WHERE key = ?", [(key,) for key in keys])

    def _refusal(
        self,
        position: int,
        key: str,
        at: str,
        card: str,
        peer: str,
        reason: str,
        detail: str,
        indicators: str,
    ) -> Refusal | None:
        """Parse a row; log an invalid one and return None, so that others are read."""
        try:
            moment, why = datetime.fromtimestamp(float(at), UTC), RefusalReason(reason)
        except (ValueError, TypeError, OverflowError, OSError) as error:
            _LOG.error("%s: refusal %d cannot be read and is passed over: %s", self._path, position, error)
            return None
        named = _indicators(indicators)
        return Refusal(self._element, key, moment, self.carried, card, peer, why, detail, named)

    def forget(self, before: int) -> None:
        """Delete refusals up to position `before`; none if its epoch is not of this file."""
        with self._open() as database:
            if _is_of(database, before):
                database.execute("DELETE FROM refused WHERE id <= ?", (before,))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            database = sqlite3.connect(f"file:{self._path}?mode=rw", uri=True, timeout=_LOCK_SECONDS)
            database.text_factory = _lenient
            try:
                with database:
                    yield database
            finally:
                database.close()
        except sqlite3.Error as error:
            raise Unreachable(f"{self._path} cannot be read or written: {error}") from error


def indicator_text(indicators: Iterable[Indicator]) -> str:
    """Indicators as the file keeps them; "" if there are none."""
    pairs = [[one.kind.value, one.value] for one in indicators]
    return json.dumps(pairs, ensure_ascii=False) if pairs else ""


def _indicators(text: str) -> tuple[Indicator, ...]:
    """What `indicator_text` wrote; () if it cannot be read: the refusal itself matters more."""
    try:
        return tuple(
            Indicator(IndicatorKind(kind), str(value)) for kind, value in (json.loads(text) if text else ())
        )
    except (ValueError, TypeError):
        return ()


def _put_loss(database: sqlite3.Connection, loss: FileLoss) -> None:
    database.execute(_LOST)
    database.execute(
        "INSERT OR REPLACE INTO lost VALUES (?, ?, ?, ?, ?)",
        (loss.key, loss.since, loss.until, loss.count, loss.why.value),
    )


def _has(database: sqlite3.Connection, table: str) -> bool:
    """Whether the file has a table; one that a version of before made lacks some."""
    known = database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,))
    return known.fetchone() is not None


def _moment(seconds: object) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(str(seconds)), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _cause(word: str) -> LossCause:
    return LossCause(word) if word in set(LossCause) else LossCause.UNREADABLE


def _has_indicators(database: sqlite3.Connection) -> bool:
    return any(name == "indicators" for _, name, *_ in database.execute("PRAGMA table_info(refused)"))


def _is_of(database: sqlite3.Connection, position: int) -> bool:
    epoch = position >> _EPOCH_BITS
    return database.execute("SELECT 1 FROM epochs WHERE epoch = ?", (epoch,)).fetchone() is not None


def _lenient(text: bytes) -> str:
    """Decode text that may not be UTF-8: an element stores what a caller sent."""
    return text.decode("utf-8", "replace")
