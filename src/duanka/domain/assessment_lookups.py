"""What the assessment asks the store of records: how many cards each unit has in use, and whose a card is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from duanka.domain.assessment import UnitKind
from duanka.domain.card_age import CardAge
from duanka.domain.card_facts import RegisteredCard


@dataclass(frozen=True)
class ActiveCards:
    """Active cards of one unit. `unit` "": not known of these. `operator`, `city`: of all of them; "": of several."""

    kind: UnitKind
    unit: str
    by_age: Mapping[CardAge, int]
    operator: str = ""
    city: str = ""

    @property
    def cards(self) -> int:
        """Cards of any age."""
        return sum(self.by_age.values())


class ExposureLookups(Protocol):
    """Counts and names cards by unit; `engine.store.reading.active_cards` implements it."""

    def active_cards(
        self, since: datetime, until: datetime, also: Collection[str]
    ) -> Sequence[ActiveCards] | None:
        """Cards of the register opened before `until` and used from `since` on, and `also`; local, naive times.

        By operator, city, outlet and opening month, and by age; `since` begins a month. None: the store has no day
        of the period, so nobody knows.
        LookupRefused.
        """

    def registered(self, cards: Collection[str]) -> Sequence[RegisteredCard]:
        """The cards that are in the register, in order of their numbers."""
