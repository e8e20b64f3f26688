"""Cards that can have a hit are found among all: none is missed, whatever files and tables its rows are in."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest

from duanka.domain.streaming import Batch
from duanka.engine.live import Live
from duanka.engine.live import evaluator as judge
from duanka.engine.live.candidates import exceeding, linked
from duanka.rules import RULES
from support.engine.streams import calls_batch

NOW = datetime(2026, 1, 1)
_SEEDS = range(40)


def _rows(seed: int) -> list[tuple[int, int]]:
    """Cards with a device or a number of calls, in random order."""
    chance = random.Random(seed)
    return [
        (chance.choice((-9, 5, 6, 7, 8, 1 << 61)), chance.randrange(9)) for _ in range(chance.randrange(12))
    ]


def _tables(rows: list[tuple[int, int]], name: str, *, bound: int) -> list[pa.Table]:
    """The rows of cards below `bound`, and the others."""
    parts = [[row for row in rows if (row[0] < bound) is below] for below in (True, False)]
    return [
        pa.table(
            {"card": pa.array([c for c, _ in p], pa.int64()), name: pa.array([v for _, v in p], pa.int64())}
        )
        for p in parts
    ]


@pytest.mark.parametrize("seed", _SEEDS)
def test_cards_with_several_devices_or_a_shared_one(seed: int) -> None:
    rows = _rows(seed)
    devices, cards = defaultdict(set), defaultdict(set)
    for card, device in rows:
        devices[card].add(device)
        cards[device].add(card)
    several = {card for card in devices if len(devices[card]) > 1}
    shared = {card for those in cards.values() if len(those) > 1 for card in those}
    assert set(linked(_tables(rows, "imei", bound=7), "imei").tolist()) == several | shared


@pytest.mark.parametrize("seed", _SEEDS)
def test_cards_whose_total_exceeds(seed: int) -> None:
    rows = _rows(seed)
    totals: dict[int, int] = defaultdict(int)
    for card, calls in rows:
        totals[card] += calls
    exceeds = {card for card, total in totals.items() if total > 8}
    assert set(exceeding(_tables(rows, "calls", bound=7), "calls", 8).tolist()) == exceeds


def _live(folder: Path, rule: str, **limits: int) -> Live:
    """One rule alone."""
    return Live(folder, [r for r in RULES if r.id == rule], {rule: limits}, {}, history=False, threads=1)


@pytest.fixture(autouse=True)
def found_among_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "MANY", 1)


def _with_hits(live: Live) -> set[str]:
    while live.evaluating:
        live.take(Batch(), NOW)
    return {card.card for card in live.answers.cards_with_hits()}


@pytest.mark.parametrize("packed", [(), (1,), (1, 2), (2,)])
def test_a_device_that_a_card_in_files_shares_with_a_recent_one(
    tmp_path: Path, packed: tuple[int, ...]
) -> None:
    cards = [f"861380000000{n}" for n in range(4)]
    with _live(tmp_path, "shared_device", min_cards=2, min_events=1) as live:
        for number, card in enumerate(cards):
            device = "35693803564380" if number in (1, 3) else f"8612340000000{number}"
            at = datetime(2021, 1, 1, 10, number)
            live.take(calls_batch([{"card": card, "imei": device, "started_at": at}], number), NOW)
            if number in packed:
                live.put_away(NOW)
        assert _with_hits(live) == {cards[1], cards[3]}


def test_calls_of_which_some_are_in_files(tmp_path: Path) -> None:
    with _live(tmp_path, "over_frequency", max_calls=5) as live:
        for number in range(2):
            rows = [
                {
                    "card": "8613800000000",
                    "direction": "out",
                    "started_at": datetime(2021, 1, 1, 10, n, number),
                }
                for n in range(4)
            ]
            live.take(calls_batch(rows, number), NOW)
            if not number:
                live.put_away(NOW)
        assert _with_hits(live) == {"8613800000000"}


def test_a_limit_of_one_presupposes_nothing(tmp_path: Path) -> None:
    with _live(tmp_path, "shared_device", min_cards=1, min_events=1) as live:
        row = {"card": "8613800000000", "imei": "35693803564380", "started_at": datetime(2021, 1, 1, 10)}
        live.take(calls_batch([row], 1), NOW, judge=False)
        live.put_away(NOW)
        live.take(Batch(), NOW)
        assert _with_hits(live) == {"8613800000000"}
