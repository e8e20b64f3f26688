"""Which notices an order had, and how many of one kind the staff may bring about."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, or_, select

from duanka.domain.order import STAFF, SYSTEM, Order, Person
from duanka.ledger.db.bulk import among
from duanka.ledger.db.tables import notices
from duanka.ledger.unit_of_work.batch_facts import TableFact
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork

_SAME_NOTICE_PER_DAY = 3  # per card and day, when sent by staff


def _with_notice_out(connection: Connection, of: Collection[str]) -> dict[str, bool]:
    out = or_(notices.c.sent_at.is_not(None), notices.c.leased_by.is_not(None))
    mine = select(notices.c.order_id).where(among(connection, notices.c.order_id, of), out).distinct()
    return dict.fromkeys(connection.execute(mine).scalars(), True)


# Whether a notice about an order was sent or is being sent; its receipt may come late, or never.
_OUT = TableFact(notices, _with_notice_out, absent=False)


def notice_out(unit: UnitOfWork, order: Order) -> bool:
    """Whether a notice about the order was sent or is being sent."""
    return unit.about_orders(_OUT, order)


def notify_limited(unit: UnitOfWork, order: Order, by: Person, template: str) -> None:
    """Send a notice; staff can cause only a few of one kind per card and day."""
    if by.role in STAFF and unit.notices_within_a_day(order.card, template) >= _SAME_NOTICE_PER_DAY:
        unit.note(SYSTEM, "notice.spared", order.id, f"{template}: the holder was told so today", {}, {})
        return
    unit.notify(order, template)
