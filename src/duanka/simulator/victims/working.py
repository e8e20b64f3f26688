"""How a gang works on one person: a card that dials, then one or several that talk, until the person pays or stops."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from duanka.domain.fraud_kind import FraudKind
from duanka.simulator.chance import Ints, Rng
from duanka.simulator.province import BANKS, PLATFORMS
from duanka.simulator.traits import DAY
from duanka.simulator.victims.kinds import SCRIPTS, STOPPED_BY_FAMILY, Script
from duanka.simulator.victims.planned_contacts import PlannedContacts, Target

SAME_CARD = 0.35  # share of persons whom the card that dialled goes on to work
STAYS = 0.65  # chance that the next call comes from a card that called before, if one can call soon
SOON = 3_600  # seconds
TRIED = 8  # other cards of the gang that might call next
CALLED_BACK = 0.25  # chance after a working call that the person calls back
CODES_AT_PAYMENT, BANK_AT_PAYMENT, POLICE_WHEN_STOPPED = 0.7, 0.25, 0.3
PRESSED_ON = 0.4  # chance that they are called once more after they paid
POLICE_LINES = (96110, 110)


@dataclass(frozen=True)
class Fate:
    """What becomes of one person. `hours`: until they would pay, or until they stop; `how`: see `Outcome`."""

    hours: float
    how: str


@dataclass
class Victim:
    """One person who was worked on. `cards`: the gang's, in the order of their first contact; times: seconds."""

    person: Target
    gang: int
    kind: FraudKind
    how: str
    cards: list[int] = field(default_factory=list)
    worked_on_at: int = -1
    would_pay_at: int | None = None


@dataclass(frozen=True)
class WorkingGang:
    """The cards of one gang that call. `kind`: its fraud."""

    number: int
    kind: FraudKind
    cards: Ints

    @property
    def script(self) -> Script:
        """How it works on people."""
        return SCRIPTS[self.kind]


def how_stopped(rng: Rng) -> str:
    """Draw why somebody does not pay."""
    return "family" if rng.random() < STOPPED_BY_FAMILY else "doubts"


def work_on(
    plan: PlannedContacts, gang: WorkingGang, dialler: int, person: Target, at: int, fate: Fate, rng: Rng
) -> Victim | None:
    """Plan all contacts with `person` from the first call at second `at`; None: the gang never gets to talk."""
    script, victim = gang.script, Victim(person, gang.number, gang.kind, fate.how)
    own = rng.random() < SAME_CARD
    first = _lasting(script, rng) if own else int(140 * np.exp(0.6 * rng.standard_normal()))
    begun = plan.free(dialler, person, at, first)
    if begun is None:
        return None
    worked = begun[0] if own else begun[0] + sum(begun[1:]) + int(1_500 * np.exp(1.3 * rng.standard_normal()))
    found = (dialler, *begun) if own else _caller(plan, gang, victim, worked, _lasting(script, rng), rng)
    if found is None:
        return None
    if rng.random() < script.text_first:
        plan.text_before(dialler, person, begun[0], rng)
    if not own:
        plan.call(dialler, person, *begun)
        victim.cards.append(dialler)
    _call(plan, victim, found, rng)
    victim.worked_on_at = found[1]
    end = found[1] + int(fate.hours * 3600)
    for wish in _wishes(script, found[1], end, pays=fate.how == "pays", rng=rng):
        called = _caller(plan, gang, victim, wish, _lasting(script, rng), rng)
        if called and (called[1] < end + DAY if wish >= end else called[1] < end):
            _call(plan, victim, called, rng)
    if fate.how == "pays":
        victim.would_pay_at = end
        _pay(plan, script, victim, end, rng)
    elif person.card >= 0 and rng.random() < POLICE_WHEN_STOPPED:
        line = POLICE_LINES[int(rng.integers(len(POLICE_LINES)))]
        plan.line_called(person.card, line, end, int(rng.integers(60, 420)))
    return victim


def _lasting(script: Script, rng: Rng) -> int:
    return int(np.clip(60 * script.minutes * np.exp(script.spread * rng.standard_normal()), 45, 7_200))


def _wishes(script: Script, begun: int, end: int, *, pays: bool, rng: Rng) -> list[int]:
    """When the gang would like to call again: soon, more seldom later, and when the money is to go."""
    wishes = [begun + int((end - begun) * u**1.5) for u in rng.random(rng.poisson(script.more_calls))]
    if pays and rng.random() < script.at_payment:
        wishes.append(max(begun, end - int(rng.integers(300, 1_800))))
    if pays and rng.random() < PRESSED_ON:
        wishes.append(end + int(rng.integers(1_200, 12 * 3_600)))
    return sorted(wishes)


def _caller(
    plan: PlannedContacts, gang: WorkingGang, victim: Victim, at: int, seconds: int, rng: Rng
) -> tuple[int, int, int] | None:
    """Choose who calls at about `at`: (card, begin, seconds); None: nobody can."""
    if victim.cards and rng.random() < STAYS:
        before = [found for card in victim.cards if (found := _able(plan, card, victim, at, seconds))]
        soon = min(before, key=lambda found: found[1], default=None)
        if soon and soon[1] <= at + SOON:
            return soon
    others = [int(card) for card in rng.choice(gang.cards, min(TRIED, len(gang.cards)))]
    able = [found for card in [*victim.cards, *others] if (found := _able(plan, card, victim, at, seconds))]
    return min(able, key=lambda found: found[1], default=None)


def _able(
    plan: PlannedContacts, card: int, victim: Victim, at: int, seconds: int
) -> tuple[int, int, int] | None:
    found = plan.free(card, victim.person, at, seconds)
    return (card, *found) if found else None


def _call(plan: PlannedContacts, victim: Victim, found: tuple[int, int, int], rng: Rng) -> None:
    card, at, seconds = found
    plan.call(card, victim.person, at, seconds)
    if card not in victim.cards:
        victim.cards.append(card)
    turn = plan.lines.turn(card, at // DAY)
    if rng.random() < CALLED_BACK and turn:
        again = plan.free(
            card, victim.person, at + seconds + int(rng.integers(60, 900)), int(rng.integers(40, 400))
        )
        if again and again[0] <= turn[1]:
            plan.call(card, victim.person, *again, back=True)


def _pay(plan: PlannedContacts, script: Script, victim: Victim, end: int, rng: Rng) -> None:
    """What the records of a payer show when the money goes: codes, the bank's line, answering nobody."""
    card = victim.person.card
    if card < 0:
        return
    if rng.random() < CODES_AT_PAYMENT:
        for at in end + rng.integers(-2_400, 900, int(rng.integers(1, 4))):
            senders = BANKS if rng.random() < 0.6 else PLATFORMS
            plan.code(card, int(senders[rng.integers(len(senders))]), int(at))
    if rng.random() < BANK_AT_PAYMENT:
        at = end + int(rng.integers(-3_000, 1_800))
        plan.line_called(card, int(BANKS[rng.integers(len(BANKS))]), at, int(rng.integers(60, 600)))
    if rng.random() < script.hidden:
        plan.hidden.append((card, victim.worked_on_at, end))
