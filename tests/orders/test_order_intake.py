from __future__ import annotations

from pathlib import Path

from duanka.decision_log.reader import DecisionFile
from duanka.decision_log.writer import DecisionList, decision_line
from duanka.domain.decision import Tier
from duanka.domain.findings import CardAtRisk
from duanka.domain.rule import Action
from duanka.domain.sealing import Sealer, run_of
from duanka.domain.text import BilingualText
from duanka.ledger.db.database import Store
from duanka.orders.intake.decisions import DecisionIntake
from support.orders.books import KEY, NOW, book_on, card, verification


def _decide(folder: Path, cards: range, action: Action = Action.VERIFY) -> None:
    with DecisionList(folder / "decisions.new", KEY) as written:
        for number in cards:
            reasons = {"fan_out": BilingualText("陌生号码", "strangers")}
            written.add(CardAtRisk(card(number), Tier.MEDIUM, action, 3.0, reasons, ()))
    (folder / "decisions.new").replace(folder / "decisions.jsonl")


def test_each_decision_is_taken_once(store: Store, tmp_path: Path) -> None:
    book = book_on(store)
    _decide(tmp_path, range(1200))
    assert DecisionIntake(book, DecisionFile(tmp_path, KEY)).take_all(NOW).opened == 1200
    again = DecisionIntake(book, DecisionFile(tmp_path, KEY))
    assert again.take(NOW) is None
    whole = (tmp_path / "decisions.jsonl").read_bytes()
    run = run_of(KEY, whole.splitlines()[-1])
    more = CardAtRisk(card(1200), Tier.MEDIUM, Action.VERIFY, 3.0, {"r": BilingualText("一", "a")}, ())
    with (tmp_path / "decisions.jsonl").open("ab") as file:
        file.write(decision_line(1201, more, Sealer(KEY, run)))
    assert (taken := again.take(NOW))
    assert taken.opened == 1


def test_a_file_that_was_replaced_is_read_anew(store: Store, tmp_path: Path) -> None:
    book = book_on(store)
    _decide(tmp_path, range(10))
    DecisionIntake(book, DecisionFile(tmp_path, KEY)).take_all(NOW)
    _decide(tmp_path, range(5, 12))
    received = DecisionIntake(book, DecisionFile(tmp_path, KEY)).take_all(NOW)
    assert (received.opened, received.attached) == (2, 5)
    assert verification(book, 5).hits == 2
    assert verification(book, 0).hits == 1


def test_what_the_records_no_longer_say_is_taken_back(store: Store, tmp_path: Path) -> None:
    book = book_on(store)
    _decide(tmp_path, range(2))
    DecisionIntake(book, DecisionFile(tmp_path, KEY)).take_all(NOW)
    _decide(tmp_path, range(1), Action.WATCH)
    received = DecisionIntake(book, DecisionFile(tmp_path, KEY)).take_all(NOW)
    assert (received.withdrawn, received.opened) == (1, 0)
