"""Columns in the names of folders, as Hive and Spark leave them."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from duanka.domain.errors import UnreadableInput
from duanka.ingest.delivery.discovery import folder_columns
from support.ingest.deliveries import mapping, table, taken

_RULES = """
[[source]]
files = "calls/*"
table = "calls"
[source.columns]
card = "card"
peer = "peer"
direction = "way"
started_at = { from = ["dt", "at"], join = " " }
city = "city"
[[source]]
files = "volume/*"
table = "data_days"
columns = { card = "card", day = "dt", bytes = "bytes" }
"""
_CALLS = pl.DataFrame({"card": ["13800138000"], "peer": ["10086"], "at": ["09:30"]})


def test_what_the_folders_say_is_of_every_row(tmp_path: Path) -> None:
    files: dict[str, str | bytes | pl.DataFrame] = {
        "calls/dt=2021-05-17/city=130100/way=out/part-0.parquet": _CALLS,
        "calls/dt=2021-05-18/city=__HIVE_DEFAULT_PARTITION__/way=out/part-0.parquet": _CALLS,
        "volume/dt=2021-05-17/x.csv": "card,bytes\n13800138000,5\n",
    }
    intake = taken(tmp_path, files, mapping=mapping(tmp_path, _RULES))
    calls = table(intake, "calls").sort("started_at").select("started_at", "city", "direction").rows()
    assert calls == [
        (datetime(2021, 5, 17, 9, 30), "130100", "out"),
        (datetime(2021, 5, 18, 9, 30), None, "out"),
    ]
    assert table(intake, "data_days")["day"].to_list() == [date(2021, 5, 17)]
    assert not any(file.duplicate_of for file in intake.files), "equal bytes of two days are two files"
    assert not any(intake.ignored.values())


def test_a_column_of_the_file_wins_and_names_are_decoded() -> None:
    assert folder_columns("a/dt=1/city=%E7%9F%B3/x=y=z/f.csv", ["dt"]) == {"city": "石", "x": "y=z"}
    assert folder_columns("dt=1") == {}, "the last part is the file"


def test_a_folder_of_the_wrong_name_is_a_missing_column(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="no column 'way'"):
        taken(tmp_path, {"calls/dt=2021-05-17/p.parquet": _CALLS}, mapping=mapping(tmp_path, _RULES))
