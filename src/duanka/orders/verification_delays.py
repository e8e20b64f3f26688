"""How often the staff alone may stop the hours of a verification: nobody keeps one from ever running out.

While a person of ours is waited for no hours run, and afterwards the holder has the whole time again: the delay was
ours. A submission without a check online, and a record that was discarded, are one person's hand.
"""

from __future__ import annotations

from sqlalchemy import func, select

from duanka.domain.order import SYSTEM, Order
from duanka.ledger.db.tables import audit
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork

MOST_DELAYS = 2  # of one verification
_DELAYS = ("verification.submit", "counter.reject")


def may_delay(turn: UnitOfWork, order: Order) -> bool:
    """Whether one of the staff may still stop the hours of this verification."""
    mine = (audit.c.subject == order.id, audit.c.what.in_(_DELAYS), audit.c.role != SYSTEM.role.value)
    return turn.connection.execute(select(func.count()).where(*mine)).scalar_one() < MOST_DELAYS
