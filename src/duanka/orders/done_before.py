"""What is asked for again: who did it before, and when."""

from __future__ import annotations

from sqlalchemy import select

from duanka.domain.order import TRANSITIONS, DoneBefore, Event, OrderError, Person
from duanka.ledger.db.tables import audit
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork


def done_before(unit: UnitOfWork, subject: str, *what: str) -> DoneBefore:
    """Return who did the latest of `what`, from the audit trail. OrderError: the trail does not say."""
    query = select(audit.c.who, audit.c.at).where(audit.c.subject == subject, audit.c.what.in_(what))
    row = unit.connection.execute(query.order_by(audit.c.seq.desc()).limit(1)).first()
    if row is None:
        raise OrderError(f"{subject} was changed past the audit trail (`duanka audit verify` says what)")
    return DoneBefore(row.who, row.at)


def moved_before(unit: UnitOfWork, number: str, event: Event, by: Person) -> DoneBefore | None:
    """Return who brought an order into the state that `event` leads to; None if it is in another.

    None too if `by` may not ask for `event`.
    """
    order = unit.order(number)
    here = [row for row in TRANSITIONS if (row.kind, row.after) == (order.kind, order.state)]
    if not any(row.event is event and by.role in row.who for row in here):
        return None
    return done_before(unit, number, *{f"{row.kind}.{row.event}" for row in here})
