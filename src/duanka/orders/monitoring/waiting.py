"""Alarm for open orders that no deadline moves on and that wait for a person."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Boolean, ColumnElement, and_, exists, func, literal_column, not_, or_, select

from duanka.domain.objection import TAKEN_UP
from duanka.domain.order import Kind, State
from duanka.domain.police_reasons import CLAIMED
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import WAITING_ORDERS, notices, orders
from duanka.ledger.monitoring.alarms import AlarmService

_SOURCE, UNSIGNED = "orders waiting", "unsigned cases"
_CHECK_INTERVAL = timedelta(seconds=30)


def waits() -> ColumnElement[bool]:
    """Condition: open verifications and objections without a deadline.

    Left out are those that ran out and restricted their card, those whose first notice is still pending, which the
    worker moves on, and disavowals of cards that the police stop, which their release moves on.
    """
    on_its_way = exists().where(notices.c.order_id == orders.c.id, notices.c.done_at.is_(None))
    opened = orders.c.state == State.OPENED.value
    stopped = orders.alias()
    by_police = exists().where(
        stopped.c.card == orders.c.card,
        stopped.c.closed_at.is_(None),
        stopped.c.state == State.FORCED_STOP.value,
    )
    for_police = and_(
        orders.c.kind == Kind.DISAVOWAL.value, orders.c.state == State.CONFIRMED.value, by_police
    )
    left_out = (and_(opened, on_its_way), for_police)
    return and_(literal_column(WAITING_ORDERS, Boolean), *map(not_, left_out))


def unanswered_objections() -> ColumnElement[bool]:
    """Condition: `domain.objection.unanswered`. The sweep took the deadline off, and a person owes the answer."""
    filed = and_(orders.c.state == State.FILED.value, orders.c.channel != "")
    return and_(
        orders.c.kind == Kind.OBJECTION.value,
        orders.c.closed_at.is_(None),
        orders.c.due_at.is_(None),
        or_(orders.c.state.in_(sorted(state.value for state in TAKEN_UP)), filed),
    )


def watch_claims(store: Store, alarms: AlarmService, now: datetime) -> None:
    """Raise or clear the alarm for cards that are in unsigned police cases."""
    stopped = orders.alias()
    by_police = exists().where(
        stopped.c.card == orders.c.card,
        stopped.c.closed_at.is_(None),
        stopped.c.state == State.FORCED_STOP.value,
    )
    asked = (orders.c.kind == Kind.VERIFICATION.value, orders.c.closed_at.is_(None))
    query = select(func.count()).select_from(orders)
    query = query.where(*asked, orders.c.rules.like(f"%{CLAIMED}%"), not_(by_police))
    with store.reading() as connection:
        count = connection.execute(query).scalar_one()
    if not count:
        alarms.working(UNSIGNED, now)
        return
    detail = f"{count} 个号码的涉案名单无公安签名，只核验 / {count} card(s) in cases without signature"
    alarms.say_now(UNSIGNED, now, f"{detail}: asked at a counter, not stopped")


class WaitingOrders:
    """Raises an alarm while an order waits for a person for longer than `within`."""

    def __init__(self, store: Store, alarms: AlarmService, within: timedelta) -> None:
        self._store, self._alarms, self._within = store, alarms, within
        self._looked: datetime | None = None

    def watch(self, now: datetime) -> None:
        """Check, at most twice a minute."""
        if self._looked is not None and timedelta(0) <= now - self._looked < _CHECK_INTERVAL:
            return
        self._looked = now
        if self._alarms.is_open(UNSIGNED, now):
            watch_claims(self._store, self._alarms, now)
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
