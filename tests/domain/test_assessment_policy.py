"""`[assessment]` of a policy: what is left out is as shipped, and a wrong key or limit is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from duanka.domain.assessment import Measure, UnitKind
from duanka.domain.assessment_policy import AssessmentPolicy
from duanka.domain.errors import PolicyError
from duanka.policy_files.loader import read_policy
from duanka.rules import RULES
from support import ROOT


def policy(tmp_path: Path, table: str) -> AssessmentPolicy:
    file = tmp_path / "own.toml"
    shipped = (ROOT / "policies" / "national.toml").read_text(encoding="utf-8")
    file.write_text(f"{shipped}\n[assessment]\n{table}\n", encoding="utf-8")
    return read_policy(file, RULES).assessment


def test_what_is_left_out_is_as_shipped(tmp_path: Path) -> None:
    assert policy(tmp_path, "") == AssessmentPolicy()
    own = policy(tmp_path, 'measures = ["in_time"]\nkinds = ["outlet"]\nterm_days = 60\nperiods = 3')
    assert (own.measures, own.kinds) == ((Measure.IN_TIME,), (UnitKind.OUTLET,))
    assert (own.term_days, own.periods, own.limit) == (60, 3, 0.998)


def test_the_page_shows_what_is_shipped(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "POLICY.md").read_text(encoding="utf-8")
    shown = page.partition("[assessment]\n")[2].partition("```")[0]
    assert policy(tmp_path, shown) == AssessmentPolicy()
    assert {line.split(" =")[0] for line in shown.splitlines()} == set(vars(AssessmentPolicy()))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("probabilty = 0.9", "did you mean probability"),
        ("probability = 1.0", "a number above 0 and below 1"),
        ("periods = 0", "a whole number from 1 to 24"),
        ("excess = 0.5", "a number from 1 to 100"),
        ("term_days = 0", "a whole number from 1 to 366"),
        ('measures = ["warned"]', "is one of confirmed"),
        ('kinds = ["province"]', "is one of operator"),
        ('kinds = ["city", "city"]', "city'> twice"),
    ],
)
def test_a_wrong_key_or_limit_is_named(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(PolicyError, match=said) as error:
        policy(tmp_path, table)
    assert "[assessment]" in str(error.value)
