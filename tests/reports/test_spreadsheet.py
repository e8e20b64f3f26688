"""The work list in a spreadsheet: what a person sees in it and saves again is what stands on the list."""

from __future__ import annotations

import stat
from pathlib import Path

import fastexcel
import pytest

from duanka.domain.card_list import cards_in
from duanka.reports import spreadsheet
from duanka.reports.spreadsheet import write_spreadsheet

_ROWS = (
    "card,tier,rules,reasons,action\r\n"
    "8613800138100,low,shared_device,与另外的卡共用终端，同机共 8 张卡,watch\r\n"
    '0086138,high,a;b,"一，二；""三""",verify\r\n'
    "'=HYPERLINK(0),low,a,'@SUM(1),watch\r\n"
    "https://example.com/x,low,a,1,watch\r\n"
)


def _written(tmp_path: Path, rows: str) -> Path:
    (tmp_path / "list.csv").write_text("\ufeff" + rows, encoding="utf-8", newline="")
    write_spreadsheet(tmp_path / "list.csv", tmp_path / "list.xlsx")
    return tmp_path / "list.xlsx"


def test_every_cell_is_the_text_of_the_list(tmp_path: Path) -> None:
    sheet = fastexcel.read_excel(_written(tmp_path, _ROWS)).load_sheet(0)
    assert {column.dtype for column in sheet.selected_columns} == {"string"}
    rows = sheet.to_polars().rows()
    assert rows[0] == ("8613800138100", "low", "shared_device", "与另外的卡共用终端，同机共 8 张卡", "watch")
    assert rows[1][0] == "0086138"
    assert rows[2][0] == "=HYPERLINK(0)", (
        "a text cell is no formula, so the mark that kept it from being one is gone"
    )
    assert rows[2][3] == "@SUM(1)"
    assert rows[3] == ("https://example.com/x", "low", "a", "1", "watch")


def test_it_is_the_owners_alone_and_the_same_for_the_same_list(tmp_path: Path) -> None:
    book = _written(tmp_path, _ROWS)
    before = book.read_bytes()
    assert stat.S_IMODE(book.stat().st_mode) == 0o600
    assert _written(tmp_path, _ROWS).read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"list.csv", "list.xlsx"}


def test_its_bytes_are_those_of_xlsxwriter_row_by_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = [
        "a<b",
        "x & y",
        " lead",
        "trail ",
        "_x0041_",
        "<r>x</r>",
        "{=SUM(1)}",
        "\ufffe",
        '"two\nlines"',
        "",
    ]
    rows = _ROWS + "".join(f"{cell},low,a,为 1,watch\r\n8613800138100,low,a,1,watch\r\n" for cell in odd)
    fast = _written(tmp_path, rows).read_bytes()
    monkeypatch.setattr(spreadsheet, "_is_plain", lambda _cell: False)
    assert _written(tmp_path, rows).read_bytes() == fast


def test_an_empty_list_is_a_heading(tmp_path: Path) -> None:
    sheet = fastexcel.read_excel(_written(tmp_path, "card,tier,rules,reasons,action\r\n")).load_sheet(0)
    assert [column.name for column in sheet.available_columns()] == [
        "card",
        "tier",
        "rules",
        "reasons",
        "action",
    ]


def test_in_chinese_the_headings_and_words_are_chinese_beside_the_names(tmp_path: Path) -> None:
    names = ("card", "change", "tier_before", "tier", "rules", "reasons", "action")
    row = ("8613800138100", "heavier", "", "high", "fan_out", "x", "verify_at_counter")
    text = "".join(f"{','.join(cells)}\r\n" for cells in (names, row))
    (tmp_path / "list.csv").write_text(f"\ufeff{text}", encoding="utf-8", newline="")
    write_spreadsheet(tmp_path / "list.csv", tmp_path / "list.xlsx", "zh")
    table = fastexcel.read_excel(tmp_path / "list.xlsx").load_sheet(0).to_polars()
    assert tuple(name.split()[-1] for name in table.columns) == names
    assert table.columns[3:] == ["风险等级 tier", "规则 rules", "原因 reasons", "处置 action"]
    assert table.rows()[0] == ("8613800138100", "加重", None, "高", "fan_out", "x", "到厅核验")


def test_a_list_of_cards_saved_from_the_chinese_workbook_is_read_again() -> None:
    saved = "风险等级 tier,处置 action,号码 card\r\n高,停机,8613800138100\r\n高,停机,未知\r\n"
    assert cards_in(saved.encode(), "list.csv") == ["8613800138100", "未知"]
