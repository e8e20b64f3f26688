"""Twelve cities over six months, whose confirmed cards are written past the services; one turns bad at the end."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import insert

from duanka.domain.assessment import AssessmentPeriod, UnitKind
from duanka.domain.assessment_lookups import ActiveCards
from duanka.domain.card_age import CardAge
from duanka.domain.card_facts import RegisteredCard
from duanka.ledger.db.casework.cases import confirmations
from duanka.ledger.db.database import Store
from support.orders.books import card

MONTHS = tuple(f"2026-{month:02}" for month in range(1, 7))
BAD, AS_OF = "邯郸", datetime.fromisoformat("2026-07-03T10:00:00+08:00")
CITIES = (
    BAD,
    *["石家庄", "唐山", "秦皇岛", "邢台", "保定", "张家口", "承德", "沧州", "廊坊", "衡水", "=1+1"],
)
_RATE, _WORSE = 2e-3, 4
YOUNG, _NEW, _NEW_OF_YOUNG = "沧州", 0.1, 0.3  # shares of cards opened in the month
_OLD = datetime(2019, 5, 4)


class Cities:
    """The register: `sizes`: active cards of each city; `counts`: confirmed cards by city and month."""

    def __init__(self, store: Store) -> None:
        chance = np.random.default_rng(12)
        self.sizes = {
            city: int(size) for city, size in zip(CITIES, np.geomspace(2_000, 4_500, 12), strict=True)
        }
        rates = np.full((len(CITIES), len(MONTHS)), _RATE)
        rates[0, -2:] *= _WORSE
        sizes = np.array(list(self.sizes.values()))[:, np.newaxis]
        self.counts = chance.poisson(sizes * rates)
        self.cards = dict[str, RegisteredCard]()
        numbers, rows = itertools.count(), []
        for city, months in zip(CITIES, self.counts, strict=True):
            for month, count in zip(map(AssessmentPeriod.read, MONTHS), months, strict=True):
                for at in range(count):
                    number = card(next(numbers))
                    opened = _OLD if at % 2 else month.since.replace(tzinfo=None)
                    self.cards[number] = RegisteredCard(number, "h", "person", "甲", city, "S1", opened)
                    moment = month.since + timedelta(days=3)
                    row = {"card": number, "case_number": "A1", "source": "police_notice"}
                    rows.append(row | {"confirmed_at": moment})
        with store.writing() as connection:
            connection.execute(insert(confirmations), rows)

    def registered(self, cards: Collection[str]) -> Sequence[RegisteredCard]:
        """As `CardFacts`."""
        return [self.cards[one] for one in sorted(cards) if one in self.cards]

    def active_cards(self, since: datetime, until: datetime, also: Collection[str]) -> Sequence[ActiveCards]:
        """As `ExposureLookups`."""
        new = {one: int(size * (_NEW_OF_YOUNG if one == YOUNG else _NEW)) for one, size in self.sizes.items()}
        return [
            *(
                ActiveCards(
                    UnitKind.CITY, one, {CardAge.IN_PERIOD: new[one], CardAge.OLD: size - new[one]}, "甲", one
                )
                for one, size in sorted(self.sizes.items())
            ),
            ActiveCards(UnitKind.OPERATOR, "甲", {CardAge.UNKNOWN: sum(self.sizes.values())}, "甲", ""),
        ]
