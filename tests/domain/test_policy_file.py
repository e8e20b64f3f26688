"""A policy file says clearly what it means, or is refused with the key that is wrong."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from duanka.domain.errors import PolicyError
from duanka.domain.policy import Policy
from duanka.domain.rule import Grade, RuleSource
from duanka.policy_files.loader import read_lists, read_policy
from duanka.rules import RULES

POLICIES = Path(__file__).parents[2] / "policies"
GOOD = (POLICIES / "national.toml").read_text(encoding="utf-8")
AREA = '[[lists.high_risk_areas]]\ncity = "9902"\nauthority = "A"\nsince = 2021-01-01\nuntil = 2021-12-31\n'


def test_limits_weights_and_authorities_are_read() -> None:
    policy = read_policy(POLICIES / "national.toml", RULES)
    rule = next(r for r in RULES if r.id == "new_card_unused")
    assert policy.limits(rule) == {"hours": 24}
    assert policy.authority(rule, "hours") == RuleSource("Hubei cities' practice, press", Grade.S2)
    fan_out = next(r for r in RULES if r.id == "fan_out")
    assert policy.authority(fan_out, "min_peers") is None, "a limit without authority is ours"
    hebei = read_policy(POLICIES / "hebei.toml", RULES)
    assert hebei.limits(rule) == {"hours": 12}
    assert hebei.since == date(2020, 12, 1)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[rules.fan_out]", "[rules.fan_in]", "fan_in.*did you mean fan_out"),
        ("limits.min_days = 2", "limits.min_weeks = 2", "min_weeks"),
        ("medium = 3 ", "medium = 9 ", "0 < medium <= high"),
        ('mode = "weigh"', 'mode = "guess"', "guess"),
        ("since = 2021-06-02", "", "since is missing"),
        ('grade = "S1"\nsince', 'grade = "S9"\nsince', "S9"),
        ("[policy]", "[politics]", "politics"),
        ("weight = 1\n", "weight = -1\n", "weight must be a number from 0"),
        ("limits.min_days = 2", 'limits.min_days = "two"', "min_days must be a whole number from 1"),
        ("limits.min_days = 2", "limits.min_days = true", "min_days must be a whole number from 1"),
        ("[deciding]", "[deciding", "is not TOML"),
        ("weight = 1\n", "weight = nan\n", "weight must be a number from 0"),
        ("weight = 1\n", "weight = true\n", "weight must be a number from 0"),
        ("weight = 1\n", f"weight = {'9' * 400}\n", "weight must be a number from 0"),
        ("medium = 3 ", 'medium = "3" ', "medium must be a number"),
        ("medium = 3 ", "medium = [3] ", "medium must be a number"),
        ("high = 6 ", "high = inf ", "high must be a number"),
        ('id = "national"', "id = [1]", "id must be a text"),
        (
            'authority = "MIIT notice 133 of 2021; Anti-fraud law; weights are ours"',
            "authority = 5",
            "a text",
        ),
        ("since = 2021-06-02", 'since = "June"', "since must be a day"),
        (
            "[rules.fan_out]\nweight = 3",
            "[rules]\nfan_out = 3",
            "must be a table with weight, limits and shadow",
        ),
        ("limits.min_days = 2", "limits = [1]", "limits must be a table"),
        ("limits.min_days = 2", "limits.min_days = inf", "min_days must be a whole number from 1"),
        ("limits.min_days = 2", "limits.min_days = 2.5", "min_days must be a whole number from 1"),
        ("limits.min_days = 2", "limits.min_days = 0", "min_days must be a whole number from 1"),
        ("limits.min_days = 2", "limits.min_days = 999999999999", "from 1 to 100000000"),
        ("[rules.fan_out]", "[rules.fan_out]\nlimits.max_answer_rate = 40", "a number from 0 to 1"),
        (
            "[rules.in_ring]",
            "[rules.in_ring]\nlimits.min_certainty = 101",
            "a whole number from 1 to 100, like",
        ),
        (
            "[rules.virtual_operator_stock]",
            "[rules.virtual_operator_stock]\nlimits.opened_before = 2020-10-10T10:00:00Z",
            "opened_before must be a day",
        ),
        ('prefix = "86162"', "prefix = 86162", "in quotes"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in GOOD
    path = tmp_path / "policy.toml"
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(PolicyError, match=says):
        read_policy(path, RULES)


@pytest.mark.requirement("R1.3")
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('authority = "A"\n', "", "no authority; an area list without authority and dates is refused"),
        ("since = 2021-01-01\n", "", "no since; an area list without"),
        ("until = 2021-12-31\n", "", "no until; an area list without"),
        ("since = 2021-01-01", 'since = "2021-01-01"', "since must be a day"),
        ('city = "9902"', 'city = "99020"', "2, 4 or 6 digits"),
        ('city = "9902"', 'town = "9902"', "does not know 'town'"),
        ('city = "9902"', "city = 9902", "digits, not 9902"),
        ('authority = "A"', 'authority = " "', "no authority; an area list without"),
        ('authority = "A"', "authority = 7", "authority must be a text"),
        ("since = 2021-01-01", "since = 2021-01-01T08:00:00", "since must be a day"),
        ("until = 2021-12-31", "until = 2020-12-31", "ends before it begins"),
        ("[[lists.high_risk_areas]]", "[lists.high_risk_areas]", "written as"),
        (AREA, "lists = 3", "written as"),
    ],
)
def test_an_area_list_without_authority_and_dates_is_refused(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    path = tmp_path / "lists.toml"
    path.write_text(AREA)
    assert len(read_lists(path)["high_risk_areas"]) == 1
    path.write_text(AREA.replace(old, new))
    with pytest.raises(PolicyError, match=says):
        read_lists(path)


def test_a_policy_without_rules_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(GOOD[: GOOD.index("[rules.")] + "[rules]\n", encoding="utf-8")
    with pytest.raises(PolicyError, match="names no rule"):
        read_policy(path, RULES)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(GOOD, encoding="utf-8-sig")
    assert read_policy(path, RULES).id == "national"


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyError, match="UTF-8"):
        read_lists(path)
    with pytest.raises(PolicyError, match="cannot be read"):
        read_lists(tmp_path / "none.toml")


def test_rollups_outlast_the_look_back_of_every_rule(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    kept = "\n[store]\nkeep_records_days = {days}\nkeep_rollups_days = {days}\n"

    def read(text: str, days: int) -> Policy:
        path.write_text(text + kept.format(days=days), encoding="utf-8")
        return read_policy(path, RULES)

    assert read(GOOD, 365).longest_look_back(RULES) == ("device_changed", 365)
    with pytest.raises(
        PolicyError,
        match=r"keep_rollups_days is 364, and the rule device_changed looks back 365 days; set it to 365",
    ):
        read(GOOD, 364)
    of_less = GOOD.replace("[rules.device_changed]", "[rules.device_changed]\nlimits.days = 120", 1)
    assert read(of_less, 120).longest_look_back(RULES) == ("device_changed", 120)
    with pytest.raises(PolicyError, match="device_changed looks back 120 days"):
        read(of_less, 119)
    head = GOOD[: GOOD.index("[rules.")]
    assert read(f"{head}\n[rules.cards_per_holder]\n", 1).longest_look_back(RULES) == ("", 0), (
        "registers stay"
    )
    short = read(f"{head}\n[rules.fan_out]\n", 2)
    with pytest.raises(PolicyError, match="sleeping_card looks back 90 days"):
        short.with_shadow(["sleeping_card"]).check_retention(RULES)
