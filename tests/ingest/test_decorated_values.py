"""What programs, spreadsheets and keyboards put round and into values: the right value, or a reason."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from duanka.ingest.model.value_text import as_text, undecorated, without_exponent
from duanka.ingest.normalise.amounts import amounts
from duanka.ingest.normalise.durations import seconds
from duanka.ingest.normalise.timestamps import moments
from support.ingest.deliveries import KEY, mapping, quarantined, reasons, table, taken

_CHINA = "Asia/Shanghai"
_AT = datetime(2021, 5, 17, 9, 30)
_CARD = "8613800138000"
_DEVICE = "35349006987331"
_TSV = """
    [[source]]
    files = "*.tsv"
    table = "calls"
    delimiter = "\\t"
    where = { kind = "11" }
    [source.columns]
    card = "card"
    peer = "peer"
    direction = { from = "way", codes = { "1" = "out" } }
    started_at = "at"
    seconds = "seconds"
    imei = "imei"
"""


def _call(tmp_path: Path, **written: str) -> dict[str, Any] | tuple[str, str]:
    """A call as it is read, some of its values `written` otherwise; column and reason where it is set aside."""
    values = {"kind": "11", "card": "13800138000", "peer": "10086", "way": "1", "at": "2021-05-17 09:30"}
    values |= {"seconds": "86", "imei": _DEVICE} | written
    file = "\t".join(values) + "\n" + "\t".join(values.values()) + "\n"
    intake = taken(tmp_path, {"x.tsv": file}, mapping=mapping(tmp_path, _TSV))
    aside = quarantined(intake)
    return aside[0][1:] if aside else table(intake, "calls").row(0, named=True)


@pytest.mark.parametrize("around", ['="{}"', "'{}", '"{}"', "\ufeff{}", "\u202d{}\u202c", "\u3000{}\xa0"])
def test_what_spreadsheets_and_keyboards_put_round_a_value(tmp_path: Path, around: str) -> None:
    right = _call(tmp_path)
    written = {"card": "13800138000", "at": "2021-05-17 09:30", "seconds": "86", "imei": _DEVICE}
    written |= {"way": "1", "kind": "11"} if around.startswith("=") else {}
    assert _call(tmp_path, **{name: around.format(text) for name, text in written.items()}) == right


def test_wide_and_other_digits_are_digits(tmp_path: Path) -> None:
    right = _call(tmp_path)
    wide = {"card": "１３８００１３８０００", "at": "２０２１－０５－１７　０９：３０", "seconds": "８６"}
    assert _call(tmp_path, **wide, imei="３５３４９００６９８７３３１") == right
    arabic = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
    written = {"card": "13800138000", "at": "2021-05-17 09:30", "seconds": "86", "imei": _DEVICE}
    assert _call(tmp_path, **{name: text.translate(arabic) for name, text in written.items()}) == right


def test_an_empty_formula_is_nothing(tmp_path: Path) -> None:
    found = _call(tmp_path, imei='=""', seconds='=""', peer='=""')
    assert isinstance(found, dict)
    assert (found["imei"], found["seconds"], found["peer"]) == (None, None, None)


@pytest.mark.parametrize(
    "written",
    [
        *(
            "353490069873310.0",
            "3.53490069873310E+14",
            "35349006987331FF",
            "353490069873310F",
            "IMEI:353490069873310",
        ),
        *("urn:gsma:imei:35349006-987331-0", "353,490,069,873,310", "imeisv 3534900698733123"),
    ],
)
def test_one_device_in_more_writings(tmp_path: Path, written: str) -> None:
    assert _call(tmp_path, imei=written) == _call(tmp_path)


@pytest.mark.parametrize(
    "written", ["FFFFFFFFFFFFFFF", "xxxxxxxxxxxxxxx", "unknown", "未知", "无", "***************"]
)
def test_more_that_names_no_device(tmp_path: Path, written: str) -> None:
    found = _call(tmp_path, imei=written)
    assert isinstance(found, dict)
    assert found["imei"] is None


@pytest.mark.parametrize(("column", "written"), [("imei", "3.5349E+14"), ("card", "1.38001E+10")])
def test_digits_that_a_spreadsheet_lost_are_named_so(tmp_path: Path, column: str, written: str) -> None:
    assert _call(tmp_path, **{column: written}) == (column, "rounded number")


def test_scientific_notation_with_all_of_its_digits_is_exact(tmp_path: Path) -> None:
    assert _call(tmp_path, card="1.3800138000E10", imei="3.53490069873310e+14") == _call(tmp_path)
    written = pl.Series(["1.3800138E10", "1.5E0", "8.6138001380005E+12", "1.23E1", None])
    assert without_exponent(written).to_list() == [
        "1.3800138E10",
        "1.5E0",
        "8.6138001380005E+12",
        "1.23E1",
        None,
    ]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        *(
            ("2021-05-17 01:30:00+00", _AT),
            ("2021-05-17 09:30:00.000+08", _AT),
            ("2021-05-17 01:30:00 UTC", _AT),
        ),
        *(("2021-05-16 20:30:00 America/Lima", _AT), ("2021-05-17T09:30:00+08:00[Asia/Shanghai]", _AT)),
        *(
            ("2021-05-17T01:30Z[UTC]", None),
            ("2021-05-17 09:30:00 GMT+8", _AT),
            ("2021-05-17 01:30:00.0 GMT", _AT),
        ),
        *(("2021-05-17 09:30:00 CST", None), ("2021-05-17 09:30:00 Nowhere/Land", None)),
        *(("2021/5/17 9:30:00 a. m.", _AT), ("2021/5/17 AM 9:30", _AT), ("20210517T013000Z", _AT)),
    ],
)
def test_zones_as_databases_write_them(text: str, right: datetime | None) -> None:
    assert moments(pl.Series([text, "2021-05-17 09:30:00"]), (), None, _CHINA).to_list() == [right, _AT]


def test_moments_whose_digits_were_taken_for_a_number() -> None:
    right = [_AT, datetime(2021, 5, 17), None, None]
    for kind in (pl.Int64(), pl.Float64(), pl.Decimal(20, 0)):
        numbers = pl.Series([20210517093000, 20210517, 1621215000, 20211399], dtype=pl.Int64).cast(kind)
        assert moments(numbers, (), None, _CHINA).to_list() == right
    assert moments(pl.Series([202105170930]), (), None, _CHINA).to_list() == [_AT]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        *(
            ("1h02m", 3720),
            ("1h 2m 3s", 3723),
            ("1′26″", 86),
            ("1'26\"", 86),
            ("P0DT0H1M26S", 86),
            ("P1D", 86_400),
        ),
        *(
            ("1.5分钟", 90),
            ("1.5 min", 90),
            ("86000ms", 86),
            ("86000 毫秒", 86),
            ("1天2小时", 93_600),
            ("86,5", 86.5),
        ),
        *(
            ("1.00:01:26", 86_486),
            ("1 day, 0:01:26", 86_486),
            ("1'26", None),
            ("1,286", None),
            ("1h2h", None),
        ),
    ],
)
def test_more_forms_of_durations(text: str, right: float | None) -> None:
    assert seconds(pl.Series([text]), None).to_list() == [right]


def test_amounts_with_commas_and_points_say_one_thing_or_nothing() -> None:
    right: dict[str, float | None] = {
        "1,234,567": 1234567,
        "1.234.567": 1234567,
        "1 234": 1234,
        "1,234.5": 1234.5,
        "1.234,5": 1234.5,
    }
    right |= {
        "12,5": 12.5,
        "-12,50": -12.5,
        "0,12345": 0.12345,
        "1,234": None,
        "1,2,3": None,
        "12,34,567": None,
    }
    assert dict(zip(right, amounts(pl.Series(list(right))).to_list(), strict=True)) == right


def test_a_register_whose_times_say_that_there_is_none(tmp_path: Path) -> None:
    none = ["0000-00-00 00:00:00", "0001-01-01T00:00:00", "1900/1/1 0:00", "9999-12-31 23:59:59", ""]
    rows = "".join(f"1380013800{at},{text}\n" for at, text in enumerate(none))
    calls = (
        f"card,peer,direction,started_at\n13800138000,10086,out,{none[0]}\n13800138000,10086,out,2021-05-17\n"
    )
    intake = taken(tmp_path, {"cards.csv": "card,verified_at\n" + rows, "calls.csv": calls})
    assert table(intake, "cards")["verified_at"].to_list() == [None] * len(none)
    assert reasons(intake) == ["bad time"]  # of the call: without a time it means nothing


def test_decimals_keep_all_of_their_digits(tmp_path: Path) -> None:
    rules = """
        [[source]]
        files = "*.parquet"
        table = "calls"
        record_id = "id"
        columns = { card = "a", peer = "b", direction = { from = "w", codes = { 1 = "out" } }, started_at = "t" }
    """
    ids = [Decimal("12345678901234567890"), Decimal("12345678901234567891")]
    frame = pl.DataFrame({"id": ids}, schema={"id": pl.Decimal(20, 0)}).with_columns(
        a=pl.lit(Decimal(13800138000)).cast(pl.Decimal(38, 10)), b=pl.lit(10086), w=pl.lit(Decimal(1)),
        t=pl.lit(Decimal(20210517093000)).cast(pl.Decimal(14, 0)),
    )  # fmt: skip
    intake = taken(tmp_path, {"x.parquet": frame}, mapping=mapping(tmp_path, rules))
    assert table(intake, "calls").select("card", "started_at").rows() == [(_CARD, _AT)] * 2


_DOCUMENT = "11010519491231002X"


@pytest.mark.parametrize("around", ["'{}", "\u200b{}", '="{}"', "{}\t", "{:.6} {:.8}", "wide"])
def test_a_document_number_is_hashed_whatever_is_round_it(tmp_path: Path, around: str) -> None:
    """Else it would stand on the disk, and one person would be two holders."""
    written = (
        around.format(_DOCUMENT, _DOCUMENT[6:])
        if around.count("{") == 1
        else f"{_DOCUMENT[:6]} {_DOCUMENT[6:]}"
    )
    if around == "wide":
        written = "".join(chr(ord(letter) + 0xFEE0) for letter in _DOCUMENT)
    cards = f"card,holder\n13800138000,{written}\n13800138001,{_DOCUMENT}\n"
    calls = f"card,peer,direction,started_at\n{_CARD},10086,out,2021-05-17\n"
    intake = taken(tmp_path, {"cards.csv": cards, "calls.csv": calls}, holder_key=KEY)
    one, other = table(intake, "cards")["holder"].to_list()
    assert one == other
    assert len(one) == 64


def test_document_numbers_that_a_spreadsheet_rounded_make_no_holder(tmp_path: Path) -> None:
    cards = "card,holder\n13800138000,1.10105E+17\n13800138001,110105194912310000\n13800138002,110105194912310003\n"
    calls = f"card,peer,direction,started_at\n{_CARD},10086,out,2021-05-17\n"
    intake = taken(tmp_path, {"cards.csv": cards, "calls.csv": calls}, holder_key=KEY)
    assert reasons(intake) == ["rounded number"] * 2
    assert table(intake, "cards").height == 1


def test_text_of_types_that_hold_numbers() -> None:
    assert as_text(pl.Series([Decimal("13800138000.00"), Decimal("1.50")])).to_list() == [
        "13800138000",
        "1.50",
    ]
    assert undecorated(pl.Series(["'a'b'", "O'Brien", "2021–05–17", None])).to_list() == [
        "'a'b'", "O'Brien", "2021-05-17", None,
    ]  # fmt: skip


_EARLY = datetime(2021, 5, 17, 1, 35, 29)


@pytest.mark.parametrize(
    ("form", "text", "right"),
    [
        ("%Y%m%d %H%M%S", "20210517 13529", _EARLY),
        ("%Y%m%d %H%M%S", "20210517 5", datetime(2021, 5, 17, 0, 0, 5)),
        ("%Y%m%d%H%M%S", "20210517013529", _EARLY),
        ("%Y%m%d%H%M%S", "2021051713529", None),
        ("%H%M%S %d.%m.%Y", "13529 17.5.2021", None),
        ("%Y-%m-%d %H%M%S", "2021-5-17 93000", _AT),
        ("%Y%m%d %H:%M", "20210517 9:30", _AT),
        ("%y%m%d%H%M", "210517930", None),
    ],
)
def test_digits_that_are_missing_are_not_taken_from_others(
    form: str, text: str, right: datetime | None
) -> None:
    """Read from the left, 13529 is 13:52:09; as a number that lost its zero it is 01:35:29."""
    assert moments(pl.Series([text]), (form,), None, _CHINA).to_list() == [right]
