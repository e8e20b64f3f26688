"""Place of each card on a day: home, work, outing, trip, or the gang's site."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duanka.simulator.chance import Floats, Hash, Ints, below, hashed, unit
from duanka.simulator.province import Places
from duanka.simulator.traits import Traits

NEVER = 1 << 40
# kind of trip -> (block of days with at most one trip, shortest and longest stay in days, chances of: other province,
# high-risk area, abroad, fraud-prone place, border)
TRIPS: tuple[tuple[int, int, int, tuple[float, float, float, float, float]], ...] = (
    (12, 1, 4, (0.93, 0.03, 0.04, 0.0, 0.0)),
    (12, 2, 7, (0.66, 0.17, 0.15, 0.02, 0.0)),
    (4, 1, 2, (0.0, 0.0, 0.0, 0.0, 1.0)),
    (4, 4, 4, (0.0, 0.0, 0.0, 1.0, 0.0)),
)


@dataclass(frozen=True)
class Visits:
    """Where some cards go on a day; `cell`: within the county; `begin`, `until`: second of the day."""

    card: Ints
    county: Ints
    cell: Ints
    begin: Ints
    until: Ints


@dataclass(frozen=True)
class Whereabouts:
    """Places of all cards on one day; `at` gives place and cell at a given second."""

    traits: Traits
    places: Places
    day: int
    workday: bool
    trip: Ints  # place of a trip today, -1: none
    outing: Ints  # place of today's outing, -1: none
    outing_from: Ints  # second of the day
    outing_until: Ints
    spot: Ints | None = None  # cell of the outing, -1: anywhere in its place

    def at(self, card: Ints, second: Ints) -> tuple[Ints, Ints]:
        """Return place and cell (index into `Places.cell_names`) of `card` at `second` of the day."""
        t = self.traits
        place, cell = t.county[card], t.cell[card]
        hour = second // 3600
        if self.workday:
            busy = (hour >= 9) & (hour < 18) & (t.work_county[card] >= 0)
            place = np.where(busy, t.work_county[card], place)
            cell = np.where(busy, t.work_cell[card], cell)
        out = (second >= self.outing_from[card]) & (second < self.outing_until[card])
        trip = self.trip[card]
        moved = out | (trip >= 0)
        place = np.where(trip >= 0, trip, np.where(out, self.outing[card], place))
        # Most cards are at home or work; hashes are computed only for the moving ones, to save time.
        restless = np.flatnonzero(moved | (t.wander[card] > 0))
        some, there = card[restless], place[restless]
        words = hashed(t.key[some], 41, hour[restless] + 24 * self.day)
        step = t.wander[some]
        drifting = below(words, self.places.cells[there])
        site = (t.cell[some] + (words >> np.uint64(5)).astype(np.int64) % 2) % self.places.cells[there]
        daily = below(hashed(t.key[some], 42, self.day), self.places.cells[there])
        cell[restless] = np.select([step == 2, step == 3, step == 1], [site, daily, drifting], drifting)
        if self.spot is not None:
            cell = np.where(out & (trip < 0) & (self.spot[card] >= 0), self.spot[card], cell)
        return place, self.places.first_cell[place] + cell


def on_day(
    traits: Traits, places: Places, day: int, workday: bool, visits: Visits | None = None
) -> Whereabouts:
    """Determine where the cards are on `day` (0 = first day of the window)."""
    key = traits.key
    trip = _trips(traits, places, day)
    words = hashed(key, 43, day)
    chance: Floats = unit(words)
    going = (chance < traits.away) & (trip < 0)
    outing = np.full(len(key), -1, dtype=np.int64)
    start = np.full(len(key), NEVER, dtype=np.int64)
    until = np.full(len(key), NEVER, dtype=np.int64)
    at = np.flatnonzero(going)
    # Few places are visited often: the rank in the card's own list has probability ~ 1/rank.
    rank = np.power(traits.away_places[at] + 1.0, unit(hashed(key[at], 44, day))).astype(np.int64)
    outing[at] = places.near(hashed(key[at], 45, rank), traits.county[at])
    start[at] = (6.0 * 3600 + unit(hashed(key[at], 46, day)) * 11 * 3600).astype(np.int64)
    until[at] = start[at] + (2.0 * 3600 + unit(hashed(key[at], 47, day)) * 8 * 3600).astype(np.int64)
    if visits is None:
        return Whereabouts(traits, places, day, workday, trip, outing, start, until)
    spot = np.full(len(key), -1, dtype=np.int64)
    outing[visits.card], start[visits.card], until[visits.card] = visits.county, visits.begin, visits.until
    spot[visits.card] = visits.cell
    return Whereabouts(traits, places, day, workday, trip, outing, start, until, spot)


def _trips(traits: Traits, places: Places, day: int) -> Ints:
    trip = np.full(traits.count, -1, dtype=np.int64)
    at = np.flatnonzero(traits.trip > 0.001)
    key: Hash = traits.key[at]
    kind = traits.trip_kind[at].astype(np.int64)
    block, shortest, longest = np.array([k[:3] for k in TRIPS], dtype=np.int64).T[:, kind]
    moment = day + below(hashed(key, 48), block) + 4 * 12
    number, within = moment // block, moment % block
    words = hashed(key, 49, number)
    stay = shortest + below(hashed(key, 50, number), longest - shortest + 1)
    away = (unit(words) < traits.trip[at]) & (within < stay)
    at, key, kind, number = at[away], key[away], kind[away], number[away]
    trip[at] = _destination(places, hashed(key, 51, number), kind)
    return trip


def _destination(places: Places, words: Hash, kind: Ints) -> Ints:
    chances = np.cumsum(np.array([k[3] for k in TRIPS]), axis=1)[kind]
    which = (unit(words)[:, None] >= chances).sum(axis=1)
    pick = hashed(words, 52)
    first, last = places.elsewhere
    begin, end = places.abroad
    options = (
        first + below(pick, last - first),
        places.high_risk[below(pick, len(places.high_risk))],
        begin + below(pick, end - begin),
        places.fraud_prone[below(pick, len(places.fraud_prone))],
        places.border_abroad[below(pick, len(places.border_abroad))],
    )
    return np.asarray(np.choose(np.minimum(which, 4), options), dtype=np.int64)
