"""Records that name their card by IMSI alone: the register says which card that is."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from duanka.domain.errors import MappingError
from duanka.ingest.normalise.cards_by_imsi import CardsByImsi
from support.ingest.deliveries import mapping, quarantined, table, taken
from support.ingest.landings import drained, put, reasons_of

_RULES = """
[[source]]
files = "calls*"
table = "calls"
columns = { card = { from = "msisdn", imsi = "imsi" }, peer = "peer", direction = "way", started_at = "at" }
[[source]]
files = "register*"
table = "cards"
columns = { card = "card", imsi = "imsi" }
"""
_CALLS = """msisdn,imsi,peer,way,at
13800138000,460001234567890,10086,out,2021-05-17 09:30
,460001234567891,10086,out,2021-05-17 09:31
,460001234567899,10086,out,2021-05-17 09:32
,,10086,out,2021-05-17 09:33
abc,460001234567891,10086,out,2021-05-17 09:34
"""
_REGISTER = "card,imsi\n13800138000,460001234567890\n13800138001,460001234567891\n13800138002,\n"


def test_the_card_is_found_by_its_imsi_or_the_reason_is_said(tmp_path: Path) -> None:
    # calls.csv is delivered, and named, before register.csv
    files = {"calls.csv": _CALLS, "register.csv": _REGISTER}
    intake = taken(tmp_path, files, mapping=mapping(tmp_path, _RULES))
    assert table(intake, "calls").sort("started_at")["card"].to_list() == ["8613800138000", "8613800138001"]
    assert quarantined(intake) == [
        (4, "msisdn+imsi", "IMSI not in the register"),
        (5, "msisdn+imsi", "required value missing"),
        (6, "msisdn+imsi", "impossible number"),
    ]
    assert (
        not list((tmp_path / "out").glob("imsi*"))
        or (tmp_path / "out" / "imsi.sqlite").stat().st_mode & 0o077 == 0
    )


def test_what_the_register_said_last_counts_and_is_kept(tmp_path: Path) -> None:
    kept = CardsByImsi(tmp_path / "imsi.sqlite")
    kept.learn(pl.DataFrame({"imsi": ["460001", "460002", None, "x"], "card": ["1", "2", "3", "4"]}))
    kept.learn(pl.DataFrame({"imsi": ["460001"], "card": ["5"]}))
    kept.close()
    asked = pl.Series(["460001", "460002", "460003", None, "x", "460001"])
    assert CardsByImsi(tmp_path / "imsi.sqlite").cards(asked).to_list() == ["5", "2", None, None, None, "5"]
    many = pl.Series([str(460_000_000_000 + n) for n in range(70_000)])
    assert CardsByImsi().cards(many).null_count() == 70_000


def test_only_a_card_is_named_by_an_imsi(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"peer\.imsi says which card a record is of"):
        mapping(tmp_path, _RULES.replace('peer = "peer"', 'peer = { from = "peer", imsi = "imsi" }'))


def test_one_imsi_in_several_writings(tmp_path: Path) -> None:
    calls = "imsi,peer,way,at\n" + "".join(
        f"{written},10086,out,2021-05-17 09:3{at}\n"
        for at, written in enumerate(
            ["460001234567891.0", "460-00-1234567891", "'460001234567891", "460001234567891F"]
        )
    )
    register = 'card,imsi\n13800138001,"=""460001234567891"""\n'
    rules = _RULES.replace('card = { from = "msisdn", imsi = "imsi" }', 'card = { imsi = "imsi" }')
    files = {"calls.csv": calls, "register.csv": register}
    intake = taken(tmp_path, files, mapping=mapping(tmp_path, rules))
    assert table(intake, "calls")["card"].to_list() == ["8613800138001"] * 4


def test_in_an_inbox_the_register_is_read_before_the_files_that_lie_there_with_it(tmp_path: Path) -> None:
    put(tmp_path / "in", "calls.csv", _CALLS)
    put(tmp_path / "in", "register.csv", _REGISTER)  # younger
    rules = mapping(tmp_path, _RULES)
    got = drained(tmp_path / "in", mapping=rules)
    intake = taken(tmp_path, {"calls.csv": _CALLS, "register.csv": _REGISTER}, mapping=rules)
    assert sorted(reasons_of(got)) == sorted(reason for _, _, reason in quarantined(intake))
    assert "IMSI not in the register" in reasons_of(got)
