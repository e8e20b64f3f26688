"""Honest cards: ordinary people, and look-alikes that a careless rule flags.

The shares are assumptions (K), large enough that every world of a few thousand cards has each kind of look-alike.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from duanka.simulator.chance import Flags, Ints, Rng, apportion, generator
from duanka.simulator.province import BORDER_CITY, COUNTIES, Places
from duanka.simulator.traits import DAY, PARTNERS, Traits, lognormal, set_calls, shrink, silence

HONEST_ROLES: dict[str, float] = {
    "person": 0.7136,
    "courier": 0.006,
    "driver": 0.006,
    "call_centre": 0.002,
    "hotline": 0.001,
    "new_phone": 0.02,
    "traveller": 0.015,
    "border_trader": 0.003,
    "family": 0.021,
    "elderly": 0.02,
    "spare_card": 0.015,
    "data_only": 0.025,
    "fleet": 0.015,
    "honest_iot": 0.06,
    "dual_sim": 0.04,
    "phone_trader": 0.0004,
    "shopper": 0.03,
}
NEW_CUSTOMERS_PER_DAY = 0.001  # share of the cards; at most a tenth of a world is new

PERSON_RHYTHM, FLAT_RHYTHM, DAY_RHYTHM, DESK_RHYTHM, LONG_RHYTHM, EVASIVE_RHYTHM = range(6)


def honest_counts(cards: int, days: int) -> dict[str, int]:
    """Return the number of honest cards by role, in a fixed order; sum: `cards`."""
    shares = dict(HONEST_ROLES)
    shares["new_customer"] = min(0.1, NEW_CUSTOMERS_PER_DAY * days)
    shares["person"] -= shares["new_customer"] * 0.7
    counts = apportion(cards, shares)
    # At least one card for each look-alike, even in a world of a few hundred cards.
    for name, count in counts.items():
        if count == 0 and counts["person"] > cards // 2:
            counts[name], counts["person"] = 1, counts["person"] - 1
    return counts


def settle_people(traits: Traits, at: dict[str, Ints], places: Places, seed: int, days: int) -> None:
    """Give the cards `at[role]` the traits of their role and assign documents."""
    traits.holder[:] = np.arange(traits.count)
    for number, (role, change) in enumerate(_CHANGES.items()):
        change(traits, at[role], places, generator(seed, 10, number))
    _new_customers(traits, at["new_customer"], days, generator(seed, 11))
    _documents(traits, at, generator(seed, 12))
    traits.swap[at["new_phone"]] = min(0.07, 1.2 / days)
    traits.back[at["new_phone"]] = 0.0


def _courier(t: Traits, at: Ints, places: Places, rng: Rng) -> None:
    t.answer_out[at] = rng.uniform(0.78, 0.93, len(at))
    t.answer_in[at] = rng.uniform(0.75, 0.9, len(at))
    volume = lognormal(rng, 45, 0.4, 0.4, len(at))
    set_calls(t, at, volume, volume * rng.uniform(0.3, 0.6, len(at)))
    t.stranger_out[at], t.stranger_in[at] = 0.93, 0.88
    t.day_strangers[at] = volume * 1.1  # a small pool, so that numbers called by the courier also call back
    t.median_seconds[at] = rng.uniform(14, 24, len(at))
    t.rhythm[at], t.wander[at] = DAY_RHYTHM, 1
    t.weekend[at] = 0.95


def _driver(t: Traits, at: Ints, places: Places, rng: Rng) -> None:
    t.answer_out[at] = rng.uniform(0.8, 0.95, len(at))
    volume = lognormal(rng, 16, 0.5, 0.4, len(at))
    set_calls(t, at, volume, volume * rng.uniform(0.7, 1.2, len(at)))
    t.stranger_out[at], t.stranger_in[at] = 0.88, 0.85
    t.day_strangers[at] = volume * 1.3
    t.median_seconds[at] = rng.uniform(15, 26, len(at))
    t.rhythm[at], t.wander[at] = LONG_RHYTHM, 1
    t.away[at], t.away_places[at] = 0.6, 14
    t.weekend[at] = 1.1


def _call_centre(t: Traits, at: Ints, places: Places, rng: Rng) -> None:
    t.answer_out[at] = rng.uniform(0.5, 0.75, len(at))
    volume = lognormal(rng, 75, 0.4, 0.4, len(at))
    set_calls(t, at, volume, volume * rng.uniform(0.12, 0.35, len(at)))
    t.stranger_out[at], t.stranger_in[at] = 0.9, 0.8
    t.day_strangers[at] = volume * 2.2
    t.median_seconds[at] = rng.uniform(35, 90, len(at))
    _desk(t, at)


def _hotline(t: Traits, at: Ints, places: Places, rng: Rng) -> None:
    t.answer_in[at] = rng.uniform(0.85, 0.98, len(at))
    volume = lognormal(rng, 70, 0.5, 0.4, len(at))
    set_calls(t, at, volume * rng.uniform(0.05, 0.2, len(at)), volume)
    t.stranger_out[at], t.stranger_in[at] = 0.8, 0.9
    t.day_strangers[at] = volume * 1.5
    t.median_seconds[at] = rng.uniform(40, 80, len(at))
    _desk(t, at)


def _desk(t: Traits, at: Ints) -> None:
    t.organisation[at] = True
    t.rhythm[at], t.weekend[at] = DESK_RHYTHM, 0.25
    t.work_county[at], t.away[at], t.trip[at], t.swap[at] = -1, 0.0, 0.0, 0.0003
    t.texts_out[at], t.accounts[at] = 0.0, 0.3
    t.holder[at] = t.holder[at[0]] + np.arange(len(at)) // 20 if len(at) else 0
    t.cell[at] = t.cell[at[np.arange(len(at)) // 20 * 20]]  # one office per organisation
    t.county[at] = t.county[at[np.arange(len(at)) // 20 * 20]]


def _traveller(t: Traits, at: Ints, places: Places, rng: Rng) -> None:
    t.trip[at], t.trip_kind[at] = rng.uniform(0.5, 0.95, len(at)), 1
    t.away_places[at] = 20


def _border_trader(t: Traits, at: Ints, places: Places, rng: Rng) -> None:
    t.county[at] = BORDER_CITY * COUNTIES + rng.integers(0, COUNTIES, len(at))
    t.cell[at] = (rng.random(len(at)) * places.cells[t.county[at]]).astype(np.int64)
    t.work_county[at] = -1
    t.trip[at], t.trip_kind[at] = rng.uniform(0.6, 0.95, len(at)), 2
    t.foreign[at] = rng.uniform(0.1, 0.4, len(at))


def _elderly(t: Traits, at: Ints, places: Places, rng: Rng) -> None:
    shrink(t, at, 0.4)
    t.favourites[at] = rng.uniform(4, 12, len(at))
    t.megabytes[at] = np.where(rng.random(len(at)) < 0.5, 0.0, 15.0)
    t.work_county[at], t.swap[at] = -1, t.swap[at] * 0.4
    t.away[at] *= 0.4
    t.codes_in[at], t.accounts[at] = 0.05, 0.5


def _spare(t: Traits, at: Ints, places: Places, rng: Rng) -> None:
    silence(t, at)
    t.idle_days[at] = lognormal(rng, 160, 0.6, 0.8, len(at))
    never = rng.random(len(at)) < 0.2
    t.idle_days[at[never]] = np.nan
    switched_off = rng.random(len(at)) < 0.65
    t.sightings[at] = np.where(switched_off, 0.0, 0.6)
    t.notices_in[at] = np.where(switched_off, 0.0, 0.15)
    t.codes_in[at], t.accounts[at] = 0.0, 0.2


def _data_only(t: Traits, at: Ints, places: Places, rng: Rng) -> None:
    shrink(t, at, 0.0)
    t.megabytes[at] = lognormal(rng, 900, 0.8, 0.8, len(at))
    t.texts_out[at], t.codes_in[at] = 0.0, 0.02
    t.notices_in[at], t.accounts[at] = 0.1, 0.2


def _fleet(t: Traits, at: Ints, places: Places, rng: Rng) -> None:
    shrink(t, at, 0.5)
    t.link_rate[at] = 0.0
    t.organisation[at] = True
    t.holder[at] = t.holder[at[0]] + np.arange(len(at)) // 30 if len(at) else 0
    t.favourites[at] = 8
    t.stranger_out[at] = t.stranger_in[at] = 0.1
    t.wander[at], t.rhythm[at], t.swap[at] = 1, DAY_RHYTHM, 0.0005
    t.codes_in[at], t.accounts[at], t.megabytes[at] = 0.0, 0.1, 20.0


def _honest_iot(t: Traits, at: Ints, places: Places, rng: Rng) -> None:
    silence(t, at)
    t.iot[at] = t.organisation[at] = True
    t.operator[at] %= 3  # resale brands sell no IoT cards here
    t.holder[at] = t.holder[at[0]] + np.arange(len(at)) // 120 if len(at) else 0
    t.megabytes[at] = lognormal(rng, 0.4, 1.0, 1.0, len(at))
    t.notices_in[at] = t.codes_in[at] = t.accounts[at] = t.swap[at] = 0.0
    t.sightings[at] = 1.2
    t.work_county[at], t.away[at], t.trip[at] = -1, 0.0, 0.0
    moving = at[rng.random(len(at)) < 0.25]  # trackers in cars
    t.wander[moving], t.away[moving], t.sightings[moving] = 1, 0.4, 5.0


def _dual_sim(t: Traits, at: Ints, places: Places, rng: Rng) -> None:
    first, second = at[: len(at) // 2 * 2 : 2], at[1::2]
    for shared in (t.holder, t.county, t.cell, t.work_county, t.work_cell, t.device):
        shared[second] = shared[first]
    # The second slot has the next IMEI; 15% (cheap phones) use one IMEI for both slots.
    t.sim_slot[second] = rng.random(len(second)) > 0.15
    for mine in (t.swap, t.away, t.trip):
        mine[second] = mine[first]
    t.swap[at] *= 0.3
    shrink(t, second, 0.4)


def _phone_trader(t: Traits, at: Ints, places: Places, rng: Rng) -> None:
    shrink(t, at, 1.5)
    t.swap[at], t.back[at] = rng.uniform(0.1, 0.3, len(at)), 0.5
    t.work_county[at] = t.county[at]


def _shopper(t: Traits, at: Ints, places: Places, rng: Rng) -> None:
    t.codes_in[at] = lognormal(rng, 4.5, 0.4, 0.5, len(at))
    t.platforms[at] = rng.integers(40, 140, len(at))
    t.accounts[at] = lognormal(rng, 8, 0.4, 0.4, len(at))


_CHANGES: dict[str, Callable[[Traits, Ints, Places, Rng], None]] = {
    "courier": _courier,
    "driver": _driver,
    "call_centre": _call_centre,
    "hotline": _hotline,
    "traveller": _traveller,
    "border_trader": _border_trader,
    "elderly": _elderly,
    "spare_card": _spare,
    "data_only": _data_only,
    "fleet": _fleet,
    "honest_iot": _honest_iot,
    "dual_sim": _dual_sim,
    "phone_trader": _phone_trader,
    "shopper": _shopper,
}


def _new_customers(t: Traits, at: Ints, days: int, rng: Rng) -> None:
    n = len(at)
    t.opened[at] = rng.integers(0, days, n) * DAY + rng.integers(9 * 3600, 20 * 3600, n)
    # Most use the card within the hour, in the shop; some in the evening, a few after days.
    wait = rng.exponential(2_000, n) + 60
    late = rng.random(n)
    wait = np.where(late < 0.18, rng.exponential(6 * 3600, n) + 600, wait)
    wait = np.where(late < 0.04, rng.uniform(12 * 3600, 96 * 3600, n), wait)
    t.alive_from[at] = t.opened[at] + wait.astype(np.int64)
    t.accounts[at] *= 0.5


def _documents(t: Traits, at: dict[str, Ints], rng: Rng) -> None:
    """Assign shared documents: families of 3 to 7, pairs, spare cards of the elderly."""
    family = at["family"]
    place = 0
    while place < len(family):
        size = int(rng.choice([3, 4, 5, 6, 7], p=[0.24, 0.24, 0.3, 0.14, 0.08]))
        group = family[place : place + size]
        t.holder[group], t.county[group], t.cell[group] = (
            t.holder[group[0]],
            t.county[group[0]],
            t.cell[group[0]],
        )
        t.operator[group] = t.operator[group[0]]
        place += size
    person = at["person"]
    second = person[1::2][rng.random(len(person) // 2) < 0.16]
    t.holder[second] = t.holder[second - 1]
    spare, old = at["spare_card"], at["elderly"]
    if len(old):
        of = old[np.arange(len(spare)) % len(old)]
        t.holder[spare], t.county[spare], t.cell[spare] = t.holder[of], t.county[of], t.cell[of]


def pair_partners(t: Traits, among: Flags, seed: int) -> None:
    """Pair cards of similar volume and city as mutual call partners.

    `among`: mask of the cards that take part. Ranks are paired by XOR with a fixed mask, which is its own inverse, so
    the partner of a card's partner is the card.
    """
    rng = generator(seed, 13)
    inside = np.flatnonzero(among & (t.link_rate > 0))
    volume = np.log(t.link_rate[inside]) + rng.normal(0, 0.25, len(inside))
    order = inside[np.lexsort((volume, t.county[inside] // COUNTIES, t.gang[inside]))]
    rank = np.arange(len(order))
    for column, mask in zip(range(PARTNERS), (1, 2, 5), strict=True):
        other = rank ^ mask
        known = other < len(order)
        t.partners[order[known], column] = order[other[known]]
