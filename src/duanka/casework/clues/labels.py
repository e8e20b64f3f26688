"""Cards that stand confirmed (涉案) as the native table `cases`: labels for scores, and for who measures detection.

In a scan they count as any other file of cases: only where a source of police cases signs it.
"""

from __future__ import annotations

import csv
import io
from datetime import datetime

from sqlalchemy import select

from duanka.domain.authority import Permission, authorize
from duanka.domain.bounds import given_reason
from duanka.domain.local_time import OperatorZone
from duanka.domain.order import Person
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.casework.cases import confirmations
from duanka.ledger.db.database import Store

HEAD = ("card", "case_id", "confirmed_at", "source", "fraud_kind")


class ConfirmedLabels:
    """Exports what stands confirmed; the trail has who, why and how many."""

    def __init__(self, store: Store, trail: Trail, zone: OperatorZone) -> None:
        self._store, self._trail, self._zone = store, trail, zone

    def export(self, by: Person, why: str, now: datetime) -> tuple[bytes, int]:
        """Return the table as CSV, numbers in full, a row for each card and police case, and how many there are."""
        authorize(by, Permission.EXPORT_LABELS)
        why = given_reason(why)
        query = (
            select(confirmations).where(confirmations.c.withdrawn_at.is_(None)).order_by(confirmations.c.id)
        )
        with self._store.writing() as connection:
            rows = connection.execute(query).all()
            entry = AuditEntry(now, by, "labels.export", "confirmations", why, after={"rows": len(rows)})
            self._trail.append(connection, [entry])
        held = io.StringIO()
        table = csv.writer(held)
        table.writerow(HEAD)
        for row in rows:
            at = self._zone.local(row.confirmed_at).strftime("%Y-%m-%d %H:%M:%S")
            table.writerow((row.card, row.case_number, at, row.source, row.fraud_kind))
        return held.getvalue().encode("utf-8", errors="replace"), len(rows)
