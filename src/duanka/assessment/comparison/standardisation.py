"""Indirect standardisation: exposure of units as if each had the mix of strata that all have together.

    rate of a stratum    of the others: (their events in it + c) / (their exposure in it + c / their rate over all)
    expected of a unit   sum over the strata of its exposure x that rate; and of the others by the same rates
    standard exposure    exposure of all x expected of the unit / (expected of the unit + expected of the others)
    basis                (expected of the unit)^2 / sum of (expected of a stratum^2 / (others' events in it + c))

So the rate of the others over standard exposures gives what the unit's mix lets expect, and where all mixes are the
same nothing changes. The unit itself is left out of the rates: what it does in a stratum that is mostly its own would
else explain itself. So are others that are far above what is expected of them (5% of units by chance, which lowers
the rates of all strata alike): the gang's next stall does not excuse this one. The search for these begins with the
units that are not far above by their rate alone. Where others have little of a stratum, its rate is drawn towards
theirs over all as far as rates of strata would be that differ by 200% (standard deviation; c = 1/4): so none is 0 or
infinite. The basis says on how many events of the others the expectation stands. Cards whose stratum is not known are
a stratum like others: who does not deliver it gains nothing, since a unit's own cards say nothing of what is expected
of it.
Source of the method: Breslow and Day 1987, Statistical Methods in Cancer Research II; the details are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from duanka.assessment.comparison.counts import Flags, Floats, checked
from duanka.assessment.comparison.shrinkage import fitted_where_expected, upper_tail
from duanka.domain.assessment import AssessmentError

LEAST_BASIS = 0.25  # events, by whose worth the rate of a stratum is drawn towards that of all: c above
_FAR = 0.05  # chance of as many events, below which a unit says nothing of how often others have them
_MANY = 3  # events: with fewer no unit moves the rates of all others
_ROUNDS = 6  # of leaving out; two or three settle it


@dataclass(frozen=True)
class CaseMix:
    """Units by their mix; arrays by unit, or by unit and period; NaN: not known.

    `exposure`: standard exposure; `basis`: events of the others on which that stands, in effect.
    """

    exposure: Floats
    basis: Floats

    def periods(self, chosen: slice) -> CaseMix:
        """Those periods alone."""
        return CaseMix(self.exposure[:, chosen], self.basis[:, chosen])


def standardised(events: ArrayLike, exposure: ArrayLike) -> CaseMix:
    """Return the standard exposures of units; arrays of shape (units,).

    `events`, `exposure`: counts by unit and stratum, shape (units, strata). AssessmentError: see `checked`; another
    shape.
    """
    x, n = checked(events, exposure)
    if x.ndim != 2:
        raise AssessmentError(f"counts of shape {x.shape} have no strata: give them by unit and stratum")
    by_unit = x.sum(axis=1)
    usual = _usual(by_unit, of_the_others(by_unit, n.sum(axis=1)))
    for _ in range(_ROUNDS):
        found = _by_the_usual(x, n, usual)
        again = _usual(by_unit, of_the_others(by_unit, found.exposure))
        if bool((again == usual).all()):
            break
        usual = again
    return found


def _by_the_usual(x: Floats, n: Floats, usual: Flags) -> CaseMix:
    """Standard exposures by the rates of the others that are `usual`; of all others, if these have no event."""
    all_x, all_n = (one.sum(axis=0) - one for one in (x, n))
    counted = usual[:, np.newaxis]
    rest_x, rest_n = (one.sum(axis=0, where=counted) - np.where(counted, one, 0) for one in (x, n))
    some = rest_x.sum(axis=1, keepdims=True) > 0
    rest_x, rest_n = np.where(some, rest_x, all_x), np.where(some, rest_n, all_n)
    events, exposed = (one.sum(axis=1, keepdims=True) for one in (rest_x, rest_n))
    rate = np.where(exposed > 0, events / np.where(exposed > 0, exposed, 1), 0.0)
    of_stratum = (rest_x + LEAST_BASIS) * rate / (rest_n * rate + LEAST_BASIS)
    parts = n * of_stratum
    expected, squares = parts.sum(axis=1), (parts**2 / (rest_x + LEAST_BASIS)).sum(axis=1)
    both = expected + (all_n * of_stratum).sum(axis=1)
    # of the only unit with an event nothing is expected, and its exposure stays as it is
    standard = np.where(both > 0, n.sum() * expected / np.where(both > 0, both, 1), n.sum(axis=1))
    basis = np.where(squares > 0, expected**2 / np.where(squares > 0, squares, 1), 0.0)
    return CaseMix(standard, np.minimum(basis, events[:, 0]))


def _usual(events: Floats, expected: Floats) -> Flags:
    """Units that are not far above what others have of whom as much is expected."""
    prior = fitted_where_expected(events, expected)
    if prior is None:
        return np.ones(len(events), dtype=np.bool_)
    near = (events < _MANY) | (events <= prior.mean * expected)
    return near | (upper_tail(events, expected, prior) > _FAR)


def of_the_others(events: Floats, exposure: Floats) -> Floats:
    """Events expected of each unit by the rate of all others; by unit, or by unit and period."""
    found: Floats = exposure * rate_of_others(events, exposure)
    return found


def rate_of_others(events: Floats, exposure: Floats) -> Floats:
    """Events of all units but one over their exposure, by unit (and period); 0 where nobody else is."""
    rest_x, rest = (one.sum(axis=0) - one for one in (events, exposure))
    return np.where(rest > 0, np.maximum(rest_x, 0) / np.where(rest > 0, rest, 1), 0.0)


@dataclass(frozen=True)
class WeighedUnits:
    """Exposures that units are compared by; arrays of shape (units, periods), `by_mix` by period.

    `exposure`: standard where that is known of all units of a period (`by_mix`), else as counted; 0 where unknown.
    `basis`: of `CaseMix`; infinite where a period counts by exposure alone.
    """

    exposure: Floats
    basis: Floats
    by_mix: Flags

    @property
    def doubt(self) -> Floats:
        """Relative variance of what the mix lets expect; 0 where a period counts by exposure alone."""
        found: Floats = 1 / np.maximum(self.basis, LEAST_BASIS)
        return found

    def periods(self, chosen: slice) -> WeighedUnits:
        """Those periods alone."""
        return WeighedUnits(self.exposure[:, chosen], self.basis[:, chosen], self.by_mix[chosen])


def weighed(exposure: Floats, mix: CaseMix | None) -> WeighedUnits:
    """Return what units are compared by; `exposure`: counts of shape (units, periods), 0 where unknown.

    A period counts by the mix only if that is known of every unit in it: runs made before mixes were counted have none.
    """
    if mix is None:
        none = np.zeros(exposure.shape[1], dtype=np.bool_)
        return WeighedUnits(exposure, np.full(exposure.shape, np.inf), none)
    there = exposure > 0
    by_mix: Flags = ~np.logical_or.reduce(np.isnan(mix.exposure) & there, axis=0)
    return WeighedUnits(
        np.where(by_mix & there, np.nan_to_num(mix.exposure), exposure),
        np.where(by_mix & there, np.nan_to_num(mix.basis), np.inf),
        by_mix,
    )
