"""Lists of decisions as a scan writes them, for tests of takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path

from duanka.decision_log.writer import DecisionList
from duanka.domain.decision import Tier
from duanka.domain.findings import CardAtRisk
from duanka.domain.rule import Action
from duanka.domain.take import Coverage
from duanka.domain.text import BilingualText
from support.typed_desk import card

QUARTER = Coverage(date(2026, 8, 1), date(2026, 10, 29), {"calls": 90}, 90)
ONE_DAY = Coverage(date(2026, 10, 30), date(2026, 10, 30), {"calls": 1}, 1)
BUREAU = "bureau"  # whose signature the cases of `confirmed` bear
Row = tuple[int, Tier, Action, float]


def decide(
    folder: Path,
    key: bytes | None,
    rows: Iterable[Row],
    covers: Coverage | None = QUARTER,
    city: str = "130100",
) -> Path:
    """Write the list of a new scan into `folder`, in place of the one before."""
    folder.mkdir(exist_ok=True)
    with DecisionList(folder / "decisions.new", key) as written:
        if covers:
            written.covers(covers)
        for number, tier, action, points in rows:
            reasons = {"fan_out" if number % 2 else "night_calls": BilingualText("陌生号码", "strangers")}
            one = CardAtRisk(card(number), tier, action, points, reasons, (), city=city, operator="甲")
            if action is Action.STOP:
                one = replace(one, cases=(f"2026-{number}",), signed_by=(BUREAU,))
            written.add(one)
    (folder / "decisions.new").replace(folder / "decisions.jsonl")
    return folder


def medium(*numbers: int) -> list[Row]:
    """A question for each of these cards; the higher the number, the heavier."""
    return [(number, Tier.MEDIUM, Action.VERIFY, float(number)) for number in numbers]


def high(*numbers: int) -> list[Row]:
    """As `medium`, of a tier that takes two people."""
    return [(number, Tier.HIGH, Action.VERIFY_AT_COUNTER, float(number)) for number in numbers]


def confirmed(*numbers: int) -> list[Row]:
    """Stopped on a case of the police, which BUREAU signed."""
    return [(number, Tier.EXTREME, Action.STOP, float(number)) for number in numbers]


def watched(*numbers: int) -> list[Row]:
    """What was asked is taken back."""
    return [(number, Tier.LOW, Action.WATCH, 1.0) for number in numbers]
