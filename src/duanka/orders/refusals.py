"""What the network refused, read from its elements into the order book: each refusal once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select

from duanka.domain.network import Carried, Refusal, RefusalReason, RefusalSource
from duanka.orders.bulk import upsert
from duanka.orders.positions import position_of, remember
from duanka.orders.store import Store
from duanka.orders.tables import refusals

_KEY, _NUMBER, _AT_ONCE = 160, 24, 1000
_SOURCE = "refusals:"


class Refusals:
    """Reads one source. What is recorded is forgotten there; a crash in between records nothing twice."""

    def __init__(self, store: Store, source: RefusalSource) -> None:
        self.name = source.name
        self._store, self._source = store, source

    def read(self, now: datetime) -> bool:
        """Record what is new, up to a batch; whether there may be more. Raises NetworkError."""
        del now
        position = self._position()
        found, after = self._source.refusals(position, _AT_ONCE)
        if after != position:
            self._store.transact(lambda connection: self._record(connection, found, after))
        if after:
            self._source.forget(after)  # also what a crash left there: it is recorded
        return len(found) >= _AT_ONCE

    def _position(self) -> int:
        with self._store.reading() as connection:
            return position_of(connection, _SOURCE + self.name)[0]

    def _record(self, connection: Connection, found: Sequence[Refusal], after: int) -> None:
        if found:
            new = upsert(connection, refusals).on_conflict_do_nothing()
            connection.execute(new, [_row(one) for one in found])
        remember(connection, _SOURCE + self.name, after)


def refused(store: Store, since: datetime, until: datetime) -> dict[tuple[Carried, RefusalReason], int]:
    """How many calls and messages were refused from `since` until before `until`, by reason."""
    counted = (
        select(refusals.c.carried, refusals.c.reason, func.count())
        .where(refusals.c.at >= since, refusals.c.at < until)
        .group_by(refusals.c.carried, refusals.c.reason)
    )
    with store.reading() as connection:
        return {(Carried(c), RefusalReason(r)): n for c, r, n in connection.execute(counted)}


def _row(one: Refusal) -> dict[str, object]:
    """What the network wrote may be longer than a column: a key stays unique, a number is cut."""
    key = one.key if len(one.key) <= _KEY else hashlib.sha256(one.key.encode()).hexdigest()
    return {
        "element": one.element[:_NUMBER],
        "key": key,
        "at": one.at,
        "carried": one.carried.value,
        "card": _plain(one.card)[:_NUMBER],
        "peer": _plain(one.peer)[:_NUMBER],
        "reason": one.reason.value,
        "detail": _plain(one.detail),
    }


def _plain(text: str) -> str:
    return text.replace("\0", "")  # PostgreSQL takes no zero byte
