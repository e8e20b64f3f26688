"""A poisoned file among good ones: these are read, and the one is reported. Another poison is another line."""

from __future__ import annotations

import gzip
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from duanka.ingest import take_in
from support.ingest.deliveries import CARDS
from support.ingest.landings import aside_of, calls, counted, drained, put, seconds_of

HEAD = "card,peer,direction,started_at,seconds\n"


def _parquet(path: Path, rows: int) -> None:
    places = pa.array(np.zeros(rows, np.int32))
    names = {"card": "8613800138000", "peer": "8613900139000", "direction": "out", "started_at": "2021-05-17"}
    pq.write_table(
        pa.table({name: pa.DictionaryArray.from_arrays(places, [value]) for name, value in names.items()}),
        path,
        row_group_size=rows,
    )


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        place = os.getcwd()
        os.chdir(path.parent)  # a socket's path is at most 108 bytes
        try:
            listening.bind(path.name)
        finally:
            os.chdir(place)


def _link(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def _holding(content: str | bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    return make


ROW = calls([7]).splitlines()[1]
# Its name in the folder calls; what makes it; the reason in quarantine.
POISONS: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "a pipe": ("p.csv", _pipe, "unreadable file"),
    "a socket": ("p.csv", _socket, "unreadable file"),
    "a link to a device": ("p.csv", _link("/dev/zero"), "unreadable file"),
    "a link to a secret": ("p.csv", _link("/etc/passwd"), "unreadable file"),
    "a link to nothing": ("p.csv", _link("nowhere"), "unreadable file"),
    "a link to itself": ("p.csv", _link("p.csv"), "unreadable file"),
    "no header": ("p.csv", _holding(b"\xff\xfe\n1\n"), "unreadable file"),
    "another header": ("p.csv", _holding("a,b\n1,2\n"), "unreadable file"),
    "100,000 columns": ("p.csv", _holding(HEAD.strip() + ",x" * 100_000 + "\n"), "unreadable file"),
    "a bad row": ("p.csv", _holding(HEAD + "x,y,z,w,v\n"), "impossible number"),
    "a row of NULs": ("p.csv", _holding(HEAD + "\0\0\0\n"), "NUL byte"),
    "an open quote": ("p.csv", _holding(HEAD + '"' + ROW + "\n"), "unterminated quote"),
    "a long line": ("p.csv", _holding(HEAD + "9" * 70_000 + "\n"), "line too long"),
    "gzip that is none": ("p.csv.gz", _holding("no gzip"), "unreadable file"),
    "gzip cut off": ("p.csv.gz", _holding(gzip.compress((HEAD + ROW).encode())[:-12]), "file cut off"),
    "Parquet that is none": ("p.parquet", _holding("PAR1 no PAR1"), "unreadable file"),
    "Parquet of rows without end": (
        "p.parquet",
        lambda path: _parquet(path, 11_000_000),
        "beyond the limits of intake",
    ),
    "a name in GBK": (
        os.fsdecode("话单.csv".encode("gbk")),
        _holding(HEAD + "x,y,z,w,v\n"),
        "impossible number",
    ),
    "a name of 255 bytes": ("y" * 251 + ".csv", _holding(HEAD + "x,y,z,w,v\n"), "impossible number"),
    "a name with a line end": ("p\n\x1b[2J\u202e.csv", _holding(HEAD + "x,y,z,w,v\n"), "impossible number"),
}


# What is no file at all is named; what ends a scan in one line is another matter, and so in docs/FORMAT.md.
SCANNED = [name for name, (_, _, reason) in POISONS.items() if reason != "unreadable file" or "none" in name]
NO_FILES = ["a pipe", "a socket", "a link to a device", "a link to nothing"]


def _deliver(folder: Path, poison: str) -> None:
    """Nine good files and the poisoned one."""
    name, make, _ = POISONS[poison]
    for number in range(9):
        put(folder, f"calls/{number:02}.csv", calls([1_000 + number]))
    make(folder / "calls" / name)


def _deliver_all(folder: Path, poisons: Sequence[str]) -> None:
    """A hundred good files and all the poisoned ones, each in a folder of its own."""
    for number in range(100):
        put(folder, f"calls/{number % 40:02}/{number:02}.csv", calls([1_000 + number]))
    for number, poison in enumerate(poisons):
        name, make, _ = POISONS[poison]
        make(folder / "calls" / f"{number:02}" / name)


@pytest.mark.parametrize("poison", POISONS)
def test_one_poisoned_file_among_ten(tmp_path: Path, poison: str) -> None:
    _deliver(tmp_path, poison)
    got = drained(tmp_path)
    assert sorted(seconds_of(got)) == [*range(1_000, 1_009)]
    (record,) = aside_of(got)
    assert record.reason == POISONS[poison][2]
    assert record.file.isprintable()
    assert record.file.startswith("calls/")
    assert counted(got)


@pytest.mark.parametrize("poison", SCANNED)
def test_a_scan_reports_it_as_well(tmp_path: Path, poison: str) -> None:
    data = tmp_path / "data"
    put(data, "cards.csv", CARDS)
    _deliver(data, poison)
    intake = take_in(data, tmp_path / "out")
    assert intake.used == 10
    assert pl.read_parquet(intake.quarantine)["reason"].to_list() == [POISONS[poison][2]]


@pytest.mark.parametrize("poison", NO_FILES)
def test_a_scan_names_what_is_no_file(tmp_path: Path, poison: str) -> None:
    data = tmp_path / "data"
    put(data, "cards.csv", CARDS)
    _deliver(data, poison)
    intake = take_in(data, tmp_path / "out")
    assert (intake.used, intake.quarantined) == (10, 0)
    assert intake.ignored == {"calls/p.csv (not a regular file)": ()}


def test_all_poisoned_files_among_a_hundred(tmp_path: Path) -> None:
    _deliver_all(tmp_path, [*POISONS])
    got = drained(tmp_path)
    assert sorted(seconds_of(got)) == [*range(1_000, 1_100)]
    assert sorted(record.reason for record in aside_of(got)) == sorted(
        reason for _, _, reason in POISONS.values()
    )
    assert counted(got)


def test_a_scan_reports_all_of_them_as_well(tmp_path: Path) -> None:
    data = tmp_path / "data"
    put(data, "cards.csv", CARDS)
    poisons = [
        poison for poison in SCANNED if not poison.startswith("a name")
    ]  # of the same bytes: read once
    _deliver_all(data, [*poisons, *NO_FILES])
    intake = take_in(data, tmp_path / "out")
    assert intake.used == 101
    found = pl.read_parquet(intake.quarantine)["reason"].to_list()
    assert sorted(found) == sorted(POISONS[poison][2] for poison in poisons)
    assert len(intake.ignored) == len(NO_FILES)
