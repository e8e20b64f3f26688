"""What cannot be compared is a clear error or a stated answer, never a figure out of nothing."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duanka.assessment.comparison import funnel, intervals, shrinkage
from duanka.assessment.comparison.counts import Flags, Floats
from duanka.assessment.comparison.criterion import judge
from duanka.assessment.comparison.cusum import alarm_limit, cusum
from duanka.assessment.comparison.false_discovery import adjusted
from duanka.assessment.comparison.standardisation import standardised
from duanka.assessment.report.compare import compared
from duanka.domain.assessment import AssessmentError, AssessmentPeriod, Measure, UnitFigure, UnitKind
from duanka.domain.assessment_policy import AssessmentPolicy

POLICY = AssessmentPolicy()
NAN, INF = float("nan"), float("inf")
Compare = Callable[[Any, Any], object]
BY_UNIT: list[Compare] = [
    shrinkage.gamma_poisson,
    shrinkage.beta_binomial,
    intervals.share_interval,
    intervals.rate_interval,
    funnel.ratio_scores,
    lambda x, n: funnel.share_scores(x, n, 0.5),
    lambda x, n: judge(np.column_stack([x, x]), np.column_stack([n, n]), POLICY),
    cusum,
]


@pytest.mark.parametrize("compare", BY_UNIT)
@pytest.mark.parametrize(
    ("events", "exposure", "said"),
    [
        ([1, -1], [10, 10], "below 0"),
        ([1, 1], [10, -10], "below 0"),
        ([1, INF], [10, INF], "infinite"),
        ([1, 1], [10, 0], "without exposure"),
    ],
)
def test_counts_that_cannot_be_are_an_error(
    compare: Compare, events: list[float], exposure: list[float], said: str
) -> None:
    with pytest.raises(AssessmentError, match=said):
        compare(events, exposure)


@pytest.mark.parametrize("compare", BY_UNIT[:6])
def test_unknown_counts_and_nothing_at_all_are_an_error(compare: Compare) -> None:
    with pytest.raises(AssessmentError, match="unknown"):
        compare([1, NAN], [10, 10])
    with pytest.raises(AssessmentError, match="nothing to compare"):
        compare([], [])
    with pytest.raises(AssessmentError, match="one exposure for each"):
        compare([1, 2], [10, 10, 10])


def test_one_unit_and_no_event_say_nothing_of_how_units_differ() -> None:
    with pytest.raises(AssessmentError, match="two or more"):
        shrinkage.gamma_poisson([3], [100])
    with pytest.raises(AssessmentError, match="two or more"):
        shrinkage.gamma_poisson([3, 0], [100, 0])
    with pytest.raises(AssessmentError, match="no unit has an event"):
        shrinkage.beta_binomial([0, 0], [100, 50])
    with pytest.raises(AssessmentError, match="two or more"):
        funnel.over_dispersion([1.0], [1.0])
    with pytest.raises(AssessmentError, match="more events than cases"):
        shrinkage.beta_binomial([5, 1], [4, 50])


def test_a_unit_without_exposure_has_no_ratio_and_the_widest_limits() -> None:
    with pytest.raises(AssessmentError, match="leave it out"):
        funnel.ratio_scores([0, 1], [0, 10])
    with pytest.raises(AssessmentError, match="leave it out"):
        funnel.share_scores([0, 1], [0, 10], 0.1)
    assert [one[0] for one in funnel.ratio_limits([0.0], 0.95)] == [0, INF]
    assert [one[0] for one in funnel.share_limits([0.0], 0.2, 0.95)] == [0, 1]
    assert [one[0] for one in intervals.rate_interval([0], [0])] == [0, INF]
    assert [one[0] for one in intervals.share_interval([0], [0])] == [0, 1]


def test_values_that_are_no_fraction_or_no_worse_rate_are_an_error() -> None:
    for coverage in (0, 1, NAN, 95):
        with pytest.raises(AssessmentError, match="above 0 and below 1"):
            funnel.ratio_limits([5.0], coverage)
    for ratio in (1, 0.5, NAN, INF):
        with pytest.raises(AssessmentError, match="a worse rate"):
            cusum([1.0], [1.0], ratio)
    with pytest.raises(AssessmentError, match="not between 0 and 1"):
        adjusted([0.5, 1.5])
    with pytest.raises(AssessmentError, match="at each end"):
        funnel.over_dispersion([1, 2], [1, 1], 0.5)
    with pytest.raises(AssessmentError, match="draws"):
        intervals.rank_intervals(np.empty((0, 3)))
    with pytest.raises(AssessmentError, match="by unit and stratum"):
        standardised(np.ones(3), np.ones(3))
    assert alarm_limit([0.0, 0.0]) == 0


def test_the_criterion_says_nothing_of_too_few_units_or_unknown_counts() -> None:
    with pytest.raises(AssessmentError, match="2 periods running"):
        judge(np.ones((6, 1)), np.full((6, 1), 100.0), POLICY)
    few = judge(np.array([[90, 90], [1, 1], [1, 1]]), np.full((3, 2), 100.0), POLICY)
    assert not few.judged.any()
    assert not few.listed.any()
    events, exposure = np.full((8, 6), 2.0), np.full((8, 6), 1_000.0)
    events[0] = 60
    events[1, -1] = NAN
    found = judge(events, exposure, POLICY)
    assert found.judged.tolist() == [True, False, *[True] * 6]
    assert np.isnan(found.chance[1])
    assert not found.listed[1:].any()
    nothing = judge(np.zeros((8, 6)), exposure, POLICY)
    assert not nothing.listed.any()


counts = st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 50_000)), min_size=1, max_size=40)


@given(counts)
def test_any_counts_give_figures_in_order_or_an_error(pairs: list[tuple[int, int]]) -> None:
    n = np.array([most for _, most in pairs], dtype=np.float64)
    x = np.minimum([count for count, _ in pairs], n)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for shrink, interval in (
            (shrinkage.gamma_poisson, intervals.rate_interval),
            (shrinkage.beta_binomial, intervals.share_interval),
        ):
            low, high = interval(x, n)
            assert (low <= high).all()
            try:
                shrunk = shrink(x, n)
            except AssessmentError:
                assert (n > 0).sum() < 2 or x.sum() == 0
                continue
            low, high = shrunk.quantile(0.025), shrunk.quantile(0.975)
            assert (np.isfinite(shrunk.mean) & (shrunk.mean > 0)).all()
            assert (low <= high).all()


@given(counts)
def test_the_criterion_answers_any_counts(pairs: list[tuple[int, int]]) -> None:
    n = np.array([most for _, most in pairs], dtype=np.float64)
    x = np.minimum([count for count, _ in pairs], n)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = judge(np.column_stack([x[::-1], x, x, x]), np.column_stack([n[::-1], n, n, n]), POLICY)
    assert not (found.listed & ~found.judged).any()
    assert ((found.chance[found.judged] >= 0) & (found.chance[found.judged] <= 1)).all()
    assert (found.events[found.listed] >= POLICY.least_events).all()


def test_of_the_only_unit_with_an_event_nothing_is_expected_and_it_is_not_judged() -> None:
    exposure = np.full((9, 2), 1_000.0)
    for units in (5, 9):
        events = np.zeros((units, 2))
        events[0, -1] = 1
        found = judge(events, exposure[:units], POLICY)
        assert not found.judged.any(), "in the quieter period nobody had an event"
    events[0] = 2
    found = judge(events, exposure, POLICY)
    assert found.judged.tolist() == [False, *[True] * 8], "the others are judged by what it had"
    assert not found.listed.any()
    past = np.column_stack([np.array([4, 0, 0, 0, 0, 0, 0, 0, 0]), np.zeros(9), np.full(9, 2), np.full(9, 2)])
    found = judge(past, np.full((9, 4), 1_000.0), POLICY)
    assert found.judged.all(), "a past in which one unit alone had events teaches nothing, and stops nothing"
    assert not found.listed.any()


@st.composite
def quiet_tables(draw: st.DrawFn) -> tuple[Floats, Floats, Flags, AssessmentPolicy]:
    """Small counts by unit and period, mostly 0 or unknown, where a unit was listed, and a policy."""
    units, periods = draw(st.integers(1, 8)), draw(st.integers(2, 9))
    cell = st.tuples(
        st.sampled_from([0, 0, 0, 1, 2, 30]), st.sampled_from([0, 0, 1, 3, 40]), st.integers(0, 9)
    )
    table = np.array(
        draw(st.lists(cell, min_size=units * periods, max_size=units * periods)), dtype=np.float64
    ).reshape(units, periods, 3)
    unknown, events = draw(st.integers(0, 9)), table[..., 0]
    exposure = np.maximum(table[..., 1], events)
    events, exposure = (np.where(table[..., 2] < unknown, NAN, one) for one in (events, exposure))
    policy = AssessmentPolicy(
        least_units=draw(st.sampled_from([1, 2, 5])),
        periods=draw(st.sampled_from([1, 2])),
        history=draw(st.sampled_from([1, 4, 12])),
        least_exposure=draw(st.sampled_from([0.0, 1.0])),
    )
    return events, exposure, table[..., 2] == 9, policy


def _count(known: float) -> int | None:
    return None if np.isnan(known) else int(known)


@given(quiet_tables())
def test_the_criterion_and_the_report_answer_whatever_was_counted(
    table: tuple[Floats, Floats, Flags, AssessmentPolicy],
) -> None:
    events, exposure, listed, policy = table
    periods = [AssessmentPeriod.read("2021-06")]
    for _ in range(events.shape[1] - 1):
        periods.insert(0, periods[0].before)
    past = {
        period: {
            str(unit): UnitFigure(str(unit), _count(events[unit, at]), _count(exposure[unit, at]))
            for unit in range(len(events))
        }
        for at, period in enumerate(periods)
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = judge(events, exposure, policy, listed)
        for measure in (Measure.CONFIRMED, Measure.WRONGFUL, Measure.IN_TIME):
            figures = list(past[periods[-1]].values())
            shown = compared(measure, UnitKind.OPERATOR, figures, past, policy)
            assert len(shown.units) == len(figures)
    assert not (found.listed & ~found.judged).any()
    assert np.isfinite(found.expected[found.judged]).all()
    assert (found.expected[found.judged] > 0).all()


@given(st.integers(0, 500), st.integers(1, 100_000), st.integers(5, 40), st.integers(2, 16))
def test_of_equal_units_none_is_listed(count: int, exposure: int, units: int, periods: int) -> None:
    found = judge(np.full((units, periods), float(count)), np.full((units, periods), float(exposure)), POLICY)
    assert not found.listed.any()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_adjusted_chances_keep_their_order_and_are_no_smaller(chances: list[float]) -> None:
    found = adjusted(chances)
    assert (found >= np.array(chances)).all()
    assert (np.diff(found[np.argsort(chances, kind="stable")]) >= 0).all()
