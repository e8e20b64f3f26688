"""CUSUM over months: a lasting change for the worse adds up, although no single month is remarkable."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from duanka.assessment.comparison.counts import Floats, checked, fraction
from duanka.domain.assessment import AssessmentError

RATIO = 1.5  # times the expected rate that is looked for
DRAWS = 20_000
SEED = 20_050_430


def cusum(events: ArrayLike, expected: ArrayLike, ratio: float = RATIO) -> Floats:
    """Return the sums S after each period, in log-likelihood units; shape (units, periods), or (periods,).

    S = max(0, S before + x log(ratio) - expected (ratio - 1)): evidence for `ratio` times the expected rate, reset
    at 0. Source: Steiner et al. 2000, Biostatistics 1, 441-452, for Poisson counts as in Lucas 1985, Technometrics
    27, 129-144. AssessmentError: see `checked`; a ratio that is not above 1.
    """
    x, e = checked(events, expected)
    if not 1 < ratio < np.inf:
        raise AssessmentError(f"a CUSUM looks for a worse rate: {ratio} times the expected one is none")
    steps = x * np.log(ratio) - e * (ratio - 1)
    sums = np.zeros(steps.shape)
    now = np.zeros(steps.shape[:-1])
    for period in range(steps.shape[-1]):
        now = np.maximum(0, now + steps[..., period])
        sums[..., period] = now
    return sums


def alarm_limit(
    expected: ArrayLike, ratio: float = RATIO, false_alarm: float = 0.01, spread: float = 0.0
) -> float:
    """Return the sum that an honest unit ever passes with the chance `false_alarm`, over all these periods.

    `expected`: shape (periods,), in events. `spread`: relative standard deviation of an honest unit's rate from
    period to period. By `DRAWS` seeded draws of honest units. AssessmentError: see `cusum`.
    """
    e = np.atleast_1d(np.asarray(expected, dtype=np.float64))
    fraction(false_alarm, "a chance of false alarms")
    chance = np.random.default_rng(SEED)
    rate = chance.gamma(1 / spread**2, spread**2, (DRAWS, len(e))) if spread > 0 else np.ones((DRAWS, 1))
    drawn = chance.poisson(checked(e, e)[0] * rate)
    return float(
        np.quantile(cusum(drawn, np.broadcast_to(e, drawn.shape), ratio).max(axis=1), 1 - false_alarm)
    )
