"""Rings grown in small graphs."""

from __future__ import annotations

import numpy as np

from duanka.links.graph.graph import LinkGraph
from duanka.links.ring.growth import KnownCards
from duanka.links.ring.ring import Ring, Seed, ring_around


def from_card(graph: LinkGraph, card: int, known: KnownCards = KnownCards()) -> Ring:  # noqa: B008  # frozen
    """The ring of a card, by its key."""
    return ring_around(graph, Seed(str(card), graph.rows_of([card]), np.empty(0, dtype=np.int64)), known)


def joined(ring: Ring) -> set[int]:
    """Keys of its cards."""
    return set(map(int, ring.joined["card"]))
