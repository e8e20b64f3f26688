"""What honest cards do at one time or from one number: cells that start again, dispatchers who call their fleet."""

from __future__ import annotations

import numpy as np

from duanka.simulator.chance import Ints, Rng, below, generator, hashed, unit
from duanka.simulator.look_alikes.card_groups import CardGroups
from duanka.simulator.look_alikes.ground import Ground
from duanka.simulator.traits import DAY
from duanka.simulator.writing import ExtraSightings

RESTARTED = 0.01  # share of cells a night that are started again, for maintenance
DISPATCHED = 0.4  # calls of a dispatcher per day and card of the fleet
_BOXED = ("box_card", "sim_box")  # switched off at night


def restart_cells(ground: Ground, day: int) -> ExtraSightings:
    """Sightings of the people at home in cells that are started again: all within a minute, at night."""
    t, rng = ground.traits, generator(ground.seed, 55, day)
    home = (t.county * 100_000 + t.cell).astype(np.uint64)
    words = hashed(home, ground.seed, 80, day)
    here = (unit(words) < RESTARTED) & (t.sightings > 0) & (t.wander == 0)
    here &= ~np.isin(t.role, [ground.roles.index(role) for role in _BOXED])
    card = np.flatnonzero(here)
    minute = below(hashed(words[card], 81), 180)
    at = day * DAY + 2 * 3600 + minute * 60 + rng.integers(0, 50, len(card))
    keep = t.alive(card, at)
    card, at = card[keep], at[keep]
    return ExtraSightings(card, at, np.zeros(len(card), dtype=np.int64), card)


def fleets(ground: Ground) -> CardGroups:
    """Return the fleets of firms; the first card of each is the dispatcher's."""
    card = np.flatnonzero(ground.traits.role == ground.roles.index("fleet"))
    group = np.cumsum(np.diff(ground.traits.holder[card], prepend=-1) != 0) - 1
    return CardGroups("fleet", card, group)


def dispatch(ground: Ground, groups: CardGroups, day: int, rng: Rng) -> tuple[Ints, Ints, Ints, Ints]:
    """Calls of dispatchers to their drivers, some seconds each: (card, called card, second, seconds)."""
    size = np.diff(np.append(groups.first, len(groups.card)))
    firm = np.repeat(np.arange(groups.count), rng.poisson(DISPATCHED * (size - 1)))
    driver = 1 + (rng.random(len(firm)) * (size[firm] - 1)).astype(np.int64)
    caller, called = groups.card[groups.first[firm]], groups.card[groups.first[firm] + driver]
    at = day * DAY + rng.integers(7 * 3600, 18 * 3600, len(firm))
    seconds = np.where(rng.random(len(firm)) < 0.75, rng.integers(5, 60, len(firm)), 0)
    return caller, called, at, seconds
