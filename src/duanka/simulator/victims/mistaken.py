"""Honest contacts with a gang's cards that look like those of a victim; shares are assumptions (K)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from duanka.simulator.chance import Floats, Ints, Rng
from duanka.simulator.traits import DAY
from duanka.simulator.victims.planned_contacts import PlannedContacts, Target

# Persons for each one who was worked on.
DROPPED_OUT, PATIENT, CALLED_BACK = 2.0, 0.6, 1.0
FORMER_FRIENDS = 0.03  # share of the calling cards whose number somebody else had before
PRIVATELY_USED = 0.02  # share of the calling cards with which somebody calls home
FAMILY = (1, 4)  # of a member of the gang, and of who uses a card privately


class Mistaken(NamedTuple):
    """Somebody who is no victim, and the gang's card. `why`: how they came to talk."""

    card: int
    fraud_card: int
    why: str


class HonestContacts:
    """Plans honest contacts; `honest`: cards that may be chosen, each once; `days`: of the window.

    `text_share`: of every card, the share of those whom it dials that get a message before.
    """

    def __init__(
        self, plan: PlannedContacts, honest: Iterator[Target], days: int, text_share: Floats, rng: Rng
    ) -> None:
        self._plan, self._honest, self._days, self._rng = plan, honest, days, rng
        self._text_share = text_share
        self.found: list[Mistaken] = []

    def met_while_dialling(self, dialler: Ints, why: str) -> None:
        """Plan who talks to each of `dialler` once or twice and goes no further."""
        for card in dialler.tolist():
            at = self._plan.lines.first_moment(card, self._rng)
            person = next(self._honest, None)
            if person is not None and at is not None and self._talk(card, person, at, why):
                self.found.append(Mistaken(person.card, card, why))
                if self._rng.random() < self._text_share[card]:
                    self._plan.text_before(card, person, at, self._rng)

    def _talk(self, card: int, person: Target, at: int, why: str) -> bool:
        rng, plan = self._rng, self._plan
        if why == "called_back":
            return self._called(card, person, at, 0) and self._called(card, person, at, 25, 240, back=True)
        if why == "patient":
            return self._called(card, person, at, 480, 1_800)
        begun = self._called(card, person, at, 120, 420)
        for _ in range(int(rng.integers(1, 3)) if begun else 0):
            at += int(rng.integers(1_800, 2 * DAY))
            if found := plan.free(card, person, at, int(rng.integers(4, 40)) if rng.random() < 0.5 else 0):
                plan.call(card, person, *found)
        return begun

    def _called(
        self, card: int, person: Target, at: int, fewest: int, most: int = 0, *, back: bool = False
    ) -> bool:
        seconds = int(self._rng.integers(fewest, most)) if most else 0
        wait = int(self._rng.integers(120, 2_400)) if back else 0
        found = self._plan.free(card, person, at + wait, seconds)
        if found:
            self._plan.call(card, person, found[0], found[1] if seconds else 0, back=back)
        return found is not None

    def friends_of_before(self, cards: Ints) -> None:
        """Plan calls of people who knew whoever had the number of each of `cards` before."""
        for card in cards.tolist():
            for _ in range(int(self._rng.integers(2, 5))):
                self._several_days(card, "former_friend", share=0.12, away=1.0, minutes=1.5)

    def family_of(self, cards: Ints) -> None:
        """Plan calls on many days between each of `cards` and the family of who uses it."""
        for card in cards.tolist():
            for _ in range(int(self._rng.integers(*FAMILY))):
                self._several_days(card, "family", share=0.55, away=0.5, minutes=4.0)

    def _several_days(self, card: int, why: str, *, share: float, away: float, minutes: float) -> None:
        """Calls on a `share` of the days, `away` of them from the other end."""
        rng, person = self._rng, next(self._honest, None)
        if person is None:
            return
        before = len(self._plan.calls)
        for day in range(self._days):
            turn = self._plan.lines.turn(card, day)
            if turn is None or rng.random() >= share:
                continue
            seconds = int(np.clip(60 * minutes * np.exp(0.8 * rng.standard_normal()), 5, 3_600))
            found = self._plan.free(card, person, int(rng.integers(*turn)), seconds)
            if found and found[0] <= turn[1]:
                self._plan.call(card, person, *found, back=bool(rng.random() < away))
        if len(self._plan.calls) > before:
            self.found.append(Mistaken(person.card, card, why))
