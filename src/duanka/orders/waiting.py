"""Open orders that no clock moves on: a person has to, and none lies where nobody sees it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Boolean, ColumnElement, func, literal_column, select

from duanka.orders.alarms import Alarms
from duanka.orders.store import Store
from duanka.orders.tables import WAITING_ORDERS, orders

_SOURCE = "orders waiting"
_LOOK_EVERY = timedelta(seconds=30)


def waits() -> ColumnElement[bool]:
    """Open verifications and objections without a deadline, but for those that ran out and stopped their card."""
    return literal_column(WAITING_ORDERS, Boolean)


class WaitingOrders:
    """Raises an alarm while an order waits for a person for longer than `within`, and clears it."""

    def __init__(self, store: Store, alarms: Alarms, within: timedelta) -> None:
        self._store, self._alarms, self._within = store, alarms, within
        self._looked: datetime | None = None

    def watch(self, now: datetime) -> None:
        """Look, at most twice a minute."""
        if self._looked is not None and timedelta(0) <= now - self._looked < _LOOK_EVERY:
            return
        self._looked = now
        late = (waits(), orders.c.updated_at < now - self._within)
        query = select(func.count(), func.min(orders.c.updated_at)).where(*late)
        with self._store.reading() as connection:
            count, since = connection.execute(query).one()
        if not count:
            self._alarms.working(_SOURCE, now)
            return
        hours = f"{self._within.total_seconds() / 3600:g}"
        detail = f"{count} 个工单超过{hours}小时无人处理 / {count} order(s) wait for a person for over {hours} hours"
        self._alarms.raise_now(_SOURCE, now, f"{detail}: `duanka orders list --waiting`", since)
