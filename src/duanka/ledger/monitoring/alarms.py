"""Alarms: stored, at most one open per source, announced when raised and cleared."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from duanka.domain.local_time import operator_zone
from duanka.domain.text import BilingualText
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import alarms
from duanka.ledger.monitoring.isolation import in_one_line

_CACHE_TIME = timedelta(seconds=5)  # maximum age of the cached alarms of other workers
_MAX_SOURCE_LETTERS = 24


class AlarmService:
    """Raises and clears alarms. Thread-safe.

    `say`: receives a line for each change; by default alarms are only stored. `after`: how long a failure must last to
    raise an alarm.
    """

    def __init__(
        self, store: Store, say: Callable[[str], object] = lambda _: None, after: timedelta = timedelta()
    ) -> None:
        self.after = after
        self._store, self._say = store, say
        self._lock = threading.Lock()
        self._open: frozenset[str] = frozenset()
        self._read_at: datetime | None = None

    def follow(self, source: str, since: datetime | None, detail: str, now: datetime) -> None:
        """Raise the alarm if the source has failed long enough; `since` None: clear it."""
        if since is None:
            self.working(source, now)
        elif now - since >= self.after:
            self.raise_now(source, now, detail, since)

    def raise_now(self, source: str, now: datetime, detail: str, since: datetime | None = None) -> None:
        """Raise the alarm of the source, unless it is open."""
        source = source[:_MAX_SOURCE_LETTERS]
        with self._lock:
            if source in self._known(now):
                return
            try:
                row = {"source": source, "since": since or now, "raised_at": now, "detail": detail}
                self._store.transact(lambda connection: connection.execute(insert(alarms).values(row)))
            except IntegrityError:  # another worker was quicker
                self._read_at = None
                return
            self._open |= {source}
        self._say(f"告警 / alarm: {detail}" + (f" (since {operator_zone().written(since)})" if since else ""))

    def say_now(self, source: str, now: datetime, detail: str) -> None:
        """Raise the alarm of the source, or update the text of the open one."""
        source = source[:_MAX_SOURCE_LETTERS]
        self.raise_now(source, now, detail)
        is_open = (alarms.c.source == source, alarms.c.cleared_at.is_(None), alarms.c.detail != detail)
        self._store.transact(
            lambda connection: connection.execute(update(alarms).where(*is_open).values(detail=detail))
        )

    def set_aside(self, what: BilingualText, name: str, error: BaseException, now: datetime) -> None:
        """Raise an alarm for an unprocessable row that was taken out of its queue.

        `what`: the queue; `name`: an id that staff can look up, never a phone number. Only a person clears it.
        """
        detail = f"{what.zh}{name}无法处理，已搁置 / {what.en} {name} cannot be processed and is set aside: "
        self.raise_now(name, now, f"{detail}{in_one_line(error)}")

    def working(self, source: str, now: datetime) -> None:
        """Clear the open alarm of a source that works again."""
        source = source[:_MAX_SOURCE_LETTERS]
        with self._lock:
            if source not in self._known(now):
                return
            cleared = self._store.transact(lambda connection: clear(connection, source, now))
            self._open -= {source}
        if cleared:
            self._say(f"告警解除 / alarm over: {source}")

    def is_open(self, source: str, now: datetime) -> bool:
        """Whether an alarm of the source is open; cached for a few seconds."""
        with self._lock:
            return source[:_MAX_SOURCE_LETTERS] in self._known(now)

    def _known(self, now: datetime) -> frozenset[str]:
        if self._read_at is None or not timedelta(0) <= now - self._read_at < _CACHE_TIME:
            with self._store.reading() as connection:
                rows = select(alarms.c.source).where(alarms.c.cleared_at.is_(None))
                self._open = frozenset(connection.execute(rows).scalars())
            self._read_at = now
        return self._open


def clear(connection: Connection, source: str, now: datetime) -> bool:
    """Clear the source's open alarm in this transaction; return whether there was one."""
    is_open = (alarms.c.source == source, alarms.c.cleared_at.is_(None))
    return bool(connection.execute(update(alarms).where(*is_open).values(cleared_at=now)).rowcount)
