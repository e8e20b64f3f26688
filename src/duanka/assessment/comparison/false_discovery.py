"""Many units judged at once: the share of false ones among the listed is held (Benjamini and Hochberg)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from duanka.assessment.comparison.counts import Floats
from duanka.domain.assessment import AssessmentError


def adjusted(chances: ArrayLike) -> Floats:
    """Return the adjusted p-values of `chances`: those up to a level are a set with that false discovery rate.

    `chances`: p-values, 0 to 1; NaN: not judged, and counts for nothing; shape (units,). AssessmentError: outside.
    Source: Benjamini and Hochberg 1995, JRSS B 57, 289-300; as `p.adjust(p, "BH")` of R. Holds for independent
    units, and for those that depend on each other positively.
    """
    p = np.asarray(chances, dtype=np.float64)
    judged = ~np.isnan(p)
    if p.ndim != 1 or bool(((p[judged] < 0) | (p[judged] > 1)).any()):
        raise AssessmentError("a chance is not between 0 and 1: give one p-value for each unit")
    found = np.full(p.shape, np.nan)
    order = np.argsort(p[judged])[::-1]
    ranks = np.arange(len(order), 0, -1)
    least = np.minimum.accumulate(p[judged][order] * (len(order) / np.maximum(ranks, 1)))
    back = np.empty(len(order))
    back[order] = np.minimum(least, 1)
    found[judged] = back
    return found
