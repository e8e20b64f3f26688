"""Clock guard: a clock that jumps, or is wrong at the start, restricts nobody.

It compares the wall clock with the time since boot (CLOCK_BOOTTIME), which cannot be set and continues during
suspend. A step of more than a minute between them suspends restrictions by deadline: expiry of verifications and next
stages of restrictions. Restorations and police stops continue. After a jump the guard releases once the
clocks have agreed for ten minutes. A supervisor can confirm the clock at any time by clearing the alarm; if
the clock seemed wrong at the start, the guard holds until then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from duanka.domain.local_time import operator_zone
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import alarms as alarms_table
from duanka.ledger.db.tables import audit
from duanka.ledger.monitoring.alarms import AlarmService

SOURCE = "clock"
JUMP = timedelta(seconds=60)
AGREES_FOR = timedelta(minutes=10)
IDLE = timedelta(days=3)  # if the newest row of the trail is older, a person must confirm the clock
_SLEW_TOLERANCE = timedelta(seconds=5)  # tolerance between two checks, for slewing by a time server


def since_boot() -> float:
    """Return the seconds since boot, including suspend."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class ClockGuard:
    """Tells whether restrictions by deadline are suspended. Thread-safe.

    `clock`: returns the time, with zone; `boot`: returns the seconds since boot.
    """

    def __init__(
        self,
        store: Store,
        alarms: AlarmService,
        clock: Callable[[], datetime],
        boot: Callable[[], float] = since_boot,
    ) -> None:
        self._store, self._alarms, self._clock, self._boot = store, alarms, clock, boot
        self._lock = threading.Lock()
        self._right = self._seen = self._offset()
        self._held = False
        self._wrong_from_start = ""
        self._agrees_since: float | None = None

    @property
    def holds(self) -> bool:
        """Whether restrictions are suspended, as of the last check."""
        return self._held

    def start(self) -> None:
        """Compare the clock with the trail's newest row; suspend if the clock seems wrong."""
        with self._store.reading() as connection:
            newest = connection.execute(select(func.max(audit.c.at))).scalar()
        if newest is None:
            return
        now = self._clock()
        if now < newest - JUMP:
            self._hold(now, "is behind the newest row of the audit trail", "早于审计链最新记录", newest)
        elif now > newest + IDLE:
            self._hold(
                now, "is days ahead of the newest row of the audit trail", "远晚于审计链最新记录", newest
            )

    def check(self) -> bool:
        """Check now; return whether restrictions are suspended."""
        with self._lock:
            offset, now = self._offset(), self._clock()
            step, self._seen = abs(offset - self._seen), offset
            if self._held and self._confirmed():
                self._right, self._held, self._wrong_from_start = offset, False, ""
                self._agrees_since = None
                return False
            if not self._held and step <= _SLEW_TOLERANCE:
                self._right = offset
                return False
            off = abs(offset - self._right)
            if off > JUMP:
                self._agrees_since = None
                if not self._held:
                    self._hold(now, "jumped", "发生跳变", now - (offset - self._right))
            elif self._held and not self._wrong_from_start:
                self._agree(now)
            return self._held

    def _agree(self, now: datetime) -> None:
        """Record that the clocks agree; after AGREES_FOR, release."""
        ticks = self._boot()
        self._agrees_since = ticks if self._agrees_since is None else self._agrees_since
        if ticks - self._agrees_since >= AGREES_FOR.total_seconds():
            self._held, self._agrees_since = False, None
            self._alarms.working(SOURCE, now)

    def _hold(self, now: datetime, what: str, what_zh: str, other: datetime) -> None:
        self._held = True
        self._wrong_from_start = what if "trail" in what else ""
        zone = operator_zone()
        detail = (
            f"系统时钟{what_zh}，暂停到期停机 / the clock {what}: it says {zone.written(now)}, and should say"
            f" about or after {zone.written(other)}. Nothing is restricted by the clock. Set it right if it"
            f" is wrong; once it is right, a supervisor runs `duanka orders clear-alarm {SOURCE} --why ...`"
        )
        self._alarms.raise_now(SOURCE, now, detail)

    def _confirmed(self) -> bool:
        """Whether a person cleared the alarm."""
        still = select(alarms_table.c.id).where(
            alarms_table.c.source == SOURCE, alarms_table.c.cleared_at.is_(None)
        )
        with self._store.reading() as connection:
            return connection.execute(still).first() is None

    def _offset(self) -> timedelta:
        """Return the wall clock minus the time since boot."""
        return self._clock() - datetime(1970, 1, 1, tzinfo=UTC) - timedelta(seconds=self._boot())
