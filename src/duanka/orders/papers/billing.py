"""Events for billing, read by a cursor that is the number of the last event that was taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from duanka.domain.authority import Permission, authorize
from duanka.domain.billing import BillingEvent
from duanka.domain.order import Person
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables_holders import billing_events

READ = "read.billing"  # entry of the trail
MOST = 10_000  # events of a page


@dataclass(frozen=True)
class BilledCard:
    """An event. `card`: E.164 without +, in full, as billing needs it; `at`: of the order's step."""

    id: int
    event: BillingEvent
    card: str
    order_id: str
    step: int
    at: datetime
    operator: str
    city: str


@dataclass(frozen=True)
class BillingPage:
    """Some events, the earliest first. `following`: give it as `after` the next time; it stays if nothing happened."""

    events: tuple[BilledCard, ...]
    following: int


class BillingQueries:
    """Reads events; an answer with numbers stands in the trail."""

    def __init__(self, store: Store, trail: Trail) -> None:
        self._store, self._trail = store, trail

    def events(self, by: Person, now: datetime, after: int = 0, limit: int = MOST) -> BillingPage:
        """Return the events after number `after`. PermissionDenied: no permission, or a narrower scope."""
        authorize(by, Permission.EXPORT_BILLING)
        column = billing_events.c
        query = select(billing_events).where(column.id > after).order_by(column.id)
        with self._store.writing() as connection:
            rows = connection.execute(query.limit(max(1, min(limit, MOST)))).mappings().all()
            found = tuple(BilledCard(**{**row, "event": BillingEvent(row["event"])}) for row in rows)
            if found:
                told: dict[str, object] = {"after": after, "rows": len(found), "last": found[-1].id}
                self._trail.append(connection, [AuditEntry(now, by, READ, "billing", after=told)])
        return BillingPage(found, found[-1].id if found else after)
