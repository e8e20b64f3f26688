"""Behaviour of the cards of gangs, by role.

Levels are fitted to 1,962 fraud users of Sichuan, 2019-20; patterns follow published police reports (K).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from duanka.simulator.chance import Ints, Rng, generator
from duanka.simulator.gangs import Gang, enlist, live, open_in_bulk
from duanka.simulator.people import EVASIVE_RHYTHM, FLAT_RHYTHM
from duanka.simulator.province import OPERATORS, Places
from duanka.simulator.traits import DAY, EVASIVE, Traits, lognormal, set_calls, silence

# When a card dials in its slot, as (start, length) in seconds of the day: one of three turns, or all day.
TURNS = ((33_600, 9_600), (43_500, 9_600), (53_400, 9_600))
WHOLE_DAY = ((34_200, 28_800),)
MOST_IN_TURN, MOST_IN_DAY = 200, 500  # call attempts that fit into a turn of 2 h 40 min, into 8 h
UNKNOWN_PLACE = 0.38  # share of measured fraud users whose calls have no place


@dataclass
class Cast:
    """Shared state of the role functions; `next_slot`: next free gang device slot."""

    traits: Traits
    places: Places
    gangs: list[Gang]
    days: int
    next_slot: int = 0

    def slots(self, count: int) -> int:
        """Reserve `count` device slots (IMEIs) and return the first."""
        first, self.next_slot = self.next_slot, self.next_slot + count
        return first


def cast_gangs(cast: Cast, at: dict[tuple[int, str], Ints], seed: int) -> None:
    """Assign the cards `at[strategy, role]` to gangs and give them their roles."""
    for (strategy, role), cards in at.items():
        if len(cards):
            rng = generator(seed, 21, strategy, sorted(_ROLES).index(role))
            enlist(cast.traits, cards, cast.gangs, strategy, rng)
            plain_card(cast.traits, cards, rng)
            _ROLES[role](cast, cards, strategy == EVASIVE, rng)


def plain_card(t: Traits, at: Ints, rng: Rng) -> None:
    """Set common traits of gang cards: no commute, few messages, some complaints."""
    t.work_county[at], t.away[at], t.trip[at] = -1, 0.0, 0.0
    t.link_rate[at] = 0.0
    t.codes_in[at], t.notices_in[at], t.texts_out[at] = 0.05, 0.12, 0.0
    t.megabytes[at], t.accounts[at], t.swap[at] = 0.0, 0.1, 0.0
    t.sightings[at], t.complaints[at], t.weekend[at] = 1.5, 0.05, 0.9
    t.rhythm[at], t.day_strangers[at], t.ours[at] = FLAT_RHYTHM, 0.0, 0.03
    unknown = rng.random(len(at)) < UNKNOWN_PLACE
    t.unknown_place[at] = np.where(unknown, rng.integers(1, 3, len(at)), 0)
    resale = rng.random(len(at)) < 0.22
    t.operator[at[resale]] = len(OPERATORS) + rng.integers(0, 2, int(resale.sum()))


def dial_lists(t: Traits, at: Ints, rng: Rng, connected: float, spread: float, most: float) -> None:
    """Set call traits for dialling lists of strangers.

    `connected`: median of answered calls a day; `spread`: sigma of its logarithm; `most`: maximum attempts a day.
    """
    t.answer_out[at] = rng.uniform(0.18, 0.42, len(at))
    volume = lognormal(rng, connected, spread * 1.15, spread, len(at))
    volume = np.minimum(volume, most * t.answer_out[at])
    returned = np.where(rng.random(len(at)) < 0.45, 0.0, rng.uniform(0.0, 0.06, len(at)))
    set_calls(t, at, volume, volume * returned)
    t.stranger_out[at], t.stranger_in[at] = rng.uniform(0.93, 1.0, len(at)), 0.9
    # The day's list has about 1.5 numbers per attempt, drawn at random, so some are dialled more than once.
    t.day_strangers[at] = t.out_rate[at] * lognormal(rng, 1.5, 0.9, 0.9, len(at))
    t.favourites[at] = 6.0
    t.median_seconds[at] = np.clip(lognormal(rng, 53, 0.8, 0.75, len(at)), 8, 500)
    t.shape[at] = rng.uniform(1.5, 1.9, len(at))


def _sim_box(cast: Cast, at: Ints, evasive: bool, rng: Rng) -> None:
    t = cast.traits
    live(t, at, rng, cast.days, 5.5, 1.2)
    dial_lists(t, at, rng, 35.0, 1.0, 550.0)
    t.wander[at] = 2
    for gang in cast.gangs:
        mine = at[t.gang[at] == gang.number]
        if len(mine):
            _fill_boxes(cast, mine, rng)
    open_in_bulk(t, at, cast.gangs, rng, 40, 0.55)


def _fill_boxes(cast: Cast, at: Ints, rng: Rng) -> None:
    """Spread a gang's cards over at most 15 boxes of 32 to 128 slots, one site a box."""
    t = cast.traits
    boxes = int(np.clip(len(at) // 36, 1, 15))
    lost = rng.random()
    at = at[np.argsort(t.county[at] * 100_000 + t.cell[at], kind="stable")]
    for number, cards in enumerate(np.array_split(at, boxes)):
        turns = WHOLE_DAY if rng.random() < 0.42 else TURNS
        size = next((s for s in (32, 64, 128) if s * len(turns) * 0.8 >= len(cards)), 128)
        t.county[cards], t.cell[cards] = t.county[cards[0]], t.cell[cards[0]]
        # Spread boxes with unknown place evenly, so that one large box does not dominate the share.
        unknown = int((number + 1 + lost) * UNKNOWN_PLACE) > int((number + lost) * UNKNOWN_PLACE)
        t.unknown_place[cards] = 1 + number % 2 if unknown else 0
        # Days per move over the slots; 0: each card stays in its slot.
        pace = int(rng.choice([0, 1, 2, 3], p=[0.4, 0.3, 0.15, 0.15]))
        t.pool[cards], t.pool_size[cards] = cast.slots(size), size
        t.shift_key[cards] = (t.pool[cards[0]] + number) * 100_000 + int(rng.integers(7)) * 100 + pace
        most = MOST_IN_TURN if len(turns) > 1 else MOST_IN_DAY
        t.out_rate[cards] = np.minimum(t.out_rate[cards] * 1.3 * most / MOST_IN_TURN, most)
        late = int(rng.integers(-1_800, 3_600))  # offset (s) of this box's start of the day
        _seat(t, cards, size, tuple((start + late, length) for start, length in turns))
        # The whole box is switched off together: all its cards rest at weekends, or none.
        t.weekend[cards] = float(rng.choice([0.0, 0.9, 1.0]))


def _seat(t: Traits, cards: Ints, slots: int, turns: tuple[tuple[int, int], ...]) -> None:
    """Give every card a (slot, turn) pair that no other living card has."""
    free = [(-(1 << 40), slot, turn) for slot in range(slots) for turn in range(len(turns))]
    heapq.heapify(free)
    for card in cards[np.argsort(t.alive_from[cards], kind="stable")]:
        until, slot, turn = heapq.heappop(free)
        t.slot[card] = slot
        t.burst_from[card], t.burst_span[card] = turns[turn]
        # In a full box a card starts when a pair is free, but at least one day before its life ends.
        t.alive_from[card] = max(int(t.alive_from[card]), min(until, int(t.alive_until[card]) - DAY))
        heapq.heappush(free, (int(t.alive_until[card]), slot, turn))


def _unused_stock(cast: Cast, at: Ints, evasive: bool, rng: Rng) -> None:
    t = cast.traits
    silence(t, at)
    t.notices_in[at] = t.codes_in[at] = t.sightings[at] = t.accounts[at] = t.complaints[at] = 0.0
    t.alive_from[at] = rng.integers(-90, cast.days, len(at)) * DAY
    open_in_bulk(t, at, cast.gangs, rng, 25, 0.5)
    t.opened[at] = np.minimum(t.opened[at], (cast.days - 1) * DAY)
    t.idle_days[at] = np.nan


def _member(cast: Cast, at: Ints, evasive: bool, rng: Rng) -> None:
    """Operators and minders: ordinary use, and work at the gang's site."""
    t = cast.traits
    monthly = np.minimum(lognormal(rng, 140, 1.0, 1.4, len(at)), 5_000)
    t.answer_out[at], t.answer_in[at] = 0.72, 0.72
    share = rng.uniform(0.4, 0.7, len(at))
    set_calls(t, at, monthly * share / 30, monthly * (1 - share) / 30)
    t.link_rate[at] = 0.1 * monthly / 30  # calls among members
    t.favourites[at], t.stranger_out[at], t.stranger_in[at] = 20.0, 0.06, 0.08
    t.day_strangers[at], t.rhythm[at], t.unknown_place[at] = 4.0, 0, 0
    t.work_county[at], t.work_cell[at] = t.county[at], t.cell[at]
    t.cell[at] = (rng.random(len(at)) * cast.places.cells[t.county[at]]).astype(np.int64)
    t.away[at], t.away_places[at], t.trip[at] = 0.25, 9.0, 0.1
    t.swap[at], t.back[at] = 0.02, 0.4
    t.codes_in[at], t.notices_in[at], t.megabytes[at], t.accounts[at] = 0.4, 0.5, 120.0, 3.0
    t.sightings[at], t.complaints[at] = 2.6, 0.0005


def _evasive_caller(cast: Cast, at: Ints, evasive: bool, rng: Rng) -> None:
    t, n = cast.traits, len(at)
    live(t, at, rng, cast.days, 15.0, 0.8)
    dial_lists(t, at, rng, 14.0, 0.85, 90.0)
    t.answer_out[at] = rng.uniform(0.35, 0.6, n)
    dialled = t.out_rate[at] * 0.6
    set_calls(t, at, dialled * t.answer_out[at], dialled * rng.uniform(0.0, 0.06, n))
    # Calls among the gang's cards raise the rates of answered calls and call-backs.
    t.link_rate[at] = t.out_rate[at] * rng.uniform(0.05, 0.25, n)
    t.stranger_out[at] = rng.uniform(0.75, 0.95, n)
    t.rhythm[at], t.weekend[at] = EVASIVE_RHYTHM, 0.75
    t.wander[at], t.away[at], t.away_places[at] = 3, rng.uniform(0.0, 0.5, n), 14.0
    t.swap[at], t.back[at] = rng.uniform(0.02, 0.24, n), 0.25
    t.codes_in[at], t.notices_in[at], t.texts_out[at] = 0.2, 0.4, 0.03
    t.megabytes[at], t.sightings[at], t.complaints[at] = lognormal(rng, 25, 1.0, 1.0, n), 2.4, 0.01
    for gang in cast.gangs:
        mine = at[t.gang[at] == gang.number]
        t.pool[mine], t.pool_size[mine] = cast.slots(len(mine) * 2), len(mine) * 2
        t.slot[mine] = np.arange(len(mine)) * 2
    open_in_bulk(t, at, cast.gangs, rng, 8, 0.1)


def _bridge_phone(cast: Cast, at: Ints, evasive: bool, rng: Rng) -> None:
    """Pairs of phones: one is called by the call room abroad, the other dials victims."""
    t = cast.traits
    live(t, at, rng, cast.days, 14.0, 0.6)
    dial_lists(t, at, rng, 11.0, 0.5, 60.0)
    t.answer_out[at] = rng.uniform(0.35, 0.55, len(at))
    t.in_rate[at] = 0.0
    t.rhythm[at] = EVASIVE_RHYTHM
    for gang in cast.gangs:
        mine = at[t.gang[at] == gang.number]
        ear, mouth = mine[: len(mine) // 2 * 2 : 2], mine[1::2]
        for same in (t.alive_from, t.alive_until, t.county, t.cell, t.unknown_place):
            same[ear] = same[mouth]
        t.bridge[mouth] = ear
        t.out_rate[ear] = 0.0
    t.swap[at], t.back[at] = 0.06, 0.3
    t.megabytes[at] = 10.0
    open_in_bulk(t, at, cast.gangs, rng, 6, 0.1)


def _code_receiver(cast: Cast, at: Ints, evasive: bool, rng: Rng) -> None:
    t, n = cast.traits, len(at)
    live(t, at, rng, cast.days, 20.0, 0.8)
    silence(t, at)
    t.codes_in[at] = lognormal(rng, 5.0 if evasive else 18.0, 0.5, 0.6, n)
    t.platforms[at] = rng.integers(40, 240, n)
    t.accounts[at] = lognormal(rng, 14, 0.5, 0.5, n)
    t.complaints[at] = 0.001
    if evasive:  # a few calls and some data, to avoid looking unused
        t.out_rate[at], t.answer_out[at], t.stranger_out[at] = 0.12, 0.9, 0.1
        t.megabytes[at] = 8.0
    for gang in cast.gangs:
        mine = at[t.gang[at] == gang.number]
        pool = max(1, len(mine) // (2 if evasive else 16))
        t.pool[mine], t.pool_size[mine] = cast.slots(pool), pool
        t.slot[mine] = np.arange(len(mine)) % pool
    t.swap[at] = 0.05 if evasive else 0.0
    open_in_bulk(t, at, cast.gangs, rng, 8 if evasive else 30, 0.15 if evasive else 0.4)


def _mule_abroad(cast: Cast, at: Ints, evasive: bool, rng: Rng) -> None:
    t, n = cast.traits, len(at)
    live(t, at, rng, cast.days, 60.0, 0.9)
    monthly = np.minimum(lognormal(rng, 150, 1.3, 1.65, n), 5_000)
    share = rng.uniform(0.25, 0.8, n)
    t.answer_out[at], t.answer_in[at] = 0.6, 0.7
    set_calls(t, at, monthly * share / 30, monthly * (1 - share) / 30)
    t.stranger_out[at], t.stranger_in[at] = rng.uniform(0.03, 0.4, n), 0.12
    t.favourites[at], t.foreign[at] = 12.0, rng.uniform(0.05, 0.4, n)
    t.trip[at], t.trip_kind[at] = (0.6 if evasive else 0.95), 3
    t.away[at], t.away_places[at] = 0.5, 25.0
    t.swap[at], t.back[at], t.rhythm[at] = 0.05, 0.2, 0
    t.megabytes[at], t.sightings[at], t.complaints[at] = 40.0, 2.0, 0.004
    t.codes_in[at], t.notices_in[at] = 0.3, 0.4
    t.idle_days[at] = 0.4


def _resold_dormant(cast: Cast, at: Ints, evasive: bool, rng: Rng) -> None:
    """Old cards unused for months, resold and used in another phone."""
    t, n = cast.traits, len(at)
    live(t, at, rng, cast.days, 10.0, 0.8)
    t.alive_until[at] -= np.minimum(t.alive_from[at], 0)
    t.alive_from[at] = np.maximum(t.alive_from[at], 0) + rng.integers(0, 6 * 3600, n)
    t.idle_days[at] = np.clip(lognormal(rng, 260, 0.5, 0.5, n), 95, 1500)
    t.opened[at] = np.minimum(t.opened[at], -((t.idle_days[at] + 60) * DAY).astype(np.int64))
    dial_lists(t, at, rng, 7.0 if evasive else 20.0, 0.9, 120.0)
    if evasive:
        t.in_rate[at] = t.out_rate[at] * rng.uniform(0.05, 0.25, n)
        t.rhythm[at], t.megabytes[at] = EVASIVE_RHYTHM, 15.0
    t.swap[at] = 0.12 if evasive else 0.04


def _iot_misuse(cast: Cast, at: Ints, evasive: bool, rng: Rng) -> None:
    t, n = cast.traits, len(at)
    live(t, at, rng, cast.days, 22.0, 0.7)
    t.iot[at] = t.organisation[at] = True
    t.operator[at] %= len(OPERATORS)
    dial_lists(t, at, rng, 2.0 if evasive else 7.0, 0.9, 90.0)
    t.megabytes[at] = lognormal(rng, 60 if evasive else 600, 0.8, 0.8, n)
    t.swap[at], t.complaints[at] = 0.05, 0.008
    t.holder[at] = t.holder[at[0]] + np.arange(n) // 4
    t.idle_days[at] = np.where(rng.random(n) < 0.5, np.nan, 20.0)


_ROLES: dict[str, Callable[[Cast, Ints, bool, Rng], None]] = {
    "sim_box": _sim_box,
    "unused_stock": _unused_stock,
    "gang_operator": _member,
    "gang_minder": _member,
    "code_receiver": _code_receiver,
    "mule_abroad": _mule_abroad,
    "resold_dormant": _resold_dormant,
    "iot_misuse": _iot_misuse,
    "evasive_caller": _evasive_caller,
    "bridge_phone": _bridge_phone,
}
