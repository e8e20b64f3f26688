"""The criterion of listing: who is worse than the rest, beyond chance, size, and what units differ by anyway.

A unit is compared with what its own past and the others let expect (all formulas are ours):

    rate of the others    in a period, those without the unit: sum of events / sum of (exposure x learned factor)
    learned factor        of a unit: posterior mean of its events over those expected in its past (Gamma-Poisson), so
                          that a lasting mix of customers is no fault; at most the quantile `excused` of all units
    expected              exposure x rate of the others x learned factor; where the mix of each unit is known, the
                          exposure counts for what that lets expect (`standardisation`)
    worse than the rest   in a period: P(rate of the unit > rate of the others) >= `probability` in each of the last
                          `periods`, with Jeffreys priors; and more than `excess` times that rate in all of them
    worse than expected   in a period: P(rate > what is expected) >= `each_period`, so that one odd month is not enough
    outside the limits    P(so many events or more | expected) <= (1 - `limit`) / 2 over all these periods together,
                          negative binomial

What is expected is uncertain by the factor, and by how much units strayed before from what their past let expect.
Without a past a unit is expected to be any of the others, and limits are those of the over-dispersed funnel. A past
in which the unit was listed teaches nothing: leave it out by `listed`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc, gammaincinv
from scipy.stats import nbinom

from duanka.assessment.comparison.counts import Flags, Floats, checked
from duanka.assessment.comparison.false_discovery import adjusted
from duanka.assessment.comparison.shrinkage import Prior, fitted_where_expected, upper_tail
from duanka.assessment.comparison.standardisation import (
    LEAST_BASIS,
    CaseMix,
    WeighedUnits,
    of_the_others,
    rate_of_others,
    weighed,
)
from duanka.domain.assessment import AssessmentError
from duanka.domain.assessment_policy import AssessmentPolicy

_JEFFREYS = 0.5  # shape of the prior of a unit's ratio
_STEADIEST = 0.01  # no unit keeps to what is expected of it better than this, relative
_FAR = 3.0  # standard errors that a window counts for at most when the change of units is estimated
_MANY = 200  # units, of which one says little of how they differ
_MATTERS = 0.1  # chance of as many events, from which on a unit could hide behind its own weight


@dataclass(frozen=True)
class ListingVerdict:
    """What the criterion says; arrays by unit, NaN: not judged.

    `listed`; `judged`: known and large enough in each of the last periods. Of these together: `events`, `expected`,
    `ratio`, its 95% interval `lower`, `upper`, and `limit`, the count that must be passed. `expected_by_size`: by the
    rate of the others alone; `expected_by_mix`: by their rates for each stratum, NaN without. `worse`: than the rest,
    and `unexpected`: than expected, probabilities in each period, shape (units, periods); `chance`: p-value;
    `false_discovery`: adjusted for all units judged. `factor`: learned; `spread`: of the units, relative.
    """

    listed: Flags
    judged: Flags
    events: Floats
    expected: Floats
    expected_by_size: Floats
    expected_by_mix: Floats
    ratio: Floats
    lower: Floats
    upper: Floats
    limit: Floats
    worse: Floats
    unexpected: Floats
    chance: Floats
    false_discovery: Floats
    factor: Floats
    spread: float


def judge(
    events: ArrayLike,
    exposure: ArrayLike,
    policy: AssessmentPolicy,
    listed: ArrayLike | None = None,
    mix: CaseMix | None = None,
) -> ListingVerdict:
    """Return who is to be listed after the last period, and the figures that say why.

    `events`, `exposure`: counts by unit and period, the oldest first, shape (units, periods); NaN: unknown; 0
    exposure: the unit was not there. Events are of what is bad: of a share whose low end is worse, its complement.
    `listed`: periods in which a unit was listed, same shape. `mix`: the units by their mix, same shape; a period in
    which that is not known of all units counts by exposure alone. AssessmentError: see `checked`; fewer periods than
    the policy asks for.
    """
    x, n = checked(events, exposure, unknown=True)
    if x.ndim != 2 or x.shape[1] < policy.periods:
        raise AssessmentError(f"the policy asks for {policy.periods} periods running: give as many, by unit")
    first = max(0, x.shape[1] - policy.periods - policy.history)
    x, n = x[:, first:], n[:, first:]
    units = weighed(np.nan_to_num(n), mix and mix.periods(slice(first, None)))
    taught = ~np.isnan(x)
    if listed is not None:
        taught &= ~np.asarray(listed, dtype=np.bool_)[:, first:]
    taught[:, x.shape[1] - policy.periods :] = False
    known = _expectations(x, units.exposure, taught, policy)
    last = slice(x.shape[1] - policy.periods, None)
    return _verdict(x[:, last], n[:, last], units.periods(last), known, policy)


@dataclass(frozen=True)
class _Known:
    """What is expected of each unit: `factor` of the others' rate, with the shape `sure` of its uncertainty."""

    factor: Floats
    sure: Floats
    spread: float


def _expectations(x: Floats, n: Floats, taught: Flags, policy: AssessmentPolicy) -> _Known:
    past_x, past_n = np.where(taught, x, 0), np.where(taught, n, 0)
    alike = past_n * rate_of_others(past_x, past_n)
    told_e = alike.sum(axis=1)
    told_x = np.where(
        told_e > 0, past_x.sum(axis=1), 0
    )  # with nothing to hold it against, a past teaches nothing
    found = _priors(told_x, told_e, policy)
    if found is None:
        last_x, last_n = (np.nan_to_num(one[:, -policy.periods :]) for one in (x, n))
        found = _priors(last_x.sum(axis=1), (last_n * rate_of_others(last_x, last_n)).sum(axis=1), policy)
        told_x = told_e = np.zeros(len(x))
    if found is None:  # nobody is judged, or has an event
        return _Known(np.ones(len(x)), np.ones(len(x)), 1.0)
    prior, a, b = found
    factor = np.minimum((a + told_x) / (b + told_e), gammaincinv(a, policy.excused) / b)
    changes = _change(past_x, alike, (a, b), policy.periods)
    sure = np.where(told_e > 0, 1 / (1 / (a + told_x) + (prior.spread**2 if changes is None else changes)), a)
    return _Known(factor, sure, prior.spread)


def _priors(x: Floats, e: Floats, policy: AssessmentPolicy) -> tuple[Prior, Floats, Floats] | None:
    """How units differ, and for each unit shape and rate by the others without it, where that matters.

    None: too few units of which something is expected, or none of these has an event.
    """
    prior = fitted_where_expected(x, e) if (e > 0).sum() >= policy.least_units else None
    if prior is None:
        return None
    a, b = np.full(len(x), prior.a), np.full(len(x), prior.b)
    if len(x) <= _MANY:
        for unit in np.flatnonzero((e > 0) & (upper_tail(x, e, prior) < _MATTERS)):
            others = fitted_where_expected(np.delete(x, unit), np.delete(e, unit))
            if others is not None:
                a[unit], b[unit] = others.a, others.b
    return prior, a, b


def _change(x: Floats, alike: Floats, prior: tuple[Floats, Floats], periods: int) -> float | None:
    """Relative variance of a unit's ratio against what its past let expect, beside chance; None: no past to see it.

    The criterion is tried on the past: each window of `periods` is foretold from the periods before it.
    """
    length = min(periods, x.shape[1] - periods - 1)
    if length < 1:
        return None
    a, b = (one[:, np.newaxis] for one in prior)
    last = x.shape[1] - periods - length  # the longest past, and those half as long or longer
    before = slice(max(1, last // 2), last + 1)
    sum_x, sum_e = (np.pad(one.cumsum(axis=1), ((0, 0), (1, 0))) for one in (x, alike))
    told_a, told_b = a + sum_x[:, before], b + sum_e[:, before]
    ends = slice(before.start + length, x.shape[1] - periods + 1)
    seen, weight = (one[:, ends] - one[:, before] for one in (sum_x, sum_e))
    expected = weight * told_a / told_b
    there = (expected > 0) & (sum_e[:, before] > 0)
    if not there.any():
        return None
    y, e, shape = seen[there], expected[there], told_a[there]

    def misfit(variance: float) -> float:
        size = e * (1 + e * (1 / shape + variance))
        return float(np.minimum((y - e) ** 2 / size, _FAR**2).mean()) - 1

    low, high = _STEADIEST**2, 1.0
    if misfit(low) <= 0:
        return low
    for _ in range(30):  # by bisection (Paule and Mandel 1982, J. Res. NBS 87, 377-385)
        middle = (low * high) ** 0.5
        low, high = (middle, high) if misfit(middle) > 0 else (low, middle)
    return high


@dataclass(frozen=True)
class JudgedUnits:
    """Who is judged, and who is not and why; flags by unit. `there`: none of these reasons holds.

    `unknown`: in one of the last periods; `small`: less exposure than the policy asks for; `alone`: no other unit had
    an event in one of them, so that nothing is expected. `judged`: there, and enough others are.
    """

    judged: Flags
    there: Flags
    unknown: Flags
    small: Flags
    alone: Flags


def who_is_judged(events: ArrayLike, exposure: ArrayLike, policy: AssessmentPolicy) -> JudgedUnits:
    """Return who is judged by the last periods; arguments and errors as of `judge`."""
    x, n = (one[:, -policy.periods :] for one in checked(events, exposure, unknown=True))
    x0, n0 = np.nan_to_num(x), np.nan_to_num(n)
    unknown: Flags = np.logical_or.reduce(np.isnan(x), axis=1)
    small = ~unknown & np.logical_or.reduce(n0 < policy.least_exposure, axis=1)
    alone = ~unknown & ~small & np.logical_or.reduce(n0 * rate_of_others(x0, n0) == 0, axis=1)
    there = ~(unknown | small | alone)
    return JudgedUnits(there & (there.sum() >= policy.least_units), there, unknown, small, alone)


def _verdict(
    x: Floats, n: Floats, units: WeighedUnits, known: _Known, policy: AssessmentPolicy
) -> ListingVerdict:
    x0, n0, weight = np.nan_to_num(x), np.nan_to_num(n), units.exposure
    others = weight * rate_of_others(x0, weight * known.factor[:, np.newaxis])
    by_period = others * known.factor[:, np.newaxis]
    count, expected = x0.sum(axis=1), by_period.sum(axis=1)
    judged = who_is_judged(x, n, policy).judged & (by_period > 0).all(axis=1)
    some = np.where(expected > 0, expected, 1)
    doubt = units.doubt
    sure = 1 / (1 / known.sure + (by_period**2 * doubt).sum(axis=1) / some**2)
    unexpected = _is_more(x0, by_period, 1 / (1 / known.sure[:, np.newaxis] + doubt))
    # a basis has the prior of its strata in it
    worse = _is_more(
        x0, others, np.minimum(_JEFFREYS + x0.sum(axis=0) - x0, np.maximum(units.basis, LEAST_BASIS))
    )
    chance = np.where(judged, nbinom.sf(count - 1, sure, sure / (sure + some)), np.nan)
    ratio = count / some
    found = adjusted(chance)
    bad = ((worse >= policy.probability) & (unexpected >= policy.each_period)).all(axis=1)
    bad &= chance <= (1 - policy.limit) / 2
    bad &= (found <= policy.false_discovery) & (count >= policy.least_events)
    bad &= count > policy.excess * others.sum(axis=1)

    def of_judged(values: Floats) -> Floats:
        return np.where(judged, values, np.nan)

    return ListingVerdict(
        listed=judged & bad,
        judged=judged,
        events=of_judged(count),
        expected=of_judged(expected),
        expected_by_size=of_judged(of_the_others(x0, n0).sum(axis=1)),
        expected_by_mix=of_judged(np.where(units.by_mix, of_the_others(x0, weight), np.nan).sum(axis=1)),
        ratio=of_judged(ratio),
        lower=of_judged(np.where(count > 0, gammaincinv(_JEFFREYS + count, 0.025), 0) / some),
        upper=of_judged(gammaincinv(_JEFFREYS + count, 0.975) / some),
        limit=of_judged(nbinom.isf((1 - policy.limit) / 2, sure, sure / (sure + some))),
        worse=np.where(judged[:, np.newaxis], worse, np.nan),
        unexpected=np.where(judged[:, np.newaxis], unexpected, np.nan),
        chance=chance,
        false_discovery=found,
        factor=of_judged(known.factor),
        spread=known.spread,
    )


def _is_more(events: Floats, expected: Floats, sure: Floats) -> Floats:
    """P(a rate > the expected one): Gamma(1/2 + events) / expected against a Gamma of mean 1 and shape `sure`."""
    found: Floats = betainc(sure, _JEFFREYS + events, sure / (sure + expected))
    return found
