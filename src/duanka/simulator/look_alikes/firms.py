"""Cards of organisations: gateways of firms, crews, meters with consecutive numbers."""

from __future__ import annotations

import numpy as np

from duanka.simulator.chance import Ints, Rng
from duanka.simulator.look_alikes.card_groups import (
    CardGroups,
    choose_shop,
    cut,
    live_together,
    open_together,
)
from duanka.simulator.look_alikes.ground import Ground
from duanka.simulator.people import DAY_RHYTHM, DESK_RHYTHM
from duanka.simulator.province import OPERATORS
from duanka.simulator.traits import lognormal, set_calls, silence

METER_NUMBER = 8_614_860_000_001  # 148 6…: no other number of the province begins so
REPORT_BYTES = 0.004  # megabytes of a report


def settle_gateways(ground: Ground, cards: Ints, rng: Rng) -> CardGroups:
    """Settle gateways of firms: 8 to 32 ports of one site that call customers and are called back, in office hours."""
    t, n = ground.traits, len(cards)
    groups = cut("firm_gateway", cards, 8, 32, rng)
    live_together(ground, groups, rng)
    choose_shop(ground, groups, np.zeros(groups.count, dtype=np.bool_), rng)
    open_together(t, groups, -rng.integers(20, 900, groups.count), (30, 90), rng)
    t.organisation[cards], t.holder[cards] = True, t.holder[cards[groups.first]][groups.group]
    # Consecutive IMEIs of the ports, or one of the whole box.
    whole = rng.random(groups.count) < 0.5
    t.device[cards] = t.device[cards[groups.first]][groups.group]
    t.sim_slot[cards] = np.where(whole[groups.group], 0, groups.rank)
    t.swap[cards] = 0.0
    t.answer_out[cards], t.answer_in[cards] = rng.uniform(0.55, 0.8, n), rng.uniform(0.85, 0.97, n)
    volume = lognormal(rng, 35, 0.4, 0.4, n)
    set_calls(t, cards, volume, volume * rng.uniform(0.25, 0.6, n))
    t.stranger_out[cards], t.stranger_in[cards] = 0.85, 0.85
    t.day_strangers[cards] = volume * 1.2  # customers, who call back
    t.median_seconds[cards] = rng.uniform(40, 100, n)
    t.rhythm[cards], t.weekend[cards] = DESK_RHYTHM, 0.2
    _stay(ground, cards)
    return groups


def settle_crews(ground: Ground, cards: Ints, rng: Rng) -> CardGroups:
    """Settle crews: 10 to 40 cards opened in one afternoon at a stall, by a firm or by each for himself."""
    t, n = ground.traits, len(cards)
    groups = cut("crew", cards, 10, 40, rng)
    county, _ = live_together(ground, groups, rng)
    choose_shop(ground, groups, np.ones(groups.count, dtype=np.bool_), rng)
    open_together(t, groups, rng.integers(-150, max(ground.days - 1, 1), groups.count), (60, 300), rng)
    by_firm = rng.random(groups.count)[groups.group] < 0.5
    firm = t.holder[cards[groups.first]][groups.group]
    t.holder[cards], t.organisation[cards] = np.where(by_firm, firm, t.holder[cards]), by_firm
    t.work_county[cards] = county
    site = (rng.random(groups.count) * ground.places.cells[county[groups.first]]).astype(np.int64)
    t.work_cell[cards] = site[groups.group]
    t.rhythm[cards], t.weekend[cards] = DAY_RHYTHM, 1.0
    t.accounts[cards] = rng.uniform(0.3, 2.0, n)
    return groups


def settle_meters(ground: Ground, cards: Ints, rng: Rng) -> CardGroups:
    """Settle meters of utilities, 100 to 1,000 of a lot: consecutive serials and IMEIs."""
    t, n = ground.traits, len(cards)
    groups = cut("meter", cards, min(100, max(n, 1)), 1_000, rng)
    live_together(ground, groups, rng)
    choose_shop(ground, groups, np.zeros(groups.count, dtype=np.bool_), rng)
    open_together(t, groups, -rng.integers(30, 1_500, groups.count), (1, 4), rng)
    silence(t, cards)
    t.iot[cards] = t.organisation[cards] = True
    t.operator[cards] %= len(OPERATORS)
    t.holder[cards] = t.holder[cards[groups.first]][groups.group]
    t.device[cards], t.sim_slot[cards] = t.device[cards[groups.first]][groups.group], groups.rank
    t.swap[cards] = t.codes_in[cards] = t.notices_in[cards] = t.accounts[cards] = t.sightings[cards] = 0.0
    t.megabytes[cards] = REPORT_BYTES
    _stay(ground, cards)
    # A lot hangs in the houses of a county.
    t.cell[cards] = (rng.random(n) * ground.places.cells[t.county[cards]]).astype(np.int64)
    return groups


def number_meters(meters: CardGroups, numbers: Ints) -> None:
    """Give the meters of a lot consecutive `numbers`."""
    numbers[meters.card] = METER_NUMBER + meters.group * 2_000 + meters.rank


def _stay(ground: Ground, cards: Ints) -> None:
    t = ground.traits
    t.work_county[cards], t.away[cards], t.trip[cards] = -1, 0.0, 0.0
    t.texts_out[cards], t.link_rate[cards] = 0.0, 0.0
