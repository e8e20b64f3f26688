"""What is no file, lies where nobody can look, or takes the place of another stops itself alone."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from duanka.domain.streaming import Batch
from support.ingest.landings import (
    aside_of,
    calls,
    counted,
    drained,
    inbox,
    positions_of,
    put,
    running,
    seconds_of,
    until,
)


def _nothing_for(batches: Iterator[Batch], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert next(batches).records == 0


def test_what_is_no_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    secret = put(tmp_path, "secret", "f00dface\nsecond line\n")
    secret.chmod(0o600)
    folder = tmp_path / "in"
    put(folder, "calls.csv/calls/a.csv", calls([1]))  # a folder of that name is a folder
    put(folder, "truth.parquet", b"?")
    os.mkfifo(folder / "cards.csv")  # opening it would hang
    (folder / "messages.csv").symlink_to(folder / "nowhere")
    (folder / "sightings.csv").symlink_to("/dev/zero")
    (folder / "data_days.csv").symlink_to(secret)
    (folder / "cases.csv").hardlink_to(secret)
    (folder / "loop").symlink_to(folder)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "complaints.csv"))
        got = drained(folder)
    assert seconds_of(got) == [1]
    told = {record.file: record.raw.partition(": ")[2] for record in aside_of(got)}
    link = "a link, not a file; put the file itself there"
    assert told == {
        "cards.csv": "a pipe, not a file; put the file itself there",
        "messages.csv": link,
        "sightings.csv": link,
        "data_days.csv": link,
        "cases.csv": "a private file that has another name elsewhere (a hard link); copy it instead",
        "complaints.csv": "a socket, not a file; put the file itself there",
    }
    assert counted(got)
    assert "loop: a link and no file; it is not read" in caplog.text
    assert "truth.parquet: no table takes this file; it is not read" in caplog.text
    assert drained(folder, positions_of(got)) == []  # told once


def test_a_form_that_is_not_read_is_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(tmp_path, "calls/0930.csv.7z", b"x")
    put(tmp_path, "calls.xls", b"x")
    put(tmp_path, "README.md", b"x")
    put(tmp_path, "calls.csv", calls([1]))
    with running(inbox(tmp_path, wait=True, batch_seconds=0.02)) as batches:
        assert seconds_of(until(batches, 1)) == [1]
        _nothing_for(batches, 0.1)
    told = [record.getMessage() for record in caplog.records]
    assert sorted(told) == [
        "calls.xls: no table takes this file (save it as .xlsx or CSV); it is not read",
        "calls/0930.csv.7z: no table takes this file (unpack it); it is not read",
    ]


def test_what_takes_the_place_of_a_file_of_the_same_size_and_time(tmp_path: Path) -> None:
    empty = put(tmp_path, "messages.csv", "")
    feed = inbox(tmp_path, wait=True, batch_seconds=0.02)
    with running(feed) as batches:
        first = next(batch for batch in batches if batch.positions)
        found = empty.stat()
        os.mkfifo(tmp_path / ".pipe")
        os.utime(tmp_path / ".pipe", ns=(found.st_mtime_ns, found.st_mtime_ns))
        (tmp_path / ".pipe").replace(empty)
        assert (empty.stat().st_size, empty.stat().st_mtime_ns) == (0, found.st_mtime_ns)
        put(tmp_path, "calls.csv", calls([1]))
        assert seconds_of([first, *until(batches, 1)]) == [1]


def test_a_folder_that_cannot_be_listed_hides_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    deep = tmp_path
    for _ in range(40):
        deep = deep / "d"
    put(deep, "calls.csv", calls([1]))
    put(tmp_path, "locked/calls.csv", calls([2]))
    put(tmp_path, "z/calls.csv", calls([3]))
    listed = os.scandir

    def refused(path: Any) -> Any:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "scandir", refused)
    assert seconds_of(drained(tmp_path)) == [3]
    assert "locked: this folder is not read (Permission denied)" in caplog.text
    assert "more than 32 folders below one another" in caplog.text


def test_what_is_moved_stays_in_the_inbox(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "in"
    path = put(folder, "calls.csv", calls([1]))
    (tmp_path / "elsewhere").mkdir()
    (folder / "taken").symlink_to(tmp_path / "elsewhere")
    feed = inbox(folder, after="move")
    feed.settled(positions_of(feed.batches({})))
    assert path.exists()
    assert not list((tmp_path / "elsewhere").iterdir())
    assert "calls.csv is read, but cannot be put away (taken is a link); it stays" in caplog.text
