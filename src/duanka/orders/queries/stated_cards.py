"""Cards of which people said something that stands: disowned, an objection upheld, or confirmed by the police."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from duanka.domain.order import SYSTEM, Kind, State
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.casework.cases import confirmations
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import orders
from duanka.orders.queries.disowned import disowned_in

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class StatedByPeople:
    """Cards, each once; numbers in full."""

    disowned: tuple[str, ...]
    upheld: tuple[str, ...]
    confirmed: tuple[str, ...]


def stated_cards(store: Store, trail: Trail, why: str, now: datetime) -> StatedByPeople:
    """Return the cards of all operators and cities, for evidence about others; the read is audited, as the system's."""
    upheld = select(orders.c.card).where(
        orders.c.kind == Kind.OBJECTION.value, orders.c.state == State.UPHELD.value
    )
    stands = select(confirmations.c.card).where(confirmations.c.withdrawn_at.is_(None))
    with store.writing() as connection:
        disowned = disowned_in(connection, _BEGINNING, now + timedelta(seconds=1), SYSTEM)
        found = StatedByPeople(
            tuple(dict.fromkeys(one.card for one in disowned if one.stands)),
            tuple(dict.fromkeys(connection.execute(upheld.order_by(orders.c.id)).scalars())),
            tuple(dict.fromkeys(connection.execute(stands.order_by(confirmations.c.id)).scalars())),
        )
        told = {
            "disowned": len(found.disowned),
            "upheld": len(found.upheld),
            "confirmed": len(found.confirmed),
        }
        trail.append(connection, [AuditEntry(now, SYSTEM, "read.stated", "links", why, after=told)])
    return found
