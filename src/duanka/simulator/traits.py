"""Traits of all cards, one array per trait: set by roles, read by the generators.

Arrays have one entry per card. Times are seconds from the start of the window (negative: before it); rates are per
day.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from duanka.simulator.chance import Flags, Floats, Hash, Ints, Rng, generator, mix
from duanka.simulator.province import Places

DAY = 86_400
ANSWERED_OUT, ANSWERED_IN = 0.76, 0.72  # honest people: about three of four calls are answered (K)
HONEST, NAIVE, EVASIVE = 0, 1, 2
STRATEGIES = ("honest", "naive", "evasive")
PARTNERS = 3
Bytes = NDArray[np.int8]


@dataclass
class Traits:
    """All traits of all cards; units as in the module's docstring."""

    # who
    key: Hash  # random word, unique per card
    role: Bytes  # index into the list of roles
    strategy: Bytes  # HONEST, NAIVE, EVASIVE
    gang: Ints  # -1: none
    holder: Ints  # number of the identity document
    organisation: Flags
    iot: Flags
    operator: Ints  # 0..2 network, 3.. resale
    outlet: Ints
    opened: Ints
    alive_from: Ints  # first possible use
    alive_until: Ints
    idle_days: Floats  # days between last use and the window, for cards older than it; nan: never used
    # calls
    out_rate: Floats  # call attempts to others than partners
    in_rate: Floats
    link_rate: Floats  # call attempts to own partners
    partners: NDArray[np.int32]  # (cards, PARTNERS), -1: none
    answer_out: Floats
    answer_in: Floats
    favourites: Floats  # size of the circle of contacts
    stranger_out: Floats  # chance that the peer is outside the circle
    stranger_in: Floats
    bridge: Ints  # the partner card connected to the call room; -1: none
    day_strangers: Floats  # number of different strangers a day; 0: every stranger is new
    shared: Floats  # chance that a stranger is taken from a list that other cards have too
    list_key: Ints  # which list
    list_size: Ints  # numbers on it
    list_days: Ints  # days after which there is a new one
    list_skew: Floats  # 1: all its numbers alike, above: some more often
    circle: Floats  # chance that a contact is one of the community's
    community: Ints
    ours: Floats  # chance that a stranger is a card of this province
    foreign: Floats  # chance that a peer is abroad
    median_seconds: Floats
    shape: Floats  # shape parameter of the log-logistic length
    rhythm: Bytes  # index into calls.RHYTHMS
    weekend: Floats  # factor on rates
    burst_from: Ints  # second of the day at which back-to-back dialling begins; -1: no such dialling
    burst_span: Ints  # length of its turn in the slot (s)
    cut_off: Flags  # its last call ends with the turn
    # places
    county: Ints
    cell: Ints  # within the county
    work_county: Ints  # -1: no workplace
    work_cell: Ints
    away: Floats  # chance per day of an outing
    away_places: Floats
    trip: Floats  # chance per 12 days of a trip
    trip_kind: Bytes  # index into whereabouts.TRIPS
    wander: Bytes  # 0: own cell, 1: another cell every hour, 2: two cells of a site, 3: another every day
    unknown_place: Bytes  # missing in calls and messages: 0: nothing, 1: city, 2: city and cell
    # devices
    device: Hash  # random word of its first phone
    sim_slot: Ints  # 1: second slot of a dual-SIM phone, with the next IMEI
    swap: Floats  # chance per day of a change of phone
    back: Floats  # chance that a change returns to an earlier phone
    pool: Ints  # first slot of its gang device; -1: own phones
    pool_size: Ints
    slot: Ints
    shift_key: Ints  # cards with equal keys move over the slots together; -1: alone
    # other use
    codes_in: Floats  # messages from platforms
    platforms: Ints  # number of platforms that send codes
    notices_in: Floats  # from banks, operator, public lines
    texts_out: Floats
    megabytes: Floats  # median per day; 0: no data
    sightings: Floats
    accounts: Floats
    complaints: Floats  # per day alive

    @property
    def count(self) -> int:
        """Number of cards."""
        return len(self.key)

    def alive(self, card: Ints, at: Ints) -> Flags:
        """Whether each of `card` can be used at second `at` of the window."""
        return np.asarray((at >= self.alive_from[card]) & (at <= self.alive_until[card]))

    def used_on(self, day: int, card: Ints) -> Flags:
        """Whether each of `card` can be used on `day`."""
        return np.asarray((self.alive_from[card] < (day + 1) * DAY) & (self.alive_until[card] > day * DAY))


def blank(count: int, seed: int) -> Traits:
    """Return traits of `count` cards without any activity."""
    words = mix(np.arange(count, dtype=np.uint64) ^ np.uint64(generator(seed, 1).integers(2**62)))
    kinds: dict[str, type[np.generic]] = {
        "Bytes": np.int8,
        "Ints": np.int64,
        "Flags": np.bool_,
        "Floats": np.float64,
    }
    made: dict[str, object] = {}
    for field in fields(Traits):
        if field.name == "key":
            made["key"] = words
        elif field.name == "device":
            made["device"] = mix(words ^ np.uint64(0xDE))
        elif field.name == "partners":
            made["partners"] = np.full((count, PARTNERS), -1, dtype=np.int32)
        else:
            made[field.name] = np.zeros(count, dtype=kinds[str(field.type)])
    traits = Traits(**made)  # type: ignore[arg-type]
    for absent in ("gang", "pool", "shift_key", "burst_from", "work_county", "bridge"):
        getattr(traits, absent)[:] = -1
    return traits


def lognormal(rng: Rng, median: float, low: float, high: float, count: int) -> Floats:
    """Draw from a log-normal; `low`, `high`: sigma of the logarithm below and above `median`."""
    z = rng.standard_normal(count)
    return np.asarray(median * np.exp(np.where(z < 0, low * z, high * z)), dtype=np.float64)


def draw_ordinary(traits: Traits, places: Places, seed: int, days: int) -> Floats:
    """Give every card the traits of an ordinary person, to be adjusted by its role.

    Returns connected calls per 30 days as drawn (median 69). Spreads are fitted to 4,144 normal users of
    Sichuan, 2019-20.
    """
    n, rng = traits.count, generator(seed, 2)
    monthly = lognormal(rng, 69, 1.85, 1.02, n)
    _draw_calls(traits, monthly, rng)
    _draw_places(traits, places, monthly, rng)
    traits.swap[:] = rng.gamma(1.25, 0.62, n) / 240
    traits.back[:] = 0.25
    traits.codes_in[:] = lognormal(rng, 0.35, 0.7, 0.7, n)
    traits.platforms[:] = np.clip(lognormal(rng, 14, 0.7, 0.6, n), 2, 90).astype(np.int64)
    traits.notices_in[:] = lognormal(rng, 0.6, 0.8, 0.7, n)
    traits.texts_out[:] = lognormal(rng, 0.04, 1.2, 1.2, n)
    smart = rng.random(n) < 0.93
    traits.megabytes[:] = np.where(smart, lognormal(rng, 75, 1.8, 1.1, n), 0.0)
    traits.sightings[:] = lognormal(rng, 2.6, 0.3, 0.35, n)
    traits.accounts[:] = lognormal(rng, 2.2, 0.6, 0.6, n)
    traits.complaints[:] = 0.000008
    traits.alive_from[:] = -DAY
    traits.alive_until[:] = (days + 1) * DAY
    traits.operator[:] = rng.choice(5, n, p=[0.52, 0.21, 0.22, 0.03, 0.02])
    # Cards of a mature network: about half are older than four years.
    age = np.minimum(rng.gamma(1.6, 1100, n) + 3, 6500)
    traits.opened[:] = -(age * DAY).astype(np.int64) // DAY * DAY + 9 * 3600 + rng.integers(0, 9 * 3600, n)
    traits.idle_days[:] = rng.exponential(0.4, n)
    return monthly


def _draw_calls(traits: Traits, monthly: Floats, rng: Rng) -> None:
    n = traits.count
    share = 1 / (1 + np.exp(-(0.08 + 0.82 * rng.standard_normal(n))))
    # Cards with few calls often only call out: median share of outgoing 0.86 in the lowest eighth of users.
    only_out = rng.random(n) < np.where(monthly < 16, 0.38, np.where(monthly < 40, 0.08, 0.015))
    share[only_out] = 1.0
    linked = (share > 0.3) & (share < 0.75) & (rng.random(n) < 0.8)
    begun = np.where(linked, 0.09 * monthly / 30, 0.0)
    traits.answer_out[:] = np.clip(rng.normal(ANSWERED_OUT, 0.08, n), 0.4, 0.97)
    traits.answer_in[:] = np.clip(rng.normal(ANSWERED_IN, 0.09, n), 0.35, 0.97)
    traits.link_rate[:] = begun / ANSWERED_OUT
    traits.out_rate[:] = np.maximum(monthly * share / 30 - begun, 0) / traits.answer_out
    traits.in_rate[:] = np.maximum(monthly * (1 - share) / 30 - begun, 0) / traits.answer_in
    traits.favourites[:] = np.clip(lognormal(rng, 19, 0.6, 0.6, n) * (monthly / 62) ** 0.25, 2, 400)
    strange = np.clip(lognormal(rng, 0.06, 0.8, 1.0, n) * np.where(monthly < 12, 1.2, 1.0), 0.01, 0.7)
    traits.stranger_out[:] = strange * 0.8
    traits.stranger_in[:] = np.minimum(strange * 1.2, 0.8)
    traits.day_strangers[:] = 4.0
    traits.ours[:] = 0.02
    traits.foreign[:] = 0.002
    traits.median_seconds[:] = np.clip(lognormal(rng, 37, 0.37, 0.68, n), 8, 400)
    traits.shape[:] = rng.uniform(1.35, 1.8, n)
    traits.weekend[:] = rng.uniform(0.7, 1.1, n)


def _draw_places(traits: Traits, places: Places, monthly: Floats, rng: Rng) -> None:
    n = traits.count
    traits.county[:] = rng.choice(places.home, n, p=places.weight)
    traits.cell[:] = (rng.random(n) * places.cells[traits.county]).astype(np.int64)
    elsewhere = rng.random(n) < 0.22
    works = rng.random(n) < 0.62
    near = places.near(mix(traits.key), traits.county)
    near = np.where(near < places.home, near, traits.county)
    traits.work_county[:] = np.where(works, np.where(elsewhere, near, traits.county), -1)
    traits.work_cell[:] = (rng.random(n) * places.cells[np.maximum(traits.work_county, 0)]).astype(np.int64)
    busy = np.clip((monthly / 62) ** 0.2, 0.4, 2.0)
    traits.away[:] = np.clip(lognormal(rng, 0.037, 1.6, 1.95, n) * busy, 0, 0.8)
    traits.away_places[:] = np.clip(lognormal(rng, 5, 1.0, 1.35, n), 1, 60)
    traits.trip[:] = np.clip(lognormal(rng, 0.023, 1.6, 1.4, n), 0, 0.5)


def shrink(traits: Traits, at: Ints, factor: float) -> None:
    """Scale all call rates of the cards `at` (their indices)."""
    for rates in (traits.out_rate, traits.in_rate, traits.link_rate):
        rates[at] *= factor


def silence(traits: Traits, at: Ints) -> None:
    """Remove calls, texts and data of the cards `at`; codes and notices still arrive."""
    shrink(traits, at, 0.0)
    traits.texts_out[at] = 0.0
    traits.megabytes[at] = 0.0


def set_calls(traits: Traits, at: Ints, connected_out: Floats, connected_in: Floats) -> None:
    """Give the cards `at` these answered calls per day, and none with partners."""
    traits.link_rate[at] = 0.0
    traits.out_rate[at] = connected_out / traits.answer_out[at]
    traits.in_rate[at] = connected_in / traits.answer_in[at]
