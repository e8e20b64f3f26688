"""A rule in shadow runs and is counted, and decides nothing."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duanka.domain.decision import Tier, decide
from duanka.domain.errors import PolicyError
from duanka.domain.findings import CardAtRisk, ShadowRule
from duanka.domain.judgement import Judgement, Shadows
from duanka.domain.police_reasons import CONFIRMED
from duanka.domain.policy import Policy
from duanka.domain.ports import CardHits
from duanka.domain.rule import Action, Hit
from duanka.policy_files.loader import read_policy
from duanka.rules import RULES

POLICIES = Path(__file__).parents[2] / "policies"
ASKS = {rule.id: rule.asks_for for rule in RULES}
IDS = sorted(ASKS)
SHIPPED = {  # with every rule counting, those too that are shipped in shadow
    policy.id: policy.counting(policy.shadows)
    for policy in (read_policy(POLICIES / f"{name}.toml", RULES) for name in ("national", "hebei"))
}
NATIONAL = SHIPPED["national"]  # medium from 3, high from 6; fan_out and over_frequency weigh 3 each
NOW = datetime(2021, 5, 17, 9)
EVIDENCE: dict[str, dict[str, object]] = {
    "fan_out": {"peers": 60, "calls": 80, "answer_rate": 0.1},
    "over_frequency": {"calls_out": 70},
    "device_changed": {"imei": "356938035643809", "devices": 2},
}


def judged(policy: Policy, *tripped: str, cases: tuple[str, ...] = ()) -> CardAtRisk:
    limits = {rule.id: policy.limits(rule) for rule in RULES}
    hits = tuple(Hit("8613800000001", rule, NOW, EVIDENCE[rule]) for rule in tripped)
    return Judgement(policy, RULES, limits).of(CardHits("8613800000001", hits, cases))


sets = st.sets(st.sampled_from(IDS))
policies = st.sampled_from(sorted(SHIPPED))


@given(name=policies, tripped=sets, shadow=sets, score=st.none() | st.floats(0, 1))
def test_a_decision_is_as_if_the_shadow_rules_had_not_hit(
    name: str, tripped: set[str], shadow: set[str], score: float | None
) -> None:
    policy = SHIPPED[name]
    quiet = policy.with_shadow(shadow)
    assert decide(tripped, quiet, ASKS, score=score) == decide(tripped - shadow, policy, ASKS, score=score)


@given(name=policies, tripped=sets, shadow=sets, confirmed=st.booleans())
def test_what_would_be_is_what_they_say_when_they_count(
    name: str, tripped: set[str], shadow: set[str], confirmed: bool
) -> None:
    policy = SHIPPED[name]
    quiet = policy.with_shadow(shadow)
    whole = decide(tripped, policy, ASKS, confirmed=confirmed)
    assert decide(tripped, quiet, ASKS, confirmed=confirmed, shadows=shadow) == whole
    assert decide(tripped, quiet.counting(shadow), ASKS, confirmed=confirmed) == whole
    for rule in shadow & tripped:
        alone = decide(tripped - shadow | {rule}, policy, ASKS, confirmed=confirmed)
        assert decide(tripped, quiet, ASKS, confirmed=confirmed, shadows=[rule]) == alone


def test_a_shadow_rule_gives_no_reason_and_asks_for_nothing() -> None:
    card = judged(NATIONAL.with_shadow(["fan_out"]), "fan_out", "over_frequency")
    assert list(card.reasons) == ["over_frequency"]
    assert [hit.rule for hit in card.hits] == ["over_frequency"]
    assert (card.action, card.shadow, card.would_be) == (
        Action.VERIFY,
        {"fan_out": Action.VERIFY_AT_COUNTER},
        Action.VERIFY_AT_COUNTER,
    )


def test_a_card_that_only_shadow_rules_hit_is_not_listed() -> None:
    policy = NATIONAL.with_shadow(["fan_out", "over_frequency"])
    card = judged(policy, "fan_out", "over_frequency")
    assert not card.listed
    assert (card.tier, card.action, card.hits) == (Tier.LOW, Action.WATCH, ())
    assert card.shadow == {"fan_out": Action.VERIFY, "over_frequency": Action.VERIFY}, "each by itself"
    assert card.would_be is Action.VERIFY_AT_COUNTER, "both together"
    assert judged(NATIONAL, "fan_out").listed
    assert judged(NATIONAL, "fan_out").would_be is None, "no rule is in shadow"


def test_what_the_police_say_stands_whatever_is_in_shadow() -> None:
    card = judged(NATIONAL.with_shadow(["fan_out"]), "fan_out", cases=("A1",))
    assert card.listed
    assert (list(card.reasons), card.action, card.would_be) == ([CONFIRMED], Action.STOP, Action.STOP)


def test_what_they_would_do_is_counted_rule_by_rule() -> None:
    policy = NATIONAL.with_shadow(["fan_out", "shared_device"])
    shadows = Shadows(policy)
    for tripped in (
        ("fan_out",),
        ("fan_out", "device_changed"),
        ("fan_out", "over_frequency"),
        ("over_frequency",),
    ):
        shadows.note(judged(policy, *tripped))
    shadows.note(judged(policy, "fan_out", cases=("A1",)))
    by_rule = {one.rule: one for one in shadows.counted()}
    up = {(Action.WATCH, Action.VERIFY): 2, (Action.VERIFY, Action.VERIFY_AT_COUNTER): 1}
    assert by_rule["fan_out"] == ShadowRule("fan_out", 4, 1, up)
    assert by_rule["shared_device"] == ShadowRule("shared_device", 0, 0, {}), "it ran and hit nobody"
    assert set(by_rule) == {one.rule for one in shadows.counted(["fan_out"])}, "one of them ran"
    assert shadows.counted(["shared_device", "fan_out", "sim_box"]) == (), "none of them ran"


def test_a_rule_in_shadow_runs_after_those_that_read_hits() -> None:
    order = [rule.id for rule in NATIONAL.with_shadow(["fan_out", "sim_box"]).running(RULES)]
    assert order[-3:] == ["repeat_alerts", "fan_out", "sim_box"]
    order = [rule.id for rule in NATIONAL.with_shadow(["fan_out", "repeat_alerts"]).running(RULES)]
    assert order[-2:] == ["repeat_alerts", "fan_out"], "it reads the hits of those that count"
    assert [rule.id for rule in NATIONAL.running(RULES)] == [r.id for r in RULES if r.id in NATIONAL.rules]


def test_a_rule_that_the_policy_does_not_run_can_be_tried_in_shadow() -> None:
    thin = Policy(**{**vars(NATIONAL), "rules": {"fan_out": NATIONAL.rules["fan_out"]}})
    tried = thin.with_shadow(["over_frequency"])
    assert tried.shadows == {"over_frequency"}
    assert tried.rules["over_frequency"].weight == 1
    assert tried.rules["fan_out"] == thin.rules["fan_out"]


def test_a_policy_file_puts_a_rule_into_shadow(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    good = (POLICIES / "national.toml").read_text(encoding="utf-8")
    path.write_text(good.replace("[rules.fan_out]\n", "[rules.fan_out]\nshadow = true\n"), encoding="utf-8")
    policy = read_policy(path, RULES)
    assert policy.shadows == {"fan_out", "bridged_calls", "in_ring", "outlet_ring"}, (
        "the others are shipped so"
    )
    assert policy.rules["fan_out"].weight == NATIONAL.rules["fan_out"].weight
    for wrong in ('"yes"', "1", "[]"):
        path.write_text(good.replace("[rules.fan_out]\n", f"[rules.fan_out]\nshadow = {wrong}\n"))
        with pytest.raises(PolicyError, match=r"\[rules\.fan_out\] shadow must be true or false"):
            read_policy(path, RULES)
