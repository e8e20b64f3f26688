"""Watch of confirmations: each new one leads to its victims within a minute; their contacts are looked at again.

A look is the search of `searching`; a re-look follows each new generation of the store, since what a person does after
a contact, such as calling a bank, comes later than the contact.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from duanka.casework.victims import watches
from duanka.casework.victims.confirmed import by_card
from duanka.casework.victims.corrections import Corrections
from duanka.casework.victims.recording import in_turns, record_and_queue
from duanka.casework.victims.searching import VictimSearch
from duanka.domain.errors import DuankaError
from duanka.domain.order import SYSTEM
from duanka.domain.record_lookups import LookupRefused
from duanka.domain.victims import MOST_CARDS, PartyLookups
from duanka.ledger.audit.trail import AuditEntry
from duanka.ledger.monitoring.alarms import AlarmService

_LEASE = timedelta(minutes=2)
_RELOOK_SECONDS = 15.0  # shortest time between two looks at the same cards
_SHARE = 5  # a look takes at most one in so many seconds
_WHOLE_SECONDS = 300.0  # interval of looks for confirmations with old numbers
_AHEAD = timedelta(minutes=5)  # of records whose clock is fast
_ALARM, _TOO_MANY = "victims", "victims, too many"
_NO_GENERATION = -1  # of any store


class ConfirmationWatch:
    """A duty of the worker: `work` in its own thread. `source` opens the store; LookupRefused: there is none.

    `worker`: a name that no other process has. `ticks`: monotonic seconds.
    """

    def __init__(
        self,
        search: VictimSearch,
        source: Callable[[], PartyLookups],
        alarms: AlarmService,
        worker: str,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._trail, self._source = search.store, search.trail, source
        self._search, self._alarms, self._worker, self._ticks = search, alarms, worker, ticks
        self._corrections = Corrections(search.store, search.terms)
        self._whole_at = self._again_at = 0.0

    def work(self, now: datetime) -> bool:
        """Queue corrections, then look for victims; return whether more waits."""
        new, unseen, withdrawn = tuple[Any, ...](self._store.read_one_row(watches.PENDING))
        corrected = self._corrections.queue(now) if withdrawn else False
        whole = self._ticks() >= self._whole_at
        if new or whole:
            self._adopt(now, whole=whole)
        return self._look(now, unseen=bool(unseen or new or whole)) or corrected

    def _adopt(self, now: datetime, *, whole: bool) -> None:
        since = now - timedelta(hours=self._search.terms.policy.watch_hours)
        with self._store.reading() as connection:
            new = watches.unwatched(connection, since, MOST_CARDS, whole=whole)
        if new:
            self._store.transact(lambda connection: watches.adopt(connection, new))
        elif whole:
            self._whole_at = self._ticks() + _WHOLE_SECONDS

    def _look(self, now: datetime, *, unseen: bool) -> bool:
        rows: Sequence[Row[Any]] = ()
        if unseen:
            rows = self._store.transact(
                lambda connection: watches.lease_unseen(connection, self._worker, now, _LEASE, MOST_CARDS)
            )
        try:
            source = self._source() if rows or self._ticks() >= self._again_at else None
            generation = source.status().generation if source else 0
        except LookupRefused as error:
            if rows:
                self._store.transact(lambda connection: watches.release(connection, self._worker))
                self._alarms.raise_now(
                    _ALARM, now, f"已确认涉案，无法查找受害人 / confirmed cards wait for the store: {error}"
                )
            return False
        if source is None:
            return False
        self._alarms.working(_ALARM, now)
        begun = self._ticks()
        if more := self._again(rows, generation, now):
            self._see(source, rows, more, generation, now)
        self._again_at = self._ticks() + max(_RELOOK_SECONDS, _SHARE * (self._ticks() - begun))
        return len(rows) >= MOST_CARDS

    def _again(self, rows: Sequence[Row[Any]], generation: int, now: datetime) -> Sequence[Row[Any]]:
        """`rows`, and as many as may be asked with them of those that were looked at before.

        With a new confirmation all are asked again: it may be the second card on the same person.
        """
        since = now - timedelta(hours=self._search.terms.policy.watch_hours)
        before = now - timedelta(seconds=0 if rows else _RELOOK_SECONDS)
        seen_in = _NO_GENERATION if rows else generation
        with self._store.reading() as connection:
            seen = watches.seen_before(connection, seen_in, since, before, MOST_CARDS - len(rows))
        return [*rows, *seen]

    def _see(
        self,
        source: PartyLookups,
        new: Sequence[Row[Any]],
        rows: Sequence[Row[Any]],
        generation: int,
        now: datetime,
    ) -> None:
        """Look for the confirmations `rows`, of which `new` are looked at first.

        Cards whose parties are too many for one search are looked at in halves; one alone is left to a person.
        """
        try:
            self._find(source, new, rows, generation, now)
        except LookupRefused as error:
            if len(rows) > 1:
                half = len(rows) // 2
                for some in (rows[:half], rows[half:]):
                    self._see(source, [row for row in new if row in some], some, generation, now)
                return
            detail = (
                f"涉案确认 {rows[0].id} 的联系人过多，无法查找受害人 / confirmation {rows[0].id}: {error}"
            )
            self._alarms.raise_now(_TOO_MANY, now, detail)
            ids = [row.id for row in rows]
            self._store.transact(lambda connection: watches.looked(connection, ids, generation, now))
        except DuankaError:
            self._store.transact(lambda connection: watches.release(connection, self._worker))
            raise

    def _find(
        self,
        source: PartyLookups,
        new: Sequence[Row[Any]],
        rows: Sequence[Row[Any]],
        generation: int,
        now: datetime,
    ) -> None:
        """Find, rank, record and queue."""
        terms = self._search.terms
        confirmed = self._search.with_kinds(source, by_card(rows))
        begins = self._begins(rows)
        until = self._local(now) + _AHEAD  # counted as the present: minutes do not matter
        found = self._search.find(source, confirmed, min(begins.values()), until, begins=begins)

        def put(connection: Any, some: Any) -> int:
            return record_and_queue(connection, some, confirmed, terms, now)

        warned = in_turns(self._store, found.victims, put)
        told = Counter({why.value: count for why, count in found.excluded.items()})

        def close(connection: Any) -> None:
            watches.looked(connection, [row.id for row in rows], generation, now)
            if new or warned:
                after = {"cards": sorted(confirmed), "found": len(found.victims), "warned": warned, **told}
                why = ", ".join(sorted({row.case_number for row in rows}))[:200]
                entry = AuditEntry(now, SYSTEM, "victims.search", "victims", f"confirmed: {why}", after=after)
                self._trail.append(connection, [entry])

        self._store.transact(close)

    def _begins(self, rows: Sequence[Row[Any]]) -> dict[str, datetime]:
        """From when on the contacts of each card count: some hours before its earliest confirmation."""
        length = timedelta(hours=self._search.terms.policy.hours)
        begins = dict[str, datetime]()
        for row in rows:
            begin = self._local(row.confirmed_at - length)
            begins[row.card] = min(begin, begins.get(row.card, begin))
        return begins

    def _local(self, at: datetime) -> datetime:
        return self._search.terms.zone.local(at).replace(tzinfo=None)
