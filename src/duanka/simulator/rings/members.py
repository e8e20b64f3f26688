"""The people of a gang: operators, minders, suppliers; ordinary use, and work for the gang (K)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duanka.simulator.chance import Ints, Rng
from duanka.simulator.province import CITIES, COUNTIES, Places
from duanka.simulator.traits import Traits, lognormal, set_calls


@dataclass(frozen=True)
class People:
    """Cards of a gang's people. `minder_site`: per minder; `keepers`: the suppliers who stand at the stalls."""

    operators: Ints
    minders: Ints
    minder_site: Ints
    suppliers: Ints
    keepers: int

    @property
    def all(self) -> Ints:
        """Every one of them."""
        return np.concatenate((self.operators, self.minders, self.suppliers))


def settle_members(
    t: Traits,
    at: tuple[Ints, Ints, Ints],
    sites: tuple[Ints, Ints],
    shop: tuple[int, Ints],
    places: Places,
    rng: Rng,
) -> People:
    """Give operators, minders and suppliers (`at`) their traits.

    `sites`: county and cell of each; `shop`: county, and the cell of each stall.
    """
    operators, minders, suppliers = at
    county, stalls = shop
    everyone = np.concatenate(at)
    _ordinary(t, everyone, rng)
    where = np.arange(len(minders)) % len(sites[0])
    site_county = sites[0][where]
    _live_in(t, minders, site_county // COUNTIES, places, rng)
    t.work_county[minders], t.work_cell[minders] = site_county, sites[1][where]
    # Operators live anywhere but in the sites' cities.
    elsewhere = np.setdiff1d(np.arange(CITIES), sites[0] // COUNTIES)
    _live_in(t, operators, rng.choice(elsewhere, len(operators)), places, rng)
    _live_in(t, suppliers, np.full(len(suppliers), county // COUNTIES), places, rng)
    keepers = suppliers[: len(stalls)]
    t.work_county[keepers], t.work_cell[keepers] = county, stalls[: len(keepers)]
    return People(operators, minders, where, suppliers, len(keepers))


def _live_in(t: Traits, at: Ints, city: Ints, places: Places, rng: Rng) -> None:
    t.county[at] = city * COUNTIES + rng.integers(0, COUNTIES, len(at))
    t.cell[at] = (rng.random(len(at)) * places.cells[t.county[at]]).astype(np.int64)
    t.work_county[at] = -1


def _ordinary(t: Traits, at: Ints, rng: Rng) -> None:
    monthly = np.clip(lognormal(rng, 140, 0.7, 0.7, len(at)), 30, 900)
    share = rng.uniform(0.4, 0.65, len(at))
    t.answer_out[at], t.answer_in[at] = 0.74, 0.74
    set_calls(t, at, monthly * share / 30, monthly * (1 - share) / 30)
    t.link_rate[at] = 0.04 * monthly / 30  # among each other, besides their errands
    t.complaints[at], t.trip[at] = 0.0003, 0.05
