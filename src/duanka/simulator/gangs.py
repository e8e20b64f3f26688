"""Gangs: members, sites, outlets that opened their cards, life of a card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from duanka.simulator.chance import Ints, Rng, apportion, generator
from duanka.simulator.province import Places
from duanka.simulator.traits import DAY, EVASIVE, NAIVE, Traits

Strategy = Literal["naive", "evasive", "mixed"]

# Shares of roles within a gang: assumptions (grade K). The naive gang follows the R11 case: mostly boxes,
# unused stock, a few people.
NAIVE_ROLES: dict[str, float] = {
    "sim_box": 0.57,
    "unused_stock": 0.06,
    "gang_operator": 0.02,
    "gang_minder": 0.02,
    "code_receiver": 0.08,
    "mule_abroad": 0.11,
    "resold_dormant": 0.08,
    "iot_misuse": 0.05,
}
EVASIVE_ROLES: dict[str, float] = {
    "evasive_caller": 0.42,
    "bridge_phone": 0.09,
    "unused_stock": 0.03,
    "gang_operator": 0.03,
    "gang_minder": 0.02,
    "code_receiver": 0.08,
    "mule_abroad": 0.15,
    "resold_dormant": 0.12,
    "iot_misuse": 0.06,
}
FRAUD_ROLES = tuple(dict.fromkeys((*NAIVE_ROLES, *EVASIVE_ROLES)))
_NAIVE_PART: dict[str, float] = {"naive": 1.0, "evasive": 0.0, "mixed": 0.56}


@dataclass(frozen=True)
class Gang:
    """One gang. `sites`: (county, cell) of its rooms, largest first; `outlets`: where it opens cards."""

    number: int
    name: str
    strategy: int
    weight: float
    sites: tuple[tuple[int, int], ...]
    outlets: Ints


def fraud_counts(cards: int, strategy: Strategy) -> dict[tuple[int, str], int]:
    """Return the number of cards by (strategy, role), in a fixed order; sum: `cards`."""
    naive = round(cards * _NAIVE_PART[strategy])
    counts = {(NAIVE, role): k for role, k in apportion(naive, NAIVE_ROLES).items()}
    return counts | {(EVASIVE, role): k for role, k in apportion(cards - naive, EVASIVE_ROLES).items()}


def found_gangs(cards: int, strategy: Strategy, places: Places, stalls: Ints, seed: int) -> list[Gang]:
    """Create the gangs of a world with `cards` fraud cards.

    `stalls[county]`: first outlet of the county. Sizes are heavy-tailed: one gang holds about half the cards of its
    kind (R11: 5,800 of 13,000 at one site).
    """
    rng = generator(seed, 20)
    gangs: list[Gang] = []
    for kind, part in ((NAIVE, _NAIVE_PART[strategy]), (EVASIVE, 1 - _NAIVE_PART[strategy])):
        own = round(cards * part)
        if own == 0:
            continue
        many = int(np.clip(own // 250, 1, 14))
        weights = 1.0 / np.arange(1, many + 1) ** 1.3
        for index in range(many):
            county = int(rng.choice(places.home, p=places.weight))
            rooms = [county, *rng.choice(places.home, 3, p=places.weight).tolist()]
            sites = tuple((int(c), int(rng.integers(places.cells[c]))) for c in rooms)
            near = rng.integers(0, 4, 3) * 4 + 3  # every fourth outlet is a stall for cards of all brands
            outlets = np.array([stalls[rooms[0]], stalls[rooms[0]], stalls[rooms[1]]]) + near
            name = f"{'N' if kind == NAIVE else 'E'}{index + 1:02d}"
            weight = float(weights[index] / weights.sum())
            gangs.append(Gang(len(gangs), name, kind, weight, sites, outlets.astype(np.int64)))
    return gangs


def enlist(traits: Traits, at: Ints, gangs: list[Gang], strategy: int, rng: Rng) -> None:
    """Distribute the cards `at` over the gangs of `strategy` and the gangs' sites."""
    own = [gang for gang in gangs if gang.strategy == strategy]
    parts = apportion(len(at), {gang.name: gang.weight for gang in own})
    member = np.repeat([gang.number for gang in own], [parts[gang.name] for gang in own])
    traits.gang[at] = rng.permutation(member) if len(at) else member
    traits.strategy[at] = strategy
    for gang in own:
        mine = at[traits.gang[at] == gang.number]
        # 5,800 of the 13,000 cards of the R11 case stood at one site.
        which = rng.choice(len(gang.sites), len(mine), p=(0.45, 0.25, 0.2, 0.1))
        traits.county[mine] = np.array([site[0] for site in gang.sites])[which]
        traits.cell[mine] = np.array([site[1] for site in gang.sites])[which]


def live(traits: Traits, at: Ints, rng: Rng, days: int, median: float, spread: float) -> None:
    """Give the cards `at` a short life (log-normal, days) that overlaps the window."""
    life = np.clip(median * np.exp(spread * rng.standard_normal(len(at))), 1.0, 240.0)
    touch = np.minimum(1.0, life / 2)
    begin = -life + touch + rng.random(len(at)) * (days - 2 * touch + life)
    hour = rng.integers(8 * 3600, 10 * 3600, len(at))
    traits.alive_from[at] = np.floor(begin).astype(np.int64) * DAY + hour
    traits.alive_until[at] = traits.alive_from[at] + (np.ceil(life) * DAY).astype(np.int64) - hour + 20 * 3600
    # A life that would end before the window begins is extended to 20:00 of the first day.
    traits.alive_until[at] = np.maximum(traits.alive_until[at], 20 * 3600)


def open_in_bulk(traits: Traits, at: Ints, gangs: list[Gang], rng: Rng, batch: int, crowded: float) -> None:
    """Open the cards `at` in batches at the gang's stalls, some days before first use.

    `batch`: cards per batch. `crowded`: share of cards whose document (another person's) carries five or more.
    """
    for gang in gangs:
        mine = at[traits.gang[at] == gang.number]
        mine = mine[np.argsort(traits.alive_from[mine], kind="stable")]
        for start in range(0, len(mine), batch):
            cards = mine[start : start + batch]
            waits = 1 + int(rng.exponential(10))
            day = int(traits.alive_from[cards].min()) // DAY - waits
            second = int(rng.integers(9 * 3600, 17 * 3600))
            traits.opened[cards] = day * DAY + second + np.sort(rng.integers(0, 2 * 3600, len(cards)))
            traits.outlet[cards] = gang.outlets[int(rng.choice(len(gang.outlets), p=(0.5, 0.3, 0.2)))]
            _share_documents(traits, cards, rng, crowded)
    traits.idle_days[at] = np.where(traits.alive_from[at] < 0, 0.3, np.nan)


def _share_documents(traits: Traits, cards: Ints, rng: Rng, crowded: float) -> None:
    place = 0
    # Convert the share of cards into a share of documents: large ones carry 7 cards on average, small ones 1.8.
    large = crowded / 7 / (crowded / 7 + (1 - crowded) / 1.8)
    while place < len(cards):
        many = rng.random() < large
        size = int(rng.integers(5, 10) if many else rng.choice([1, 2, 3], p=[0.4, 0.4, 0.2]))
        traits.holder[cards[place : place + size]] = traits.holder[cards[place]]
        place += size
