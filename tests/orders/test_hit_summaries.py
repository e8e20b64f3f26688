"""What a rule saw, and on which days, from the decision to the order."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest

from duanka.decision_log.reader import DecisionFile
from duanka.decision_log.writer import DecisionList
from duanka.domain.decision import Tier
from duanka.domain.errors import UnreadableInput
from duanka.domain.findings import CardAtRisk
from duanka.domain.hit_summary import MOST_LETTERS, MOST_RULES, HitSummary, bounded, decoded_summaries, joined
from duanka.domain.rule import Action, Hit
from duanka.domain.text import BilingualText
from duanka.engine.shared.hit_table import by_card
from duanka.ledger.db.database import Store
from duanka.orders.intake.decisions import DecisionIntake
from duanka.orders.masking import NumberMasking
from support.orders.books import KEY, NOW, book_on, card, verification

FIRST, LAST = datetime(2021, 5, 17, 9), datetime(2021, 5, 19, 21, 30)
SAW = BilingualText("一天外呼80个陌生号码，如13800138000", "80 strangers, like 13800138000")


def seen(rule: str = "fan_out", first: int = 17, last: int = 19, days: int = 2) -> HitSummary:
    return HitSummary(rule, date(2021, 5, first), date(2021, 5, last), days, SAW)


def decide(folder: Path, *hits: Hit) -> None:
    with DecisionList(folder / "decisions.new", KEY) as written:
        reasons = {hit.rule: SAW for hit in hits}
        written.add(CardAtRisk(card(0), Tier.MEDIUM, Action.VERIFY, 3.0, reasons, hits))
    (folder / "decisions.new").replace(folder / "decisions.jsonl")


def take(store: Store, folder: Path) -> tuple[HitSummary, ...]:
    book = book_on(store)
    DecisionIntake(book, DecisionFile(folder, KEY)).take_all(NOW)
    return decoded_summaries(verification(book, 0).hit_summaries)


def test_an_order_carries_the_days_and_words_of_each_rule(store: Store, tmp_path: Path) -> None:
    hit = Hit(card(0), "fan_out", FIRST, {}, 5, LAST, 2)
    decide(tmp_path, hit, Hit(card(0), "complained", FIRST, {}))
    line = json.loads((tmp_path / "decisions.jsonl").read_text(encoding="utf-8"))
    assert line["seen_until"] == LAST.isoformat(), "of the latest hit: what came after a pass is new evidence"
    assert take(store, tmp_path) == (seen(), seen("complained", 17, 17, 1))
    decide(tmp_path, replace(hit, seen_at=datetime(2021, 5, 20), last_at=None, times=1, days=1))
    assert take(store, tmp_path) == (seen(last=20, days=3), seen("complained", 17, 17, 1)), (
        "what comes later joins"
    )


def test_a_decision_of_before_works_without_days_and_a_wrong_one_is_named(
    store: Store, tmp_path: Path
) -> None:
    decide(tmp_path, Hit(card(0), "fan_out", FIRST, {}))
    path = tmp_path / "decisions.jsonl"
    line = json.loads(path.read_text(encoding="utf-8"))
    for name in ("first_day", "last_day", "days"):
        del line["reasons"][0][name]
    path.write_text(json.dumps(line) + "\n", encoding="utf-8")
    assert take(store, tmp_path) == ()
    for wrong in ({"first_day": "soon"}, {"days": 0}, {"days": "3"}, {"last_day": None}):
        reason = {
            "rule": "fan_out",
            "zh": "一",
            "en": "a",
            "first_day": "2021-05-17",
            "last_day": "2021-05-17",
            "days": 1,
        }
        path.write_text(json.dumps(line | {"reasons": [reason | wrong]}) + "\n", encoding="utf-8")
        with pytest.raises(UnreadableInput, match="is no decision"):
            DecisionFile(tmp_path, KEY).read(0, 1)


def test_days_that_two_scans_saw_count_once() -> None:
    def days(earlier: HitSummary, later: HitSummary) -> tuple[int, int, int]:
        (one,) = decoded_summaries(joined(joined("", [earlier]), [later]))
        return one.first_day.day, one.last_day.day, one.days

    assert days(seen(), seen()) == (17, 19, 2)
    assert days(seen(), seen(first=18, last=21, days=4)) == (17, 21, 4)
    assert days(seen(), seen(first=20, last=21, days=2)) == (17, 21, 4)
    assert days(seen(), seen(first=3, last=4, days=2)) == (3, 19, 4)


def test_what_an_order_carries_is_bounded_and_masked() -> None:
    long = HitSummary("r", date(2021, 5, 17), date(2021, 5, 17), 1, BilingualText("长" * 1000, "x" * 1000))
    found = bounded([replace(long, rule=f"r{number}") for number in range(40)])
    assert len(found) == MOST_RULES
    assert all(len(text) == MOST_LETTERS and text.endswith("…") for one in found for text in one.words)
    masked = NumberMasking(unmasked=False).seen((seen(),))[0].words
    assert masked == BilingualText("一天外呼80个陌生号码，如138****8000", "80 strangers, like 138****8000")


def test_what_somebody_else_wrote_there_hides_no_order() -> None:
    for text in (
        "",
        "x",
        "{}",
        '[["a"]]',
        "[1]",
        '[["r","2021-05-17","2021-05-17","3","一","a"]]',
        "null",
        "[null]",
    ):
        assert decoded_summaries(text) == ()


def test_the_days_of_a_card_are_counted_rule_by_rule() -> None:
    rows = [
        ("1", "fan_out", FIRST, "{}", 5, None, None, LAST, 2, "unicom", "130100"),
        ("1", None, None, None, None, "A1", "police", None, None, "unicom", "130100"),
    ]
    (one,) = by_card(rows)
    assert (one.hits[0].last_at, one.hits[0].days, one.cases, one.operator) == (LAST, 2, ("A1",), "unicom")
