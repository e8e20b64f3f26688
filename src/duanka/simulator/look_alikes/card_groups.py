"""CardGroups of cards that belong together, and where and when a group opened its cards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duanka.simulator.chance import Flags, Ints, Rng
from duanka.simulator.look_alikes.ground import Ground
from duanka.simulator.province import OPERATORS
from duanka.simulator.traits import DAY, Traits


@dataclass(frozen=True)
class CardGroups:
    """Cards of one role and the number of the group of each; groups are in one piece."""

    role: str
    card: Ints
    group: Ints

    @property
    def count(self) -> int:
        """Number of groups."""
        return int(self.group[-1]) + 1 if len(self.group) else 0

    @property
    def first(self) -> Ints:
        """Index of the first card of every group."""
        return np.flatnonzero(np.diff(self.group, prepend=-1) != 0)

    @property
    def rank(self) -> Ints:
        """Place of every card in its group, from 0 on."""
        return np.arange(len(self.card)) - self.first[self.group]


def cut(role: str, cards: Ints, fewest: int, most: int, rng: Rng) -> CardGroups:
    """Cut `cards` into groups of `fewest` to `most`; what is left over joins the last one."""
    sizes = rng.integers(fewest, most + 1, len(cards) // fewest + 1)
    ends = np.cumsum(sizes)
    group = np.searchsorted(ends, np.arange(len(cards)), side="right")
    last = int(group[-1]) if len(group) else 0
    if last and int((group == last).sum()) < fewest:
        group[group == last] = last - 1
    return CardGroups(role, cards, group)


def live_together(ground: Ground, groups: CardGroups, rng: Rng) -> tuple[Ints, Ints]:
    """Give each group one cell of one county; returns county and cell of every card."""
    places = ground.places
    county = rng.choice(places.home, groups.count, p=places.weight)[groups.group]
    cell = (rng.random(groups.count) * places.cells[county[groups.first]]).astype(np.int64)[groups.group]
    ground.traits.county[groups.card], ground.traits.cell[groups.card] = county, cell
    return county, cell


def choose_shop(ground: Ground, groups: CardGroups, stall: Flags, rng: Rng) -> None:
    """Let each group buy at one outlet of its county, of one operator: a `stall` for all brands, or that operator's."""
    t, outlets = ground.traits, ground.outlets
    county = t.county[groups.card[groups.first]]
    quad = (rng.random(groups.count) * (outlets.count[county] // 4)).astype(np.int64)
    operator = rng.choice(len(OPERATORS), groups.count, p=(0.5, 0.25, 0.25))
    shop = outlets.first[county] + quad * 4 + np.where(stall, 3, operator)
    t.outlet[groups.card], t.operator[groups.card] = shop[groups.group], operator[groups.group]


def open_together(
    t: Traits, groups: CardGroups, day: Ints, seconds_per_card: tuple[int, int], rng: Rng
) -> None:
    """Open the cards of each group on one day, one after another; `day`: per group."""
    begin = day * DAY + rng.integers(13 * 3600, 16 * 3600, groups.count)
    spent = np.cumsum(rng.integers(*seconds_per_card, len(groups.card)))
    t.opened[groups.card] = begin[groups.group] + spent - spent[groups.first][groups.group]
    since = t.opened[groups.card] + rng.integers(600, 20_000, len(groups.card))
    t.alive_from[groups.card] = np.where(since >= 0, since, t.alive_from[groups.card])
    t.idle_days[groups.card] = np.where(t.opened[groups.card] < 0, 0.3, np.nan)
