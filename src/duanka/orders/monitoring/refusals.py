"""Refused calls and messages, read from the elements exactly once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select

from duanka.domain.network import Carried, Refusal, RefusalReason, RefusalSource
from duanka.domain.text import BilingualText
from duanka.ledger.db.bulk import among, upsert
from duanka.ledger.db.casework.accounts import refused_indicators
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import refusals
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.ledger.monitoring.isolation import each_alone, is_outage
from duanka.orders.monitoring.offsets import position_of, store_offset

_KEY_LETTERS, _NUMBER_LETTERS, _VALUE_LETTERS, _BATCH_REFUSALS = 160, 24, 255, 1000
_SOURCE = "refusals:"
_RECORD = BilingualText("拦截记录", "the refusal record")


class RefusalCollector:
    """Records the refusals of one source, then deletes them there; safe to repeat."""

    def __init__(self, store: Store, source: RefusalSource, alarms: AlarmService | None = None) -> None:
        """`alarms`: receives refusals that cannot be recorded; default: alarms are stored, not sent."""
        self.name = source.name
        self._store, self._source = store, source
        self._alarms = alarms or AlarmService(store)

    def read(self, now: datetime) -> bool:
        """Record a batch of new refusals; return whether there may be more.

        Raises NetworkError.
        """
        position = self._position()
        found, after, more = self._found(position, now)
        if after != position and not self._record_whole(found, after):
            each_alone(found, self._record, lambda one, error: self._set_aside(one.key, error, now))
            self._record((), after)
        if after:
            self._source.forget(after)  # also deletes what was recorded before a crash
        return more

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

    def _set_aside(self, key: str, error: Exception, now: datetime) -> None:
        name = f"{self.name[:15]} {hashlib.sha256(key.encode(errors='replace')).hexdigest()[:8]}"
        self._alarms.set_aside(_RECORD, name, error, now)

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

        def work(connection: Connection) -> None:
            known = _known(connection, named)
            if rows:
                connection.execute(upsert(connection, refusals).on_conflict_do_nothing(), rows)
            if new := [row for row in named if row["key"] not in known]:
                connection.execute(upsert(connection, refused_indicators).on_conflict_do_nothing(), new)
            if after is not None:
                store_offset(connection, _SOURCE + self.name, after)

        self._store.transact(work)


def refused(store: Store, since: datetime, until: datetime) -> dict[tuple[Carried, RefusalReason], int]:
    """Count refused calls and messages by reason, from `since` until before `until`."""
    counted = (
        select(refusals.c.carried, refusals.c.reason, func.count())
        .where(refusals.c.at >= since, refusals.c.at < until)
        .group_by(refusals.c.carried, refusals.c.reason)
    )
    with store.reading() as connection:
        return {(Carried(c), RefusalReason(r)): n for c, r, n in connection.execute(counted)}


def _row(one: Refusal) -> dict[str, object]:
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


def _known(connection: Connection, named: Sequence[Mapping[str, object]]) -> frozenset[object]:
    """Keys of refusals that are recorded already: their indicators were counted, and may be gone."""
    if not named:
        return frozenset()
    keys = {str(row["key"]) for row in named}
    mine = (refusals.c.element == named[0]["element"], among(connection, refusals.c.key, keys))
    return frozenset(connection.execute(select(refusals.c.key).where(*mine)).scalars())


def _plain(text: str) -> str:
    return text.replace("\0", "")  # PostgreSQL stores no zero byte
