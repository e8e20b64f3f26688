"""The first lines of a card and of an order, at 80 columns, answer who calls about it."""

from __future__ import annotations

from pathlib import Path

from duanka.domain.order import Kind
from support.typed_desk import TypedDesk, card, demand


def test_the_first_screen_begins_with_the_sentence_for_the_caller(tmp_path: Path) -> None:
    desk = TypedDesk(tmp_path / "book")
    unknown = desk.done("wang", "cards", "show", card(1), columns=80).text
    assert unknown.startswith("工单库中没有这个号码的任何记录")
    assert "never heard of this number" in unknown
    desk.demand(demand(1))
    stopped = desk.done("liaison", "orders", "police-stop", card(1), "--case", "案1", "--why", "notice")
    for words in (("cards", "show", card(1)), ("orders", "show", stopped.id("R"))):
        lines = desk.done("wang", *words, columns=80).text.splitlines()
        assert lines[0].startswith("您尾号0001的号码自")
        first = "".join(lines[:12])
        assert "公安机关通知" in first
        assert "Your number ending 0001 has been stopped by police notice since" in " ".join(lines[:12])
        assert card(1) not in first
    with desk.open() as here:
        verification = here.reading.last(card(1), Kind.VERIFICATION)
    assert verification
    assert "反诈中心" in desk.done("wang", "orders", "show", verification.id, columns=80).text[:400]
