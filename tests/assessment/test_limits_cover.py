"""Limits and intervals cover what they say: 100,000 draws of honest units."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from duanka.assessment.comparison import funnel, intervals, shrinkage
from duanka.assessment.comparison.cusum import alarm_limit, cusum

Floats = NDArray[np.float64]
PANELS, UNITS = 100, 1_000  # 100,000 draws
POINTS = 0.003


def _sizes(chance: np.random.Generator, least: float, most: float) -> Floats:
    return np.exp(chance.uniform(np.log(least), np.log(most), (PANELS, UNITS)))


def _covered(low: Floats, value: Floats, high: Floats, coverage: float) -> None:
    assert value.size == PANELS * UNITS
    assert ((low <= value) & (value <= high)).mean() == pytest.approx(coverage, abs=POINTS)


def test_funnel_limits_with_over_dispersion_cover_what_they_say() -> None:
    chance = np.random.default_rng(11)
    expected = _sizes(chance, 50, 5_000)
    # units differ by a fifth; roots of their rates are normal, as the additive model says
    rate = np.maximum(chance.normal(1, 0.1, expected.shape), 0) ** 2
    observed = chance.poisson(expected * rate).astype(np.float64)
    tau2 = [
        funnel.over_dispersion(*funnel.ratio_scores(x, e)).tau2
        for x, e in zip(observed, expected, strict=True)
    ]
    for coverage in funnel.COVERAGES:
        limits = [funnel.ratio_limits(e, coverage, t) for e, t in zip(expected, tau2, strict=True)]
        low, high = (np.array(side) for side in zip(*limits, strict=True))
        _covered(low, observed / expected, high, coverage)


def test_funnel_limits_of_shares_with_over_dispersion_cover_what_they_say() -> None:
    chance = np.random.default_rng(12)
    cases = _sizes(chance, 200, 5_000).round()
    angle = np.arcsin(np.sqrt(0.2)) + chance.normal(0, 0.05, cases.shape)
    events = chance.binomial(cases.astype(np.int64), np.sin(angle) ** 2).astype(np.float64)
    tau2 = [
        funnel.over_dispersion(*funnel.share_scores(x, n, 0.2)).tau2
        for x, n in zip(events, cases, strict=True)
    ]
    for coverage in funnel.COVERAGES:
        limits = [funnel.share_limits(n, 0.2, coverage, t) for n, t in zip(cases, tau2, strict=True)]
        low, high = (np.array(side) for side in zip(*limits, strict=True))
        _covered(low, events / cases, high, coverage)


def test_funnel_limits_by_chance_alone_cover_what_they_say() -> None:
    chance = np.random.default_rng(13)
    expected, cases = _sizes(chance, 300, 30_000)[0], _sizes(chance, 2_000, 20_000)[0].round()
    observed = chance.poisson(expected, (PANELS, UNITS))
    events = chance.binomial(cases.astype(np.int64), 0.3, (PANELS, UNITS))
    for coverage in funnel.COVERAGES:
        low, high = funnel.ratio_limits(expected, coverage)
        _covered(low, observed / expected, high, coverage)
        low, high = funnel.share_limits(cases, 0.3, coverage)
        _covered(low, events / cases, high, coverage)


def test_the_published_dispersion_of_honest_units_is_too_small_and_ours_is_not() -> None:
    chance = np.random.default_rng(14)
    s = 1 / (2 * np.sqrt(np.exp(chance.uniform(np.log(50), np.log(5_000), 100_000))))
    z = chance.normal(0, np.sqrt(1 + 0.01 / s**2))
    assert funnel.over_dispersion(z, s).tau2 == pytest.approx(0.01, rel=0.02)
    assert funnel.published_dispersion(z, s).tau2 < 0.005


def test_jeffreys_intervals_cover_what_they_say_on_average() -> None:
    chance = np.random.default_rng(15)
    p, n = chance.beta(0.5, 0.5, 100_000), chance.integers(5, 500, 100_000)
    exposure, rate = chance.uniform(1e3, 1e6, 100_000), chance.gamma(0.5, 1e-3, 100_000)
    x, y = chance.binomial(n, p), chance.poisson(rate * exposure)
    for coverage in funnel.COVERAGES:
        # where nothing or everything was counted the interval begins at 0 or ends at 1, so it covers a little more
        some = (x > 0) & (x < n)
        low, high = intervals.share_interval(x, n, coverage)
        assert ((low <= p) & (p <= high))[~some].mean() >= coverage
        assert ((low <= p) & (p <= high))[some].mean() == pytest.approx(coverage, abs=POINTS)
        low, high = intervals.rate_interval(y, exposure, coverage)
        assert ((low <= rate) & (rate <= high))[y == 0].mean() >= coverage
        assert ((low <= rate) & (rate <= high))[y > 0].mean() == pytest.approx(coverage, abs=POINTS)


@pytest.mark.parametrize("shares", [False, True])
def test_intervals_of_shrunk_figures_cover_what_they_say(*, shares: bool) -> None:
    chance = np.random.default_rng(16)
    n = chance.integers(5, 2_000, 100_000)
    if shares:
        true = chance.beta(3, 27, n.size)
        shrunk = shrinkage.beta_binomial(chance.binomial(n, true), n)
    else:
        true = chance.gamma(4, 0.01, n.size)
        shrunk = shrinkage.gamma_poisson(chance.poisson(true * n), n)
    for coverage in funnel.COVERAGES:
        tail = (1 - coverage) / 2
        _covered(shrunk.quantile(tail), true, shrunk.quantile(1 - tail), coverage)


def test_an_honest_unit_raises_the_cusum_alarm_as_rarely_as_is_said() -> None:
    chance, expected = np.random.default_rng(17), np.linspace(20, 60, 24)
    limit = alarm_limit(expected, spread=0.1)
    rate = chance.gamma(100, 0.01, (100_000, 24))
    sums = cusum(chance.poisson(expected * rate), np.broadcast_to(expected, rate.shape))
    assert (sums.max(axis=1) > limit).mean() == pytest.approx(0.01, abs=POINTS)
