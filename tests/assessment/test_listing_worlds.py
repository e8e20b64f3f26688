"""Who is listed: worlds with a known truth, small; `make bench-listing` plays them in full."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from duanka.assessment.comparison.criterion import judge
from duanka.domain.assessment_policy import AssessmentPolicy
from support import ROOT

POLICY = AssessmentPolicy()
Floats = NDArray[np.float64]
pytestmark = pytest.mark.requirement("R5")


@pytest.fixture(scope="module")
def listing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_listing", ROOT / "benchmarks" / "listing.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_listing"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def _panel(months: int = 14, units: int = 31, seed: int = 3) -> tuple[Floats, Floats]:
    """Honest units with a lasting mix; unit 0 has a million cards and the rate of all."""
    chance = np.random.default_rng(seed)
    cards = np.exp(chance.uniform(np.log(5e4), np.log(1e7), (units, 1))) * np.ones((1, months))
    cards[0] = 1e6
    mix = chance.gamma(25, 1 / 25, (units, 1))
    mix[0] = 1
    return chance.poisson(cards * 1e-4 * mix).astype(np.float64), cards


def test_worlds_of_31_units_list_the_bad_one_and_hardly_an_honest_one(listing: ModuleType) -> None:
    got = listing.play(range(10), listing.Bad(1e6, 2))
    assert got.after_two >= 8
    assert got.after_six >= 9
    assert got.honest_a_year <= 0.02  # of 10 runs: one in a hundred, and chance


def test_in_worlds_whose_mix_is_known_a_unit_that_was_always_bad_is_listed(listing: ModuleType) -> None:
    got = listing.play(
        range(3), listing.Bad(1e6, 2, always=True), listing.Mix.FRESH, known=listing.Known.MOST
    )
    assert (got.after_two, got.honest) == (3, 0)
    blind = listing.play(range(3), listing.Bad(1e6, 1.5, always=True), listing.Mix.FRESH)
    assert blind.after_two < 3, "as it is where nothing is known of the mix"


def test_of_outlets_the_gangs_stall_is_listed_and_neither_the_large_nor_the_small_one(
    listing: ModuleType,
) -> None:
    got = listing.play_outlets(range(2), of_stall=3)
    assert (got.stall, got.many, got.few) == (2, 0, 0)
    assert got.honest <= 1
    assert listing.play_outlets(range(1), of_stall=1).stall == 0


def test_a_unit_that_turned_bad_is_listed_with_the_figures_that_say_why() -> None:
    events, cards = _panel()
    events[0, -2:] = 150
    found = judge(events, cards, POLICY)
    assert found.listed.tolist() == [True] + [False] * 30
    assert found.events[0] == 300
    assert 180 < found.expected[0] < 230
    assert found.events[0] > found.limit[0] > found.expected[0]
    assert (found.worse[0] >= POLICY.probability).all()
    assert (found.unexpected[0] >= POLICY.each_period).all()
    assert found.lower[0] > 1
    assert found.lower[0] < found.ratio[0] < found.upper[0]


def test_one_odd_month_lists_nobody() -> None:
    events, cards = _panel()
    events[0, -1] = 250
    events[0, -2] = 100
    assert not judge(events, cards, POLICY).listed.any()


def test_what_is_worse_everywhere_lists_nobody() -> None:
    events, cards = _panel()
    events[:, -2:] *= 2
    assert not judge(events, cards, POLICY).listed.any()


def test_who_is_better_than_the_rest_is_not_listed_for_having_been_better_still() -> None:
    events, cards = _panel()
    events[0, :-2], events[0, -2:] = 40, 90
    found = judge(events, cards, POLICY)
    assert found.chance[0] < 1e-6
    assert not found.listed[0]


def test_a_lasting_mix_is_no_fault_but_a_past_excuses_only_what_units_differ_by() -> None:
    events, cards = _panel()
    events[0] = 140
    assert not judge(events, cards, POLICY).listed[0]
    events[0] = 300  # thrice the others, since ever
    found = judge(events, cards, POLICY)
    assert found.listed[0]
    assert found.factor[0] < 2


def test_months_in_which_a_unit_was_listed_teach_it_nothing() -> None:
    events, cards = _panel(20)
    events[0, 8:] = 170
    listed = np.zeros(events.shape, dtype=np.bool_)
    assert not judge(events, cards, replace(POLICY, history=8)).listed[0]  # its bad year became its past
    listed[0, 8:] = True
    assert judge(events, cards, POLICY, listed).listed[0]


def test_the_bad_unit_does_not_hide_in_what_it_adds_to_the_differences() -> None:
    events, cards = _panel(2)
    events[0] = 250  # no past at all, and 2.5 times the others
    assert judge(events, cards, POLICY).listed.tolist() == [True] + [False] * 30


@pytest.mark.parametrize(
    "stricter",
    [
        {"probability": 0.999_999_999_999},
        {"each_period": 0.999_999},
        {"limit": 0.999_999_999_999},
        {"least_events": 301},
        {"least_exposure": 1e6 + 1},
        {"excess": 1.6},
        {"least_units": 32},
        {"false_discovery": 1e-12},
        {"periods": 3},
    ],
)
def test_each_figure_of_the_policy_can_keep_a_unit_off_the_list(stricter: dict[str, float]) -> None:
    events, cards = _panel()
    events[0, -2:] = 150
    assert judge(events, cards, POLICY).listed[0]
    assert not judge(events, cards, replace(POLICY, **stricter)).listed[0]  # type: ignore[arg-type]
