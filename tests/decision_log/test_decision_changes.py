"""decisions.jsonl of mornings: only what changed is added, whatever crashed in between."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from duanka.decision_log.decision_changes import DecisionChanges
from duanka.decision_log.reader import DecisionFile
from duanka.decision_log.writer import DECIDED, DECISIONS, DecisionLogWriter
from duanka.domain.decision import Tier
from duanka.domain.errors import DuankaError
from duanka.domain.findings import CardAtRisk
from duanka.domain.order_decision import RequestedAction
from duanka.domain.rule import Action
from duanka.domain.text import BilingualText

_KEY = b"k" * 32


def _card(number: int, strangers: int = 80) -> CardAtRisk:
    reasons = {"fan_out": BilingualText(f"陌生号码{strangers}个", f"{strangers} strangers")}
    return CardAtRisk(
        f"861380000000{number}", Tier.MEDIUM, Action.VERIFY, 3.0, reasons, (), operator="a", city="b"
    )


def _morning(folder: Path, cards: Iterable[CardAtRisk]) -> int:
    with closing(DecisionChanges(folder, _KEY)) as changes:
        with changes:
            for card in cards:
                changes.add(card)
        return changes.tell()


def _lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / DECISIONS).read_text(encoding="utf-8").splitlines()]


def test_a_line_for_each_card_decided_about_otherwise(tmp_path: Path) -> None:
    assert _morning(tmp_path, [_card(1), _card(2)]) == 2
    assert _morning(tmp_path, [_card(1), _card(2)]) == 0
    assert _morning(tmp_path, [_card(1, 90), _card(3)]) == 3
    assert [line["seq"] for line in _lines(tmp_path)] == [1, 2, 3, 4, 5]
    gone = _lines(tmp_path)[-1]
    assert (gone["card"], gone["tier"], gone["reasons"]) == ("8613800000002", "low", [])
    assert (gone["operator"], gone["city"]) == ("a", "b"), "who may see it, is told of its end"
    read = DecisionFile(tmp_path, _KEY).read(0, 10)[0]
    assert all(one.id for one in read), "one run, one seal"
    assert read[-1].asked is RequestedAction.NOTHING
    assert _morning(tmp_path, [_card(1, 90), _card(3)]) == 0, "what is gone is told once"


@pytest.mark.parametrize("noted", ["as before", "gone", "of another file"])
def test_after_a_kill_what_is_missing_is_added(tmp_path: Path, noted: str) -> None:
    _morning(tmp_path, [_card(1)])
    kept = (tmp_path / DECIDED).read_bytes()
    _morning(tmp_path, [_card(1, 90), _card(2), _card(3)])
    whole = (tmp_path / DECISIONS).read_bytes()
    lines = whole.splitlines(keepends=True)
    (tmp_path / DECISIONS).write_bytes(b"".join(lines[:2]) + lines[2][:30])
    if noted == "as before":
        (tmp_path / DECIDED).write_bytes(kept)
    elif noted == "gone":
        (tmp_path / DECIDED).unlink()
    assert _morning(tmp_path, [_card(1, 90), _card(2), _card(3)]) == 2
    assert (tmp_path / DECISIONS).read_bytes() == whole


def test_a_list_that_failed_tells_nothing(tmp_path: Path) -> None:
    _morning(tmp_path, [_card(1)])

    def broken() -> Iterable[CardAtRisk]:
        yield _card(2)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        _morning(tmp_path, broken())
    assert len(_lines(tmp_path)) == 1
    assert [path.name for path in tmp_path.glob(".decisions*")] == []


def test_one_writer_at_a_time_and_none_of_another_numbering(tmp_path: Path) -> None:
    with closing(DecisionChanges(tmp_path)), pytest.raises(DuankaError, match="another run writes to it"):
        DecisionChanges(tmp_path)
    _morning(tmp_path, [_card(1)])
    with pytest.raises(DuankaError, match="mornings into a store"):
        DecisionLogWriter(tmp_path)
