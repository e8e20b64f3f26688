"""Cards that their registrants disowned, as evidence about the outlets that opened them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, and_, select

from duanka.domain.disavowal import DisownedCard
from duanka.domain.order import Event, Kind, Person, State
from duanka.ledger.db.tables import audit, orders
from duanka.ledger.db.tables_identity import counter_checks
from duanka.ledger.people.places import orders_in
from duanka.ledger.unit_of_work.four_eyes import PASSED

_CONFIRMED = f"{Kind.DISAVOWAL}.{Event.CONFIRM}"


def disowned_in(
    connection: Connection, since: datetime, until: datetime, by: Person
) -> tuple[DisownedCard, ...]:
    """Return the cards in `by`'s scope whose disavowal was confirmed, `since` <= time < `until`; earliest first."""
    seen = and_(
        counter_checks.c.order_id == orders.c.id,
        counter_checks.c.outcome == PASSED,
        counter_checks.c.card_in_hand == 0,  # not the record by which it was taken back
    )
    query = (
        select(orders, audit.c.at.label("confirmed_at"), counter_checks.c.outlet)
        .join(orders, orders.c.id == audit.c.subject)
        .outerjoin(counter_checks, seen)
        .where(audit.c.what == _CONFIRMED, audit.c.at >= since, audit.c.at < until, *orders_in(by))
        .order_by(audit.c.seq)
    )
    return tuple(
        DisownedCard(
            card=row["card"],
            order_id=row["id"],
            said_at=row["opened_at"],
            confirmed_at=row["confirmed_at"],
            outlet=row["outlet"] or "",
            operator=row["operator"],
            city=row["city"],
            state=State(row["state"]),
        )
        for row in connection.execute(query).mappings()
    )
