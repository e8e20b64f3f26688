"""Alarm for objections whose term ends soon: afterwards the clock may give the card back."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import case, func, select

from duanka.domain.objection import OF_THE_HOLDER
from duanka.domain.order import Kind
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.text import BilingualText
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import orders
from duanka.ledger.monitoring.alarms import AlarmService
from duanka.orders.objections.filing import WARNED_BEFORE

SOURCE = "objections due"
_CHECK_INTERVAL = timedelta(seconds=30)


class ObjectionsDue:
    """Raises an alarm while the term of an undecided objection ends within two working days."""

    def __init__(self, store: Store, alarms: AlarmService, policy: OrderPolicy) -> None:
        self._store, self._alarms, self._policy = store, alarms, policy
        self._looked: datetime | None = None

    def watch(self, now: datetime) -> None:
        """Check, at most twice a minute."""
        if self._looked is not None and timedelta(0) <= now - self._looked < _CHECK_INTERVAL:
            return
        self._looked = now
        soon = orders.c.due_at <= self._policy.working_days_after(now, WARNED_BEFORE)
        mine = (orders.c.kind == Kind.OBJECTION.value, orders.c.closed_at.is_(None), soon)
        theirs = case((orders.c.channel.in_(sorted(one.value for one in OF_THE_HOLDER)), 1))
        query = select(func.count(), func.count(theirs), func.min(orders.c.due_at)).where(*mine)
        with self._store.reading() as connection:
            count, by_holder, first = connection.execute(query).one()
        if not count:
            self._alarms.working(SOURCE, now)
            return
        by = self._policy.local_time.written(first)
        then = (
            _then(by_holder, count - by_holder) if self._policy.restore_undecided else BilingualText("", "")
        )
        zh = f"{count} 件异议{WARNED_BEFORE}个工作日内到期未决，最早 {by}{then.zh}"
        en = f"{count} objection(s) undecided, the first is due by {by}{then.en}"
        self._alarms.say_now(SOURCE, now, f"{zh} / {en}: `duanka objections list`")


def _then(by_holder: int, by_desk: int) -> BilingualText:
    """What follows at the end of the terms: only what the holder filed themselves lets the clock give a card back."""
    zh, en = "", ""
    if by_holder:
        zh += f"；{by_holder} 件由本人提出，到期自动复通"
        en += f"; {by_holder} filed by the holder: then the card is given back"
    if by_desk:
        zh += f"；{by_desk} 件由值班代登，到期不自动复通，须由人决定"
        en += f"; {by_desk} recorded by the desk: never given back by the clock, a person decides"
    return BilingualText(zh, en)
