"""How much a link tells: one formula for all kinds.

    strength = trust / (1 + 2 ** (prior - surprise))

`surprise` is how unlikely chance makes what the cards share, in bits: -log2 of its probability among the cards of this
very province. `prior` is what must be overcome, in bits: of what is next to a ring, one thing in a thousand is taken to
be the ring's, and of the pairs of cards that dial the same numbers, each card being compared with all others, one in
65,000. `trust` is how often cards that are linked in this way are in one hand. A mall's cell, a hotline, a family's
document, an IMEI that counterfeit phones share are worth little by this formula, not by a list of exceptions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, poisson

from duanka.domain.rings import LinkKind

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PRIOR_BITS = 10.0
PAIR_PRIOR_BITS = 16.0
TRUST: dict[LinkKind, float] = {
    LinkKind.DEVICE: 0.95,
    LinkKind.DEVICE_RUN: 0.9,
    LinkKind.BATCH: 0.8,
    LinkKind.SERIALS: 0.75,  # campus stalls open a box here and there, too
    LinkKind.SWITCHED: 0.7,
    LinkKind.CALLEES: 0.8,
    LinkKind.CLIQUE: 0.7,
    LinkKind.ACCOUNT: 0.6,
    LinkKind.HOLDER: 0.2,  # whose name a card bears says little of whose hand it is in
    LinkKind.CONTACT: 0.9,
    LinkKind.OUTLET: 0.8,
}
_PAIRS = frozenset({LinkKind.CALLEES, LinkKind.CLIQUE})
_MOST_BITS = 60.0
_LN2 = float(np.log(2))
_CONTINUES = (0.02, 0.5)  # bounds of the share of things that take one card more


def strength(kind: LinkKind, surprise: Floats) -> Floats:
    """Strength of links of `kind`, 0..1, from their surprise (bits)."""
    prior = PAIR_PRIOR_BITS if kind in _PAIRS else PRIOR_BITS
    return np.asarray(TRUST[kind] / (1.0 + np.exp2(prior - surprise)), dtype=np.float64)


def sharing_bits(cards: Ints) -> Floats:
    """Surprise of things by the number of cards that share each (from 2).

    Things that take one card more get rarer by a steady factor in ordinary life; it is measured where rings have
    little part: how many of those with two cards have three.
    """
    two, three = int((cards >= 2).sum()), int((cards >= 3).sum())
    continues = float(np.clip((three + 1) / (two + 2), *_CONTINUES))
    return np.asarray(np.minimum((cards - 1.0) * -np.log2(continues), _MOST_BITS), dtype=np.float64)


def poisson_bits(seen: Ints, usual: Floats) -> Floats:
    """Surprise of `seen` events or more where `usual` are expected."""
    return in_bits(poisson.logsf(seen - 1, np.maximum(usual, 1e-9)))


def binomial_bits(seen: Ints, of: Ints, share: float | Floats) -> Floats:
    """Surprise of `seen` or more among `of`, each with the chance `share`."""
    return in_bits(binom.logsf(seen - 1, np.maximum(of, seen), share))


def in_bits(log_chance: Floats) -> Floats:
    """Surprise of what has the probability exp(`log_chance`)."""
    return np.asarray(np.minimum(-log_chance / _LN2, _MOST_BITS), dtype=np.float64)
