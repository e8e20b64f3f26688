"""Workbooks as programs and people write them: what stands in a cell is read exactly, or set aside with a reason."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import fastexcel
import polars as pl
import pytest
import xlsxwriter

from duanka.domain.intake_report import Intake
from support.ingest.deliveries import mapping, quarantined, table, taken
from support.ingest.workbooks import HEADER, Raw, Shown, Value, book, call, calls_book, row, rows

_NINE = datetime(2021, 5, 17, 9, 30)
_DAY = 44_333  # 2021-05-17
_LENGTH = HEADER.index("seconds")


def seconds(intake: Intake) -> list[int]:
    """The seconds of all calls, by which they are told apart."""
    return sorted(table(intake, "calls")["seconds"].to_list())


def test_a_table_below_titles_and_between_empty_rows(tmp_path: Path) -> None:
    sheet = (
        row(1, ["五月通话清单"])
        + row(3, ["制表日期：2021-06-01", "制表人：张三"])
        + row(5, HEADER)
        + '<row r="6"/><row r="7"><c r="A7" s="1"/></row>'
        + row(8, call(1))
        + row(20, call(2))
        + row(21, ["x", *call(3)[1:]])
        + row(1_048_576, [None, "合计", None, None, 3])
    )
    intake = taken(tmp_path, {"calls.xlsx": book({"Sheet1": sheet})})
    assert seconds(intake) == [1, 2]
    assert quarantined(intake) == [
        (21, "card", "impossible number"),
        (1_048_576, "card", "required value missing"),
    ]
    frame = pl.read_parquet(intake.quarantine)
    assert set(frame["file"]) == {"calls.xlsx [Sheet1]"}
    assert '"card": "x"' in frame["raw"][0]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (61, 61),
        (Shown(61 / 86_400, 3), 61),
        (Shown(25.5 / 24, 3), 91_800),
        (Shown(61 / 86_400, 1), 61),  # as a day of 1900
        (Shown(1 + 61 / 86_400, 8), 86_461),
        (Shown(61.4 / 86_400, 9), 61),
        (Shown(126, 5), 86),  # 000126: hours, minutes and seconds
        ("0:01:01", 61),
        ("1分1秒", 61),
        ("1899-12-31 00:01:01", 61),
        ("1899/12/30 0:01:01", 61),
        (Raw('t="str"', "<f>B2*60</f><v>61</v>"), 61),
        (Raw("", "<f>B2*60</f><v>61</v>"), 61),
        (Raw('t="e"', "<f>VLOOKUP(A2,B:B,1,0)</f><v>#N/A</v>"), None),
        (None, None),
    ],
)
def test_durations(tmp_path: Path, value: Value, read: int | None) -> None:
    intake = taken(tmp_path, {"calls.xlsx": calls_book((*call(0)[:_LENGTH], value))})
    assert intake.quarantined == 0
    assert table(intake, "calls")["seconds"].to_list() == [read]


def test_hours_and_minutes_that_may_be_minutes_and_seconds_are_set_aside(tmp_path: Path) -> None:
    intake = taken(tmp_path, {"calls.xlsx": calls_book((*call(0)[:_LENGTH], Shown(86 / 1440, 4)), call(1))})
    assert quarantined(intake) == [(2, "seconds", "not a number")]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (Shown(_DAY + 9.5 / 24, 1), _NINE),
        (Shown(44333.3958333333, 1), _NINE),  # fifteen digits, as some programs write them
        (Shown(_DAY, 2), datetime(2021, 5, 17)),
        (Shown(_DAY + 9.5 / 24, 2), _NINE),  # shown as a day
        (Shown(_DAY + 9.5 / 24, 4), _NINE),  # shown as a time of day
        (Shown(_DAY + 9.5 / 24 + 0.25 / 86_400, 1), datetime(2021, 5, 17, 9, 30, 0, 250_000)),
        (Raw('t="d"', "<v>2021-05-17T09:30:00</v>"), _NINE),
        ("2021-05-17T01:30:00Z", _NINE),
        ("2021/5/17 上午9:30", _NINE),
    ],
)
def test_times(tmp_path: Path, value: Value, read: datetime) -> None:
    intake = taken(tmp_path, {"calls.xlsx": calls_book(call(1, value))})
    assert intake.quarantined == 0
    assert table(intake, "calls")["started_at"].to_list() == [read]


def test_days_that_count_from_1904(tmp_path: Path) -> None:
    sheet = rows(HEADER, (*call(1, Shown(_DAY - 1462 + 9.5 / 24, 1))[:_LENGTH], Shown(61 / 86_400, 3)))
    intake = taken(tmp_path, {"calls.xlsx": book({"a": sheet}, since_1904=True)})
    assert table(intake, "calls").select("started_at", "seconds").row(0) == (_NINE, 61)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (8613800138000, ""),
        (13800138000, ""),
        (Shown(13800138000.0, 0), ""),
        (Raw("", "<v>8.613800138E12</v>"), ""),
        ("'8613800138000", ""),
        ("\u202d8613800138000\u202c", ""),
        (8613800138000.5, "impossible number"),
        (8.6138001380001e18, "rounded number"),
        ("8.6138E+12", "rounded number"),
        (True, "impossible number"),
        (Raw('t="e"', "<v>#REF!</v>"), "required value missing"),
        (Raw("", "<f>A1</f>"), "required value missing"),
    ],
)
def test_numbers_are_exact_or_set_aside_with_the_reason(tmp_path: Path, value: Value, reason: str) -> None:
    intake = taken(tmp_path, {"calls.xlsx": calls_book(call(1, card=value), call(2))})
    assert [why for _, _, why in quarantined(intake)] == ([reason] if reason else [])
    assert set(table(intake, "calls")["card"]) == {"8613800138000"}


def test_what_is_not_known_is_told(tmp_path: Path) -> None:
    lost = Raw('t="e"', "<v>#N/A</v>"), Raw("", "<f>A1</f>")
    values = [(*call(0)[:_LENGTH], one) for one in lost]
    (account,) = [one for one in taken(tmp_path, {"calls.xlsx": calls_book(*values)}).files if one.notes]
    assert account.notes[0].en.startswith("1 cells hold an error such as #N/A")
    assert account.notes[1].en.startswith("1 formulas have no value; open it in a spreadsheet program")


def test_flags_and_identities(tmp_path: Path) -> None:
    header = ("card", "imsi", "iccid", "virtual_operator", "opened_at")
    values = (8613800138000, 460001234567890, "89860012345678901234", True, Shown(_DAY, 2))
    intake = taken(
        tmp_path, {"cards.xlsx": book({"用户": rows(header, values)}), "calls.xlsx": calls_book(call(1))}
    )
    assert table(intake, "cards").select(header).row(0) == (
        "8613800138000", "460001234567890", "89860012345678901234", True, datetime(2021, 5, 17)
    )  # fmt: skip


def test_shared_strings_and_every_form_of_text(tmp_path: Path) -> None:
    strings = "".join(f"<si><t>{name}</t></si>" for name in HEADER)
    strings += "<si><r><t>86138</t></r><r><rPr/><t>00138000</t></r><rPh><t>read aloud</t></rPh></si>"
    strings += "<si><t>out_x000D_</t></si>"
    head = "".join(f'<c t="s"><v>{at}</v></c>' for at in range(5))
    sheet = (
        f'<row>{head}</row><row><c t="s"><v>5</v></c><c><v>10086</v></c><c t="s"><v>6</v></c>'
        '<c t="inlineStr"><is><r><t>2021-05-17 </t></r><r><t>09:30:00</t></r></is></c><c><v>1</v></c></row>'
    )
    intake = taken(tmp_path, {"calls.xlsx": book({"no places": sheet}, strings=strings)})
    assert table(intake, "calls").select(HEADER).row(0) == ("8613800138000", "10086", "out", _NINE, 1)


def test_sheets_alike_are_read_and_others_named(tmp_path: Path) -> None:
    turned = [HEADER[::-1], call(3)[::-1], (None, "x")]
    sheets = {
        "封面": rows(["通话记录", "五月"]),
        "上半月": rows(HEADER, call(1), call(2), ["x", *call(9)[1:]]),
        "下半月": rows(*turned, first=4),
        "旧": rows(HEADER, call(4)),
        "空": "",
    }
    intake = taken(tmp_path, {"calls.xlsx": book(sheets, hidden=["旧"])})
    assert seconds(intake) == [1, 2, 3]
    frame = pl.read_parquet(intake.quarantine).sort("file")
    assert frame.select("file", "line").rows() == [("calls.xlsx [上半月]", 4), ("calls.xlsx [下半月]", 6)]
    (note,) = [note for one in intake.files for note in one.notes]
    assert note.en.startswith("read is the sheet 上半月, 下半月; not read")
    assert "封面, 旧 (hidden) (" in note.en
    assert "读的工作表是 上半月, 下半月；" in note.zh
    assert "封面, 旧（已隐藏）" in note.zh
    source = '[[source]]\nfiles = "*.xlsx"\ntable = "calls"\nsheet = "旧"\n[source.columns]\n'
    source += "\n".join(f'{name} = "{name}"' for name in HEADER)
    named = taken(tmp_path / "b", {"a.xlsx": book(sheets, hidden=["旧"])}, mapping=mapping(tmp_path, source))
    assert seconds(named) == [4]
    assert named.files[0].notes == ()


def test_a_workbook_without_a_header_is_named_by_a_mapping(tmp_path: Path) -> None:
    source = f'[[source]]\nfiles = "*.xlsx"\ntable = "calls"\nnames = {list(HEADER)}\n[source.columns]\n'
    source += "\n".join(f'{name} = "{name}"' for name in HEADER)
    content = book({"a": rows(call(1), call(2))})
    assert seconds(taken(tmp_path, {"a.xlsx": content}, mapping=mapping(tmp_path, source))) == [1, 2]


def test_a_workbook_of_another_program(tmp_path: Path) -> None:
    """Written by a library, and read by another one too: ours reads the same."""
    path = tmp_path / "calls.xlsx"
    with xlsxwriter.Workbook(path) as written:
        sheet = written.add_worksheet("Sheet1")
        stamp = written.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        sheet.write_row(0, 0, HEADER)
        for number in range(1, 300):
            sheet.write_row(number, 0, [8613800000000 + number, "8613900139000", "out"])
            sheet.write_datetime(number, 3, datetime(2021, 5, 17, 9, number % 60, number % 59), stamp)
            sheet.write_number(number, 4, number)
    intake = taken(tmp_path / "x", {"calls.xlsx": path.read_bytes()})
    theirs = fastexcel.read_excel(path).load_sheet(0).to_polars()
    ours = table(intake, "calls").sort("seconds")
    assert ours["card"].cast(pl.Int64).to_list() == theirs["card"].cast(pl.Int64).to_list()
    assert ours["started_at"].to_list() == theirs["started_at"].to_list()
    assert ours["seconds"].to_list() == theirs["seconds"].to_list()
