"""Services that cards had before, in a file: for tests, and what earlier versions of the worker left."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from duanka.domain.network import Services, ServicesBefore, Unreachable
from duanka.domain.private_files import private_database

_MADE = (
    "CREATE TABLE IF NOT EXISTS services (card TEXT PRIMARY KEY, cs INTEGER NOT NULL, ps INTEGER NOT NULL)"
)
_KEPT = (
    "INSERT OR IGNORE INTO services SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'),"
    " json_extract(value, '$[2]') FROM json_each(?)"
)
_LOCK_SECONDS = 2.0  # seconds to wait for the lock of another writer


class ServicesFile(ServicesBefore):
    """SQLite file at `path`, created at the first write. Raises Unreachable."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self, services: Mapping[str, Services]) -> None:
        """Store the services of cards for which none are stored; durable on return."""
        if services:
            self._do(_KEPT, json.dumps([(card, int(cs), int(ps)) for card, (cs, ps) in services.items()]))

    def among(self, cards: Collection[str]) -> dict[str, Services]:
        """Return the stored services of those `cards` that have any."""
        if not self._path.exists():
            return {}
        listed = "SELECT card, cs, ps FROM services WHERE card IN (SELECT value FROM json_each(?))"
        return {card: (bool(cs), bool(ps)) for card, cs, ps in self._do(listed, json.dumps([*cards]))}

    def forget(self, cards: Collection[str]) -> None:
        """Remove the entries of cards whose services were given back."""
        if cards:
            self._do(
                "DELETE FROM services WHERE card IN (SELECT value FROM json_each(?))", json.dumps([*cards])
            )

    def hand_over(self, to: ServicesBefore) -> None:
        """Give all entries to `to`, and remove the file; nothing if there is none. A repetition changes nothing."""
        if self._path.exists():
            rows = self._do("SELECT card, cs, ps FROM services")
            to.keep({card: (bool(cs), bool(ps)) for card, cs, ps in rows})
            self._path.unlink()

    def _do(self, statement: str, *values: str) -> list[Any]:
        try:
            with (
                contextlib.closing(
                    sqlite3.connect(private_database(self._path), timeout=_LOCK_SECONDS)
                ) as database,
                database,
            ):
                database.execute("PRAGMA synchronous = FULL")
                database.execute(_MADE)
                return database.execute(statement, values).fetchall()
        except (OSError, sqlite3.Error) as error:
            raise Unreachable(f"{self._path} cannot be read or written: {error}") from error
