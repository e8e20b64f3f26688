"""Refusals that are a day old go from the order database into the store of records.

They counted when they were recorded, and are deleted here only when the store has them: each is in one of the two, so
whatever an element delivers again is known (`ledger.figures.refused`), wherever a kill comes. What the store has
already, it does not add again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby

from sqlalchemy import Connection, Row, delete, select

from duanka.domain.network import Carried, Refusal, RefusalArchive, RefusalReason
from duanka.ledger.db.bulk import among
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import refusals
from duanka.ledger.figures.refused import announce, count_deletion

KEPT_HERE = timedelta(
    hours=26
)  # figures of a day count by the moment, and the desk sees at once what was refused
_BATCH_REFUSALS = 50_000  # each batch becomes a file of the store
_MOST_WAITING = timedelta(hours=1)  # a smaller batch goes when its first refusal waits for so long
_DELETED_AT_ONCE = 2_000  # so that no transaction holds up the others


class OldRefusals:
    """Moves refusals from the order database into the store that `archive` returns; None: there is none yet."""

    def __init__(self, store: Store, archive: Callable[[], RefusalArchive | None]) -> None:
        self._store, self._archive = store, archive

    def move(self, now: datetime) -> bool:
        """Move one batch; return whether there may be more. DuankaError: the store is damaged, or has no room."""
        archive = self._archive()
        if archive is None:
            return False
        rows = self._old(now - KEPT_HERE)
        if not rows or (len(rows) < _BATCH_REFUSALS and rows[0].at > now - KEPT_HERE - _MOST_WAITING):
            return False
        self._store.transact(lambda connection: announce(connection, now - KEPT_HERE))
        there = archive.keep(rows, now)
        for some in _parts(there):
            self._store.transact(partial(_settle, some))
        return bool(there) and len(rows) == _BATCH_REFUSALS

    def _old(self, before: datetime) -> list[Refusal]:
        oldest = select(refusals).where(refusals.c.at < before).order_by(refusals.c.at).limit(_BATCH_REFUSALS)
        with self._store.reading() as connection:
            return [refusal_of(row) for row in connection.execute(oldest)]


def refusal_of(row: Row[tuple[object, ...]]) -> Refusal:
    """A row of `refusals` as a value."""
    return Refusal(
        row.element,
        row.key,
        row.at,
        Carried(row.carried),
        row.card,
        row.peer,
        RefusalReason(row.reason),
        row.detail,
        operator=row.operator,
        city=row.city,
    )


def _parts(rows: Sequence[Refusal]) -> Iterator[tuple[str, list[str]]]:
    """Element and keys, `_DELETED_AT_ONCE` at a time."""
    ordered = sorted(rows, key=lambda one: one.element)
    for element, of_element in groupby(ordered, key=lambda one: one.element):
        keys = [one.key for one in of_element]
        for begin in range(0, len(keys), _DELETED_AT_ONCE):
            yield element, keys[begin : begin + _DELETED_AT_ONCE]


def _settle(part: tuple[str, list[str]], connection: Connection) -> None:
    """Delete rows that the store has."""
    element, keys = part
    count_deletion(connection)  # first: who records refusals now waits, and then asks the store again
    theirs = (refusals.c.element == element, among(connection, refusals.c.key, keys))
    connection.execute(delete(refusals).where(*theirs))
