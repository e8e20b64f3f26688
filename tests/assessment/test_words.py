"""What is told of the criterion and of its figures: the numbers of the policy, and none that cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duanka.assessment.bounds import bounds_of
from duanka.assessment.candidates import Candidate
from duanka.assessment.comparison.intervals import part_interval
from duanka.assessment.criterion_words import criterion_in_words, expected_text
from duanka.assessment.listing.notice import notice_of
from duanka.domain.assessment import PER, Measure, UnitFigure, UnitKind
from duanka.domain.assessment_policy import AssessmentPolicy
from duanka.domain.listing import ListingFacts


def test_every_number_of_the_criterion_is_told_as_the_policy_has_it() -> None:
    odd = AssessmentPolicy(
        probability=0.995,
        each_period=0.875,
        limit=0.9985,
        periods=3,
        false_discovery=0.015,
        least_events=11,
        least_exposure=17,
        least_units=7,
        excess=1.35,
        history=9,
    )
    for text in criterion_in_words(odd):
        for number in ("99.5%", "87.5%", "99.85%", "1.5%", "1.35", *("3", "11", "17", "7", "9")):
            assert f" {number}" in text, (number, text)


@pytest.mark.parametrize(
    ("expected", "told"),
    [(0.0343, "0.034"), (0.0, "0"), (0.996, "1.00"), (3.456, "3.46"), (9.99, "9.99"), (1234.56, "1,234.6")],
)
def test_what_is_expected_and_not_0_is_not_told_as_0(expected: float, told: str) -> None:
    assert expected_text(expected) == told


def test_a_notice_names_a_past_only_where_there_was_an_earlier_run() -> None:
    for runs, known in ((("Y1", "Y2"), False), (("Y0", "Y1", "Y2"), True)):
        facts = ListingFacts(
            ("2021-05", "2021-06"), 20, 900, 0.0343, 582.7, 300.0, 900.0, 4.0, (1.0, 1.0), 0.0, 0.0, runs
        )
        zh, en = notice_of(Candidate("Y2", Measure.CONFIRMED, UnitKind.OUTLET, "S1", "", "", facts), 30)
        assert ("own past" in en) == known == ("按本单位以往" in zh)
        assert ("no past is known" in en) != known
        assert "0.034" in en
        assert "0.034" in zh


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 40)), min_size=1, max_size=8))
def test_no_interval_of_cards_goes_beyond_all_of_them(pairs: list[tuple[int, int]]) -> None:
    events, exposure = (np.array(side, dtype=np.float64) for side in zip(*pairs, strict=True))
    lower, upper = part_interval(events, exposure)
    assert ((lower <= events / exposure) & (events / exposure <= upper)).all()
    assert (upper[events <= exposure] <= 1).all()
    figures = [(Measure.CONFIRMED, UnitFigure("S", int(x), int(n))) for x, n in pairs]
    for bounds, (x, n) in zip(bounds_of(figures), pairs, strict=True):
        assert bounds is not None
        assert x > n or bounds[1] <= PER
