"""A rule tried in shadow: the desk sees what it would ask, and nobody is asked."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from duanka.evaluation.measure import evaluate
from support.desk import Typed, cards_at_risk, duanka, flagged, hits

QUIET = ("fan_out", "one_way_calls", "virtual_operator_stock")


@pytest.fixture(scope="module")
def scanned(small_province: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Typed]:
    """The small province under the default policy with three rules in shadow, and what the command printed."""
    out = tmp_path_factory.mktemp("shadow")
    shadow = [word for rule in QUIET for word in ("--shadow", rule)]
    typed = duanka("scan", small_province, *shadow, "--out", out)
    assert typed.code == 0, typed.err
    return out, typed


def test_their_hits_are_recorded_and_on_no_list(scanned: tuple[Path, Typed], small_scanned: Path) -> None:
    out, _ = scanned
    for rule in QUIET:
        assert flagged(out, rule) == flagged(small_scanned, rule)
    assert not {rule for row in cards_at_risk(out) for rule in row["rules"].split(";")} & set(QUIET)
    counting = {str(row["card"]) for row in hits(out) if row["rule"] not in QUIET}
    confirmed = {row["card"] for row in cards_at_risk(out) if row["action"] == "stop"}
    assert {row["card"] for row in cards_at_risk(out)} == counting | confirmed
    assert flagged(out, "virtual_operator_stock") - counting - confirmed, "some cards only they hit"


def test_it_is_as_if_the_policy_did_not_run_them(
    scanned: tuple[Path, Typed], small_province: Path, tmp_path: Path
) -> None:
    """Also through repeat_alerts, which reads the hits of the others."""
    text = (Path(__file__).parents[2] / "policies" / "national.toml").read_text(encoding="utf-8")
    for rule in QUIET:
        text, found = re.subn(rf"\[rules\.{rule}\][^\[]*", "", text)
        assert found == 1
    (tmp_path / "less.toml").write_text(text, encoding="utf-8")
    typed = duanka("scan", small_province, "--policy", tmp_path / "less.toml", "--out", tmp_path / "out")
    assert typed.code == 0, typed.err
    out, _ = scanned
    assert (out / "cards_at_risk.csv").read_bytes() == (tmp_path / "out" / "cards_at_risk.csv").read_bytes()
    assert [row for row in hits(out) if row["rule"] not in QUIET] == hits(tmp_path / "out")


def test_the_desk_is_told_what_they_would_ask(scanned: tuple[Path, Typed]) -> None:
    out, typed = scanned
    told = re.search(r"^one_way_calls +(\d+) +(\d+) +(\d+) +(.*)$", typed.out, re.MULTILINE)
    assert told
    listed = {row["card"] for row in cards_at_risk(out)}
    assert int(told[1]) == len(flagged(out, "one_way_calls"))
    assert int(told[2]) == len(flagged(out, "one_way_calls") - listed)
    assert 0 < int(told[3]) <= int(told[1])
    assert sum(map(int, re.findall(r": (\d+)", told[4]))) == int(told[3])
    page = (out / "report.html").read_text(encoding="utf-8")
    assert '<section id="shadow"' in page


def test_their_precision_and_recall_are_measured_apart(
    scanned: tuple[Path, Typed], small_province: Path
) -> None:
    out, _ = scanned
    truth = small_province / "truth.parquet"
    found = evaluate(out, truth)
    known = pl.read_parquet(truth)
    fraud = set(known.filter("fraud")["card"])
    by_rule = {row.name: row for row in found.shadows}
    assert set(by_rule) == set(QUIET)
    assert by_rule["fan_out"].recall == len(flagged(out, "fan_out") & fraud) / len(fraud)
    typed = duanka("evaluate", out, "--truth", truth, "--markdown")
    assert re.search(r"By rule in shadow.*\| fan_out \|", typed.out, re.DOTALL)


def test_rules_list_shows_what_is_in_shadow(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "policies" / "national.toml").read_text(encoding="utf-8")
    path = tmp_path / "p.toml"
    path.write_text(text.replace("[rules.fan_out]", "[rules.fan_out]\nshadow = true"), encoding="utf-8")
    listed = duanka("rules", "list", "--policy", path).out
    assert re.search(r"^fan_out .*verify \(in shadow\)", listed, re.MULTILINE)
    shipped = text.count("shadow = true")  # of the shipped policy, which has some in shadow already
    assert listed.count("(in shadow)") == shipped + 1 > 1


def test_a_rule_that_is_none_is_one_clear_line(tmp_path: Path) -> None:
    typed = duanka("scan", tmp_path, "--shadow", "fan_in")
    assert (typed.code, typed.err.count("\n")) == (2, 1)
    assert "no rule 'fan_in'" in typed.err
