from __future__ import annotations

import json
from pathlib import Path

import pytest

from duanka.decision_log.reader import DecisionFile
from duanka.decision_log.writer import DecisionList
from duanka.domain.decision import Tier
from duanka.domain.errors import DuankaError
from duanka.domain.findings import CardAtRisk
from duanka.domain.order_decision import OrderDecision, RequestedAction
from duanka.domain.rule import Action
from duanka.domain.text import BilingualText


def _card(number: str, action: Action, cases: tuple[str, ...] = ()) -> CardAtRisk:
    reasons = {"fan_out": BilingualText("陌生号码80个", "80 strangers")}
    if cases:
        reasons = {
            "police_confirmed": BilingualText("公安机关确认涉案", "confirmed by the police"),
            **reasons,
        }
    return CardAtRisk(number, Tier.MEDIUM, action, 3.0, reasons, (), cases)


def test_what_is_written_is_read_in_pieces(tmp_path: Path) -> None:
    actions = [Action.VERIFY, Action.WATCH, Action.VERIFY_AT_COUNTER]
    with DecisionList(tmp_path / "decisions.jsonl") as written:
        for number, action in enumerate(actions):
            written.add(_card(f"861380000000{number}", action))
        written.add(_card("8613900000000", Action.STOP, ("A1", "B2")))
    file, position = DecisionFile(tmp_path), 0
    read: list[OrderDecision] = []
    while (found := file.read(position, 2))[0]:
        read += found[0]
        position = found[1]
    assert [one.asked for one in read] == [
        RequestedAction.VERIFY,
        RequestedAction.NOTHING,
        RequestedAction.VERIFY_AT_COUNTER,
        RequestedAction.STOP,
    ]
    assert read[0].reason == BilingualText("陌生号码80个", "80 strangers")
    assert read[0].rules == ("fan_out",)
    assert read[3].cases == ("A1", "B2")


def test_a_line_that_is_still_written_waits(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    with DecisionList(path) as written:
        written.add(_card("8613800000000", Action.VERIFY))
        written.add(_card("8613800000001", Action.VERIFY))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    decisions, position = DecisionFile(tmp_path).read(0, 10)
    assert [one.card for one in decisions] == ["8613800000000"]
    path.write_bytes(whole)
    assert [one.card for one in DecisionFile(tmp_path).read(position, 10)[0]] == ["8613800000001"]


def test_no_file_yet_is_nothing_to_do(tmp_path: Path) -> None:
    assert DecisionFile(tmp_path).read(0, 10) == ([], 0)


@pytest.mark.parametrize("line", ["{}", "nonsense", json.dumps({"card": "1", "action": "explode"})])
def test_what_is_no_decision_is_said_and_not_passed_over(tmp_path: Path, line: str) -> None:
    (tmp_path / "decisions.jsonl").write_text(line + "\n")
    with pytest.raises(DuankaError, match="the line at byte 0 is no decision"):
        DecisionFile(tmp_path).read(0, 10)
