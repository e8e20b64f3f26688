"""Deliveries of other forms: what they tell is read, and what they do not tell is asked, never guessed in silence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from duanka.ingest import read_mapping, take_in
from duanka.ingest.guessing import Guessed
from support.ingest import invented
from support.ingest.deliveries import table
from support.ingest.invented import Call
from test_five_operators import guessed, read

TRUTH = invented.calls(400)
Rows = Callable[[Call], str]


def written(folder: Path, header: str, row: Rows, name: str = "cdr.csv") -> Guessed:
    """Write a file of all calls and guess its mapping."""
    folder.mkdir(exist_ok=True)
    lines = [*([header] if header else []), *map(row, TRUTH)]
    (folder / name).write_text("\n".join(lines) + "\n", "utf-8")
    return guessed(folder)


def _way(call: Call, out: str, into: str) -> str:
    return out if call.direction == "out" else into


def _sides(call: Call) -> str:
    pair = (call.card, call.peer) if call.direction == "out" else (call.peer, call.card)
    return ",".join(pair)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("a_number,b_number,cdr_type,start_time,duration",
         lambda c: f"{c.card},{c.peer},{_way(c, 'MOC', 'MTC')},{c.started_at},{c.seconds}"),
        ("caller,callee,direction,start_time,duration",
         lambda c: f"{_sides(c)},{_way(c, 'out', 'in')},{c.started_at},{c.seconds}"),
        ("主叫号码,被叫号码,呼叫类型,开始时间,通话时长",
         lambda c: f"{_sides(c)},{_way(c, '1', '2')},{c.started_at},{c.seconds}"),
        ("本机号码,对方号码,呼叫类型(1主叫 2被叫),开始时间,通话时长",
         lambda c: f"{c.card},{c.peer},{_way(c, '1', '2')},{c.started_at},{c.seconds}"),
        ("计费号码,主叫号码,被叫号码,呼叫类型,开始时间,通话时长",
         lambda c: f"{c.card},{_sides(c)},{_way(c, '01', '02')},{c.started_at},{c.seconds}"),
        ("本机号码,对方号码,呼叫类型,开始时间,通话时长",  # as a spreadsheet counts: parts of a day
         lambda c: f"{c.card},{c.peer},{_way(c, '呼出', '呼入')},{c.started_at},{c.seconds / 86_400!r}"),
        ("本机号码,对方号码,呼叫类型,开始时间,通话时长",
         lambda c: f"{c.card},{c.peer},{_way(c, '呼出', '呼入')},{c.started_at:%d/%m/%Y %H:%M:%S},{c.seconds}"),
        ("本机号码,对方号码,呼叫类型,开始时间,通话时长",
         lambda c: f"{c.card},{c.peer},{_way(c, '主叫', '被叫')},{c.started_at:%Y%m%d%H%M%S},"
                   f"{c.seconds // 3600:02d}{c.seconds // 60 % 60:02d}{c.seconds % 60:02d}"),
        ("计费号码,对方号码,通话类型,开始时间,结束时间,通话时长",
         lambda c: f"{c.card},{c.peer},{_way(c, '主叫', '被叫')},{c.started_at},"
                   f"{c.started_at + timedelta(seconds=c.seconds)},{c.seconds * 1000}"),
        ("计费号码,对方号码,通话类型,通话日期,通话时间",
         lambda c: f"{c.card},{c.peer},{_way(c, '主叫', '被叫')},{c.started_at},{c.seconds}"),
        ("", lambda c: f'"",{_sides(c)},default,{c.started_at},,{c.started_at},{c.seconds + 4},{c.seconds},'
                       'NORMAL_CLEARING,3f2a9c51-1b2c-4d5e-8f90-0123456789ab,,,PCMA'),
    ],
    ids=["served party", "caller", "told by sides", "legend", "own among two", "parts of a day", "day first",
         "packed clock", "milliseconds", "time is a duration", "FreeSWITCH"],
)  # fmt: skip
def test_what_a_delivery_tells_is_read(tmp_path: Path, header: str, row: Rows) -> None:
    found = written(tmp_path / "data", header, row)
    assert found.whole, found.text
    assert read(tmp_path, tmp_path / "data", found) == sorted(c._replace(imei=None, city=None) for c in TRUTH)


@pytest.mark.parametrize(
    ("header", "row", "asked"),
    [
        ("本机号码,对方号码,呼叫类型,开始时间,通话时长",
         lambda c: f"{c.card},{c.peer},{_way(c, '7', '8')},{c.started_at},{c.seconds}", "--direction"),
        ("本机号码,对方号码,呼叫类型,开始时间,通话时长",
         lambda c: f"{c.card},{c.peer},主叫,0{1 + c.seconds % 9}/0{1 + c.seconds % 7}/2021 10:00:00,{c.seconds}",
         "%d/%m/%Y"),
        ("本机号码,对方号码,呼叫类型,开始时间,通话时长",
         lambda c: f"{c.card},{c.peer},主叫,{c.started_at},{c.seconds // 60 % 20}:{c.seconds % 60:02d}",
         "`mm:ss` or `hh:mm`"),
        ("本机号码,对方号码,呼叫类型,开始时间", lambda c: f"{c.card},{c.peer},主叫,{c.started_at}",
         "calls or messages"),
        ("x,y,z", lambda c: f"{c.seconds},a,b", "what do these files hold"),
    ],
    ids=["codes", "day and month", "minutes or hours", "calls or messages", "nothing"],
)  # fmt: skip
def test_what_no_file_tells_is_asked(tmp_path: Path, header: str, row: Rows, asked: str) -> None:
    found = written(tmp_path, header, row, "export.csv")
    assert not found.whole
    assert any(asked in question.text.en for question in found.guess.questions), found.guess.questions


def test_records_that_come_in_are_set_aside_while_nothing_shows_whose_they_are(tmp_path: Path) -> None:
    found = written(
        tmp_path,
        "a_number,b_number,cdr_type,start_time,duration",
        lambda c: f"{c.card},{c.peer},MOC,{c.started_at},{c.seconds}",
    )
    assert found.whole
    assert 'codes = { MOC = "out" }' in found.text


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "号码,时间\n1,2\n".encode("utf-16-le"), "iconv -f UTF-16LE -t UTF-8"),
        ("a.csv", '主叫,备注\n1,"a\nb"\n2,"c\nd"\n'.encode(), "export it without line breaks in its texts"),
        ("a.xlsx", b"PK\3\4", "the file is cut off"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "save it as .xlsx or CSV"),
        ("a.json", b'{"a": 1}\n', "JSON"),
        ("a.csv", b"", "the file is empty"),
    ],
)
def test_what_cannot_be_read_is_named_with_what_to_do(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    found = guessed(tmp_path)
    assert not found.whole
    assert said in found.guess.unread[0].form.problem


def _whole(call: Call) -> tuple[object, ...]:
    return call.card, call.peer, call.direction, call.started_at, call.seconds


def _read(folder: Path, found: Guessed) -> list[tuple[object, ...]]:
    """What intake makes of what lies in `folder` with the guessed mapping."""
    (folder / "guessed.toml").write_text(found.text, "utf-8")
    intake = take_in(folder, folder / "out", mapping=read_mapping(folder / "guessed.toml"))
    assert intake.quarantined == 0
    return sorted(table(intake, "calls").select("card", "peer", "direction", "started_at", "seconds").rows())


def _served(call: Call, delimiter: str = ",", at: str = "%Y-%m-%d %H:%M:%S", last: str = "") -> str:
    way = _way(call, "主叫", "被叫")
    return delimiter.join([call.card, call.peer, way, f"{call.started_at:{at}}", str(call.seconds)]) + last


_SERVED = "计费号码,对方号码,呼叫类型,开始时间,通话时长"


@pytest.mark.parametrize(
    ("above", "header", "row"),
    [
        ("某公司话单,,,,\n\n", _SERVED, _served),  # titles, as a spreadsheet saves them
        ("导出时间：2021-05-20\n共 400 条\n", _SERVED, _served),
        ("", _SERVED, lambda c: _served(c, last=",")),
        ("", f"{_SERVED},备注,备注", lambda c: _served(c, last=",x,y")),
        ("", "计费号码,对方号码,呼叫类型,通话日期,通话时刻,通话时长",
         lambda c: _served(c, at="%Y%m%d,") .replace(",,", f",{int(f'{c.started_at:%H%M%S}')},")),
    ],
)  # fmt: skip
def test_what_stands_round_a_table_is_not_taken_for_it(
    tmp_path: Path, above: str, header: str, row: Rows
) -> None:
    (tmp_path / "cdr.csv").write_text("\n".join([f"{above}{header}", *map(row, TRUTH)]) + "\n", "utf-8")
    found = guessed(tmp_path)
    assert found.whole, found.text
    assert _read(tmp_path, found) == sorted(map(_whole, TRUTH))


def test_files_of_few_records_are_looked_at_together(tmp_path: Path) -> None:
    """A folder an hour, without headers: three files would tell nothing."""
    for call in TRUTH:
        folder = tmp_path / f"{call.started_at:%Y%m%d/%H}"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "msc.dat").open("a", encoding="utf-8") as file:
            file.write(_served(call, "|") + "\n")
    found = guessed(tmp_path)
    assert found.whole, found.text
    assert _read(tmp_path, found) == sorted(map(_whole, TRUTH))


def test_years_of_two_digits_are_asked_where_the_days_tell_nothing(tmp_path: Path) -> None:
    found = written(tmp_path, _SERVED, lambda c: _served(c, at="%y-%m-%d %H:%M:%S"))
    asked = [question.text.en for question in found.guess.questions]
    assert len(asked) == 1
    assert "%y-%m-%d %H:%M:%S and as %d-%m-%y %H:%M:%S" in asked[0]
    found = written(tmp_path / "odd", _SERVED, lambda c: _served(c, at="%A"))
    assert any("is called like a time, but '" in question.text.en for question in found.guess.questions)


def test_columns_of_types_that_nothing_reads_are_left_out(tmp_path: Path) -> None:
    rows = [
        {"msisdn": c.card, "other_party": c.peer, "direction": c.direction, "start_time": c.started_at,
         "duration": c.seconds, "extra": {"a": 1}, "tags": ["x"]}
        for c in TRUTH
    ]  # fmt: skip
    pl.DataFrame(rows).write_parquet(tmp_path / "cdr.parquet")
    found = guessed(tmp_path)
    assert not found.guess.unread
    assert _read(tmp_path, found) == sorted(map(_whole, TRUTH))


def test_cards_that_only_an_imsi_names_are_looked_up_in_the_register(tmp_path: Path) -> None:
    rows = [f"46000{c.card[-10:]}," + _served(c).partition(",")[2] for c in TRUTH]
    register = sorted({f"{c.card},46000{c.card[-10:]},2020-01-01" for c in TRUTH})
    (tmp_path / "cdr.csv").write_text("\n".join([_SERVED.replace("计费号码", "IMSI"), *rows]) + "\n", "utf-8")
    found = guessed(tmp_path)
    assert 'card = { imsi = "IMSI" }' in found.text
    assert not found.whole  # nothing says whose they are
    (tmp_path / "users.csv").write_text("\n".join(["手机号码,IMSI,入网时间", *register]) + "\n", "utf-8")
    found = guessed(tmp_path)
    assert found.whole, found.text
    assert _read(tmp_path, found) == sorted(map(_whole, TRUTH))


def test_rings_delivered_beside_foreign_records_are_known_by_their_columns(tmp_path: Path) -> None:
    """`duanka links build --deliver` writes them into the operator's own delivery."""
    rows = [
        {"card": c.card, "ring": f"R0000{c.seconds % 3}", "certainty": c.seconds % 101, "since": c.started_at}
        for c in TRUTH
    ]
    pl.DataFrame(rows).unique("card").write_parquet(tmp_path / "rings.parquet")
    (tmp_path / "cdr.csv").write_text("\n".join([_SERVED, *map(_served, TRUTH)]) + "\n", "utf-8")
    found = guessed(tmp_path)
    assert found.whole, found.text
    assert 'table = "rings"' in found.text
    assert _read(tmp_path, found) == sorted(map(_whole, TRUTH))
