"""Outlets of unequal size and a gang's stall, counted over two months: one unit meets the criterion."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import insert

from duanka.assessment.runs import AssessmentRun, AssessmentRuns
from duanka.domain.assessment import AssessmentPeriod, Measure, UnitKind
from duanka.domain.assessment_lookups import ActiveCards
from duanka.domain.assessment_policy import AssessmentPolicy
from duanka.domain.card_age import CardAge
from duanka.domain.card_facts import RegisteredCard
from duanka.domain.order import Person, Role
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.casework.cases import confirmations
from duanka.ledger.db.database import Store
from support.orders.books import KEY, card

STALL, BIG, SMALL = "S-STALL", "S-BIG", "S-SMALL"
CHECK = (Measure.CONFIRMED, UnitKind.OUTLET, STALL)
MONTHS = ("2026-01", "2026-02")
LI = Person("li", Role.SUPERVISOR)
LATER = datetime.fromisoformat("2026-03-05T10:00:00+08:00")


class Shops:
    """Forty outlets of 3,000 cards, one of 90,000 with the same rate, one of 40 cards, and a gang's stall."""

    def __init__(self, store: Store) -> None:
        self.sizes = {f"S{number:02}": 3_000 for number in range(40)} | {BIG: 90_000, SMALL: 40, STALL: 800}
        self.cards = dict[str, RegisteredCard]()
        self._numbers = itertools.count()
        with store.writing() as connection:
            for month, period in enumerate(map(AssessmentPeriod.read, MONTHS)):
                for at, outlet in enumerate(self.sizes):
                    confirmed = {STALL: 9, SMALL: month, BIG: 30}.get(outlet, (at + month) % 3)
                    for _ in range(confirmed):
                        number = card(next(self._numbers))
                        self.cards[number] = RegisteredCard(number, "h", "person", "甲", "130100", outlet)
                        row = {"card": number, "case_number": "A1", "source": "police_notice"}
                        moment = period.since + timedelta(days=3)
                        connection.execute(insert(confirmations).values(**row, confirmed_at=moment))

    def registered(self, cards: Collection[str]) -> Sequence[RegisteredCard]:
        return [self.cards[one] for one in sorted(cards) if one in self.cards]

    def active_cards(self, since: datetime, until: datetime, also: Collection[str]) -> Sequence[ActiveCards]:
        kind = UnitKind.OUTLET
        return [
            ActiveCards(kind, one, {CardAge.UNKNOWN: size}, "甲", "130100")
            for one, size in sorted(self.sizes.items())
        ]


def runs_on(store: Store) -> AssessmentRuns:
    """Counts periods of these outlets."""
    shops = Shops(store)
    return AssessmentRuns(store, Trail(KEY), lambda: shops, "national", AssessmentPolicy())


def both(runs: AssessmentRuns, at: datetime = LATER) -> AssessmentRun:
    """Count both months; return the run of the later one."""
    _, last = (
        runs.run(AssessmentPeriod.read(month), LI, at - timedelta(minutes=9 - minute))
        for minute, month in enumerate(MONTHS)
    )
    return last
