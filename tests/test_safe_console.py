"""Texts of strangers on the desk's terminal."""

from __future__ import annotations

import io

import pytest
from rich.table import Table

from duanka.cli_process import SafeConsole

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
