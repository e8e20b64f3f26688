"""Events for billing, read by a cursor: the number of the last event that was taken, and a digest that identifies it.

After a restored backup numbers are given again, to other events. A cursor from before is then of an event that is not
here, or is another one, and is refused: nobody misses events unnoticed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, select

from duanka.domain.authority import Permission, authorize
from duanka.domain.billing import BillingEvent
from duanka.domain.errors import DuankaError
from duanka.domain.order import Person
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables_holders import billing_events

READ = "read.billing"  # entry of the trail
MOST = 10_000  # events of a page
BEGINNING = "0"  # cursor of who has taken nothing
CURSOR = r"^(0|[1-9][0-9]{0,17}(-[0-9a-f]{16})?)$"
_DIGITS = 16


class BillingCursorRefused(DuankaError):
    """The events after this cursor are not those that follow what its reader took."""


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

    @property
    def cursor(self) -> str:
        """What a reader who took this event gives the next time. Without the card: addresses stand in logs."""
        said = f"{self.id}\n{self.order_id}\n{self.step}\n{self.event.value}\n{self.at.isoformat()}"
        return f"{self.id}-{hashlib.sha256(said.encode()).hexdigest()[:_DIGITS]}"


@dataclass(frozen=True)
class BillingPage:
    """Some events, the earliest first. `following`: give it as `after` the next time; it stays if nothing happened."""

    events: tuple[BilledCard, ...]
    following: str


class BillingQueries:
    """Reads events; an answer with numbers stands in the trail."""

    def __init__(self, store: Store, trail: Trail) -> None:
        self._store, self._trail = store, trail

    def events(
        self,
        by: Person,
        now: datetime,
        after: str = BEGINNING,
        limit: int = MOST,
        since: datetime | None = None,
    ) -> BillingPage:
        """Return the events after the cursor `after`, or from the first one at `since` or later on.

        PermissionDenied: no permission, or a narrower scope. BillingCursorRefused: the event of the cursor is not here,
        or another one; or `since` is given beside a cursor.
        """
        authorize(by, Permission.EXPORT_BILLING)
        if since and after != BEGINNING:
            raise BillingCursorRefused(
                "give the cursor of the last event, or a time to read from again, not both"
            )
        column = billing_events.c
        with self._store.writing() as connection:
            last = _before(connection, since) if since else _taken(connection, after)
            query = select(billing_events).where(column.id > (last.id if last else 0)).order_by(column.id)
            rows = connection.execute(query.limit(max(1, min(limit, MOST)))).mappings().all()
            found = tuple(map(_event, rows))
            if found:
                told: dict[str, object] = {
                    "after": last.id if last else 0,
                    "rows": len(found),
                    "last": found[-1].id,
                }
                self._trail.append(connection, [AuditEntry(now, by, READ, "billing", after=told)])
        last = found[-1] if found else last
        return BillingPage(found, last.cursor if last else BEGINNING)


def _taken(connection: Connection, cursor: str) -> BilledCard | None:
    """Return the event that a reader took last; None: nothing yet. BillingCursorRefused."""
    if not re.fullmatch(CURSOR, cursor):
        raise BillingCursorRefused(
            f"{cursor!r:.40} is no cursor: give that of the last event that was taken, like 17-0123456789abcdef, or 0"
        )
    if cursor == BEGINNING:
        return None
    number, _, digest = cursor.partition("-")
    found = _first(connection, select(billing_events).where(billing_events.c.id == int(number)))
    if found and not digest:
        raise BillingCursorRefused(
            f"a number alone does not say which event {number} you took: give its cursor, {number}- and 16 digits"
        )
    if found is None or not hmac.compare_digest(found.cursor, cursor):
        last = connection.execute(select(func.max(billing_events.c.id))).scalar() or 0
        raise BillingCursorRefused(
            f"event {number} is not here as you took it (the last one here is {last}): a backup of the order database"
            " was restored, and numbers after it are given again. Read again from the time of that backup (--since,"
            " `since`), book what you have not booked, by order, step, event and time, and correct what you do not find"
            " again (docs/ORDERS.md, Billing)"
        )
    return found


def _before(connection: Connection, since: datetime) -> BilledCard | None:
    """Return the event before the first one at `since` or later; where there is none, the last of all."""
    column = billing_events.c
    first = connection.execute(select(func.min(column.id)).where(column.at >= since)).scalar()
    query = select(billing_events).order_by(column.id.desc()).limit(1)
    return _first(connection, query if first is None else query.where(column.id < first))


def _first(connection: Connection, query: Select[Any]) -> BilledCard | None:
    row = connection.execute(query).mappings().first()
    return _event(row) if row else None


def _event(row: RowMapping) -> BilledCard:
    return BilledCard(**{**row, "event": BillingEvent(row["event"])})
