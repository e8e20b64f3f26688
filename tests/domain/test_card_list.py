"""Lists of cards as people hand them in."""

from __future__ import annotations

import pytest

from duanka.domain.bulk_action import numbers_of
from duanka.domain.card_list import cards_in
from duanka.domain.errors import DuankaError

ONE, TWO, THREE = "8613800138001", "8613800138002", "8613800138003"


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "text",
    [
        f"{ONE}|+86 138 0013 8002|138-0013-8003|",
        f"{ONE} {TWO}|{THREE}",
        f"号码|{ONE}|{TWO}||{THREE}|",
        f"card,tier,rules,reasons,action|{ONE},high,fan_out,114 次,verify|'+{TWO},high,x,y,|{THREE},low,a,b,",
        f'姓名;手机号|甲;{ONE}|乙;="{TWO}"|丙;１３８００１３８００３',
        f"no\tphone\n1\t{ONE}|2\t{TWO}|3\t{THREE}",
        f"序号,谁的|1,{ONE}|2,{TWO}|3,{THREE}",
        f"{ONE},甲|{TWO},乙|{THREE},丙",
        f'"{ONE}"|"{TWO}"|"{THREE}"',
    ],
)
def test_a_list_is_read_however_it_was_saved(text: str, coding: str, end: str) -> None:
    octets = text.replace("|", end).encode(coding)
    assert numbers_of(cards_in(octets, "list.csv")) == ((ONE, TWO, THREE), 0)


def test_what_is_no_card_stays_to_be_named() -> None:
    assert cards_in(f"{ONE}\n8613800\n".encode(), "list.txt") == [ONE, "8613800"]
    assert cards_in(b"861380013800\n", "list.txt") == ["861380013800"]
    assert cards_in(f"card,tier\n{ONE},low\nx,low\n".encode(), "list.csv") == [ONE, "x"]
    assert cards_in(b"", "list.txt") == []


@pytest.mark.parametrize(
    ("octets", "says"),
    [(b"\xff\xfe\x00", "no text"), (b"\x81\xff\xff", "no text"), (b"a,b\nc,d\n", "several columns")],
)
def test_what_cannot_be_read_is_one_line(octets: bytes, says: str) -> None:
    with pytest.raises(DuankaError, match=says) as told:
        cards_in(octets, "list.csv")
    assert "list.csv" in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "text", ['card,name\n13700000000,"a\n13700000001,b\n', 'card,name\n13700000000,"a"b\n']
)
def test_a_quote_that_is_not_closed_swallows_no_cards(text: str) -> None:
    with pytest.raises(DuankaError, match=r"cards\.csv, line [23]: a quote is not closed"):
        cards_in(text.encode(), "cards.csv")
