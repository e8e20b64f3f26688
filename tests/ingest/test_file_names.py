"""File names of any bytes are read, and shown escaped wherever they are stored or printed."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duanka.domain.display import display_name, display_text, original_name
from duanka.ingest import take_in
from support.ingest.deliveries import CALL, CALLS, CARDS, delivered
from support.ingest.landings import aside_of, calls, drained, inbox, positions_of, put, seconds_of, sources_of

SHOWN = {
    "话单0930.csv".encode("gbk"): r"\xbb\xb0\xb5\xa50930.csv",
    b"a\nb\r.csv": r"a\nb\r.csv",
    "\u202egpj.csv".encode(): r"\u202egpj.csv",
    "\u009b31m.csv".encode(): r"\u009b31m.csv",
    b"\x1b[2J.csv": r"\u001b[2J.csv",
    b"back\\slash.csv": r"back\\slash.csv",
    b"a@1@2.csv": "a@1@2.csv",
    b"a:b.csv": "a:b.csv",
    "话单　.csv".encode(): "话单　.csv",
    b"y" * 251 + b".csv": "y" * 251 + ".csv",
}


@pytest.mark.parametrize("name", SHOWN, ids=SHOWN.values())
@pytest.mark.parametrize("after", ["keep", "move", "delete"])
def test_any_name_is_read_and_shown_escaped(tmp_path: Path, name: bytes, after: str) -> None:
    path = put(tmp_path, os.fsdecode(b"msc/calls/" + name), calls([1]) + "bad,row\n")
    feed = inbox(tmp_path, after=after)
    got = list(feed.batches({}))
    assert seconds_of(got) == [1]
    (record,) = aside_of(got)
    assert record.file == f"msc/calls/{SHOWN[name]}"
    done = positions_of(got)
    assert all(origin.encode() for origin in done)
    assert drained(tmp_path, done) == []
    feed.settled(done)
    assert path.exists() == (after == "keep")
    assert (tmp_path / "taken" / path.relative_to(tmp_path)).exists() == (after == "move")


@pytest.mark.parametrize("name", SHOWN, ids=SHOWN.values())
def test_a_scan_reads_any_name_too(tmp_path: Path, name: bytes) -> None:
    data = delivered(tmp_path, {"cards.csv": CARDS, "calls/a.csv": CALLS + CALL})
    odd = os.fsdecode(b"calls/" + name)
    put(data, odd, CALLS + CALL.replace(",61", ",62") + "bad,row\n")
    put(data, odd.replace(".csv", "copy.csv")[-200:] if len(odd) < 200 else "calls/z.csv", CALLS + CALL)
    intake = take_in(data, tmp_path / "out")
    assert intake.used == 3
    assert pl.read_parquet(intake.quarantine)["file"].to_list() == [f"calls/{SHOWN[name]}"]
    assert [file.duplicate_of for file in intake.files if file.duplicate_of]


def test_a_folder_of_any_name_names_its_source(tmp_path: Path) -> None:
    put(tmp_path, os.fsdecode("话单/calls/a.csv".encode("gbk")), calls([1]))
    assert sources_of(drained(tmp_path)) == {(r"\xbb\xb0\xb5\xa5/calls", "calls")}


@given(st.binary(min_size=1, max_size=40))
def test_what_is_shown_leads_back(octets: bytes) -> None:
    name = os.fsdecode(octets)
    shown = display_name(name)
    assert original_name(shown) == name
    assert (
        shown.encode().decode().isprintable() or "\u3000" in shown or "\xa0" in shown or not shown.isascii()
    )
    assert "\n" not in shown


@given(st.text(max_size=40))
def test_shown_text_is_one_line_of_valid_text(text: str) -> None:
    shown = display_text(text)
    assert shown.encode().decode() == shown
    assert shown.splitlines() in ([], [shown])
