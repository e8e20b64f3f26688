"""Calls among themselves: cards at risk that call each other, as few others call cards at risk.

Everybody has a circle, and now and then somebody in it is at risk. That much of a circle is at risk is rare, and of two
cards that call each other rarer still.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from duanka.links.graph.contacts import CALLED
from duanka.links.graph.neighbours import Neighbours
from duanka.links.graph.strength import Floats, Ints, binomial_bits


def pairs_at_risk(at_risk: NDArray[np.bool_], contacts: Neighbours) -> tuple[Ints, Ints, Floats]:
    """Pairs of cards at risk that are in each other's circle, and the surprise (bits) of each.

    `at_risk`: per row; `contacts`: as in LinkGraph. Surprise: of so many cards at risk in both circles, by the share of
    all circles in this province that is.
    """
    ties = contacts.strength > CALLED
    row, other = contacts.rows()[ties], contacts.other[ties].astype(np.int64)
    risky = at_risk[other]
    cards = len(at_risk)
    circle = np.bincount(row, minlength=cards).astype(np.int64)
    many = np.bincount(row[risky], minlength=cards).astype(np.int64)
    both = risky & at_risk[row]
    row, other = row[both], other[both]
    there, back = row * cards + other, other * cards + row
    each = np.isin(there, back) & (row < other)
    one, two = row[each], other[each]
    share = float(risky.mean()) if len(risky) else 0.0
    bits = [binomial_bits(many[card], circle[card], max(share, 1e-6)) for card in (one, two)]
    return one, two, np.asarray(bits[0] + bits[1], dtype=np.float64)
