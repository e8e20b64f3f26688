"""Daily limits of one person: holders to contact, order numbers that lead nowhere. They bound misuse of a key."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from sqlalchemy import func, select

from duanka.domain.order import STAFF, Kind, Person, TooManyHolders, TooManyTries
from duanka.ledger.db.tables import audit, orders
from duanka.ledger.unit_of_work.locks import lock_person
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork

REFUSED = "refused.order_number"  # entry of the trail; its subject: the card, or the number as typed
_DAY = timedelta(hours=24)
_MOST_LETTERS = 40  # of a subject


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


def require_tries_left(unit: UnitOfWork, by: Person, about: str) -> None:
    """TooManyTries if `by` typed too many order numbers that lead nowhere within 24 hours, in all or about `about`.

    `about`: subject of `REFUSED`. Asked before a number is looked at, so that a right one tells nothing either. As many
    as challenges without a link, `by` in place of the address: an order number has 60 random bits.
    """
    lock_person(unit.connection, by)
    tried = (audit.c.what == REFUSED, audit.c.who == by.id, audit.c.at > unit.now - _DAY)
    subjects = list(unit.connection.execute(select(audit.c.subject).where(*tried)).scalars())
    policy, mine = unit.policy.identity, about[:_MOST_LETTERS]
    if len(subjects) >= policy.unlinked_address or subjects.count(mine) >= policy.unlinked_tries:
        raise TooManyTries(
            f"{by.id} typed too many order numbers that lead nowhere within 24 hours: somebody whose scope has the card"
            " goes on, or the holder calls the hotline"
        )


def note_refused_number(unit: UnitOfWork, by: Person, about: str, typed: str) -> None:
    """Write down that an order number led nowhere; the transaction must commit."""
    unit.note(by, REFUSED, about[:_MOST_LETTERS], "", {}, {"typed": typed[:_MOST_LETTERS]})
