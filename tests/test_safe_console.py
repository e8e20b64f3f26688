"""Texts of strangers on the desk's terminal."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.table import Table

from duanka.cli.output.grid import grid
from duanka.cli.shell.process import Prose, SafeConsole

HOSTILE = "a\x1b[31mb\x9b31mc\u202egnp.exe\u202c\x85d\u2028e\u2066f\u200fg\rh\x07i\u061cj"


@pytest.mark.parametrize("in_table", [True, False])
def test_a_terminal_shows_what_a_stranger_wrote_and_does_not_obey_it(in_table: bool) -> None:
    out = io.StringIO()
    console = SafeConsole(file=out, force_terminal=True, markup=False, emoji=False, width=200)
    if in_table:
        table = Table("column")
        table.add_row(HOSTILE)
        console.print(table)
    else:
        console.print(HOSTILE, highlight=False)
    told = out.getvalue()
    assert "a\ufffd[31mb\ufffd31mc\ufffdgnp.exe" in told
    assert not set("\x9b\u202e\u202c\x85\u2028\u2066\u200f\r\x07\u061c") & set(told)


def test_what_people_write_stays() -> None:
    out = io.StringIO()
    SafeConsole(file=out, markup=False, emoji=False, width=200).print(
        "张三 [/bold] 👩‍👧 naïve\n次行", highlight=False
    )
    assert out.getvalue() == "张三 [/bold] 👩‍👧 naïve\n次行\n"


CHINESE = (
    "您尾号5837的号码可以正常使用，但自2026年11月28日20:58起须实人核验（VD8E2DW933ARP），原因：七天内主叫 335 次、122"
    " 个号码（4月30日至5月7日）；号码 +86 138****0001，2026-11-28 20:58:17，文件 a/"
    + "b" * 70
    + ".csv 未读。"
)


@pytest.mark.parametrize("width", [12, 26, 40, 80])
@pytest.mark.parametrize("form", ["text", "cell"])
def test_chinese_fills_its_lines_and_no_closing_mark_begins_one(width: int, form: str) -> None:
    out = io.StringIO()
    console = SafeConsole(file=out, markup=False, emoji=False, width=width)
    if form == "text":
        console.print(Prose(CHINESE), highlight=False)
    else:
        console.print(grid([""], [(CHINESE,)]))
    lines = [line.rstrip() for line in out.getvalue().splitlines() if line.strip()]
    assert "".join(lines).replace(" ", "") == CHINESE.replace(" ", "")
    assert max(map(cell_len, lines)) <= width
    if width >= 26:
        assert not [line for line in lines if line[0] in "，。；：、）"]
        assert any("2026-11-28 20:58:17" in line for line in lines)
        assert any("+86 138****0001" in line for line in lines)
        assert len(lines) <= cell_len(CHINESE) / width * 1.5 + 1, lines


def test_a_sentence_with_a_command_is_not_broken() -> None:
    out = io.StringIO()
    SafeConsole(file=out, markup=False, emoji=False, width=40).print(Prose(CHINESE), soft_wrap=True)
    assert len(out.getvalue().splitlines()) == 1
