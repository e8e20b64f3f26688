"""An evaluation that takes turns with batches: what comes meanwhile is evaluated, too, also after a kill."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from duanka.domain.streaming import Batch
from duanka.engine.live import Live, engine
from duanka.engine.live import evaluator as judge
from duanka.rules import RULES
from support.engine.streams import calls_batch

START = datetime(2021, 1, 1, 10)
NOW = datetime(2026, 1, 1)
_LIMITS = {r.id: {name: limit.value for name, limit in r.limits.items()} for r in RULES}
_LIMITS["over_frequency"] = {"max_calls": 0}  # every card that calls must be evaluated
_OTHERS = [f"861380000{n:04}" for n in range(20)]
_DIALLER = "8613900000001"


def _calls(card: str, count: int, *, minute: int) -> list[dict[str, object]]:
    at = START + timedelta(minutes=minute)
    return [
        {
            "card": card,
            "peer": f"86137{n:08}",
            "direction": "out",
            "started_at": at + timedelta(milliseconds=10 * n),
            "seconds": 0,
            "answered": False,
        }
        for n in range(count)
    ]


def _opened(folder: Path) -> Live:
    return Live(folder, RULES, _LIMITS, {}, history=False, threads=1)


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    """A live engine in the middle of an evaluation of twenty cards, card by card."""
    monkeypatch.setattr(judge, "AT_ONCE", 1)
    monkeypatch.setattr(judge, "MANY", 1)
    monkeypatch.setattr(engine, "CARDS_A_BATCH", 1)
    with _opened(tmp_path / "state") as live:
        live.take(calls_batch(_calls(_OTHERS[0], 1, minute=0), 1), NOW)  # the first evaluation is whole
        live.take(calls_batch([call for card in _OTHERS for call in _calls(card, 1, minute=1)], 2), NOW)
        assert live.evaluating
        yield live


def _found(live: Live) -> set[str]:
    return {hit.rule for card in live.answers.cards_with_hits() if card.card == _DIALLER for hit in card.hits}


@pytest.mark.parametrize("turns", [0, 10, 25, 45])
def test_what_comes_during_an_evaluation_is_evaluated(begun: Live, turns: int) -> None:
    for turn in range(turns):
        begun.take(calls_batch(_calls(_OTHERS[turn % 20], 1, minute=2 + turn), 3 + turn), NOW)
    begun.take(calls_batch(_calls(_DIALLER, 100, minute=50), 100), NOW)
    while begun.evaluating:
        begun.take(Batch(), NOW)
    begun.take(Batch(), NOW)
    assert "over_frequency" in _found(begun)


def test_killed_in_the_middle_of_an_evaluation(begun: Live, tmp_path: Path) -> None:
    begun.take(calls_batch(_calls(_DIALLER, 100, minute=50), 100), NOW)
    assert begun.evaluating
    shutil.copytree(tmp_path / "state", tmp_path / "killed")
    with _opened(tmp_path / "killed") as again:
        again.take(Batch(), NOW)
        assert "over_frequency" in _found(again)
