"""Daily limit of holders that one person may contact: bounds misuse of a key."""

from __future__ import annotations

from datetime import datetime, time

from sqlalchemy import func, select

from duanka.domain.order import STAFF, Kind, Person, TooManyHolders
from duanka.ledger.db.tables import audit, orders
from duanka.ledger.unit_of_work.locks import lock_person
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork


def within_a_day(unit: UnitOfWork, by: Person, more: int) -> None:
    """TooManyHolders if `by` would exceed the policy's limit since midnight.

    Counts the verifications that `by` opened without a sealed decision, and the links that `by` made. What two people
    decide is not counted, and neither is what the system decides.
    """
    if by.role not in STAFF or not more:
        return
    lock_person(unit.connection, by)
    today = unit.policy.local_time.local(unit.now)
    begin = datetime.combine(today.date(), time(), today.tzinfo)
    opened = select(func.count()).where(
        orders.c.opened_by == by.id, orders.c.kind == Kind.VERIFICATION.value, orders.c.opened_at >= begin
    )
    made = select(func.count()).where(audit.c.what == "link.make", audit.c.who == by.id, audit.c.at >= begin)
    before = sum(unit.connection.execute(query).scalar_one() for query in (opened, made))
    most = unit.policy.holders_a_day
    if before + more > most:
        raise TooManyHolders(
            f"{by.id} may ask {most} holders a day and asked {before} today: {more} more are for somebody else, for"
            " tomorrow, or for a sealed decision (`holders_a_day` of the policy)"
        )
