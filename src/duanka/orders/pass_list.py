"""The list of cards whose holder passed, written for scans and live runs whenever it changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select, text

from duanka.domain.authority import Permission, authorize
from duanka.domain.order import NotTheirs, Person
from duanka.domain.passed_cards import Pass, listed
from duanka.domain.private_files import private_folder, write_private
from duanka.orders.audit import Entry, Trail
from duanka.orders.store import Store
from duanka.orders.tables import PASSED_ORDERS, orders


class PassList:
    """Of one order book: a verification that was passed counts, one that failed, expired or was withdrawn does not.

    `path`: where the worker keeps the file; `key`: of its seal.
    """

    def __init__(self, store: Store, trail: Trail, path: Path, key: bytes) -> None:
        self._store, self._trail, self._path, self._key = store, trail, path, key
        self._written: tuple[object, ...] | None = None

    def passes(self) -> Sequence[Pass]:
        """Each card that passed, and when it did last."""
        query = (
            select(orders.c.card, func.max(orders.c.closed_at, type_=orders.c.closed_at.type))
            .where(text(PASSED_ORDERS), orders.c.closed_at.is_not(None))
            .group_by(orders.c.card)
            .order_by(orders.c.card)
        )
        with self._store.reading() as connection:
            return [Pass(card, passed_at) for card, passed_at in connection.execute(query)]

    def write_changed(self) -> bool:
        """Write the file where a pass came since the last time, or the file is gone; whether it was written."""
        query = select(func.count(), func.max(orders.c.closed_at)).where(text(PASSED_ORDERS))
        with self._store.reading() as connection:
            found = tuple(connection.execute(query).one())
        if found == self._written and self._path.exists():
            return False
        private_folder(self._path.parent)
        write_private(self._path, listed(self.passes(), self._key))
        self._written = found
        return True

    def export(self, path: Path, by: Person, now: datetime) -> int:
        """Write the list to `path`, for a machine without the order book; how many cards are in it.

        NotTheirs: `by` may not, or has a scope narrower than the list. It stays in the audit trail.
        """
        authorize(by, Permission.EXPORT_PASSES)
        if not by.scope.everywhere:
            raise NotTheirs(f"the list of passes is of every operator and city, and {by.id} has {by.scope}")
        passes = self.passes()
        with self._store.writing() as connection:
            told: dict[str, object] = {"cards": len(passes)}
            entry = Entry(now, by, "passes.export", "passes", "for scans and live runs", after=told)
            self._trail.append(connection, [entry])
        write_private(path, listed(passes, self._key))
        return len(passes)
