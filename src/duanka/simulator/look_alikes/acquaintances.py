"""Numbers that honest people call in common: a neighbourhood's, a county's, a firm's customers (K).

Without them, two honest cards would never share a callee, and what gangs share would be easier to see than it is.
"""

from __future__ import annotations

import numpy as np

from duanka.simulator.chance import Ints
from duanka.simulator.look_alikes.card_groups import CardGroups
from duanka.simulator.look_alikes.ground import Ground

NEIGHBOURS, COMRADES = 0.06, 0.25  # share of the contacts' calls; of students and crews
LOCAL_NUMBERS = 0.25  # share of the strangers' calls that go to numbers known in the county
CARDS_PER_LOCAL_NUMBER = 20
CUSTOMERS, CUSTOMER_DAYS = (
    0.4,
    14,
)  # share of a firm's calls that go to its list of customers, and how long one lasts
CALLS_PER_CUSTOMER = 3.0
_MEMBERS = ("operator", "minder", "supplier", "gang_operator", "gang_minder")
_COUNTIES, _FIRMS, _HOMES, _CIRCLES = 1 << 20, 1 << 24, 1 << 32, 1 << 40  # keys of lists and communities


def share_contacts(ground: Ground, circles: tuple[CardGroups, ...], firms: Ints) -> None:
    """Let honest cards, and the people of gangs, call numbers in common; gangs' boxes have lists of their own.

    `circles`: groups who know one another; `firms`: cards of firms that call customers.
    """
    t, places = ground.traits, ground.places
    members = np.isin(t.role, [ground.roles.index(role) for role in _MEMBERS])
    people = t.day_strangers == 4.0  # and no couriers, call centres or boxes
    free = np.flatnonzero(((t.strategy == 0) | members) & people & (t.shared == 0) & ~t.iot)
    county = np.minimum(t.county[free], places.home - 1)
    cards = np.bincount(county, minlength=places.home)
    t.shared[free], t.list_key[free] = LOCAL_NUMBERS, _COUNTIES + county
    t.list_size[free] = np.maximum(cards // CARDS_PER_LOCAL_NUMBER, 30)[county]
    t.list_days[free], t.list_skew[free] = 1 << 20, 2.0
    t.circle[free] = NEIGHBOURS
    t.community[free] = _HOMES + t.county[free] * 100_000 + t.cell[free]
    for number, groups in enumerate(circles):
        t.circle[groups.card] = COMRADES
        t.community[groups.card] = _CIRCLES * (number + 1) + groups.group
    # Cards of one firm call the same customers for two weeks.
    _, firm = np.unique(t.holder[firms], return_inverse=True)
    volume = np.bincount(firm, weights=t.out_rate[firms]) * CUSTOMER_DAYS * CUSTOMERS
    t.shared[firms], t.list_key[firms] = CUSTOMERS, _FIRMS + firm
    t.list_size[firms] = np.maximum(volume / CALLS_PER_CUSTOMER, 5.0).astype(np.int64)[firm]
    t.list_days[firms], t.list_skew[firms] = CUSTOMER_DAYS, 1.0
