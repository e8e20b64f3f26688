"""Limit on how often staff alone may pause the response time of a verification.

While a verification waits for staff, its response time is paused; afterwards the holder gets the full time again. One
person alone can cause this, by a submission without an online check or by discarding a counter record: without a
limit, that person could keep a verification from ever running out.
"""

from __future__ import annotations

from sqlalchemy import func, select

from duanka.domain.order import SYSTEM, Order
from duanka.ledger.db.tables import audit
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork

MOST_DELAYS = 2  # per verification
_DELAYS = ("verification.submit", "counter.reject")


def may_delay(unit: UnitOfWork, order: Order) -> bool:
    """Whether staff may pause the response time of this verification."""
    mine = (audit.c.subject == order.id, audit.c.what.in_(_DELAYS), audit.c.role != SYSTEM.role.value)
    return unit.connection.execute(select(func.count()).where(*mine)).scalar_one() < MOST_DELAYS
