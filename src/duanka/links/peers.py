"""Shares of shops against their peers: a beta-binomial fit that outliers do not move.

Model. Shop i has n cards, of which x have the trait; x ~ Binomial(n, p_i), and p_i ~ Beta(m_i s_i, (1 - m_i) s_i).
The mean m_i is that of its peers, the shops of its city and size class without itself (leave-one-out). It is shrunk
towards the other size classes of the city, and these towards all shops:

    information of a shop     w = n / (1 + (n - 1) r),  r = 1 / (s + 1)    (Kleinman 1973, "Proportions with
                              extraneous variance", JASA 68, 46-54: inverse of the variance of x / n)
    mean of a group           (K M + sum w x / n) / (K + sum w),  M and K: mean and strength of the level above
    strengths s, K            maximum of the beta-binomial likelihood with a uniform prior on r (empirical Bayes:
                              Griffiths 1973, Biometrics 29, 637-648), so that few shops say little of their spread;
                              s = S / M^q, q the likeliest of `POWERS`; K = S / M, cities differ by 100% at most

s_i holds both the spread between shops and how well the peers' mean is known. A posterior of p_i is
Beta(m_i s_i + x, (1 - m_i) s_i + n - x); lift is x / (n m_i), its lower bound the posterior's quantile over m_i.

Outliers. The fit begins with the lower half of the shops of each city. A shop is then a peer if as many cards as it
has are not rarer than `OUTLIER` among its own peers; this is repeated until nothing changes. So a gang's shops do not
raise what is expected of each other, as long as they are fewer than half of the shops of their city.

Many shops. With N shops judged, a shop stands out if P(X >= x) among its peers is at most level / N (Bonferroni), and
the lower bound of its lift, at level / N too, is above 1: honest shops that stand out are at most `level` in
expectation. Honest shops may be spread more unevenly than a beta says; so P is that of a `MARGIN` times larger spread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import betaincinv, gammaln

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

OUTLIER = 1e-3  # a shop with more than its peers have once in 1,000 shops is nobody's peer
MARGIN = 3  # times the fitted variance between shops: what honest shops spread more unevenly than a beta
ROUNDS = 30  # the set of peers grows from half of the shops to nearly all in a few
# Shops spread by their mean in one of these ways, whichever is likelier: strength s = S / m^power. Power 0: all have
# the correlation r; power 1: all have the relative spread 1 / sqrt(S).
POWERS = (0.0, 0.5, 1.0)
LEAST_SHAPE = 0.5  # m s at least: where hardly any shop has one, their relative spread is 1.4 at most
_WEAKEST, _STRONGEST = 0.05, 1e6  # strengths S and K, in cards
_LEAST_RATE, _HIGHEST_RATE = 1e-9, 0.999  # where peers have none, or all


@dataclass(frozen=True)
class AgainstPeers:
    """Each shop against its peers; arrays by shop.

    `rate`: expected share of its cards, from its peers; `lift`: its share over `rate`, 0 without cards; `bound`:
    lower bound of the lift; `chance`: probability that an honest peer has as many, 1 where it has no more than
    expected; `stands_out`: the lift is not by chance; `peer`: whether others are measured by it.
    """

    rate: Floats
    lift: Floats
    bound: Floats
    chance: Floats
    stands_out: Flags
    peer: Flags


def compare_with_peers(with_trait: Floats, cards: Ints, city: Ints, size: Ints, level: float) -> AgainstPeers:
    """Compare the share `with_trait / cards` of each shop with that of its peers.

    Arrays of one value a shop: `with_trait` from 0 to `cards` (a sum of certainties need not be whole), `city` and
    `size` codes from 0. `level`: honest shops that stand out, at most, in expectation; above 0, below 1.
    """
    shops = _Shops(with_trait.astype(np.float64), cards.astype(np.int64), city, size)
    peer = _lower_half(shops)
    for _ in range(ROUNDS):
        mean, strength = _fit(shops, peer)
        again = _chances(shops, mean, strength, among=_may_be_rare(shops, mean, strength)) > OUTLIER
        if bool((again == peer).all()):
            break
        peer = again
    judged = shops.cards > 0
    each = level / max(1, int(judged.sum()))
    above = judged & (shops.with_trait > mean * shops.cards)
    chance = _chances(shops, mean, strength / MARGIN, among=above)
    a, b = mean * strength, (1 - mean) * strength
    bound = betaincinv(a + shops.with_trait, b + shops.cards - shops.with_trait, each) / mean
    bound = np.where(judged, bound, 0.0)
    return AgainstPeers(mean, shops.share / mean, bound, chance, (chance <= each) & (bound > 1), peer)


class _Shops:
    """Counts of the shops, and sums over groups of them."""

    def __init__(self, with_trait: Floats, cards: Ints, city: Ints, size: Ints) -> None:
        self.with_trait, self.cards = with_trait, cards
        self.share: Floats = with_trait / np.maximum(cards, 1)
        self.size = size.astype(np.int64)
        self.city = city.astype(np.int64)
        self.cell = self.city * (int(self.size.max(initial=0)) + 1) + self.size
        self.all: Ints = np.zeros(len(cards), dtype=np.int64)


def _lower_half(shops: _Shops) -> Flags:
    """Return the half of each city's shops with the lowest shares, shrunk to the share of all."""
    overall = float(shops.with_trait.sum() / max(1, shops.cards.sum()))
    shrunk = (shops.with_trait + 10 * overall) / (shops.cards + 10)
    order = np.lexsort((shrunk, shops.city))
    city = shops.city[order]
    first = np.searchsorted(city, city)
    in_city = np.searchsorted(city, city, side="right") - first
    half: Flags = np.zeros(len(order), dtype=np.bool_)
    half[order] = np.arange(len(order)) - first < (in_city + 1) // 2
    return half


@dataclass(frozen=True)
class _Sums:
    """Of a shop's group: information of the peers, and the same times their share; without the shop itself."""

    weight: Floats
    trait: Floats

    def less(self, other: _Sums) -> _Sums:
        # differences of equal sums are not exactly 0
        return _Sums(np.maximum(self.weight - other.weight, 0), np.maximum(self.trait - other.trait, 0))


def _others(group: Ints, weight: Floats, share: Floats) -> _Sums:
    whole = np.bincount(group, weight)[group]
    trait = np.bincount(group, weight * share)[group]
    return _Sums(np.maximum(whole - weight, 0), np.maximum(trait - weight * share, 0))


def _fit(shops: _Shops, peer: Flags) -> tuple[Floats, Floats]:
    """Return mean and strength of the prior of each shop, from those that are `peer`."""
    spread: Floats = np.full(len(peer), 100.0)  # of shops around their peers; two rounds settle it
    at = peer & (shops.cards > 0)
    for _ in range(2):
        weight = np.where(peer, shops.cards / (1 + np.maximum(shops.cards - 1, 0) / (spread + 1)), 0.0)
        mean, known = _peer_means(shops, weight)
        fits = [
            (
                _strength(
                    shops.with_trait[at],
                    shops.cards[at].astype(np.float64),
                    mean[at],
                    1 / (known[at] + 1),
                    power,
                ),
                power,
            )
            for power in POWERS
        ]
        (_, strength), power = min(fits)
        spread = np.maximum(strength * mean**-power, LEAST_SHAPE / mean)
    return mean, 1 / (1 / (known + 1) + 1 / (spread + 1)) - 1


def _peer_means(shops: _Shops, weight: Floats) -> tuple[Floats, Floats]:
    """Return the mean of each shop's peers, and the number of cards that would say as much of it."""
    nation = _others(shops.all, weight, shops.share)
    same_size = _others(shops.size, weight, shops.share)
    city = _others(shops.city, weight, shops.share)
    cell = _others(shops.cell, weight, shops.share)
    overall = _rate((nation.trait + 0.5) / (nation.weight + 1))
    between = _between(shops.city, weight, shops.share, overall)
    between = (
        1 / (1 / (between + 1) + 1 / (nation.weight + 2)) - 1
    )  # `overall` itself is known from so much only
    by_size = (between * overall + same_size.trait) / (between + same_size.weight)
    rest = city.less(cell)
    of_city = (between * overall + rest.trait) / (between + rest.weight)
    before = _rate(of_city * by_size / overall)
    within = _between(shops.cell, weight, shops.share, before)
    known = 1 / (1 / (between + rest.weight + 1) + 1 / (within + 1)) - 1
    return _rate((known * before + cell.trait) / (known + cell.weight)), known + cell.weight


def _rate(share: Floats) -> Floats:
    return np.clip(share, _LEAST_RATE, _HIGHEST_RATE)


def _between(group: Ints, weight: Floats, share: Floats, mean: Floats) -> Floats:
    """Return the strength with which groups of shops keep to `mean`, by shop: a relative spread, of 1 at most."""
    cards: Floats = np.bincount(group, weight).astype(np.float64)
    trait: Floats = np.bincount(group, weight * share).astype(np.float64)
    middle = np.bincount(group, mean) / np.maximum(np.bincount(group), 1)
    at = cards > 0
    strength = _strength(trait[at], cards[at], middle[at], np.zeros(int(at.sum())), 1.0)[1]
    return max(1.0, strength) / mean


def _strength(
    trait: Floats, cards: Floats, mean: Floats, unknown: Floats, power: float
) -> tuple[float, float]:
    """Return how unlikely the most likely strength is (-log), and the strength for a mean of 1.

    `unknown`: variance of `mean`, as a share of mean (1 - mean).
    """
    by_mean = mean**-power

    def unlikely(log_s: float) -> float:
        s = 1 / (unknown + 1 / (np.exp(log_s) * by_mean + 1)) - 1
        a, b = mean * s, (1 - mean) * s
        likelihood = gammaln(a + trait) - gammaln(a) + gammaln(b + cards - trait) - gammaln(b)
        likelihood += gammaln(s) - gammaln(s + cards)
        return float(2 * np.log1p(np.exp(log_s)) - likelihood.sum())

    found = minimize_scalar(
        unlikely, bounds=(np.log(_WEAKEST), np.log(_STRONGEST)), method="bounded", options={"xatol": 0.01}
    )
    return float(found.fun), float(np.exp(found.x))


def _may_be_rare(shops: _Shops, mean: Floats, strength: Floats) -> Flags:
    """Return the shops far enough above their peers that the exact tail is worth its time."""
    expected = mean * shops.cards
    variance = expected * (1 - mean) * (shops.cards + strength) / (strength + 1)
    far: Flags = shops.with_trait > expected + 2 * np.sqrt(variance)  # a tail of 1e-3 lies beyond three
    return far


def _chances(shops: _Shops, mean: Floats, strength: Floats, *, among: Flags) -> Floats:
    """Return P(X >= x) of the beta-binomial for shops `among`, 1 for others; sums of certainties round down."""
    chance: Floats = np.ones(len(mean))
    for i in np.flatnonzero(among):
        n, a, b = int(shops.cards[i]), mean[i] * strength[i], (1 - mean[i]) * strength[i]
        k = np.arange(int(shops.with_trait[i] + 1e-9), n + 1)
        log = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) + gammaln(k + a) + gammaln(n - k + b)
        log += gammaln(a + b) - gammaln(a) - gammaln(b) - gammaln(n + a + b)
        chance[i] = min(1.0, float(np.exp(log).sum()))
    return chance
