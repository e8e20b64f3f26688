"""Read-only health of an order database: people, backups, alarms, clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import alarms, audit
from duanka.ledger.db.tables_people import invitations, person_requests
from duanka.ledger.people.keys import people_with_keys, supervisors_with_keys
from duanka.orders.monitoring.backlog import restricted_cards

BACKUP = "book.backup"  # audit trail entry of a backup on SQLite


@dataclass(frozen=True)
class Condition:
    """An order database at one moment. Times have a time zone.

    `newest`: time of the audit trail's newest row. `server`: clock of the database server; None without a
    server. `backup`: time of the last `duanka database backup`. `supervisors`, `people`: those who can act
    (not disabled, with a key). `proposals`: pending ones about people and keys, with the oldest's time.
    `restricted`: cards by wanted state.
    """

    newest: datetime | None
    server: datetime | None
    backup: datetime | None
    supervisors: int
    people: int
    invitations: tuple[datetime, ...]
    proposals: int
    oldest_proposal: datetime | None
    alarms: Mapping[str, str]
    restricted: Mapping[str, int]


def condition(store: Store) -> Condition:
    """Read the condition; raises the database's error if that fails."""
    waits = person_requests.c.decided_at.is_(None)
    with store.reading() as connection:
        run = connection.execute
        proposals, oldest = run(
            select(func.count(), func.min(person_requests.c.proposed_at)).where(waits)
        ).one()
        return Condition(
            newest=run(select(func.max(audit.c.at))).scalar(),
            server=None if store.embedded else run(select(func.clock_timestamp())).scalar(),
            backup=run(select(func.max(audit.c.at)).where(audit.c.what == BACKUP)).scalar(),
            supervisors=supervisors_with_keys(connection),
            people=people_with_keys(connection),
            invitations=tuple(
                run(select(invitations.c.expires_at).where(invitations.c.used_at.is_(None))).scalars()
            ),
            proposals=proposals,
            oldest_proposal=oldest,
            alarms={
                row.source: row.detail
                for row in run(
                    select(alarms.c.source, alarms.c.detail)
                    .where(alarms.c.cleared_at.is_(None))
                    .order_by(alarms.c.source)
                )
            },
            restricted=restricted_cards(connection),
        )
