"""Each kind of value: what is read, and the reason for each that does not fit."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duanka.ingest.model.value_text import as_text
from duanka.ingest.normalise.timestamps import moments
from support.ingest.deliveries import CALLS, CARDS, mapping, quarantined, reasons, table, taken


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ("8613800138000,10086,out,2021-05-17 25:30:00,1", "started_at", "bad time"),
        ("8613800138000,10086,out,2021-02-29 10:30:00,1", "started_at", "bad time"),
        ("8613800138000,10086,out,17.05.2021,1", "started_at", "bad time"),
        ("8613800138000,10086,out,0001-01-01 00:00:00,1", "started_at", "bad time"),
        ("8613800138000,10086,out,2021-05-17 09:30:00+25:00,1", "started_at", "bad time"),
        ("8613800138000,10086,out,2021-05-17 09:30:00,-1", "seconds", "negative duration"),
        ("8613800138000,10086,out,2021-05-17 09:30:00,a minute", "seconds", "not a number"),
        ("8613800138000,10086,out,2021-05-17 09:30:00,inf", "seconds", "not a number"),
        ("8613800138000,10086,out,2021-05-17 09:30:00,1e300", "seconds", "not a number"),
        ("8613800138000,10086,sideways,2021-05-17 09:30:00,1", "direction", "unknown direction"),
        ("10086,8613800138000,out,2021-05-17 09:30:00,1", "card", "impossible number"),
        ("8613800138000,12,out,2021-05-17 09:30:00,1", "peer", "impossible number"),
        ("8.6138E+12,8613800138000,out,2021-05-17 09:30:00,1", "card", "rounded number"),
        ("8613800138000,1.38e10,out,2021-05-17 09:30:00,1", "peer", "rounded number"),
        ("8613800138000,nobody,out,2021-05-17 09:30:00,1", "peer", "impossible number"),
        (",10086,out,2021-05-17 09:30:00,1", "card", "required value missing"),
        ("8613800138000,10086,out,,1", "started_at", "required value missing"),
        # The first column that fails gives the reason.
        ("x,y,z,w,v", "card", "impossible number"),
    ],
)
def test_a_call_that_does_not_fit(tmp_path: Path, row: str, column: str, reason: str) -> None:
    good = "8613800138000,10086,out,2021-05-17 09:30:00,1"
    intake = taken(tmp_path, {"calls.csv": f"{CALLS}{row}\n{good}\n"})
    assert quarantined(intake) == [(2, column, reason)]
    assert len(table(intake, "calls")) == 1
    assert pl.read_parquet(intake.quarantine)["raw"].to_list() == [row]


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("answered", "perhaps", "neither true nor false"),
        ("imei", "1234567890123", "bad IMEI"),
        ("imei", "35349006987331X", "bad IMEI"),
        ("forwarded_from", "++", "impossible number"),
    ],
)
def test_an_optional_value_that_does_not_fit(tmp_path: Path, column: str, value: str, reason: str) -> None:
    row = "8613800138000,10086,out,2021-05-17 09:30:00"
    text = f"card,peer,direction,started_at,{column}\n{row},{value}\n{row},\n"
    intake = taken(tmp_path, {"calls.csv": text})
    assert quarantined(intake) == [(2, column, reason)]
    assert table(intake, "calls")[column].to_list() == [None]


def test_days_bytes_and_choices(tmp_path: Path) -> None:
    text = "card,day,bytes\n8613800138000,2021-05-17,5\n8613800138000,2021-05-18,-5\n8613800138000,2021-13-01,5\n"
    cards = "card,kind\n8613800138000,VOICE\n8613800138001,satellite\n8613800138002,\n"
    intake = taken(tmp_path, {"data_days.csv": text, "cards.csv": cards})
    assert quarantined(intake) == [
        (3, "kind", "unknown choice"),
        (3, "bytes", "negative count"),
        (4, "day", "bad day"),
    ]
    assert table(intake, "data_days").row(0) == ("8613800138000", date(2021, 5, 17), 5)
    assert table(intake, "cards")["kind"].to_list() == ["voice", None]


def test_a_table_has_exactly_the_canonical_columns(tmp_path: Path) -> None:
    text = (
        "seconds,extra,card,started_at,peer,direction\n61.5,x,8613800138000,2021-05-17 09:30:00.25,10086,in\n"
    )
    intake = taken(tmp_path, {"calls.csv": text})
    calls = table(intake, "calls")
    assert dict(calls.schema) == {
        "card": pl.String,
        "peer": pl.String,
        "direction": pl.String,
        "started_at": pl.Datetime("us"),
        "seconds": pl.Int64,
        "answered": pl.Boolean,
        "imei": pl.String,
        "cell": pl.String,
        "city": pl.String,
        "forwarded_from": pl.String,
    }
    assert calls["seconds"].to_list() == [62]  # half a second and more is one
    assert calls["started_at"].to_list() == [datetime(2021, 5, 17, 9, 30, 0, 250_000)]
    assert intake.ignored == {"calls.csv": ("extra",)}
    assert intake.columns["calls"] == {"card", "peer", "direction", "started_at", "seconds"}


SHANGHAI_ZONE = "Asia/Shanghai"
SHANGHAI = timezone(timedelta(hours=8))


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2021-05-17", datetime(2021, 5, 17)),
        ("2021-05-17T09:30:00", datetime(2021, 5, 17, 9, 30)),
        ("2021-05-17 09:30:00.1", datetime(2021, 5, 17, 9, 30, 0, 100_000)),
        ("2021-05-17 09:30:00.123456789", datetime(2021, 5, 17, 9, 30, 0, 123_456)),
        ("2021-05-17T01:30:00Z", datetime(2021, 5, 17, 9, 30)),
        ("2021-05-17 01:30:00+00:00", datetime(2021, 5, 17, 9, 30)),
        ("2021-05-16 20:30:00.5-0500", datetime(2021, 5, 17, 9, 30, 0, 500_000)),
        ("2021-05-17 09:30", datetime(2021, 5, 17, 9, 30)),
        ("2021-05-17 09", None),
        ("2021-05-17 24:00:00", datetime(2021, 5, 18)),
        ("2021-05-17 09:30:60", None),
        ("20210517", datetime(2021, 5, 17)),
        ("20210517 093000", datetime(2021, 5, 17, 9, 30)),
        ("２０２１-05-17", None),
    ],
)
def test_times_are_read_alike_alone_and_among_others(text: str, time: datetime | None) -> None:
    alone = moments(pl.Series([text]), (), None, SHANGHAI_ZONE)
    among = moments(pl.Series(["2021-05-17 09:30:00", text, "no time", None]), (), None, SHANGHAI_ZONE)
    assert alone.to_list() == [time]
    assert among.to_list() == [datetime(2021, 5, 17, 9, 30), time, None, None]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31)), max_size=5))
def test_iso_times_come_back(times: list[datetime]) -> None:
    text = pl.Series([time.isoformat(sep=" ") for time in times], dtype=pl.String)
    abroad = pl.Series(
        [time.replace(tzinfo=SHANGHAI).astimezone(UTC).isoformat() for time in times], dtype=pl.String
    )
    assert moments(text, (), None, SHANGHAI_ZONE).to_list() == times
    # Shanghai had summer time once: the round trip holds where its clock stood at +08:00.
    found = moments(abroad, (), None, SHANGHAI_ZONE).to_list()
    assert all(a in {b, b + timedelta(hours=1)} for a, b in zip(found, times, strict=True) if a is not None)


@pytest.mark.parametrize(
    ("source", "epoch"),
    [
        (pl.Series([1_621_215_000]), "s"),
        (pl.Series(["1621215000"]), "s"),
        (pl.Series([1_621_215_000_000]), "ms"),
        (pl.Series(["1621215000000000"]), "us"),
        (pl.Series([1_621_215_000_000_000_000]), "ns"),
        (pl.Series([1_621_215_000.0]), "s"),
        (pl.Series(["1621215000.0"]), "s"),
    ],
)
def test_seconds_since_1970(source: pl.Series, epoch: str) -> None:
    assert moments(source, (), epoch, SHANGHAI_ZONE).to_list() == [datetime(2021, 5, 17, 9, 30)]


@pytest.mark.parametrize("value", ["x", "-1", "1e300", "nan", "99999999999999", ""])
def test_what_is_no_second_since_1970(value: str) -> None:
    assert moments(pl.Series([value, "5.5"]), (), "s", "UTC").to_list() == [
        None,
        datetime(1970, 1, 1, 0, 0, 5, 500_000),
    ]


def test_formats_are_tried_in_turn() -> None:
    text = pl.Series(["17/05/2021 09:30", "20210517093000", "17.5.", "2021-05-17T01:30:00+0000"])
    formats = ("%d/%m/%Y %H:%M", "%Y%m%d%H%M%S", "%Y-%m-%dT%H:%M:%S%z")
    half_past = datetime(2021, 5, 17, 9, 30)
    assert moments(text, formats, None, SHANGHAI_ZONE).to_list() == [half_past, half_past, None, half_past]


def test_typed_columns_of_parquet(tmp_path: Path) -> None:
    time = datetime(2021, 5, 17, 9, 30)
    frame = pl.DataFrame(
        {
            "card": pl.Series([8613800138000, 8613800138000]),
            "peer": pl.Series([8613900139000.0, 10086.0]),
            "direction": pl.Series(["out", "in"], dtype=pl.Categorical),
            "started_at": pl.Series([time, time])
            .dt.replace_time_zone("Asia/Shanghai")
            .dt.convert_time_zone("UTC"),
            "seconds": pl.Series([1.4, 1.5]),
            "answered": [True, None],
            "imei": [353490069873310, 353490069873310],
        }
    )
    intake = taken(tmp_path, {"calls.parquet": frame})
    calls = table(intake, "calls")
    assert calls["card"].to_list() == ["8613800138000"] * 2
    assert calls["peer"].to_list() == ["8613900139000", "10086"]
    assert calls["started_at"].to_list() == [time, time]
    assert calls["seconds"].to_list() == [1, 2]
    assert calls["answered"].to_list() == [True, None]
    assert reasons(intake) == []


def test_times_with_nanoseconds_and_days_as_times(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "card": ["8613800138000"],
            "day": pl.Series([datetime(2021, 5, 17, 9)], dtype=pl.Datetime("ns")),
            "bytes": pl.Series([2**40], dtype=pl.UInt64),
        }
    )
    intake = taken(tmp_path, {"data_days.parquet": frame})
    assert table(intake, "data_days").rows() == [("8613800138000", date(2021, 5, 17), 2**40)]


def test_a_type_of_another_sense_is_set_aside(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "card": ["8613800138000"],
            "peer": ["10086"],
            "direction": ["out"],
            "started_at": [5],  # a number is no time unless a mapping says what it counts
            "seconds": [timedelta(seconds=5).total_seconds()],
        }
    )
    assert quarantined(taken(tmp_path, {"calls.parquet": frame})) == [(1, "started_at", "bad time")]


@pytest.mark.parametrize(
    "written",
    [
        "35349006987331",
        "353490069873319",
        "353490069873310",
        "3534900698733101",
        "35-349006-987331-9",
        " 35349006987331",
    ],
)
def test_one_device_is_its_first_fourteen_digits_in_every_writing(tmp_path: Path, written: str) -> None:
    intake = taken(
        tmp_path, {"sightings.csv": f"card,seen_at,imei\n8613800138000,2021-05-17 09:30,{written}\n"}
    )
    assert table(intake, "sightings")["imei"].to_list() == ["35349006987331"]


@pytest.mark.parametrize(
    "placeholder",
    [
        *("0", "000000000000000", "00000000000000", "0000000000000000", "111111111111111", "999999999999994"),
        *("111111111111119", "123456789012345", "0123456789012347", "004999010640000", "135790246811220"),
    ],
)
def test_a_placeholder_says_that_the_device_is_unknown(tmp_path: Path, placeholder: str) -> None:
    rows = f"8613800138000,2021-05-17 09:30,{placeholder}\n8613800138001,2021-05-17 09:30,353490069873319\n"
    intake = taken(tmp_path, {"sightings.csv": "card,seen_at,imei\n" + rows})
    assert sorted(table(intake, "sightings")["imei"].to_list(), key=str) == ["35349006987331", None]
    assert (intake.quarantined, intake.devices_unknown) == (0, 1)


def test_what_is_no_imei_is_set_aside(tmp_path: Path) -> None:
    rows = "8613800138000,2021-05-17 09:30,3534\n8613800138001,2021-05-17 09:30,35349006987331900\n"
    intake = taken(tmp_path, {"sightings.csv": "card,seen_at,imei\n" + rows})
    assert quarantined(intake) == [(2, "imei", "bad IMEI"), (3, "imei", "bad IMEI")]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats()))
def test_floats_become_text(values: list[float]) -> None:
    for value, text in zip(values, as_text(pl.Series(values, dtype=pl.Float64)).to_list(), strict=True):
        assert "." not in text or not value.is_integer() or abs(value) > 2**53


def test_units_codes_and_the_rest_of_a_mapping(tmp_path: Path) -> None:
    text = """
        zone = "Asia/Shanghai"
        [[source]]
        files = "cdr.txt"
        table = "calls"
        delimiter = "|"
        encoding = "gb18030"
        names = ["kind", "a", "b", "date", "time", "ms", "area", "dev"]
        empty = ["-", "NULL"]
        swap_when = { kind = ["in", "受"] }
        [source.columns]
        card = "a"
        peer = "b"
        direction = { from = "kind", codes = { out = "out", "主" = "out", in = "in", "受" = "in" } }
        started_at = { from = ["date", "time"], join = " ", formats = "%d.%m.%Y %H:%M:%S" }
        seconds = { from = "ms", unit = "ms" }
        answered = { from = "ms", over = 0 }
        imei = { from = "dev", opaque = true }
        cell = { from = "area", strip = ".0" }
        city = { value = "420100" }
    """
    rows = (
        "主|13800138000|010-12345678|17.05.2021|09:30:00|61499|7.0|dev1\n"
        "受|13900139000|13800138000|17.05.2021|09:31:00|0|-|NULL\n"
        "忙|13900139000|13800138000|17.05.2021|09:31:00|0|-|NULL\n"
    )
    intake = taken(tmp_path, {"cdr.txt": rows.encode("gb18030")}, mapping=mapping(tmp_path, text))
    calls = table(intake, "calls")
    assert calls.rows() == [
        (
            "8613800138000",
            "861012345678",
            "out",
            datetime(2021, 5, 17, 9, 30),
            61,
            True,
            "dev1",
            "7",
            "420100",
            None,
        ),
        (
            "8613800138000",
            "8613900139000",
            "in",
            datetime(2021, 5, 17, 9, 31),
            0,
            False,
            None,
            None,
            "420100",
            None,
        ),
    ]
    assert quarantined(intake) == [(3, "kind", "unknown direction")]
    assert pl.read_parquet(intake.quarantine)["raw"][0].startswith("忙|139")


def test_opaque_numbers_and_short_codes(tmp_path: Path) -> None:
    text = """
        [numbers]
        style = "opaque"
        [[source]]
        files = "*.csv"
        table = "messages"
        [source.columns]
        card = "a"
        peer = { from = "b", short_when = { class = ["SHORT", 7] } }
        direction = { value = "in" }
        sent_at = "t"
    """
    rows = "a,b,t,class\n12, 95588 ,2021-05-17,SHORT\n12,95588,2021-05-17,\n12,1,2021-05-17, 7\n"
    intake = taken(tmp_path, {"x.csv": rows}, mapping=mapping(tmp_path, text))
    assert table(intake, "messages")["peer"].to_list() == ["short:95588", "95588", "short:1"]
    assert CARDS.startswith("card")


def test_parties_that_change_places_are_judged_where_they_come_to_stand(tmp_path: Path) -> None:
    text = """
        [[source]]
        files = "*.csv"
        table = "calls"
        swap_when = { way = "in" }
        [source.columns]
        card = "a"
        peer = "b"
        direction = "way"
        started_at = "t"
    """
    rows = "a,b,way,t\n10086,13800138000,in,2021-05-17\n10086,13800138000,out,2021-05-17\n13800138000,x,in,2021-05-17\n"
    intake = taken(tmp_path, {"x.csv": rows}, mapping=mapping(tmp_path, text))
    assert table(intake, "calls").select("card", "peer").rows() == [("8613800138000", "10086")]
    assert quarantined(intake) == [(3, "a", "impossible number"), (4, "b", "impossible number")]


def test_a_time_may_stop_at_the_minute() -> None:
    found = moments(
        pl.Series(
            ["2021-05-17 09:30", "2021-05-17T09:30Z", "2021-05-17 09:30.5", "2021-05-17 9:30", "2021-05-17"]
        ),
        (),
        None,
        SHANGHAI_ZONE,
    )
    assert found.to_list() == [
        datetime(2021, 5, 17, 9, 30),
        datetime(2021, 5, 17, 17, 30),
        None,
        datetime(2021, 5, 17, 9, 30),
        datetime(2021, 5, 17),
    ]


@pytest.mark.parametrize("kind", [pl.Float64, pl.Float32])
def test_a_number_that_was_rounded_is_nobodys_in_parquet_either(tmp_path: Path, kind: Any) -> None:
    """A float of four bytes holds seven digits: the number that is left is another subscriber's."""
    cards = pl.Series("card", [8613800138000.0, 13800138001.0], dtype=kind)
    seconds = pl.Series("seconds", [1.0, 90.0], dtype=kind)
    moment = pl.Series("started_at", [datetime(2021, 5, 17, 9, 30)] * 2)
    frame = pl.DataFrame([cards, seconds, moment]).with_columns(peer=pl.lit("10086"), direction=pl.lit("out"))
    intake = taken(tmp_path, {"calls.parquet": frame})
    if kind == pl.Float64:
        assert table(intake, "calls")["card"].to_list() == ["8613800138000", "8613800138001"]
    else:
        assert "calls" not in intake.tables
        assert reasons(intake) == ["rounded number"] * 2
