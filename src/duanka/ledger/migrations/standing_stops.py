"""Version 13: cards that the police stopped before are confirmed, as a stop from now on makes them.

Otherwise a card that is 涉案 for long would be asked about at no platform, and its order says so already.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert, select

from duanka.domain.order import SYSTEM, Kind, State
from duanka.ledger.audit.row_digests import ORDERS
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.casework.cases import confirmations
from duanka.ledger.db.tables import orders
from duanka.ledger.unit_of_work.confirmations import STATED, ConfirmationSource
from duanka.ledger.unit_of_work.restrictions import POLICE_NOTICE


def confirm_standing_stops(connection: Connection, trail: Trail, now: datetime) -> int:
    """Confirm the cards of open police stops, unless the order was changed past the trail; return how many.

    `confirmed_at` is when they were stopped, so that nobody is warned because of an upgrade.
    """
    which = (
        orders.c.kind == Kind.RESTRICTION.value,
        orders.c.state == State.FORCED_STOP.value,
        orders.c.closed_at.is_(None),
    )
    query = select(orders.c.id, orders.c.card, orders.c.carried_by, orders.c.updated_at).where(*which)
    rows = connection.execute(query.order_by(orders.c.id)).all()
    now_told = {key: digest for key, digest, _ in ORDERS.rows(connection, [row.id for row in rows])}
    strange = trail.rows_that_differ(connection, ORDERS, now_told)
    entries = []
    for row in rows:
        if row.id in strange:
            continue
        case_number = row.carried_by.removeprefix(POLICE_NOTICE)
        facts = {
            "card": row.card,
            "case_number": case_number,
            "source": ConfirmationSource.POLICE_NOTICE.value,
        }
        connection.execute(insert(confirmations).values(**facts, confirmed_at=row.updated_at))
        entries.append(AuditEntry(now, SYSTEM, STATED, row.card, f"{row.id} stood before the upgrade"))
    trail.append(connection, entries)
    return len(entries)
