"""The sample of a mapping as it is printed: whole at 80 columns, however many fields a table has."""

from __future__ import annotations

import io
from datetime import datetime

import polars as pl
import pytest
from rich.cells import cell_len
from rich.console import Console

from duanka.cli.detection import mapping_tables as tables
from duanka.domain.schema import TABLES
from duanka.ingest.guessing.checking import Tried

_WIDE = {
    "card": "8613800138000",
    "imsi": "460010138000000",
    "iccid": "89860106130503169800",
    "operator": "某省移动通信有限公司",
    "opened_at": datetime(2008, 12, 7, 17, 2, 26),
    "outlet": "S000940",
    "home_city": "990803",
    "verified_at": datetime(2014, 12, 31, 22, 34, 32),
}


def printed(table: str, rows: list[dict[str, object]], width: int) -> list[str]:
    frame = pl.DataFrame(rows).with_columns(
        pl.lit(None).alias(column.name) for column in TABLES[table].columns if column.name not in rows[0]
    )
    console = Console(width=width, file=io.StringIO())
    for part in tables.tried(Tried(rows={table: frame}), None):
        console.print(part, highlight=False)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_many_fields_stand_under_one_another_and_no_value_is_broken(width: int) -> None:
    seen = printed("cards", [_WIDE] * 20, width)
    assert max(map(cell_len, seen)) <= width
    for value in (
        "+86 138****8000",
        "89860106****800",
        "某省移动通信有限公司",
        "2014-12-31 22:34:32",
        "990803",
    ):
        assert any(value in line for line in seen), value
    assert len(seen) < 20, "a look at the shape, not twenty rows of twelve lines"
    assert any("20" in line and str(width) not in line for line in seen[:3]), "that there are more is said"


def test_few_fields_are_a_line_a_row() -> None:
    narrow = {name: _WIDE[name] for name in ("card", "imsi", "opened_at")}
    assert sum("+86 138****8000" in line for line in printed("cards", [narrow] * 20, 80)) == 20
