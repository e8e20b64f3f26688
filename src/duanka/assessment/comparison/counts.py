"""Counts of units as arrays, checked: what cannot be compared is an error that says what to mend."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from duanka.domain.assessment import AssessmentError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def checked(
    events: ArrayLike, exposure: ArrayLike, *, shares: bool = False, unknown: bool = False
) -> tuple[Floats, Floats]:
    """Return events and exposure as arrays of one shape, in counts.

    `shares`: events are part of the exposure. `unknown`: NaN is allowed and means unknown, in both alike afterwards.
    AssessmentError: shapes differ, nothing is there, or a value is negative, infinite, not a number, or too large.
    """
    y, n = np.asarray(events, dtype=np.float64), np.asarray(exposure, dtype=np.float64)
    if y.shape != n.shape:
        raise AssessmentError(f"{y.shape} events and {n.shape} exposures: give one exposure for each count")
    if y.size == 0:
        raise AssessmentError("there is nothing to compare: give the counts of two units or more")
    missing = np.isnan(y) | np.isnan(n)
    if bool(missing.any()) and not unknown:
        raise AssessmentError(f"{int(missing.sum())} counts are unknown: leave these units out")
    if bool((~np.isfinite(y) & ~missing | ~np.isfinite(n) & ~missing).any()):
        raise AssessmentError("a count is infinite: give the counts of events and their exposure")
    if bool((y < 0).any() or (n < 0).any()):
        raise AssessmentError("a count is below 0: give the counts of events and their exposure")
    if bool(((y > 0) & (n == 0)).any()):
        raise AssessmentError("there are events without exposure: give the exposure that they belong to")
    if shares and bool((y > n).any()):
        raise AssessmentError("there are more events than cases: a share is of the cases that it is part of")
    return np.where(missing, np.nan, y), np.where(missing, np.nan, n)


def fraction(value: float, what: str) -> float:
    """Return `value`. AssessmentError: not above 0 and below 1."""
    if not 0 < value < 1:
        raise AssessmentError(f"{what} of {value} says nothing: give a number above 0 and below 1")
    return value
