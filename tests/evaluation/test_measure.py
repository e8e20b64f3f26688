"""Precision and recall on a truth small enough to count by hand."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from duanka.domain.errors import UnreadableInput
from duanka.evaluation.measure import evaluate


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """Six cards: a, b, c fraud; a asked, b watched, c missed; d honest and asked, e stopped, f untouched."""
    pl.DataFrame(
        {
            "card": list("abcdef"),
            "fraud": [True, True, True, False, False, False],
            "gang": ["N1", "N1", None, None, None, None],
            "role": ["sim_box", "sim_box", "mule", "person", "courier", "person"],
            "strategy": ["naive", "naive", "evasive", "honest", "honest", "honest"],
        }
    ).write_parquet(tmp_path / "truth.parquet")
    rows = [
        "a,high,fan_out,x,verify_at_counter",
        "b,low,fan_out,x,watch",
        "d,medium,y,x,verify",
        "e,extreme,y,x,stop",
    ]
    (tmp_path / "cards_at_risk.csv").write_text("\ufeffcard,tier,rules,reasons,action\n" + "\n".join(rows))
    pl.DataFrame(
        {"card": ["a", "a", "b", "d"], "rule": ["fan_out", "fan_out", "fan_out", "y"]}
    ).write_parquet(tmp_path / "hits.parquet")
    return tmp_path


def test_orders_tiers_rules_and_groups_are_counted(scan: Path) -> None:
    found = evaluate(scan, scan / "truth.parquet")
    assert (found.cards, found.fraud) == (6, 3)
    assert (found.asked.cards, found.asked.fraud, found.asked.honest) == (3, 1, 2)
    assert found.asked.precision == pytest.approx(1 / 3)
    assert found.asked.recall == pytest.approx(1 / 3)
    assert found.stopped.honest == 1, "an honest card stopped outright is counted, whoever did it"
    assert found.asked_per_100k == pytest.approx(50_000)
    assert found.honest_asked_per_100k == pytest.approx(2e5 / 3)
    assert [(t.name, t.cards, t.fraud) for t in found.tiers] == [
        ("extreme", 1, 0),
        ("high", 1, 1),
        ("medium", 1, 0),
        ("low", 1, 1),
    ]
    rules = {r.name: r for r in found.rules}
    assert (rules["fan_out"].cards, rules["fan_out"].fraud) == (2, 2)
    assert rules["fan_out"].recalls == {"naive": 1.0, "evasive": 0.0, "sim_box": 1.0, "mule": 0.0}
    assert [(s.name, s.recall) for s in found.strategies] == [("evasive", 0.0), ("naive", 0.5)]
    assert [(h.name, h.cards, h.of) for h in found.honest_roles] == [("courier", 1, 1), ("person", 1, 2)]


def test_a_rule_that_no_reason_names_ran_in_shadow(scan: Path) -> None:
    pl.DataFrame(
        {"card": ["a", "c", "f", "a", "d"], "rule": ["quiet", "quiet", "quiet", "fan_out", "y"]}
    ).write_parquet(scan / "hits.parquet")
    found = evaluate(scan, scan / "truth.parquet")
    assert [row.name for row in found.rules] == ["fan_out", "y"]
    [quiet] = found.shadows
    assert (quiet.name, quiet.cards, quiet.precision, quiet.recall) == ("quiet", 3, 2 / 3, 2 / 3)
    assert quiet.recalls["evasive"] == 1
    assert found.asked.cards == 3, "what is asked stays as it is"


def test_what_cannot_be_compared_is_said(scan: Path) -> None:
    with pytest.raises(UnreadableInput, match="no such file"):
        evaluate(scan, scan / "none.parquet")
    (scan / "broken.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(UnreadableInput, match="cannot be read"):
        evaluate(scan, scan / "broken.parquet")
    pl.DataFrame({"card": ["a"]}).write_parquet(scan / "thin.parquet")
    with pytest.raises(UnreadableInput, match="no column fraud"):
        evaluate(scan, scan / "thin.parquet")
