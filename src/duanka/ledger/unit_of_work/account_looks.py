"""Which changes of an order may give a ground for its card's linked accounts, or take it away.

The row is written with the change; the worker then compares what platforms were asked with the grounds that stand
(`casework.accounts.looking`). So a crash loses nothing, and an order knows nothing of platforms.
"""

from __future__ import annotations

from datetime import datetime

from duanka.domain.evidence import Evidence
from duanka.domain.order import Kind, Order

_GROUNDS = (Evidence.TWO_PEOPLE.of(""), Evidence.POLICE_NOTICE.of(""))


def may_concern_accounts(order: Order) -> bool:
    """Whether the grounds of its card may differ after this change."""
    if order.kind is Kind.VERIFICATION:
        return order.evidence == Evidence.FAILED_CHECK
    if order.kind is Kind.RESTRICTION:
        return order.closed_at is not None or order.carried_by.startswith(_GROUNDS)
    return False


def look_of(card: str, now: datetime) -> dict[str, object]:
    """The row of a card that is to be looked at."""
    return {"card": card, "created_at": now, "next_try_at": now}
