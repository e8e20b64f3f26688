"""Deciding is pure; nothing but the police stops a card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duanka.domain.decision import ACTION_OF_TIER, Tier, decide
from duanka.domain.policy import Deciding, Policy
from duanka.domain.rule import Action
from duanka.policy_files.loader import read_policy
from duanka.rules import RULES

POLICIES = Path(__file__).parents[2] / "policies"
ASKS = {rule.id: rule.asks_for for rule in RULES}
IDS = sorted(ASKS)


@pytest.fixture(scope="module")
def national() -> Policy:
    return read_policy(POLICIES / "national.toml", RULES)


@pytest.fixture(scope="module")
def hebei() -> Policy:
    return read_policy(POLICIES / "hebei.toml", RULES)


def test_tiers_lie_at_the_limits_of_the_policy(national: Policy) -> None:
    at = replace(national, medium=3, high=6)
    weights = {r: s.weight for r, s in at.rules.items()}
    assert weights["fan_out"] == weights["over_frequency"] == 3
    assert decide([], at, ASKS).tier is Tier.LOW
    assert decide(["fan_out"], at, ASKS).action is Action.VERIFY
    assert decide(["fan_out"], replace(at, medium=3.01), ASKS).action is Action.WATCH
    assert decide(["fan_out", "over_frequency"], at, ASKS).action is Action.VERIFY_AT_COUNTER
    assert decide(["fan_out", "over_frequency"], replace(at, high=6.01), ASKS).action is Action.VERIFY


def test_two_rules_about_one_fact_weigh_as_the_heavier_alone(national: Policy) -> None:
    silent = {"silent_card": ("new_card_unused",)}
    both = ["new_card_unused", "silent_card"]
    assert decide(both, national, ASKS).points == 3, "two facts would ask"
    told = decide(both, national, ASKS, restates=silent)
    assert (told.points, told.tier, set(told.reasons)) == (2, Tier.LOW, set(both))
    assert decide([*both, "sleeping_card"], national, ASKS, restates=silent).tier is Tier.MEDIUM
    for one in both:
        alone = decide([one], national, ASKS)
        assert decide([one], national, ASKS, restates=silent) == alone


def test_each_trigger_asks_for_itself(hebei: Policy) -> None:
    assert hebei.deciding is Deciding.TRIGGERS
    counting = hebei.counting(hebei.shadows)
    for rule in IDS:
        assert decide([rule], counting, ASKS).action == ASKS[rule]


def test_a_ring_decides_nothing_first_and_then_asks_for_the_counter_and_never_for_more(
    national: Policy, hebei: Policy
) -> None:
    for policy in (national, hebei):
        assert decide(["in_ring"], policy, ASKS).action is Action.WATCH, "it is shipped in shadow"
        counted = policy.counting(["in_ring"])
        assert decide(["in_ring"], counted, ASKS).action is Action.VERIFY_AT_COUNTER
        assert decide(IDS, counted, ASKS, claimed=True).tier is Tier.HIGH, "no stop, whatever else speaks"
        assert decide(["in_ring"], counted, ASKS, confirmed=True).tier is Tier.EXTREME


def test_the_heaviest_reason_comes_first(national: Policy) -> None:
    reasons = decide(["device_changed", "fan_out", "cards_per_holder"], national, ASKS).reasons
    assert reasons == ("fan_out", "cards_per_holder", "device_changed")


def test_a_score_weighs_like_a_rule(national: Policy) -> None:
    assert decide(["device_changed"], national, ASKS).action is Action.WATCH
    assert decide(["device_changed"], national, ASKS, score=0.9).action is Action.VERIFY_AT_COUNTER


@given(tripped=st.sets(st.sampled_from(IDS)), score=st.none() | st.floats(0, 1))
def test_only_the_police_stop_a_card(tripped: set[str], score: float | None) -> None:
    for name in ("national", "hebei"):
        policy = read_policy(POLICIES / f"{name}.toml", RULES)
        assert decide(tripped, policy, ASKS, score=score).action is not Action.STOP
        confirmed = decide(tripped, policy, ASKS, score=score, confirmed=True)
        assert (confirmed.tier, confirmed.action) == (Tier.EXTREME, Action.STOP)


@given(tripped=st.sets(st.sampled_from(IDS)), more=st.sampled_from(IDS))
def test_one_more_hit_never_lightens_a_decision(tripped: set[str], more: str) -> None:
    for name in ("national", "hebei"):
        policy = read_policy(POLICIES / f"{name}.toml", RULES)
        assert decide(tripped | {more}, policy, ASKS).tier >= decide(tripped, policy, ASKS).tier


def test_every_tier_has_its_action() -> None:
    assert [ACTION_OF_TIER[tier] for tier in Tier] == list(Action)
