"""A newcomer's hour with five operators' deliveries: two or three commands each, and the list of our own format."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from duanka.cli import main as cli
from duanka.cli.shell.process import OUT
from support.desk import ENGLISH, cards_at_risk
from support.journeys.operator_deliveries import DELIVERIES, Province, native, province

_KEY = {"DUANKA_HOLDER_KEY": "a key for tests, long enough to be one", **ENGLISH}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Province:
    """What all of them deliver."""
    return province(tmp_path_factory.mktemp("known") / "world")


def _typed(*words: str | Path) -> str:
    """What a command printed that ended well. In this process: five deliveries are fifteen commands."""
    OUT.width = 200
    done = CliRunner().invoke(cli.cli, [str(word) for word in words], env=_KEY)
    assert done.exit_code == 0, (words, done.output, done.exception)
    return done.output


def _list(data: Path, out: Path, *mapping: str | Path) -> list[tuple[str, str, str]]:
    _typed("scan", data, "--out", out, *mapping)
    return sorted((row["card"], row["tier"], row["rules"]) for row in cards_at_risk(out))


@pytest.mark.parametrize("operator", DELIVERIES)
def test_guess_and_scan_give_the_list_of_the_same_records_in_our_own_format(
    known: Province, tmp_path: Path, operator: str
) -> None:
    delivery, data, mapping = DELIVERIES[operator], tmp_path / "data", tmp_path / "operator.toml"
    same = native(tmp_path / "native", delivery.write(data, known))
    said = _typed("mapping", "guess", data, "--out", mapping, *delivery.asked)
    assert f"duanka scan {data} --mapping {mapping}" in said
    found = _list(data, tmp_path / "out", "--mapping", mapping)
    assert found == _list(same, tmp_path / "native-out")
    assert {"high", "low"} <= {tier for _, tier, _ in found}


def test_what_only_a_person_can_say_is_asked_before_the_next_step(known: Province, tmp_path: Path) -> None:
    DELIVERIES["hive"].write(tmp_path / "data", known)
    said = _typed("mapping", "guess", tmp_path / "data", "--out", tmp_path / "m.toml")
    assert "stand in UTC?" in said
    assert "--times-in UTC" in said
    assert "Next, once you answered what is asked above: duanka scan" in said
