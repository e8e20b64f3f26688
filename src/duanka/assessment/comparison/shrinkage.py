"""Shrinkage: the figure of a small unit is drawn towards that of the others, as far as its size says little.

    rates     x ~ Poisson(e r),    r ~ Gamma(strength mean, rate strength)             posterior Gamma(A + x, B + e)
    shares    x ~ Binomial(n, p),  p ~ Beta(mean strength, (1 - mean) strength)        posterior Beta(A + x, B + n - x)

Mean and strength are those of the highest marginal likelihood (empirical Bayes), with a uniform prior on the share
1 / (1 + strength) of the difference between units, and on the mean of shares. Units above what others have once in
`1 / OUTLIER` cases are left out of the fit: who is worse does not excuse the others. Sources: Clayton and Kaldor 1987,
Biometrics 43, 671-681; Griffiths 1973, Biometrics 29, 637-648.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import betaincinv, betaln, expit, gammaincinv, gammaln, logit
from scipy.stats import betabinom, nbinom

from duanka.assessment.comparison.counts import Flags, Floats, checked
from duanka.domain.assessment import AssessmentError

OUTLIER = 1e-3
_ROUNDS = 6  # of leaving out; two or three settle it
_WEAKEST, _STRONGEST = 1e-3, 1e7  # shapes: units that differ by 3,000% of their mean, or by 0.03%


@dataclass(frozen=True)
class Prior:
    """How units differ. `a`, `b`: shape and rate of the Gamma of rates, or both shapes of the Beta of shares."""

    a: float
    b: float
    shares: bool

    @property
    def mean(self) -> float:
        """Mean of the units' figures: events per exposure."""
        return self.a / (self.a + self.b) if self.shares else self.a / self.b

    @property
    def spread(self) -> float:
        """Standard deviation between units, over the mean."""
        if self.shares:
            return float(np.sqrt(self.b / (self.a * (self.a + self.b + 1))))
        return float(self.a**-0.5)


@dataclass(frozen=True)
class Shrunk:
    """Figures of units (events per exposure) after shrinkage; arrays of shape (units,). `a`, `b`: of posteriors."""

    prior: Prior
    a: Floats
    b: Floats

    @property
    def mean(self) -> Floats:
        """Posterior means."""
        return self.a / (self.a + self.b) if self.prior.shares else self.a / self.b

    def quantile(self, p: float) -> Floats:
        """Posterior quantiles. `p`: 0 to 1."""
        found: Floats = (
            betaincinv(self.a, self.b, p) if self.prior.shares else gammaincinv(self.a, p) / self.b
        )
        return found

    def draws(self, many: int, seed: int) -> Floats:
        """Draw from the posteriors; shape (many, units)."""
        chance = np.random.default_rng(seed)
        shape = (many, len(self.a))
        return (
            chance.beta(self.a, self.b, shape)
            if self.prior.shares
            else chance.gamma(self.a, 1 / self.b, shape)
        )


def gamma_poisson(events: ArrayLike, exposure: ArrayLike) -> Shrunk:
    """Return rates of units, shrunk. Arrays of shape (units,), in counts. AssessmentError: as `fitted`."""
    x, e = checked(events, exposure)
    prior = fitted(x, e)
    return Shrunk(prior, prior.a + x, prior.b + e)


def beta_binomial(events: ArrayLike, cases: ArrayLike) -> Shrunk:
    """Return shares of units, shrunk. Arrays of shape (units,), in counts. AssessmentError: as `fitted`."""
    x, n = checked(events, cases, shares=True)
    prior = fitted(x, n, shares=True)
    return Shrunk(prior, prior.a + x, prior.b + n - x)


def fitted(events: ArrayLike, exposure: ArrayLike, *, shares: bool = False) -> Prior:
    """Return how units differ, by all of them but outliers at the upper end.

    Arrays of shape (units,), in counts; units without exposure count for nothing. AssessmentError: see `checked`;
    fewer than two units with exposure, or no event at all: nothing is known of how units differ.
    """
    x, n = checked(events, exposure, shares=shares)
    x, n = x[n > 0], n[n > 0]
    if x.ndim != 1 or len(x) < 2:
        raise AssessmentError("one unit has no others to be compared with: give two or more with exposure")
    if x.sum() == 0:
        raise AssessmentError("no unit has an event: there is nothing to compare yet")
    usual: Flags = np.ones(len(x), dtype=np.bool_)
    prior = _likeliest(x, n, shares)
    for _ in range(_ROUNDS):
        # below the middle nothing is left out: an honest unit without events is no outlier
        again = _tail_of_the_far(x, n, prior) > OUTLIER / 2
        if bool((again == usual).all()) or again.sum() < 2 or x[again].sum() == 0:
            break
        usual = again
        prior = _likeliest(x[usual], n[usual], shares)
    return prior


def fitted_where_expected(events: Floats, expected: Floats) -> Prior | None:
    """As `fitted`, of rates: by the units of which something is expected alone; None: these say nothing.

    Nothing is expected of a unit when no other has an event: that is known of it, and no fault in its counts.
    """
    there = expected > 0
    if there.sum() < 2 or events[there].sum() == 0:
        return None
    return fitted(events[there], expected[there])


def upper_tail(events: Floats, exposure: Floats, prior: Prior) -> Floats:
    """Return the chance that a unit of `prior` has as many events or more; shape (units,)."""
    found: Floats = (
        betabinom.sf(events - 1, exposure, prior.a, prior.b)
        if prior.shares
        else nbinom.sf(events - 1, prior.a, prior.b / (prior.b + exposure))
    )
    return found


def _tail_of_the_far(x: Floats, n: Floats, prior: Prior) -> Floats:
    """As `upper_tail`, 1 for units that are not far above the mean: a tail of shares adds up all counts above."""
    more = prior.mean * (1 - prior.mean) if prior.shares else prior.mean
    far = x > n * prior.mean + 2 * np.sqrt(n * more + (n * prior.mean * prior.spread) ** 2)
    found = np.ones(len(x))
    found[far] = upper_tail(x[far], n[far], prior)
    return found


def _likeliest(x: Floats, n: Floats, shares: bool) -> Prior:
    overall = float((x.sum() + 0.5) / (n.sum() + 1))  # where the search begins

    def shapes(at: Floats) -> tuple[float, float]:
        strength = float(np.exp(np.clip(at[1], np.log(_WEAKEST), np.log(_STRONGEST))))
        if not shares:
            return strength, strength / (overall * float(np.exp(at[0])))
        mean = float(expit(at[0] + logit(overall)))
        return strength * mean, strength * (1 - mean)

    def unlikely(at: Floats) -> float:
        a, b = shapes(at)
        if shares:
            if min(a, b) <= 0:
                return np.inf
            likelihood = betaln(a + x, b + n - x) - betaln(a, b)
            likelihood[0] += np.log(a) + np.log(b) - 2 * np.log(a + b)
        else:
            likelihood = gammaln(a + x) - gammaln(a) + a * np.log(b / (b + n)) + x * np.log(n / (b + n))
        strength = a + b if shares else a
        return float(2 * np.log1p(strength) - np.log(strength) - likelihood.sum())

    simplex = np.array([[0.0, 3.0], [0.3, 3.0], [0.0, 1.0]])
    found = minimize(
        unlikely,
        simplex[0],
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": 1e-4, "fatol": 1e-6},
    )
    return Prior(*shapes(found.x), shares)
