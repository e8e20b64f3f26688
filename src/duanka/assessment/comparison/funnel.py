"""Funnel limits: how far a unit of this size strays from the others by chance, and by what units differ by anyway.

A unit's figure is a ratio of observed to expected events, or a share of its cases. Scales on which chance has the
same size everywhere (Spiegelhalter 2012, JRSS A 175, 1-47):

    ratio    y = sqrt(observed / expected)    s = 1 / (2 sqrt(expected))
    share    y = arcsin(sqrt(x / n))          s = 1 / (2 sqrt(n))
    z = (y - target) / s
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.stats import binom, norm, poisson

from duanka.assessment.comparison.counts import Floats, checked, fraction
from duanka.domain.assessment import AssessmentError

COVERAGES = (0.95, 0.998)
TRIMMED = 0.1  # of the units, at each end: their z-scores are those of the next (winsorised)


@dataclass(frozen=True)
class OverDispersion:
    """What units differ by beside chance. `phi`: mean of the squared winsorised z; `tau2`: variance between units.

    `tau2` is on the scale of the funnel: of the root of ratios, or of the arcsine of shares.
    """

    phi: float
    tau2: float


def over_dispersion(z: ArrayLike, s: ArrayLike, trimmed: float = TRIMMED) -> OverDispersion:
    """Return the additive over-dispersion of units; `z`: z-scores, `s`: standard errors, shape (units,).

    As `published_dispersion`, but for two faults of it, with which 95% limits of unequal units cover 85 to 90%: phi is
    divided by the variance of a winsorised normal (0.68 at 10%), and tau2 is such that z / sqrt(1 + tau2 / s^2),
    winsorised, has that variance (as Paule and Mandel 1982, J. Res. NBS 87, 377-385). AssessmentError: fewer than two
    units, or NaN.
    """
    scores, errors = _checked_scores(z, s, trimmed)
    usual = _winsorised_variance(trimmed)

    def phi(tau2: float) -> float:
        return _winsorised(scores / np.sqrt(1 + tau2 / errors**2), trimmed) / usual

    if phi(0) <= 1:
        return OverDispersion(phi(0), 0.0)
    most = float(np.max((scores * errors) ** 2)) / usual
    return OverDispersion(phi(0), float(brentq(lambda tau2: phi(tau2) - 1, 0, most)))


def published_dispersion(z: ArrayLike, s: ArrayLike, trimmed: float = TRIMMED) -> OverDispersion:
    """Return the additive over-dispersion as it was published; arguments and errors as `over_dispersion`.

    The reference that `over_dispersion` is held against by published figures; no limit uses it.
    phi = sum z^2 / I, z winsorised; tau2 = (I phi - (I - 1)) / (sum w - sum w^2 / sum w), w = 1 / s^2, at least 0.
    Source: Spiegelhalter 2005, Statistics in Medicine 24, 1185-1202, and 2012; DerSimonian and Laird 1986.
    """
    scores, errors = _checked_scores(z, s, trimmed)
    phi, w, units = _winsorised(scores, trimmed), 1 / errors**2, len(scores)
    return OverDispersion(
        phi, max(0.0, (units * phi - (units - 1)) / float(w.sum() - (w**2).sum() / w.sum()))
    )


def _checked_scores(z: ArrayLike, s: ArrayLike, trimmed: float) -> tuple[Floats, Floats]:
    scores, errors = np.asarray(z, dtype=np.float64), np.asarray(s, dtype=np.float64)
    if scores.ndim != 1 or scores.shape != errors.shape or len(scores) < 2:
        raise AssessmentError("over-dispersion is between units: give two or more")
    if not (np.isfinite(scores).all() and np.isfinite(errors).all() and (errors > 0).all()):
        raise AssessmentError("a unit without exposure has no z-score: leave it out")
    if not 0 <= trimmed < 0.5:
        raise AssessmentError(f"{trimmed} of the units at each end: give a number from 0 and below 0.5")
    return scores, errors


def _winsorised(z: Floats, trimmed: float) -> float:
    """Mean square of `z` after winsorising."""
    low, high = np.quantile(z, [trimmed, 1 - trimmed])
    return float(np.mean(np.clip(z, low, high) ** 2))


def _winsorised_variance(trimmed: float) -> float:
    """Variance of a standard normal that is winsorised by `trimmed` at each end."""
    if trimmed == 0:
        return 1.0
    c = float(norm.isf(trimmed))
    return float(1 - 2 * trimmed - 2 * c * norm.pdf(c) + 2 * trimmed * c**2)


def ratio_scores(observed: ArrayLike, expected: ArrayLike) -> tuple[Floats, Floats]:
    """Return z and s of ratios of observed to expected events, target 1; shape (units,). AssessmentError: `checked`."""
    x, e = checked(observed, expected)
    if bool((e == 0).any()):
        raise AssessmentError("a unit without expected events has no ratio: leave it out")
    return 2 * (np.sqrt(x) - np.sqrt(e)), 1 / (2 * np.sqrt(e))


def share_scores(events: ArrayLike, cases: ArrayLike, target: float) -> tuple[Floats, Floats]:
    """Return z and s of shares against the share `target`; shape (units,). AssessmentError: see `checked`."""
    x, n = checked(events, cases, shares=True)
    if bool((n == 0).any()):
        raise AssessmentError("a unit without cases has no share: leave it out")
    s = 1 / (2 * np.sqrt(n))
    return (np.arcsin(np.sqrt(x / n)) - np.arcsin(np.sqrt(target))) / s, s


def ratio_limits(expected: ArrayLike, coverage: float, tau2: float = 0.0) -> tuple[Floats, Floats]:
    """Return the lower and upper funnel limit of observed / expected, target 1; shape of `expected`, in events.

    Without over-dispersion exact Poisson limits, interpolated (Spiegelhalter 2005, appendix A.1); otherwise
    (1 -+ z sqrt(1 / (4 expected) + tau2))^2. AssessmentError: see `checked`.
    """
    e = checked(expected, expected)[0]
    tail = (1 - fraction(coverage, "a coverage")) / 2
    some = np.where(e > 0, e, 1)
    if tau2 > 0:
        far = norm.isf(tail) * np.sqrt(1 / (4 * some) + tau2)
        lower, upper = np.maximum(0, 1 - far) ** 2, (1 + far) ** 2
    else:
        lower, upper = (_interpolated(poisson(some), p) / some for p in (tail, 1 - tail))
    return np.where(e > 0, lower, 0.0), np.where(e > 0, upper, np.inf)


def share_limits(
    cases: ArrayLike, target: float, coverage: float, tau2: float = 0.0
) -> tuple[Floats, Floats]:
    """Return the lower and upper funnel limit of shares around `target`; shape of `cases`, in cases.

    Without over-dispersion exact binomial limits, interpolated (Spiegelhalter 2005, appendix A.1); otherwise
    sin(arcsin(sqrt(target)) -+ z sqrt(1 / (4 n) + tau2))^2. AssessmentError: see `checked`; a target outside 0 to 1.
    """
    n = checked(cases, cases)[0]
    tail = (1 - fraction(coverage, "a coverage")) / 2
    some = np.where(n > 0, n, 1)
    fraction(target, "a target")
    if tau2 > 0:
        far, middle = norm.isf(tail) * np.sqrt(1 / (4 * some) + tau2), np.arcsin(np.sqrt(target))
        lower, upper = (np.sin(np.clip(middle + side * far, 0, np.pi / 2)) ** 2 for side in (-1, 1))
    else:
        lower, upper = (_interpolated(binom(some, target), p) / some for p in (tail, 1 - tail))
    return np.where(n > 0, lower, 0.0), np.where(n > 0, upper, 1.0)


def _interpolated(counts: object, p: float) -> Floats:
    """The `p` quantile of a count, moved towards the next lower one by as much as its probability exceeds `p`."""
    at = counts.ppf(p)  # type: ignore[attr-defined]  # scipy is untyped
    above = counts.cdf(at) - p  # type: ignore[attr-defined]
    found: Floats = np.maximum(0, at - above / counts.pmf(at))  # type: ignore[attr-defined]
    return found
