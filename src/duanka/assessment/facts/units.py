"""Units of cards: what the register says of each card that a run counts, kept with the time since which it does."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection, and_, select, union, update

from duanka.assessment.facts.events import CountedTime, facts
from duanka.domain.assessment import Measure, month_of
from duanka.domain.assessment_lookups import ExposureLookups
from duanka.domain.card_facts import RegisteredCard
from duanka.ledger.db.assessment.listings import card_units
from duanka.ledger.db.bulk import in_parts, put_rows
from duanka.ledger.db.database import Store

AT_ONCE = 20_000  # cards that the register is asked for in one question
_OF_CARDS = tuple(
    one
    for one in Measure
    if one not in (Measure.WARNED, Measure.DISSUADED, Measure.OUTLETS, Measure.RESTORE_P95)
)
_FIELDS = ("operator", "city", "outlet", "month")


def keep_units(store: Store, records: ExposureLookups, time: CountedTime) -> None:
    """Ask the register for each card that facts of `time` are about; keep what is new from `as_of` on.

    Each part is a transaction of its own: an interrupted run leaves what is right, and the next one goes on.
    """
    with store.reading() as connection:
        parts = list(_parts(connection, time))
    for part in parts:
        said = [_units(one) for one in records.registered(part)]

        def keep(connection: Connection, said: Sequence[Mapping[str, str]] = said) -> None:
            _keep(connection, said, time.as_of)

        store.transact(keep)


def _parts(connection: Connection, time: CountedTime) -> Iterator[list[str]]:
    each = (facts(measure, time).subquery() for measure in _OF_CARDS)
    found = union(*(select(one.c.card).where(one.c.card != "") for one in each))
    rows = iter(connection.execute(found).scalars())
    while part := list(islice(rows, AT_ONCE)):
        yield sorted(part)


def _units(card: RegisteredCard) -> dict[str, str]:
    month = month_of(card.opened_at) if card.opened_at else ""
    # texts of the register are of any length; a unit is a name
    return {
        "card": card.card,
        "operator": card.operator[:40],
        "city": card.home_city[:40],
        "outlet": card.outlet[:80],
        "month": month,
    }


def _keep(connection: Connection, said: Sequence[Mapping[str, str]], at: datetime) -> None:
    there = _now(connection, [one["card"] for one in said])
    new = [one for one in said if there.get(one["card"]) != tuple(one[name] for name in _FIELDS)]
    changed = [one["card"] for one in new if one["card"] in there]
    for part in in_parts(changed):
        now = and_(card_units.c.card.in_(part), card_units.c.until.is_(None))
        connection.execute(update(card_units).where(now).values(until=at))
    put_rows(connection, card_units, [{**one, "since": at, "until": None} for one in new])


def _now(connection: Connection, cards: Collection[str]) -> dict[str, tuple[str, ...]]:
    found = dict[str, tuple[str, ...]]()
    for part in in_parts(sorted(cards)):
        query = select(card_units).where(card_units.c.card.in_(part), card_units.c.until.is_(None))
        for row in connection.execute(query):
            found[row.card] = tuple(getattr(row, name) for name in _FIELDS)
    return found
