"""Intervals of shares, rates and ranks: what a count leaves open."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv, gammaincinv

from duanka.assessment.comparison.counts import Floats, checked, fraction
from duanka.domain.assessment import AssessmentError

DRAWS = 4_000  # of ranks: an end of a 95% interval is then known within one rank of 100


def share_interval(events: ArrayLike, cases: ArrayLike, coverage: float = 0.95) -> tuple[Floats, Floats]:
    """Return the lower and upper end of shares (0 to 1), each of shape (units,); 0 and 1 without cases.

    Jeffreys: quantiles of Beta(x + 1/2, n - x + 1/2), with 0 where x is 0 and 1 where it is n.
    Source: Brown, Cai and DasGupta 2001, Statistical Science 16, 101-133. AssessmentError: see `checked`.
    """
    x, n = checked(events, cases, shares=True)
    tail = (1 - fraction(coverage, "a coverage")) / 2
    lower = np.where(x > 0, betaincinv(x + 0.5, n - x + 0.5, tail), 0.0)
    upper = np.where(x < n, betaincinv(x + 0.5, n - x + 0.5, 1 - tail), 1.0)
    return lower, upper


def rate_interval(events: ArrayLike, exposure: ArrayLike, coverage: float = 0.95) -> tuple[Floats, Floats]:
    """Return the lower and upper end of rates (events per exposure), each of shape (units,); without any 0 and inf.

    Jeffreys: quantiles of Gamma(x + 1/2) / exposure, with 0 where x is 0.
    Source: Brown, Cai and DasGupta 2003, Statistica Sinica 13, 19-49. AssessmentError: see `checked`.
    """
    x, n = checked(events, exposure)
    tail = (1 - fraction(coverage, "a coverage")) / 2
    some = np.where(n > 0, n, 1)
    lower = np.where(x > 0, gammaincinv(x + 0.5, tail) / some, 0.0)
    return lower, np.where(n > 0, gammaincinv(x + 0.5, 1 - tail) / some, np.inf)


def part_interval(events: ArrayLike, exposure: ArrayLike, coverage: float = 0.95) -> tuple[Floats, Floats]:
    """Return the interval of rates whose events are part of the exposure, as confirmed cards are of active cards.

    That of shares, which ends at 1. Where more was counted than there was, as of cards that were never used, it is no
    share: then `rate_interval`. Arguments and errors as there.
    """
    x, n = checked(events, exposure)
    part = x <= n
    shares, rates = share_interval(np.where(part, x, 0), n, coverage), rate_interval(x, n, coverage)
    lower, upper = (np.where(part, share, rate) for share, rate in zip(shares, rates, strict=True))
    return lower, upper


def rank_intervals(draws: ArrayLike, coverage: float = 0.95) -> tuple[Floats, Floats, Floats]:
    """Return median, lowest and highest rank of each unit, from 1 (the lowest figure); shape (units,).

    `draws`: of the units' true figures, from their posterior, shape (draws, units). Source: Goldstein and
    Spiegelhalter 1996, JRSS A 159, 385-443: a rank without its interval says nothing. AssessmentError: no draws.
    """
    values = np.asarray(draws, dtype=np.float64)
    if values.ndim != 2 or values.size == 0 or bool(np.isnan(values).any()):
        raise AssessmentError("ranks need draws of each unit's figure: leave out units that are unknown")
    tail = (1 - fraction(coverage, "a coverage")) / 2
    ranks = values.argsort(axis=1).argsort(axis=1) + 1
    lower, middle, upper = np.quantile(ranks, [tail, 0.5, 1 - tail], axis=0, method="inverted_cdf")
    return middle, lower, upper
