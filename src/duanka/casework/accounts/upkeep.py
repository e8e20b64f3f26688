"""Upkeep of linked accounts: items are counted, filters follow them, cards are looked at again, old data deleted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select, update

from duanka.casework.accounts.looking import AccountLooks
from duanka.casework.accounts.takedown import TakedownItems
from duanka.domain.account_policy import AccountPolicy
from duanka.domain.network import NetworkError
from duanka.domain.person import SYSTEM
from duanka.domain.record_lookups import LookupRefused
from duanka.domain.takedown import MessageFilter
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.casework.accounts import account_answers, account_deliveries, account_requests
from duanka.ledger.db.database import Store
from duanka.ledger.monitoring.alarms import AlarmService

_COMPLAINTS_EVERY, _AGAIN_EVERY, _PURGE_EVERY = timedelta(hours=1), timedelta(hours=24), timedelta(hours=1)
_PURGED_AT_ONCE = 500
_KEPT_NO_LONGER = "kept no longer than the policy says"


class AccountUpkeep:
    """What the worker does now and then. `filters`: of messages, each with its own connection."""

    def __init__(
        self,
        store: Store,
        trail: Trail,
        policy: AccountPolicy,
        items: TakedownItems,
        looks: AccountLooks,
        filters: Callable[[], Sequence[MessageFilter]],
        alarms: AlarmService,
    ) -> None:
        self._store, self._trail, self._policy = store, trail, policy
        self._items, self._looks, self._alarms = items, looks, alarms
        self._filters = list(filters())
        self._done: dict[str, datetime] = {}

    def work(self, now: datetime) -> bool:
        """Do what is due; return whether more waits. NetworkError: a filter does not answer."""
        more = self._items.count_refused(now)
        if self._is_due("complaints", now, _COMPLAINTS_EVERY):
            with suppress(LookupRefused):  # no store: nothing complains
                self._items.count_complaints(now)
        if self._is_due("again", now, _AGAIN_EVERY):
            self._looks.again(now)
        if self._is_due("purge", now, _PURGE_EVERY):
            self._items.purge(now)
            while self.forget(now):
                pass
        self.follow_filters(now)
        return more

    def follow_filters(self, now: datetime) -> None:
        """Let each message filter refuse what two persons agreed on, and no more. NetworkError."""
        if not self._filters:
            return
        hosts, words = self._items.refused_texts()
        for one in self._filters:
            source = f"filter {one.name}"
            try:
                if not one.denies(hosts, words):
                    one.deny(hosts, words)
            except NetworkError as error:
                detail = f"短信拦截未更新 / the message filter is not up to date: {error}"
                self._alarms.raise_now(source, now, detail)
                raise
            self._alarms.working(source, now)

    def forget(self, now: datetime) -> bool:
        """Delete account and card of requests that ended long ago, and what was sent; return whether more are left."""
        before = now - timedelta(days=self._policy.keep_days)
        table = account_requests.c

        def work(connection: Connection) -> int:
            old = (table.over_at.is_not(None), table.over_at < before, table.card != "")
            query = select(table.id).where(*old).order_by(table.id).limit(_PURGED_AT_ONCE).with_for_update()
            numbers = list(connection.execute(query).scalars())
            if not numbers:
                return 0
            connection.execute(delete(account_deliveries).where(account_deliveries.c.request_id.in_(numbers)))
            notes = update(account_answers).where(account_answers.c.request_id.in_(numbers))
            connection.execute(notes.values(note="", signature=""))
            gone = update(account_requests).where(table.id.in_(numbers))
            connection.execute(gone.values(card="", account="", ground_number="", why=""))
            entries = [AuditEntry(now, SYSTEM, "account.forget", one, _KEPT_NO_LONGER) for one in numbers]
            self._trail.append(connection, entries)
            return len(numbers)

        return self._store.transact(work) >= _PURGED_AT_ONCE

    def close(self) -> None:
        """Close the connections to filters."""
        for one in self._filters:
            one.close()

    def _is_due(self, what: str, now: datetime, every: timedelta) -> bool:
        last = self._done.get(what)
        if last is not None and timedelta(0) <= now - last < every:
            return False
        self._done[what] = now
        return True
