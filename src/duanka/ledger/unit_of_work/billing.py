"""Events for billing, numbered without a gap in the order in which they are committed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, func, select

from duanka.domain.billing import billing_event
from duanka.domain.order import Order, State
from duanka.ledger.db.bulk import put_rows
from duanka.ledger.db.tables_holders import billing_events


def write_billing_events(
    connection: Connection, before: Mapping[str, State], restricted: Mapping[str, Order], now: datetime
) -> None:
    """Write one event for each card that is charged otherwise than before this transaction.

    Call it after the trail was appended to: the row of its end is locked until the transaction ends, so that what is
    committed later has the greater id, and who reads up to an id misses nothing. `before`: states by card.
    """
    changed = [
        (order, event)
        for card, order in restricted.items()
        if (event := billing_event(before[card], order.state))
    ]
    if not changed:
        return
    last = connection.execute(select(func.max(billing_events.c.id))).scalar() or 0
    rows = [
        {
            "id": number,
            "card": order.card,
            "order_id": order.id,
            "step": order.step,
            "event": event.value,
            "at": now,
            "operator": order.operator,
            "city": order.city,
        }
        for number, (order, event) in enumerate(changed, last + 1)
    ]
    put_rows(connection, billing_events, rows)
