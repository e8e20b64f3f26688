"""Services that a card had before its suspension, where it had only one of them.

The home register does not keep this, so a restoration could not give the same back.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from pathlib import Path
from typing import Any

from duanka.domain.network import Unreachable
from duanka.domain.private_files import private_database

Services = tuple[bool, bool]  # (circuit-switched, packet-switched)

_MADE = (
    "CREATE TABLE IF NOT EXISTS services (card TEXT PRIMARY KEY, cs INTEGER NOT NULL, ps INTEGER NOT NULL)"
)
_LOCK_SECONDS = 2.0  # seconds to wait for the lock of another writer


class ServicesBefore:
    """SQLite file at `path`, created at the first write; None: kept in memory. Raises Unreachable."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._held: dict[str, Services] = {}

    def keep(self, card: str, services: Services) -> None:
        """Store the card's services unless some are stored already; durable on return."""
        if self._path is None:
            self._held.setdefault(card, services)
        else:
            self._do(
                self._path, "INSERT OR IGNORE INTO services VALUES (?, ?, ?)", (card, *map(int, services))
            )

    def among(self, cards: Collection[str]) -> dict[str, Services]:
        """Return the stored services of those `cards` that have any."""
        if self._path is None or not self._path.exists():
            return {card: self._held[card] for card in cards if card in self._held}
        rows = self._do(
            self._path,
            "SELECT card, cs, ps FROM services WHERE card IN (SELECT value FROM json_each(?))",
            (json.dumps([*cards]),),
        )
        return {card: (bool(cs), bool(ps)) for card, cs, ps in rows}

    def forget(self, card: str) -> None:
        """Remove the card's entry: its services were given back."""
        if self._path is None:
            self._held.pop(card, None)
        else:
            self._do(self._path, "DELETE FROM services WHERE card = ?", (card,))

    @staticmethod
    def _do(path: Path, statement: str, values: tuple[str | int, ...]) -> list[Any]:
        try:
            database = sqlite3.connect(private_database(path), timeout=_LOCK_SECONDS)
            try:
                with database:
                    database.execute("PRAGMA synchronous = FULL")
                    database.execute(_MADE)
                    return database.execute(statement, values).fetchall()
            finally:
                database.close()
        except (OSError, sqlite3.Error) as error:
            raise Unreachable(f"{path} cannot be read or written: {error}") from error
