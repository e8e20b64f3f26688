"""Refused calls and messages, read from the elements and counted exactly once, whatever is delivered again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete

from duanka.domain.network import (
    Carried,
    KnownRefusals,
    Loss,
    LossCause,
    Refusal,
    RefusalArchive,
    RefusalKey,
    RefusalSource,
)
from duanka.domain.text import BilingualText
from duanka.ledger.db.bulk import among, upsert
from duanka.ledger.db.casework.accounts import refused_indicators
from duanka.ledger.db.columns import in_bounds
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import refusals
from duanka.ledger.figures.coverage import add_losses, begin_coverage, extend_coverage
from duanka.ledger.figures.refused import Moved, add_counts, moved, places_at, prepare
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.monitoring.isolation import each_alone, is_outage
from duanka.orders.monitoring.offsets import position_of, store_offset

_KEY_LETTERS, _NUMBER_LETTERS, _VALUE_LETTERS, _BATCH_REFUSALS = 160, 24, 255, 1000
_SOURCE = "refusals:"
_RECORD = BilingualText("拦截记录", "the refusal record")


class RefusalCollector:
    """Records the refusals of one source, then deletes them there; safe to repeat."""

    def __init__(
        self,
        store: Store,
        source: RefusalSource,
        alarms: AlarmService | None = None,
        archive: Callable[[], RefusalArchive | None] = lambda: None,
    ) -> None:
        """`alarms`: receives refusals that cannot be recorded; default: alarms are stored, not sent.

        `archive`: returns the store of records that has the older refusals; None: there is none.
        """
        self.name = source.name
        self._store, self._source, self._archive = store, source, archive
        self._alarms = alarms or AlarmService(store)
        self._prepared = False

    def read(self, now: datetime) -> bool:
        """Record a batch of new refusals; return whether there may be more.

        Raises NetworkError; DuankaError: old refusals were delivered, and the store cannot say whether it has them.
        """
        if not self._prepared:
            self._store.transact(prepare)
            self._prepared = True
        position = self._position()
        found, after, more = self._found(position, now)
        if after != position and not self._record_whole(found, after):
            each_alone(found, self._record, lambda one, error: self._set_aside(one.key, error, now, one.at))
            self._record((), after)
        if after:
            self._source.forget(after)  # also deletes what was recorded before a crash
        self._tell(now, whole=not more)
        return more

    def _tell(self, now: datetime, *, whole: bool) -> None:
        """Record losses that the element knows of, and, if `whole`, that everything of before `now` was read."""
        losses = self._source.losses()
        if losses or whole:
            self._store.transact(
                lambda connection: extend_coverage(
                    connection, self.name, self._source.carried, losses, now, whole=whole
                )
            )
        if losses:
            self._source.forget_losses([one.key for one in losses])

    def _position(self) -> int:
        with self._store.reading() as connection:
            return position_of(connection, _SOURCE + self.name)[0]

    def _found(self, position: int, now: datetime) -> tuple[Sequence[Refusal], int, bool]:
        """Return new refusals, the next offset, and whether there may be more.

        If a batch cannot be read, smaller ones are tried. A refusal that cannot be read is skipped, with an alarm.
        """
        limit = _BATCH_REFUSALS
        while True:
            try:
                found, after = self._source.refusals(position, limit)
            except Exception as error:
                if is_outage(error):
                    raise
                if limit == 1:
                    self._set_aside(str(position + 1), error, now)
                    return [], position + 1, True
                limit //= 2
            else:
                return found, after, limit < _BATCH_REFUSALS or len(found) >= _BATCH_REFUSALS

    def _set_aside(self, key: str, error: Exception, now: datetime, at: datetime | None = None) -> None:
        """Skip a refusal with an alarm; the figure is a lower bound then."""
        digest = hashlib.sha256(key.encode(errors="replace")).hexdigest()
        self._alarms.set_aside(_RECORD, f"{self.name[:15]} {digest[:8]}", error, now)
        known = at if at and in_bounds(at) else None
        lost = Loss(
            self.name, f"row {digest[:32]}", self._source.carried, known, known, 1, LossCause.UNREADABLE
        )
        self._store.transact(
            lambda connection: extend_coverage(
                connection, self.name, self._source.carried, [lost], now, whole=False
            )
        )

    def _record_whole(self, found: Sequence[Refusal], after: int) -> bool:
        """Record a batch with the offset behind it, in one transaction; whether that was possible.

        So no refusal is read again after a crash, when it may be in the store of records already.
        """
        try:
            self._record(found, after)
        except Exception as error:
            if is_outage(error):
                raise
            return False
        return True

    def _record(self, found: Sequence[Refusal], after: int | None = None) -> None:
        """Record all of them or none; those recorded before stay as they are. `after`: the offset behind them."""
        rows = [_row(one) for one in found]
        named = [row for one, kept in zip(found, rows, strict=True) for row in _named(one, kept)]
        with self._store.reading() as connection:
            before = moved(connection)
        # the store is asked outside of the transaction, as that takes a while; again if more went there meanwhile
        asked = self._in_store(rows, before)

        def work(connection: Connection) -> None:
            now = moved(connection, lock=True)
            there = asked if now == before else self._in_store(rows, now)
            new, stored = _insert(connection, rows), there.all
            _take_out(connection, new & stored)
            counted, unsaid = new - stored, new & there.unknowable
            add_counts(connection, [row for row in rows if _key(row) in counted])
            if indicators := [row for row in named if _key(row) in counted]:
                connection.execute(
                    upsert(connection, refused_indicators).on_conflict_do_nothing(), indicators
                )
            add_losses(connection, [_unsaid(row) for row in rows if _key(row) in unsaid])
            if rows:
                begin = min(row["at"] for row in rows)
                begin_coverage(connection, self.name, self._source.carried, begin)
            if after is not None:
                store_offset(connection, _SOURCE + self.name, after)

        self._store.transact(work)

    def _in_store(self, rows: Sequence[Mapping[str, Any]], gone: Moved) -> KnownRefusals:
        """Which of them the store has, among those that may be there."""
        old = [row for row in rows if row["at"] < gone.until]
        if not old:
            return KnownRefusals()
        archive = self._archive()
        if archive is None:  # it was detached: nobody can say whether they counted
            return KnownRefusals(unknowable=frozenset(map(_key, old)))
        return archive.known([(row["element"], row["key"], row["at"]) for row in old])


def _row(one: Refusal) -> dict[str, Any]:
    """Fit a refusal into its columns: keys stay unique, numbers are cut."""
    key = one.key if len(one.key) <= _KEY_LETTERS else hashlib.sha256(one.key.encode()).hexdigest()
    return {
        "element": one.element[:_NUMBER_LETTERS],
        "key": key,
        "at": one.at,
        "carried": one.carried.value,
        "card": _plain(one.card)[:_NUMBER_LETTERS],
        "peer": _plain(one.peer)[:_NUMBER_LETTERS],
        "reason": one.reason.value,
        "detail": _plain(one.detail),
    }


def _named(one: Refusal, row: Mapping[str, object]) -> list[dict[str, object]]:
    """Indicators of a refused message, counted once by its key (`casework.accounts.takedown`)."""
    shared = {name: row[name] for name in ("element", "key", "at")}
    values = {(named.kind.value, _plain(named.value)[:_VALUE_LETTERS]) for named in one.indicators}
    return [{**shared, "kind": kind, "value": value} for kind, value in sorted(values)]


def _key(row: Mapping[str, object]) -> RefusalKey:
    return str(row["element"]), str(row["key"])


def _unsaid(row: Mapping[str, Any]) -> Loss:
    """A late refusal that may have been counted or not; so it is not, and the figure is a lower bound."""
    key = f"late {hashlib.sha256(str(row['key']).encode()).hexdigest()[:32]}"
    carried, at = Carried(row["carried"]), row["at"]
    return Loss(str(row["element"]), key, carried, at, at, 1, LossCause.LATE)


def _insert(connection: Connection, rows: Sequence[dict[str, Any]]) -> set[RefusalKey]:
    """Insert those that are not there, with the place under which they count; return which were not."""
    if not rows:
        return set()
    for row, (operator, city) in zip(rows, places_at(connection, rows), strict=True):
        row |= {"operator": operator, "city": city}
    insert = upsert(connection, refusals).on_conflict_do_nothing()
    new = connection.execute(insert.returning(refusals.c.element, refusals.c.key), rows)
    return {(row.element, row.key) for row in new}


def _take_out(connection: Connection, keys: Collection[RefusalKey]) -> None:
    """Delete what the store has already, or may have."""
    for element in {element for element, _ in keys}:
        mine = among(connection, refusals.c.key, [key for of, key in keys if of == element])
        connection.execute(delete(refusals).where(refusals.c.element == element, mine))


def _plain(text: str) -> str:
    return text.replace("\0", "")  # PostgreSQL stores no zero byte
