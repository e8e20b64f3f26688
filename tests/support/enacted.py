"""Changes of the network that were carried out, with both times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from duanka.domain.network import NetworkState
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import outbox
from duanka.orders.dispatch.outbox import TaskOutcome


@dataclass(frozen=True)
class EnactedRow:
    """A row that was carried out, with both times. `wanted` ACTIVE: pass to restore."""

    order_id: str
    element: str
    wanted: NetworkState
    decided_at: datetime
    enforced_at: datetime

    @property
    def seconds(self) -> float:
        """Seconds from decision to completion."""
        return (self.enforced_at - self.decided_at).total_seconds()


def enacted(store: Store, since: datetime) -> list[EnactedRow]:
    """Every row carried out from `since` on, without repairs."""
    done = (outbox.c.created_at >= since, outbox.c.outcome == TaskOutcome.DONE, outbox.c.step >= 0)
    with store.reading() as connection:
        rows = connection.execute(select(outbox).where(*done).order_by(outbox.c.id)).all()
    return [EnactedRow(r.order_id, r.element, NetworkState(r.wanted), r.created_at, r.done_at) for r in rows]
