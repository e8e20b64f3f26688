"""`[victims]` of a policy: what is left out is as shipped, and a wrong key or limit is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from duanka.domain.errors import PolicyError
from duanka.domain.victim_policy import DangerStep, VictimPolicy
from duanka.domain.victims import DangerSign
from duanka.policy_files.loader import read_policy
from duanka.rules import RULES
from support import ROOT


def policy(tmp_path: Path, table: str) -> VictimPolicy:
    file = tmp_path / "own.toml"
    shipped = (ROOT / "policies" / "national.toml").read_text(encoding="utf-8")
    file.write_text(f"{shipped}\n[victims]\n{table}\n", encoding="utf-8")
    return read_policy(file, RULES).victims


def test_what_is_left_out_is_as_shipped(tmp_path: Path) -> None:
    assert policy(tmp_path, "") == VictimPolicy()
    own = policy(
        tmp_path,
        "hours = 24\npoints = { bank_after = 9 }\ncall_minutes = [{ minutes = 5, points = 3 }]\nages = []",
    )
    assert (own.hours, own.call_minutes, own.ages) == (24, (DangerStep(5, 3),), ())
    assert own.points == {**VictimPolicy().points, DangerSign.BANK_AFTER: 9}


def test_the_page_shows_what_is_shipped(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "POLICY.md").read_text(encoding="utf-8")
    shown = page.partition("[victims]\n")[2].partition("```")[0]
    assert policy(tmp_path, shown) == VictimPolicy()
    assert {line.split(" =")[0] for line in shown.splitlines()} == set(vars(VictimPolicy()))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("hour = 24", "did you mean hours"),
        ("hours = 0", "a whole number from 1 to 720"),
        ("points = { banks = 1 }", "does not know the sign 'banks'"),
        ("points = { bank_after = -1 }", "a whole number from 0 to 100"),
        ("warn_points = 20", "0 < warn_points <= call_points"),
        ("ages = ['70+']", "is one of 0-17"),
        ("ages = [['18-29']]", "is one of 0-17"),
        ("large_frauds = [{ kind = 1 }]", "is one of "),
        ("call_minutes = [{ minutes = 0, points = 1 }]", "a whole number from 1 to 1440"),
    ],
)
def test_a_wrong_key_or_limit_is_named(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(PolicyError, match=said) as error:
        policy(tmp_path, table)
    assert "[victims]" in str(error.value)
