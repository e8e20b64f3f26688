"""Policies as release 0.1.0 shipped them are still read: an operator's own file is a copy of one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from duanka.policy_files.loader import read_policy
from duanka.rules import RULES

FOLDER = Path(__file__).parent / "policies_of_0_1_0"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_a_policy_of_an_earlier_release_is_read(path: Path) -> None:
    policy = read_policy(path, RULES)
    assert policy.id == path.stem
    assert len(policy.rules) == path.read_text(encoding="utf-8").count("\n[rules.")
