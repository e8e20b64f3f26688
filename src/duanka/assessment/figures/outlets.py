"""Numbers handled by the outlet that opened them, as far as the store of records knows it."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection, select

from duanka.domain.card_facts import CardFacts
from duanka.domain.headline import HeadlineFigure
from duanka.domain.order import OrderError, Person
from duanka.ledger.db.bulk import in_parts
from duanka.ledger.figures.calendar import CountedPeriod
from duanka.ledger.figures.distinct import rows_of

_MOST_NUMBERS = 500_000  # whose outlets are looked up at once
_AT_ONCE = 5_000


def by_outlet(
    connection: Connection, period: CountedPeriod, by: Person, register: CardFacts | None
) -> dict[str, int]:
    """Count the numbers handled by outlet; "": unknown. OrderError: more than can be looked up at once."""
    rows = rows_of(HeadlineFigure.NUMBERS, period, by).subquery()
    cards = list(connection.execute(select(rows.c.key).limit(_MOST_NUMBERS + 1)).scalars())
    if len(cards) > _MOST_NUMBERS:
        raise OrderError(
            f"more than {_MOST_NUMBERS:,} numbers are too many to look up their outlets: give a shorter period"
        )
    found = Counter[str]()
    for some in in_parts(cards, _AT_ONCE):
        known = {one.card: one.outlet for one in register.registered(some)} if register else {}
        found.update(known.get(card, "") for card in some)
    return dict(found)
