"""Durations and times as exchanges, spreadsheets and people write them: the right value, or a reason."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duanka.ingest.normalise.durations import seconds
from duanka.ingest.normalise.timestamps import moments
from support.ingest.deliveries import mapping, quarantined, reasons, table, taken

_CHINA = "Asia/Shanghai"


def _seconds(tmp_path: Path, text: str, unit: str = "") -> object:
    """What the column `seconds` holds where a file says `text`: a value, or the reason."""
    how = f'{{ from = "d", unit = "{unit}" }}' if unit else '"d"'
    rules = f"""
        [[source]]
        files = "*.csv"
        table = "calls"
        delimiter = "|"
        columns = {{ card = "a", peer = "b", direction = {{ value = "out" }}, started_at = "t", seconds = {how} }}
    """
    file = f"a|b|t|d\n13800138000|10086|2021-05-17 09:30|{text}\n"
    intake = taken(tmp_path, {"x.csv": file}, mapping=mapping(tmp_path, rules))
    aside = quarantined(intake)
    return aside[0][2] if aside else table(intake, "calls")["seconds"].item()


@pytest.mark.parametrize(
    ("text", "right"),
    [
        *(
            ("86", 86),
            ("86.4", 86),
            ("85.5", 86),
            ("0", 0),
            ("00:01:26", 86),
            ("0:01:26", 86),
            ("1分26秒", 86),
        ),
        *(
            ("1时01分26秒", 3686),
            ("1小时", 3600),
            ("26秒", 26),
            ("2分钟", 120),
            ("000126", 86),
            ("010000", 3600),
        ),
        *(("PT1M26S", 86), ("1m26s", 86), ("0 days 00:01:26", 86), ("00:01:25.6", 86), ("30:00:00", 108_000)),
        *(
            ("123456", 123_456),
            ("000176", "not a number"),
            ("00:01:76", "not a number"),
            ("01:26", "not a number"),
        ),
        *(
            ("1,026", "not a number"),
            ("1分76分", "not a number"),
            ("PT", "not a number"),
            (":", "not a number"),
        ),
    ],
)
def test_a_duration_in_any_form_is_its_seconds_or_set_aside(tmp_path: Path, text: str, right: object) -> None:
    assert _seconds(tmp_path, text) == right


@pytest.mark.parametrize(
    ("text", "unit", "right"),
    [
        *(("123456", "hhmmss", 45_296), ("000126", "hhmmss", 86), ("86", "hhmmss", "not a number")),
        *(("01:26", "mm:ss", 86), ("01:26", "hh:mm", 5160), ("000126", "s", 126), ("1.5", "min", 90)),
        *(("00:01:26", "ms", "not a number"), ("01:26:00", "mm:ss", "not a number")),
    ],
)
def test_a_mapping_names_the_unit_whose_digits_do_not_tell(
    tmp_path: Path, text: str, unit: str, right: object
) -> None:
    assert _seconds(tmp_path, text, unit) == right


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_the_three_forms_of_one_duration_agree(hours: int, minutes: int, secs: int) -> None:
    total = hours * 3600 + minutes * 60 + secs
    texts = pl.Series([f"{hours:02}:{minutes:02}:{secs:02}", f"{hours}时{minutes}分{secs}秒"])
    assert seconds(texts, None).to_list() == [total, total]
    assert seconds(pl.Series([f"{hours:02}{minutes:02}{secs:02}"]), "hhmmss").to_list() == [total]


def test_durations_and_times_of_day_of_parquet(tmp_path: Path) -> None:
    frame = pl.DataFrame({"card": ["8613800138000"], "peer": ["10086"], "direction": ["out"]})
    frame = frame.with_columns(started_at=pl.lit("2021-05-17 09:30"))
    for written in (pl.duration(minutes=1, seconds=26), pl.time(0, 1, 26)):
        intake = taken(tmp_path, {"calls.parquet": frame.with_columns(seconds=written)})
        assert table(intake, "calls")["seconds"].to_list() == [86]


_AT = datetime(2021, 5, 17, 15, 5)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        *(
            ("2021/5/17 15:05", _AT),
            ("2021/05/17 15:05:00", _AT),
            ("2021.5.17 15:5:0", _AT),
            ("20210517 150500", _AT),
        ),
        *(("20210517150500", _AT), ("2021年5月17日 15时05分", _AT), ("2021年5月17日15点5分0秒", _AT)),
        *(("2021/5/17 下午3:05", _AT), ("2021-05-17 下午 03:05:00", _AT), ("2021/5/17 3:05 PM", _AT)),
        ("2021/5/17 星期一 15:05", _AT),
        ("2021/5/17 上午12:05", datetime(2021, 5, 17, 0, 5)),
        ("2021/5/17 下午12:05", datetime(2021, 5, 17, 12, 5)),
        ("2021/5/17 凌晨1:05", datetime(2021, 5, 17, 1, 5)),
        ("2021/5/17 中午1:05", datetime(2021, 5, 17, 13, 5)),
        ("2021-05-17 24:00:00", datetime(2021, 5, 18)),
        ("2021-12-31 24:00", datetime(2022, 1, 1)),
        ("2021/5/17 7:05Z", _AT),
        ("2021年5月17日", datetime(2021, 5, 17)),
        *(
            (wrong, None)
            for wrong in ("2021-05-17 24:01", "2021/2/29 9:30", "2021/5/17 上午13:05", "2021/13/1")
        ),
        *(
            (wrong, None)
            for wrong in ("2021/5/17 晚上12:05", "17/05/2021 15:05", "05/17/21", "21/5/17", "44333.5")
        ),
    ],
)
def test_a_time_in_any_form_of_the_region_or_none(text: str, right: datetime | None) -> None:
    assert moments(pl.Series([text, None, "2021-05-17 15:05"]), (), None, _CHINA).to_list() == [
        right,
        None,
        _AT,
    ]


def test_day_and_month_in_the_order_of_the_region() -> None:
    text = pl.Series(["04/05/2021 09:30", "17/05/2021 09:30", "05/17/2021 9:30 AM"])
    day, first = datetime(2021, 5, 4, 9, 30), datetime(2021, 5, 17, 9, 30)
    assert moments(text, (), None, "America/Lima", region="PE").to_list() == [day, first, None]
    assert moments(text, (), None, "America/New_York", region="US").to_list() == [
        datetime(2021, 4, 5, 9, 30),
        None,
        first,
    ]


def test_midnight_at_the_end_of_a_day_in_a_format_of_the_mapping() -> None:
    text = pl.Series(["17.05.2021 24:00:00", "17.05.2021 09:30:00", "17.05.2021 24:30:00"])
    found = moments(text, ("%d.%m.%Y %H:%M:%S",), None, _CHINA).to_list()
    assert found == [datetime(2021, 5, 18), datetime(2021, 5, 17, 9, 30), None]


def test_lengths_that_were_taken_for_moments(tmp_path: Path) -> None:
    """A database or spreadsheet makes a moment of its first day of a duration."""
    at = [datetime(1899, 12, 30, 0, 1, 1), datetime(1899, 12, 31, 0, 1, 1), datetime(1904, 1, 1, 0, 1, 1)]
    frame = pl.DataFrame({"seconds": [*at, datetime(2021, 5, 17, 0, 1, 1)]}).with_row_index()
    frame = frame.with_columns(
        card=pl.lit("8613800138000"), peer=pl.lit("10086"), direction=pl.lit("out"),
        started_at=pl.lit(datetime(2021, 5, 17)) + pl.duration(seconds="index"),
    )  # fmt: skip
    intake = taken(tmp_path, {"calls.parquet": frame})
    assert table(intake, "calls")["seconds"].to_list() == [61, 61, 61]
    assert reasons(intake) == ["not a number"]


def test_day_numbers_of_a_spreadsheet() -> None:
    text = pl.Series(["44333.3958333333", "44333", "44333.9999999999", "-1", "x", "1e300"])
    found = moments(text, (), "days", _CHINA).to_list()
    assert found == [
        datetime(2021, 5, 17, 9, 30),
        datetime(2021, 5, 17),
        datetime(2021, 5, 18),
        None,
        None,
        None,
    ]


_SOURCES = """
    zone = "Asia/Shanghai"
    [[source]]
    files = "utc*"
    table = "calls"
    zone = "UTC"
    columns = { card = "card", peer = "peer", direction = "direction", started_at = "started_at" }
    [[source]]
    files = "local*"
    table = "calls"
    columns = { card = "card", peer = "peer", direction = "direction", started_at = "started_at" }
"""


def test_each_source_says_in_which_zone_its_times_stand(tmp_path: Path) -> None:
    head = "card,peer,direction,started_at\n"
    files = {
        "utc.csv": head
        + "13800138000,10086,out,2021-05-17 01:30\n13800138000,10086,out,2021-05-17 09:31+08:00\n",
        "local.csv": head + "13800138000,10086,out,2021-05-17 09:32\n",
    }
    intake = taken(tmp_path, files, mapping=mapping(tmp_path, _SOURCES))
    assert sorted(table(intake, "calls")["started_at"].to_list()) == [
        datetime(2021, 5, 17, 9, minute) for minute in (30, 31, 32)
    ]


def test_int96_of_spark_in_utc(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    columns = {
        "card": ["13800138000"] * 2,
        "peer": ["10086"] * 2,
        "direction": ["out"] * 2,
        "started_at": pa.array(
            [datetime(2021, 5, 17, 1, 30), datetime(2021, 5, 17, 15, 59)], pa.timestamp("ns")
        ),
    }
    pq.write_table(pa.table(columns), data / "utc.parquet", use_deprecated_int96_timestamps=True)
    intake = taken(tmp_path, {}, mapping=mapping(tmp_path, _SOURCES))
    assert table(intake, "calls")["started_at"].to_list() == [
        datetime(2021, 5, 17, 9, 30),
        datetime(2021, 5, 17, 23, 59),
    ]


def test_calls_of_an_hour_that_comes_twice_are_two_calls(tmp_path: Path) -> None:
    rules = """
        zone = "America/New_York"
        [[source]]
        files = "*"
        table = "calls"
        columns = { card = "card", peer = "peer", direction = "direction", started_at = "started_at" }
    """
    rows = [
        "12125550100,12125550101,out,2021-11-07 01:30:00-04:00",
        "12125550100,12125550101,out,2021-11-07 01:30:00-05:00",
        "12125550100,12125550101,out,2021-11-07 01:30:00-05:00",  # this one came before
    ]
    file = "card,peer,direction,started_at\n" + "\n".join(rows) + "\n"
    intake = taken(tmp_path, {"x.csv": file}, mapping=mapping(tmp_path, rules))
    assert table(intake, "calls")["started_at"].to_list() == [datetime(2021, 11, 7, 1, 30)] * 2
    assert intake.quarantined == 1


def test_a_zone_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"zone.*is no time zone: 'Mars'"):
        mapping(tmp_path, _SOURCES.replace('"UTC"', '"Mars"'))


@given(st.datetimes(datetime(1992, 1, 1), datetime(2199, 12, 31)))
def test_what_is_read_is_never_another_moment(moment: datetime) -> None:
    moment = moment.replace(microsecond=0)
    texts = [
        f"{moment.year}/{moment.month}/{moment.day} {moment.hour}:{moment.minute:02}:{moment.second:02}",
        f"{moment:%Y年%m月%d日 %H时%M分%S秒}",
        f"{moment:%Y%m%d%H%M%S}",
        f"{moment:%Y-%m-%d} {'上午' if moment.hour < 12 else '下午'}{(moment.hour + 11) % 12 + 1}:{moment:%M:%S}",
        f"{moment - timedelta(hours=8):%Y/%m/%d %H:%M:%S}Z",
    ]
    assert moments(pl.Series(texts), (), None, _CHINA).to_list() == [moment] * len(texts)


@pytest.mark.parametrize(
    "withheld",
    [
        *(
            "",
            " ",
            "-",
            "anonymous",
            "Anonymous",
            "Unavailable",
            "unknown",
            "Restricted",
            "private",
            "0",
            "null",
            "N/A",
        ),
        *(
            "sip:anonymous@anonymous.invalid",
            "<sip:anonymous@anonymous.invalid>",
            "未知",
            "匿名来电",
            "隐藏号码",
            "xxxxxxxx",
        ),
        *(
            "P",
            "anonym",
            "<null>",
            "+0",
            "-1",
            "号码保密",
            "来电无显",
            "主叫隐藏",
            "私人号码",
            "+266696687",
            "+7378742833",
        ),
    ],
)
def test_a_call_from_a_withheld_number_is_a_call(tmp_path: Path, withheld: str) -> None:
    rows = f"card,peer,direction,started_at\n8613800138000,{withheld},in,2021-05-17 09:30\n"
    intake = taken(tmp_path, {"calls.csv": rows})
    assert table(intake, "calls").select("peer", "direction").rows() == [(None, "in")]
    assert intake.quarantined == 0


@pytest.mark.parametrize(
    "peer", ["abc", "1380013800013800138001380", "+", "8.6138E+12", "unknownsender", "-12", "主叫"]
)
def test_a_peer_that_is_written_and_no_number_is_set_aside(tmp_path: Path, peer: str) -> None:
    rows = f"card,peer,direction,started_at\n8613800138000,{peer},in,2021-05-17 09:30\n"
    assert quarantined(taken(tmp_path, {"calls.csv": rows}))[0][1] == "peer"


def test_what_programs_write_for_nothing_is_unknown(tmp_path: Path) -> None:
    header = "card,peer,direction,started_at,seconds,answered,imei\n"
    rows = header + "8613800138000,10086,in,2021-05-17 09:30,NULL,\\N,N/A\n"
    intake = taken(tmp_path, {"calls.csv": rows})
    assert table(intake, "calls").select("seconds", "answered", "imei").rows() == [(None, None, None)]


def test_what_a_mapping_says_of_a_text_that_else_means_nothing_counts(tmp_path: Path) -> None:
    rules = """
        [[source]]
        files = "*.csv"
        table = "calls"
        [source.columns]
        card = "a"
        peer = "b"
        direction = { value = "out" }
        started_at = "t"
        answered = { from = "x", codes = { "-" = "false", "N/A" = "false", "ok" = "true" } }
    """
    rows = "".join(
        f"13800138000,10086,2021-05-17 09:3{n},{x}\n" for n, x in enumerate(("-", "N/A", "ok", "NULL"))
    )
    intake = taken(tmp_path, {"x.csv": "a,b,t,x\n" + rows}, mapping=mapping(tmp_path, rules))
    assert table(intake, "calls").sort("started_at")["answered"].to_list() == [False, False, True, None]
