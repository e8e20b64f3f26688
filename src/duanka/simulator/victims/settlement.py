"""Settles the victims of a world: which gang works on whom, and who else talks to its cards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np

from duanka.domain.fraud_kind import FraudKind
from duanka.simulator.chance import Flags, Floats, Ints, Rng, generator, words
from duanka.simulator.province import foreign_to_us
from duanka.simulator.rings.boxes import BoxSchedule
from duanka.simulator.traits import DAY, Traits
from duanka.simulator.victims.kinds import (
    AGE_UNKNOWN,
    SCRIPTS,
    WOULD_PAY,
    age_bands,
    hours_to_pay,
    kinds_of,
)
from duanka.simulator.victims.lines import CallLines, days_alive
from duanka.simulator.victims.mistaken import (
    CALLED_BACK,
    DROPPED_OUT,
    FORMER_FRIENDS,
    PATIENT,
    PRIVATELY_USED,
    HonestContacts,
    Mistaken,
)
from duanka.simulator.victims.planned_contacts import ContactRows, PlannedContacts, Target, contact_rows
from duanka.simulator.victims.working import Fate, Victim, WorkingGang, how_stopped, work_on

CALLERS = ("sim_box", "evasive_caller", "bridge_phone", "resold_dormant", "iot_misuse", "box_card")
MEMBERS = ("gang_operator", "gang_minder", "operator", "minder", "supplier")
WORKED_ON = 0.004  # of the strangers who answer a gang's card
MOST_ANSWERED = 60.0  # calls a day that a card's counters leave
OURS = 0.6  # share of the victims with a card of this province; lists are sold by region
_SHY = ("spare_card", "data_only", "elderly", "hotline", "call_centre", "fleet", "honest_iot", "meter")


@dataclass(frozen=True)
class SettledWorld:
    """A settled world. `roles`: all role names; `boxes`: of the gangs with boxes that are planned."""

    traits: Traits
    numbers: Ints
    roles: tuple[str, ...]
    boxes: BoxSchedule | None
    days: int
    start: date
    seed: int

    def among(self, *roles: str) -> Flags:
        """Mask of the cards that have one of `roles`."""
        return np.isin(self.traits.role, [self.roles.index(role) for role in roles])


@dataclass(frozen=True)
class Preyed:
    """The victims of a world. `ages`: index into AgeBand of every card, -1: unknown; `kinds`: by gang.

    `text_share`: of every card, the share of those whom it calls that get a message before.
    """

    victims: list[Victim]
    mistaken: list[Mistaken]
    rows: ContactRows
    ages: Ints
    kinds: list[FraudKind]
    text_share: Floats


def settle_victims(ground: SettledWorld, gangs: int) -> Preyed:
    """Let each of so many `gangs` work on people, and honest people talk to its cards."""
    t, seed = ground.traits, ground.seed
    kinds = kinds_of(gangs, generator(seed, 60))
    ages = _ages(ground, generator(seed, 61))
    plan = PlannedContacts(ground.numbers, CallLines(t, ground.boxes, ground.days, ground.start))
    free = _Candidates(ground, ages, generator(seed, 62))
    victims: list[Victim] = []
    callers = np.flatnonzero(ground.among(*CALLERS) & (t.out_rate > 0))
    for number in range(gangs):
        mine = callers[t.gang[callers] == number]
        gang = WorkingGang(number, kinds[number], mine)
        victims += _worked_on(ground, plan, gang, free, generator(seed, 63, number))
    # a message goes out before a gang knows whom it will talk round
    text_share = np.zeros(t.count)
    text_share[callers] = np.array([SCRIPTS[kind].text_first for kind in kinds])[t.gang[callers]]
    mistaken = _mistaken(ground, plan, callers, victims, free, text_share)
    return Preyed(victims, mistaken, contact_rows(plan), ages, kinds, text_share)


def _ages(ground: SettledWorld, rng: Rng) -> Ints:
    drawn = age_bands(ground.among("elderly"), rng)
    nobody = ground.traits.organisation | ground.traits.iot
    return np.where(nobody | (rng.random(len(drawn)) < AGE_UNKNOWN), -1, drawn)


class _Candidates:
    """Honest cards in use all the time, each handed out once."""

    def __init__(self, ground: SettledWorld, ages: Ints, rng: Rng) -> None:
        t = ground.traits
        fit = (t.strategy == 0) & ~t.iot & ~t.organisation & (t.in_rate > 0) & (t.out_rate > 0)
        fit &= (t.alive_from < 0) & (t.alive_until >= ground.days * DAY) & (t.megabytes + t.in_rate > 0.1)
        fit &= ~ground.among(*(role for role in _SHY if role in ground.roles and role != "elderly"))
        self._cards, self._rng, self._numbers = rng.permutation(np.flatnonzero(fit)), rng, ground.numbers
        self._ages, self._used = ages, 0

    def next_of(self, aptness: Callable[[int], float], most: float) -> Target | None:
        """The next card that is apt enough for a draw."""
        while self._used < len(self._cards):
            card = int(self._cards[self._used])
            self._used += 1
            if self._rng.random() * most < aptness(int(self._ages[card])):
                return Target(card, int(self._numbers[card]))
        return None

    def any(self) -> Iterator[Target]:
        """All that are left."""
        while person := self.next_of(lambda _: 1.0, 1.0):
            yield person


def _expected(ground: SettledWorld, cards: Ints) -> Floats:
    """Strangers who answer each of `cards` in the window."""
    t = ground.traits
    answered = np.minimum(t.out_rate[cards] * t.answer_out[cards], MOST_ANSWERED) * t.stranger_out[cards]
    return np.asarray(answered * days_alive(t, cards, ground.days))


def _worked_on(
    ground: SettledWorld, plan: PlannedContacts, gang: WorkingGang, free: _Candidates, rng: Rng
) -> list[Victim]:
    expected = _expected(ground, gang.cards)
    diallers = np.repeat(gang.cards, rng.poisson(expected * WORKED_ON))
    hours, pays = hours_to_pay(len(diallers), rng), rng.random(len(diallers)) < WOULD_PAY
    ages = gang.script.ages

    def aptness(age: int) -> float:
        return ages[age] if age >= 0 else 1.0

    found = []
    for dialler, until, paying in zip(rng.permutation(diallers).tolist(), hours, pays, strict=True):
        at = plan.lines.first_moment(dialler, rng)
        ours = rng.random() < OURS
        person = (
            free.next_of(aptness, max(ages)) if ours else Target(-1, int(foreign_to_us(words(rng, 1))[0]))
        )
        if at is None or person is None:
            continue
        # who does not pay has stopped before the time at which others pay
        fate = Fate(float(until), "pays") if paying else Fate(float(until * rng.random()), how_stopped(rng))
        if victim := work_on(plan, gang, dialler, person, at, fate, rng):
            found.append(victim)
    return found


def _mistaken(
    ground: SettledWorld,
    plan: PlannedContacts,
    callers: Ints,
    victims: list[Victim],
    free: _Candidates,
    text_share: Floats,
) -> list[Mistaken]:
    rng = generator(ground.seed, 64)
    contacts = HonestContacts(plan, free.any(), ground.days, text_share, rng)
    expected = _expected(ground, callers)
    if len(victims):
        share = expected / expected.sum()
        for why, part in (("dropped_out", DROPPED_OUT), ("patient", PATIENT), ("called_back", CALLED_BACK)):
            contacts.met_while_dialling(rng.choice(callers, round(part * len(victims)), p=share), why)
    contacts.friends_of_before(callers[rng.random(len(callers)) < FORMER_FRIENDS])
    members = np.flatnonzero(ground.among(*(role for role in MEMBERS if role in ground.roles)))
    contacts.family_of(np.concatenate((members, callers[rng.random(len(callers)) < PRIVATELY_USED])))
    return contacts.found
