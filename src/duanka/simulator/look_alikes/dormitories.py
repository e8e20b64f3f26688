"""Dormitories: students who live in one cell, bought their cards at one shop in autumn, and call one another."""

from __future__ import annotations

from datetime import date

import numpy as np

from duanka.simulator.chance import Ints, Rng, hashed
from duanka.simulator.look_alikes.card_groups import CardGroups, choose_shop, cut, live_together
from duanka.simulator.look_alikes.ground import Ground
from duanka.simulator.traits import DAY

YEARS = 3  # autumns from which today's students are
FRIENDS = 6
FRIENDS_CALLED = 0.5  # calls a day to one of them


def settle_dormitories(ground: Ground, cards: Ints, start: date, rng: Rng) -> CardGroups:
    """Settle dormitories of 80 to 300 students; `start`: first day of the window."""
    t, n = ground.traits, len(cards)
    groups = cut("dormitory", cards, min(80, max(n, 1)), 300, rng)
    county, _ = live_together(ground, groups, rng)
    choose_shop(ground, groups, rng.random(groups.count) < 0.5, rng)
    t.work_county[cards] = county
    lecture = (rng.random(groups.count) * ground.places.cells[county[groups.first]]).astype(np.int64)
    t.work_cell[cards] = lecture[groups.group]
    # Most of a year's students buy in the first days of term, in a queue.
    latest = start.year if start >= date(start.year, 10, 1) else start.year - 1
    year = latest - rng.integers(0, YEARS, n)
    term = np.array([(date(y, 9, 1) - start).days for y in range(latest - YEARS + 1, latest + 1)])
    day = term[year - (latest - YEARS + 1)] + np.minimum(rng.exponential(4.0, n), 24).astype(np.int64)
    t.opened[cards] = day * DAY + rng.integers(9 * 3600, 18 * 3600, n)
    t.away[cards], t.accounts[cards] = t.away[cards] * 0.7, rng.uniform(2.0, 6.0, n)
    t.weekend[cards] = 1.0
    return groups


def friends_calls(ground: Ground, groups: CardGroups, day: int, rng: Rng) -> tuple[Ints, Ints, Ints, Ints]:
    """Calls among friends of one dormitory or crew: (card, called card, second of the window, seconds)."""
    t, n = ground.traits, len(groups.card)
    caller = np.repeat(np.arange(n), rng.poisson(FRIENDS_CALLED, n))
    size = np.diff(np.append(groups.first, n))[groups.group]
    # Friends are neighbours in the list, so that friendship is mutual.
    rank = groups.rank // (FRIENDS + 1) * (FRIENDS + 1)
    called = np.minimum(rank[caller] + rng.integers(0, FRIENDS + 1, len(caller)), size[caller] - 1)
    called = groups.first[groups.group[caller]] + called
    keep = called != caller
    one, two = groups.card[caller[keep]], groups.card[called[keep]]
    evening = hashed(t.key[one], 77, day) % np.uint64(3) == 0
    at = np.where(evening, rng.integers(19, 23, len(one)), rng.integers(11, 19, len(one))) * 3600
    seconds = np.where(rng.random(len(one)) < 0.8, np.clip(rng.lognormal(3.6, 0.9, len(one)), 2, 3_000), 0.0)
    return one, two, day * DAY + at + rng.integers(0, 3600, len(one)), seconds.astype(np.int64)
