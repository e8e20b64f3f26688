"""Serial numbers of cards: outlets receive cards in deliveries of consecutive numbers and sell them in turn."""

from __future__ import annotations

import numpy as np

from duanka.simulator.chance import Flags, Ints, Rng
from duanka.simulator.province import OPERATORS
from duanka.simulator.traits import DAY, Traits

DELIVERY = 100  # cards of one delivery to an outlet
STILL_USED_NEW, STILL_USED_OLD = (
    0.85,
    0.45,
)  # share of the cards sold that still exist: within a year, before (K)
_ISSUERS = np.array([0, 1, 3, 16, 21], dtype=np.int64)  # 898600.., 898601.., 898603.., resale brands


def draw_serials(t: Traits, bulk: Flags, start_year: int, rng: Rng) -> Ints:
    """Return the first 19 digits of every card's ICCID; the twentieth is a check digit.

    An outlet hands out the cards of a network in the order of their serials. Between two cards of today lie those that
    were sold and cancelled since; in a `bulk` opening there are none, apart from one spoiled card in twenty.
    """
    n = t.count
    order = np.lexsort((t.opened, t.outlet, t.operator, t.iot))
    group = (t.iot * 8 + t.operator)[order].astype(np.int64) * (int(t.outlet.max()) + 1) + t.outlet[order]
    opened, together = t.opened[order], bulk[order]
    kept = np.where(opened > -365 * DAY, STILL_USED_NEW, STILL_USED_OLD)
    gap = np.where(together, 1 + (rng.random(n) < 0.05), rng.geometric(kept))
    begins = np.diff(group, prepend=-1) != 0
    total = np.cumsum(gap)
    place = total - total[np.flatnonzero(begins)][np.cumsum(begins) - 1] + rng.integers(0, 2)
    parcel = np.cumsum(np.diff(group * (int(place.max()) + 1) + place // DELIVERY, prepend=-1) != 0) - 1
    top = np.flatnonzero(np.diff(parcel, prepend=-1) != 0)
    delivered = opened[top] - rng.integers(5 * DAY, 60 * DAY, len(top))
    issuer = (t.iot * 8 + t.operator)[order][top].astype(np.int64)
    rank = _rank_within(issuer, delivered)
    year = start_year + np.floor_divide(delivered, 365 * DAY)
    prefix = 8_986 * 100 + _ISSUERS[issuer % 8 % (len(OPERATORS) + 2)]
    # 8986, issuer 2, purpose 1, year 2, province 99, number 8.
    head = ((prefix * 10 + (issuer >= 8) * 4) * 100 + year % 100) * 100 + 99
    serial = np.empty(n, dtype=np.int64)
    serial[order] = head[parcel] * 100_000_000 + rank[parcel] * DELIVERY + place % DELIVERY
    return serial


def _rank_within(group: Ints, at: Ints) -> Ints:
    """Return the rank of each entry by `at` among those of its group."""
    order = np.lexsort((at, group))
    first = np.flatnonzero(np.diff(group[order], prepend=-1) != 0)
    rank = np.empty(len(group), dtype=np.int64)
    within = np.arange(len(group)) - np.repeat(first, np.diff(np.append(first, len(group))))
    rank[order] = within
    return rank


def check_digits(nineteen: Ints) -> Ints:
    """Return the Luhn digits of numbers of 19 digits."""
    total, rest = np.zeros(len(nineteen), dtype=np.int64), nineteen.copy()
    for position in range(19):
        digit = rest % 10
        rest //= 10
        if position % 2 == 0:
            digit = digit * 2 - 9 * (digit > 4)
        total += digit
    return (-total) % 10
