"""Alarms: one at a time for each source, told when it is raised and when it is over, and kept."""

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

_KNOWN_FOR = timedelta(seconds=5)  # how old our knowledge of what other workers raised may be
_SOURCE = 24  # letters


class AlarmService:
    """`say`: told one line when an alarm is raised or cleared. `after`: how long something must fail. Thread-safe."""

    def __init__(self, store: Store, say: Callable[[str], None], after: timedelta) -> None:
        self.after = after
        self._store, self._say = store, say
        self._lock = threading.Lock()
        self._open: frozenset[str] = frozenset()
        self._read_at: datetime | None = None

    def failing(self, source: str, since: datetime, detail: str, now: datetime) -> None:
        """The source fails since then: raise the alarm if that is long enough."""
        if now - since >= self.after:
            self.raise_now(source, now, detail, since)

    def raise_now(self, source: str, now: datetime, detail: str, since: datetime | None = None) -> None:
        """Raise the alarm of the source, unless it is raised already."""
        source = source[:_SOURCE]
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
        """Raise the alarm of the source, or say in the one that is open how it stands now."""
        source = source[:_SOURCE]
        self.raise_now(source, now, detail)
        is_open = (alarms.c.source == source, alarms.c.cleared_at.is_(None), alarms.c.detail != detail)
        self._store.transact(
            lambda connection: connection.execute(update(alarms).where(*is_open).values(detail=detail))
        )

    def set_aside(self, what: BilingualText, name: str, error: BaseException, now: datetime) -> None:
        """A row that cannot be processed was taken out of its queue: name it, until a person clears the alarm.

        `what`: of which queue; `name`: an id that the desk can look up, never a number.
        """
        detail = f"{what.zh}{name}无法处理，已搁置 / {what.en} {name} cannot be processed and is set aside: "
        self.raise_now(name, now, f"{detail}{in_one_line(error)}")

    def working(self, source: str, now: datetime) -> None:
        """The source works: clear its alarm where one is open."""
        source = source[:_SOURCE]
        with self._lock:
            if source not in self._known(now):
                return
            cleared = self._store.transact(lambda connection: clear(connection, source, now))
            self._open -= {source}
        if cleared:
            self._say(f"告警解除 / alarm over: {source}")

    def is_open(self, source: str, now: datetime) -> bool:
        """Whether an alarm of the source is open, as far as we know for a few seconds."""
        with self._lock:
            return source[:_SOURCE] in self._known(now)

    def _known(self, now: datetime) -> frozenset[str]:
        if self._read_at is None or not timedelta(0) <= now - self._read_at < _KNOWN_FOR:
            with self._store.reading() as connection:
                rows = select(alarms.c.source).where(alarms.c.cleared_at.is_(None))
                self._open = frozenset(connection.execute(rows).scalars())
            self._read_at = now
        return self._open


def clear(connection: Connection, source: str, now: datetime) -> bool:
    """Clear the open alarm of the source, in the transaction of `connection`; whether there was one."""
    is_open = (alarms.c.source == source, alarms.c.cleared_at.is_(None))
    return bool(connection.execute(update(alarms).where(*is_open).values(cleared_at=now)).rowcount)
