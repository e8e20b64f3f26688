"""What `duanka links around` wrote is proposed as it is to a second person: only what is more likely than not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import polars as pl
import pytest

from duanka.domain.card_list import cards_in, certain_cards_in
from duanka.domain.errors import DuankaError
from duanka.domain.ring_lookups import RingFile
from duanka.domain.text import Language
from duanka.links.ring.files import cards_csv
from duanka.links.ring.ring import Ring
from support.typed_desk import TypedDesk, card

_SURE = {1: 0.97, 2: 0.51, 3: 0.5, 4: 0.41}


@pytest.fixture(params=["zh", "en"])
def listed(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A ring.csv; reasons have commas, semicolons and quotation marks."""
    rows = pl.DataFrame(
        {
            "card": [card(number) for number in _SURE],
            "role": "stock",
            "site": ["130100 7", "130100 7", "", ""],
            "certainty": list(_SURE.values()),
            "joined": [sure >= 0.5 for sure in _SURE.values()],
            "reason_zh": '与团伙的 "3" 张卡轮流使用终端,86900609553922；同批开户',
            "reason_en": 'took turns, in device "86900609553922"; opened together',
        }
    )
    text = cards_csv(cast(Ring, SimpleNamespace(cards=rows)), cast(Language, request.param))
    written = tmp_path / RingFile.CARDS
    written.write_text(text, encoding="utf-8", newline="")
    return written


def test_of_a_ring_the_likely_cards_are_taken(listed: Path) -> None:
    octets = listed.read_bytes()
    assert octets.startswith(b"\xef\xbb\xbf"), "as spreadsheets need it"
    assert cards_in(octets, RingFile.CARDS) == [card(number) for number in _SURE]
    assert certain_cards_in(octets, RingFile.CARDS, 0.5) == ([card(1), card(2)], 2)
    assert certain_cards_in(octets, RingFile.CARDS, 0.4) == ([card(number) for number in _SURE], 0)
    assert certain_cards_in(octets, RingFile.CARDS, 0.97) == ([], 4)


def test_other_lists_say_nothing_of_certainty() -> None:
    assert certain_cards_in(f"{card(1)}\n{card(2)}\n".encode(), "list.txt", 1) == ([card(1), card(2)], 0)
    assert certain_cards_in(f"card,tier\n{card(1)},low\n".encode(), "list.csv", 1) == ([card(1)], 0)


@pytest.mark.parametrize("wrong", ["", "x", "-0.1", "1.01", "nan", "97"])
def test_a_certainty_that_is_none_is_one_line(wrong: str) -> None:
    with pytest.raises(DuankaError, match=r"^ring\.csv: certainty '.*' is no number from 0 to 1; correct it"):
        certain_cards_in(f"card,certainty\n{card(1)},{wrong}\n".encode(), RingFile.CARDS, 0.5)


def test_a_ring_is_proposed_to_a_second_person(listed: Path, tmp_path: Path) -> None:
    desk = TypedDesk(tmp_path / "book")
    words = ("orders", "stop", "--file", str(listed), "--reason", "团伙", "--reason-en", "a ring")
    proposed = desk.done("wang", *words)
    assert "Left out: 2 card(s) of certainty 0.5 or less (--certainty)." in proposed.text
    act = proposed.id("A")
    shown = desk.done("li", "orders", "show", act, "--full", "--why", "to approve it").text
    assert [number for number in _SURE if card(number)[2:] in shown.replace(" ", "")] == [1, 2]
    with desk.open() as here:
        assert here.bulk_actions.get(act).state.value == "proposed", "nothing is stopped yet"
    more = desk.done("wang", *words, "--certainty", "0.4")
    assert "Left out" not in more.text
