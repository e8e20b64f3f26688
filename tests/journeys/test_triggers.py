"""The four triggers in force in Hebei, and the abnormal cards, from records to the desk's list."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from support.desk import cards_at_risk, flagged

TRIGGERS = ("new_card_unused", "device_changed", "high_risk_area", "over_frequency")
ABNORMAL = ("sleeping_card", "silent_card", "cards_per_holder", "virtual_operator_stock", "iot_misuse")
WEIGHT = {"watch": 0, "verify": 1, "verify_at_counter": 2, "stop": 3}


@pytest.mark.requirement("R1")
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_whoever_trips_a_trigger_is_asked_in_hebei(hebei: Path, trigger: str) -> None:
    tripped = flagged(hebei, trigger)
    listed = {row["card"]: row for row in cards_at_risk(hebei)}
    assert tripped, "the invented province has somebody for every trigger"
    for card in tripped:
        assert WEIGHT[listed[card]["action"]] >= WEIGHT["verify"]
        assert trigger in listed[card]["rules"].split(";")
        assert listed[card]["reasons"]


@pytest.mark.requirement("R1")
def test_the_default_policy_weighs_what_hebei_asks_about(national: Path, hebei: Path) -> None:
    asked = {p: {r["card"] for r in cards_at_risk(p) if r["action"] != "watch"} for p in (national, hebei)}
    assert len(asked[national]) < len(asked[hebei]) / 2


@pytest.mark.requirement("R3")
@pytest.mark.parametrize("rule", ABNORMAL)
def test_abnormal_cards_are_found_and_listed(national: Path, rule: str) -> None:
    found = flagged(national, rule)
    assert found
    assert found <= {row["card"] for row in cards_at_risk(national)}


@pytest.mark.requirement("R3")
@pytest.mark.parametrize(
    ("rule", "role"),
    [("sleeping_card", "resold_dormant"), ("silent_card", "unused_stock"), ("iot_misuse", "iot_misuse")],
)
def test_abnormal_cards_of_gangs_are_among_them(national: Path, province: Path, rule: str, role: str) -> None:
    truth = pl.read_parquet(province / "truth.parquet").filter(pl.col("role") == role)
    theirs = set(truth["card"])
    assert len(theirs & flagged(national, rule)) >= len(theirs) / 2


@pytest.mark.requirement("R11")
def test_the_gangs_sim_boxes_are_found_from_records_alone(national: Path, province: Path) -> None:
    truth = pl.read_parquet(province / "truth.parquet").filter(pl.col("role") == "sim_box")
    asked = {row["card"] for row in cards_at_risk(national) if row["action"] != "watch"}
    assert len(set(truth["card"]) & asked) >= 0.9 * truth.height


@pytest.mark.requirement("R10")
def test_every_rule_that_the_province_can_trip_is_tripped(national: Path) -> None:
    rules = {rule for row in cards_at_risk(national) for rule in row["rules"].split(";")}
    assert len(rules) >= 14


@pytest.mark.parametrize("scanned", ["national_signed", "hebei"])
def test_nobody_is_stopped_whom_the_police_did_not_confirm(
    province: Path, scanned: str, request: pytest.FixtureRequest
) -> None:
    out: Path = request.getfixturevalue(scanned)
    stopped = {row["card"] for row in cards_at_risk(out) if row["action"] == "stop"}
    assert stopped == set(pl.read_parquet(province / "cases.parquet")["card"])
