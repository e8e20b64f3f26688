"""Who sells more new cards is no worse for it: what a mix lets expect, by the others' rates for each age of a card."""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from duanka.assessment.candidates import facts_of, facts_text
from duanka.assessment.comparison.criterion import judge
from duanka.assessment.comparison.standardisation import CaseMix, standardised, weighed
from duanka.assessment.listing.notice import notice_of
from duanka.assessment.listing.service import UnitListings
from duanka.domain.assessment import AssessmentPeriod
from duanka.domain.assessment_policy import AssessmentPolicy
from duanka.domain.card_age import CardAge, age_of
from duanka.ledger.db.assessment.listings import assessment_figures
from duanka.ledger.db.database import Store
from support.assessment.shops import LATER, LI, STALL, both
from support.assessment.shops import runs_on as shops_on

POLICY = AssessmentPolicy()
_OF_OTHERS = ("by_number", "by_age")
pytestmark = pytest.mark.requirement("R5")


def world(new: float, times: float, others_new: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Two months of 31 units of a million cards: shape (units, periods, strata). `new`: share of new cards of unit 0.

    New cards are confirmed eight times as often; unit 0 has `times` what its mix lets expect.
    """
    shares = np.linspace(0.5 * others_new, 1.5 * others_new, 31)
    shares[0] = new
    cards = 1e6 * np.stack([shares, 1 - shares], axis=1)[:, np.newaxis] * np.ones((31, 2, 2))
    rates = cards * np.array([4e-4, 5e-5])
    rates[0] *= times
    return np.random.default_rng(9).poisson(rates).astype(np.float64), cards


def mixes(events: np.ndarray, cards: np.ndarray) -> CaseMix:
    each = [standardised(events[:, at], cards[:, at]) for at in range(events.shape[1])]
    return CaseMix(np.stack([one.exposure for one in each], 1), np.stack([one.basis for one in each], 1))


def listed(events: np.ndarray, cards: np.ndarray, mix: CaseMix | None) -> list[int]:
    found = judge(events.sum(axis=2), cards.sum(axis=2), POLICY, mix=mix)
    return [int(one) for one in np.flatnonzero(found.listed)]


def test_a_unit_with_more_new_cards_is_listed_by_its_rate_and_not_by_its_mix() -> None:
    events, cards = world(new=0.9, times=1)
    assert listed(events, cards, None) == [0]
    assert listed(events, cards, mixes(events, cards)) == []


def test_a_unit_that_looks_better_by_its_mix_than_it_is_is_found() -> None:
    events, cards = world(new=0.02, times=1.9)
    assert listed(events, cards, None) == []
    assert listed(events, cards, mixes(events, cards)) == [0]


def test_what_a_unit_does_in_a_stratum_that_is_mostly_its_own_is_no_excuse() -> None:
    """The others have 2,000 new cards each, enough together to say how often these are confirmed."""
    events, cards = world(new=0.9, times=2, others_new=0.002)
    assert cards[0, 0, 0] > 10 * cards[1:, 0, 0].sum()
    assert listed(events, cards, mixes(events, cards)) == [0]


def test_stalls_of_one_gang_do_not_excuse_each_other() -> None:
    """Five of 300 outlets sell new cards to a gang: they have most of the new cards that were confirmed."""
    cards = np.tile([5.0, 995.0], (300, 1))
    cards[:5] = (150, 50)
    events = np.zeros((300, 2))
    events[:5, 0], events[5:8, 0], events[20:300:4, 1] = 12, 1, 1
    five = standardised(events, cards)
    events[1:5] = 0
    one = standardised(events, cards)
    assert five.exposure[0] == pytest.approx(one.exposure[0], rel=0.3)


def test_where_hardly_another_unit_has_such_cards_nobody_is_listed_for_them() -> None:
    """What nobody else sells cannot be called worse than what others sell."""
    events, cards = world(new=0.9, times=1, others_new=2e-5)
    mix = mixes(events, cards)
    assert mix.basis[0].max() < 2
    assert listed(events, cards, mix) == []
    sure = replace(mix, basis=np.full_like(mix.basis, 1e9))
    assert listed(events, cards, sure) == [0], "basis keeps it off"
    wide, narrow = (judge(events.sum(axis=2), cards.sum(axis=2), POLICY, mix=one) for one in (mix, sure))
    assert wide.limit[0] > 3 * narrow.limit[0]
    assert (wide.unexpected[0] < narrow.unexpected[0]).all()
    assert (wide.worse[0] < narrow.worse[0]).all()


def test_equal_mixes_change_nothing_also_beside_a_bad_unit() -> None:
    events, cards = world(new=0.2, times=3)
    cards[:] = cards[:1]
    assert mixes(events, cards).exposure == pytest.approx(cards.sum(axis=2), rel=1e-6)


def test_who_leaves_out_the_opening_dates_of_its_worst_cards_gains_nothing_by_it() -> None:
    """Strata: new, old, and of unknown age. Of the others' few cards of unknown age one was confirmed."""
    cards, events = (np.zeros((10, 3)) for _ in range(2))
    cards[:], events[:] = (2e5, 8e5, 1e3), (80, 40, 0)
    events[1, 2] = 1
    events[0] = (300, 40, 0)
    told = standardised(events, cards)
    cards[0], events[0] = (0, 8e5, 2.01e5), (0, 40, 300)
    hidden = standardised(events, cards)
    assert hidden.exposure[0] < told.exposure[0]


tables = st.integers(1, 7).flatmap(
    lambda units: st.lists(
        st.lists(
            st.tuples(st.sampled_from([0, 0, 0, 1, 2, 40]), st.sampled_from([0, 0, 1, 3, 5_000])),
            min_size=3,
            max_size=3,
        ),
        min_size=units,
        max_size=units,
    )
)


@given(tables)
def test_strata_without_events_or_with_few_cards_break_nothing(
    table: list[list[tuple[int, int]]],
) -> None:
    counts = np.array(table, dtype=np.float64)
    events, cards = counts[..., 0], counts[..., 1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = standardised(events, np.maximum(cards, events))
        x, n = (np.repeat(one.sum(axis=1)[:, np.newaxis], 2, axis=1) for one in (events, cards))
        n = np.maximum(n, x)
        mix = CaseMix(*(np.repeat(one[:, np.newaxis], 2, axis=1) for one in (found.exposure, found.basis)))
        units = weighed(n, mix)
        told = judge(x, n, replace(POLICY, least_units=2), mix=mix)
    others = events.sum() - events.sum(axis=1)
    assert ((found.exposure > 0) == (n[:, 0] > 0)).all()
    assert (np.isfinite(found.exposure) & (found.basis <= others + 1e-9)).all()
    assert (units.exposure[:, 0] == found.exposure).all()
    assert not (told.listed & ~told.judged).any()


def test_runs_of_before_mixes_were_counted_are_a_past_all_the_same() -> None:
    events, cards = world(new=0.9, times=1)
    mix = mixes(events, cards)
    x, n = (np.concatenate([one.sum(axis=2)] * 4, axis=1) for one in (events, cards))
    unknown = np.full((31, 6), np.nan)
    long = CaseMix(*(np.concatenate([unknown, one], axis=1) for one in (mix.exposure, mix.basis)))
    found = judge(x, n, POLICY, mix=long)
    assert found.judged.all()
    assert not found.listed.any()
    half = replace(long, exposure=np.where(np.arange(31)[:, np.newaxis] == 3, np.nan, long.exposure))
    assert np.isnan(judge(x, n, POLICY, mix=half).expected_by_mix).all(), "a mix of some is none"
    assert (judge(x, n, POLICY).expected == judge(x, n, POLICY, mix=half).expected).all()


@pytest.mark.parametrize(
    ("opened", "period", "age"),
    [
        ("", "2026-03", CardAge.UNKNOWN),
        ("2026-03", "2026-03", CardAge.IN_PERIOD),
        ("2026-04", "2026-03", CardAge.UNKNOWN),
        ("2026-02", "2026-03", CardAge.RECENT),
        ("2026-01", "2026-03", CardAge.RECENT),
        ("2025-12", "2026-03", CardAge.SETTLED),
        ("2025-04", "2026-03", CardAge.SETTLED),
        ("2025-03", "2026-03", CardAge.OLD),
        ("1998-01", "2026-03", CardAge.OLD),
        ("2026-03", "2026Q1", CardAge.IN_PERIOD),
        ("2026-04", "2026Q1", CardAge.UNKNOWN),
        ("2025-12", "2026Q1", CardAge.RECENT),
    ],
)
def test_the_age_of_a_card_is_counted_in_calendar_months(opened: str, period: str, age: CardAge) -> None:
    assert age_of(opened, AssessmentPeriod.read(period)) is age


def test_standard_exposures_are_those_of_a_count_by_hand() -> None:
    draw = np.random.default_rng(4)
    cards = draw.integers(1, 60, (9, 3)) * 100.0
    events = np.round(cards * [0.02, 0.01, 0.004])  # none is far above
    found, rest_of = standardised(events, cards), [*range(9)]
    for unit in rest_of:
        others = [one for one in rest_of if one != unit]
        rate = sum(events[one].sum() for one in others) / sum(cards[one].sum() for one in others)
        own = of_others = doubt = 0.0
        for stratum in range(3):
            count, there = (sum(of[one, stratum] for one in others) for of in (events, cards))
            here = (count + 0.25) / (there + 0.25 / rate)
            own += cards[unit, stratum] * here
            of_others += there * here
            doubt += (cards[unit, stratum] * here) ** 2 / (count + 0.25)
        assert found.exposure[unit] == pytest.approx(cards.sum() * own / (own + of_others))
        most = sum(events[one].sum() for one in others)
        assert found.basis[unit] == pytest.approx(min(most, own**2 / doubt))


def test_a_run_of_before_that_has_no_mixes_is_compared_with_one_that_has(store: Store) -> None:
    runs = shops_on(store)
    runs.run(AssessmentPeriod.read("2026-01"), LI, LATER - timedelta(days=2))
    with store.writing() as connection:
        connection.execute(update(assessment_figures).values(standard=None, basis=None))
    last = runs.run(AssessmentPeriod.read("2026-02"), LI, LATER - timedelta(days=1))
    (found,) = UnitListings(runs).candidates(last, LI)
    assert (found.unit, found.facts.by_age) == (STALL, None)
    assert found.facts.by_number == pytest.approx(0.5, abs=0.2)
    assert "as many cards would have 0." in notice_of(found, 30).en
    assert "as many of the same ages" not in notice_of(found, 30).en
    before = replace(found, facts=facts_of(json.dumps({**vars(found.facts), **dict.fromkeys(_OF_OTHERS)})))
    assert "as many cards would have" not in notice_of(before, 30).en
    (again,) = UnitListings(runs).candidates(both(runs), LI)
    assert re.search(
        r"as many cards would have 0\.\d+, and as many of the same ages 0\.\d+\.", notice_of(again, 30).en
    )
    assert facts_of(facts_text(again.facts)) == again.facts
    assert again.facts.by_age == pytest.approx(again.facts.by_number, rel=0.02), "no opening date is known"
