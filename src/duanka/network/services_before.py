"""What a card was let into before it was suspended, where that was one service: the home register does not keep it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from duanka.domain.network import Unreachable
from duanka.domain.private_files import private_database

Services = tuple[bool, bool]  # circuit-switched, packet-switched

_MADE = (
    "CREATE TABLE IF NOT EXISTS services (card TEXT PRIMARY KEY, cs INTEGER NOT NULL, ps INTEGER NOT NULL)"
)
_WAITS = 2.0  # seconds for another process to finish a write


class ServicesBefore:
    """The file at `path`, made when something is kept first; None: kept as long as this value lives.

    Unreachable where the file cannot be read or written.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._held: dict[str, Services] = {}

    def keep(self, card: str, services: Services) -> None:
        """Remember what the card was let into, if nothing is kept of it yet; durable when it returns."""
        if self._path is None:
            self._held.setdefault(card, services)
        else:
            self._do(
                self._path, "INSERT OR IGNORE INTO services VALUES (?, ?, ?)", (card, *map(int, services))
            )

    def of(self, card: str) -> Services | None:
        """What the card was let into; None where nothing is kept, which means everything."""
        if self._path is None or not self._path.exists():
            return self._held.get(card)
        rows = self._do(self._path, "SELECT cs, ps FROM services WHERE card = ?", (card,))
        return (bool(rows[0][0]), bool(rows[0][1])) if rows else None

    def forget(self, card: str) -> None:
        """The card has back what it had."""
        if self._path is None:
            self._held.pop(card, None)
        else:
            self._do(self._path, "DELETE FROM services WHERE card = ?", (card,))

    @staticmethod
    def _do(path: Path, statement: str, values: tuple[str | int, ...]) -> list[tuple[int, int]]:
        try:
            database = sqlite3.connect(private_database(path), timeout=_WAITS)
            try:
                with database:
                    database.execute("PRAGMA synchronous = FULL")
                    database.execute(_MADE)
                    return database.execute(statement, values).fetchall()
            finally:
                database.close()
        except (OSError, sqlite3.Error) as error:
            raise Unreachable(f"{path} cannot be read or written: {error}") from error
