"""The real sample of SIM-box numbers: a foreign format, read where it lies, never copied."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from support import ROOT
from support.desk import cards_at_risk, duanka


@pytest.mark.requirement("R11")
def test_the_scan_names_sim_box_numbers(shared: Path, tmp_path: Path) -> None:
    sample = shared / "data" / "simbox_sample"
    mapping = ROOT / "mappings" / "simbox_sample.toml"
    typed = duanka("scan", sample, "--mapping", mapping, "--out", tmp_path / "out")
    assert typed.code == 0, typed.err
    assert "333 records of 10 cards" in typed.out
    assert "is_fraud" in typed.out, "the answer is among the columns that were not read"

    with next(sample.glob("*.CSV")).open() as file:
        answer = {row["A_Num"]: row["is_fraud"] == "1" for row in csv.DictReader(file)}
    named = {row["card"] for row in cards_at_risk(tmp_path / "out")}
    right = {card for card in named if answer[card]}
    # docs/DETECTION.md tells these figures as they are: 10 numbers, 5 of them fraud, in three days
    assert (len(right), len(named), sum(answer.values())) == (1, 1, 5)
