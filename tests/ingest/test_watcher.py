"""Which landed files are whole, and what becomes of those that are not, that change, or that are done with."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from duanka.domain.streaming import GONE, Batch, finished
from duanka.ingest import NATIVE, LandingTimeouts
from duanka.ingest.live.inbox.watcher import DirectoryWatcher
from support.ingest.deliveries import CARDS, mapping
from support.ingest.landings import (
    FAST,
    aside_of,
    calls,
    counted,
    drained,
    ends_of,
    inbox,
    positions_of,
    put,
    reasons_of,
    rows_of,
    running,
    seconds_of,
    until,
)

SLOW = LandingTimeouts(settle=0.3, whole=60, poll=0.02)


def _nothing_for(batches: Iterator[Batch], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert next(batches).records == 0


@pytest.mark.parametrize(
    "name",
    [
        *("calls/.a.csv", "calls/_a.csv", ".calls/a.csv", "_in/calls.csv", "duanka-out/calls.csv"),
        *(f"calls/a.csv.{e}" for e in ("tmp", "part", "partial", "writing", "unfinished", "filepart", "TMP")),
        *("calls.tmp/calls.csv", "taken/calls.csv", "calls.csv.done", "calls/a.txt", "x.csv"),
    ],
)
def test_names_that_are_not_read(tmp_path: Path, name: str) -> None:
    path = put(tmp_path, name, calls([1]))
    assert drained(tmp_path) == []
    if path.suffix.lower() in {".tmp", ".part", ".partial", ".writing", ".unfinished", ".filepart"}:
        path.rename(path.with_suffix(""))
        assert seconds_of(drained(tmp_path)) == [1]


def test_a_file_is_read_once_it_rests(tmp_path: Path) -> None:
    path = put(tmp_path, "calls.csv", calls([0]))
    slow = replace(SLOW, settle=3)
    with running(inbox(tmp_path, wait=True, batch_seconds=0.02, patience=slow)) as batches:
        for at in range(1, 8):  # for longer than it would have to rest
            assert next(batches).records == 0
            time.sleep(0.5)
            with path.open("a") as file:
                file.write(calls([at]).splitlines(keepends=True)[1])
        assert seconds_of(until(batches, 1)) == list(range(8))


def test_without_waiting_for_more_what_is_there_may_still_settle(tmp_path: Path) -> None:
    put(tmp_path, "calls.csv", calls([1]))
    assert seconds_of(drained(tmp_path, patience=SLOW)) == [1]


def _parquet(rows: int) -> bytes:
    frame = pl.DataFrame({"card": "8613800138000", "day": "2021-05-17", "bytes": range(rows)})
    file = BytesIO()
    frame.write_parquet(file)
    return file.getvalue()


HALVES = {
    "calls.csv": calls(range(50)).encode(),
    "calls.csv.gz": gzip.compress(calls(range(50)).encode()),
    "data_days.parquet": _parquet(50),
}


@pytest.mark.parametrize("name", HALVES)
def test_half_a_file_waits_for_the_rest(tmp_path: Path, name: str) -> None:
    whole = HALVES[name]
    path = put(tmp_path, name, whole[: len(whole) // 2])
    patience = LandingTimeouts(settle=0.02, whole=60, poll=0.01)
    with running(inbox(tmp_path, wait=True, batch_seconds=0.02, patience=patience)) as batches:
        _nothing_for(batches, 0.3)
        with path.open(
            "ab"
        ) as file:  # written anew it would be empty for a moment, and an empty file is whole
            file.write(whole[len(whole) // 2 :])
        got = until(batches, 50)
        assert sum(batch.records for batch in got) == 50
        assert aside_of(got) == []


@pytest.mark.parametrize("name", HALVES)
def test_half_a_file_that_stays_half_is_counted_as_what_it_is(tmp_path: Path, name: str) -> None:
    whole = HALVES[name]
    put(tmp_path, name, whole[: len(whole) // 2])
    began = time.monotonic()
    got = drained(tmp_path, patience=LandingTimeouts(settle=0.02, whole=0.3, poll=0.01))
    assert time.monotonic() - began >= 0.25
    assert counted(got)
    expected = {"calls.csv": [], "calls.csv.gz": ["file cut off"], "data_days.parquet": ["unreadable file"]}
    assert [r for r in reasons_of(got) if r != "wrong column count"] == expected[name]
    ((_, position),) = ends_of(got).items()
    assert position == finished(sum(batch.records for batch in got))


def test_a_file_of_yesterday_is_not_waited_for(tmp_path: Path) -> None:
    path = put(tmp_path, "calls.csv", calls([1]).rstrip("\n"))
    os.utime(path, (1_600_000_000, 1_600_000_000))
    began = time.monotonic()
    assert seconds_of(drained(tmp_path, patience=SLOW)) == [1]
    assert time.monotonic() - began < SLOW.whole


def test_a_marker_makes_a_file_ready_at_once(tmp_path: Path) -> None:
    patience = LandingTimeouts(settle=60, whole=60, poll=0.01)
    put(tmp_path, "calls/a.csv", calls([1]).rstrip("\n"))  # no line end: the marker says that it is whole
    put(tmp_path, "calls/b.csv", calls([2]))
    put(tmp_path, "calls/a.csv.done", "")
    with running(inbox(tmp_path, wait=True, batch_seconds=0.02, patience=patience)) as batches:
        assert seconds_of(until(batches, 1)) == [1]
        _nothing_for(batches, 0.1)
        put(tmp_path, "calls/b.csv.done", "")
        assert seconds_of(until(batches, 1)) == [2]


def test_where_markers_are_used_a_file_without_one_waits(tmp_path: Path) -> None:
    put(tmp_path, "calls/a.csv", calls([1]))
    put(tmp_path, "calls/a.csv.done", "")
    put(tmp_path, "calls/b.csv", calls([2]))
    put(tmp_path, "messages.csv", calls([3]).replace("started", "sent"))  # another folder: no markers there
    feed = inbox(tmp_path)
    got = list(feed.batches({}))
    assert seconds_of(got) == [1]
    assert rows_of(got, "messages").height == 1
    assert (feed.waiting().pieces, feed.waiting().backlog) == (
        1,
        0,
    )  # nobody waits for what time does not bring
    assert sorted(seconds_of(drained(tmp_path, marker=False))) == [1, 2]
    assert seconds_of(drained(tmp_path / "calls" / "..", marker=True)) == [1]


def test_what_was_there_at_the_start_is_told_from_what_came_later(tmp_path: Path) -> None:
    for number in range(3):
        os.utime(put(tmp_path, f"calls/{number}.csv", calls([number])), (number, number))
    with running(inbox(tmp_path, wait=True, batch_records=1)) as batches:
        first = until(batches, 1)
        put(tmp_path, "calls/later.csv", calls([9]))
        assert seconds_of([*first, *until(batches, 3)]) == [0, 1, 2, 9]
    feed = inbox(tmp_path, batch_records=1)
    left = [(feed.waiting().pieces, feed.waiting().backlog) for _ in feed.batches({})]
    assert left[-1] == (0, 0)
    assert all(pieces == backlog for pieces, backlog in left)


@pytest.mark.parametrize("stray", ["calls/b.csv.done", "calls/.done", "calls/x.done"])
def test_a_marker_beside_nothing_keeps_no_file_waiting(tmp_path: Path, stray: str) -> None:
    put(tmp_path, "calls/a.csv", calls([1]))
    put(tmp_path, stray, "")
    assert seconds_of(drained(tmp_path)) == [1]


def test_a_file_that_waits_for_its_marker_is_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, "calls/a.csv", calls([1]))
    put(tmp_path, "calls/a.csv.done", "")
    put(tmp_path, "calls/b.csv", calls([2]))
    with running(inbox(tmp_path, wait=True, batch_seconds=0.02)) as batches:
        assert seconds_of(until(batches, 1)) == [1]
        _nothing_for(batches, 0.2)
    assert [one for one in caplog.messages if "waits for its .done" in one] == [
        "calls/b.csv waits for its .done, as other files there have one (docs/LIVE.md)"
    ]


def test_a_marker_of_an_earlier_file_does_not_vouch_for_the_next(tmp_path: Path) -> None:
    put(tmp_path, "calls.csv.done", "")
    path = put(tmp_path, "calls.csv", calls([1]))
    later = time.time() + 5
    os.utime(path, (later, later))
    began = time.monotonic()
    assert seconds_of(drained(tmp_path, patience=SLOW)) == [1]
    assert time.monotonic() - began >= 0.3  # it had to rest like any other


@pytest.mark.parametrize("after", ["move", "delete"])
def test_what_is_committed_is_put_away(tmp_path: Path, after: str) -> None:
    put(tmp_path, "msc/calls/a.csv", calls(range(10)))
    put(tmp_path, "msc/calls/a.csv.done", "")
    feed = inbox(tmp_path, wait=True, after=after, batch_records=6, batch_seconds=0.02)
    with running(feed) as batches:
        first, second = next(batches), next(batches)
        feed.settled(first.positions)
        assert (tmp_path / "msc/calls/a.csv").exists()  # half of it is not committed
        done = positions_of([first, second])
        while finished(10) not in done.values():
            done = positions_of([next(batches)], done)
        feed.settled(done)
        assert not list((tmp_path / "msc/calls").iterdir())
        assert (tmp_path / "taken/msc/calls/a.csv").exists() == (after == "move")
        while done:  # it need not be remembered any longer
            done = positions_of([next(batches)], done)
        put(tmp_path, "msc/calls/a.csv", calls([11]))
        _nothing_for(batches, 0.1)  # the folder is known for its markers
        put(tmp_path, "msc/calls/a.csv.done", "")
        again = until(batches, 1)
        assert seconds_of(again) == [11]
        feed.settled(positions_of(again))
    kept = sorted(p.name for p in (tmp_path / "taken").rglob("*.csv*")) if after == "move" else []
    assert kept == (["a.csv", "a.csv.2"] if after == "move" else [])


def test_what_was_committed_before_a_crash_is_put_away_after_it(tmp_path: Path) -> None:
    path = put(tmp_path, "calls.csv", calls([1]))
    done = positions_of(drained(tmp_path, after="delete"))  # nobody came to call settled()
    assert path.exists()
    (batch,) = drained(tmp_path, done, after="delete")
    assert (batch.records, set(batch.positions.values())) == (0, {GONE})
    assert not path.exists()


def test_what_was_delivered_anew_is_not_put_away_for_the_old(tmp_path: Path) -> None:
    path = put(tmp_path, "calls.csv", calls([1]))
    feed = inbox(tmp_path, after="delete")
    got = list(feed.batches({}))
    path.write_text(calls([2, 3]))
    feed.settled(positions_of(got))
    assert path.exists()


def test_what_cannot_be_put_away_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = put(tmp_path, "calls.csv", calls([1]))
    put(tmp_path, "taken", "a file where the folder should be")
    feed = inbox(tmp_path, after="move")
    feed.settled(positions_of(feed.batches({})))
    assert path.exists()
    assert "cannot be put away" in caplog.text


def test_a_file_that_vanishes_before_it_is_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = put(tmp_path, "calls.csv", calls([1]))
    feed = inbox(tmp_path, wait=True, batch_seconds=0.02, patience=SLOW)
    with running(feed) as batches:
        next(batches)
        path.unlink()
        _nothing_for(batches, 0.5)
        assert feed.waiting().pieces == 0
    assert "calls.csv vanished after 0 of its records were read" in caplog.text


def _in_the_middle(folder: Path) -> Path:
    """A file of four blocks."""
    return put(folder, "data_days.parquet", _parquet(250_000))


def test_a_file_that_vanishes_while_it_is_read(tmp_path: Path) -> None:
    path = _in_the_middle(tmp_path)
    batches = inbox(tmp_path, batch_records=10_000).batches({})
    got = [next(batches)]
    path.unlink()
    got += list(batches)
    assert counted(got)
    read = rows_of(got, "data_days").height
    assert 0 < read < 250_000
    assert [(a.reason, a.raw) for a in aside_of(got)] == [
        ("unreadable file", f"vanished after {read} records were read")
    ]


def test_a_file_that_changes_while_it_is_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = _in_the_middle(tmp_path)
    batches = inbox(tmp_path, batch_records=10_000).batches({})
    got = [next(batches)]
    path.write_bytes(_parquet(3))
    got += list(batches)
    assert counted(got)
    assert rows_of(got, "data_days")["bytes"].to_list()[-3:] == [0, 1, 2]
    assert 3 < rows_of(got, "data_days").height < 250_000
    assert "changed after" in caplog.text
    assert list(ends_of(got).values()) == [finished(3)]  # the old one is not kept


def test_a_file_that_the_system_keeps_from_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, "calls.csv", calls([1]))
    put(tmp_path, "cards.csv", CARDS)
    monkeypatch.setattr("duanka.ingest.live.inbox.watcher._RETRY", 0.05)
    opened = os.open
    locked = {"calls.csv"}

    def refused(path: Any, *how: Any, **more: Any) -> int:
        if path in locked:
            raise PermissionError(13, "Permission denied")
        return opened(path, *how, **more)

    monkeypatch.setattr(os, "open", refused)
    feed = inbox(tmp_path, wait=True, batch_seconds=0.02)
    with running(feed) as batches:
        assert rows_of(until(batches, 1), "cards").height == 1  # the others go on
        _nothing_for(batches, 0.3)
        assert feed.waiting().pieces == 1
        assert caplog.text.count("calls.csv cannot be read (Permission denied); it is tried again") == 1
        locked.clear()
        assert seconds_of(until(batches, 1)) == [1]
    locked.add("calls.csv")
    assert seconds_of(drained(tmp_path)) == []  # and without waiting there is an end


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"card,peer\n1,2\n", "no column 'direction' for calls.direction"),
        (b"card,card,peer,direction,started_at\n", "column 'card' is there twice"),
        (b"c\xff\n", "the header line is not utf-8 text"),
    ],
)
def test_a_file_that_is_no_delivery_does_not_stop_the_others(
    tmp_path: Path, content: bytes, why: str
) -> None:
    put(tmp_path, "calls/a.csv", content)
    put(tmp_path, "calls/b.csv", calls([1]))
    got = drained(tmp_path)
    assert seconds_of(got) == [1]
    (record,) = aside_of(got)
    assert (record.file, record.line, record.reason) == ("calls/a.csv", None, "unreadable file")
    assert why in record.raw
    assert counted(got)
    assert drained(tmp_path, positions_of(got)) == []


def test_a_file_on_which_sources_disagree_stops_itself_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = '[[source]]\nfiles = "*.csv"\ntable = "sightings"\ndelimiter = "{}"\n'
    source += '[source.columns]\ncard = "a"\nseen_at = "b"\n'
    other = source.format(";").replace("*.csv", "x*")
    both = mapping(tmp_path, source.format(",") + other)
    put(tmp_path, "in/x.csv", "a,b\n")
    put(tmp_path, "in/y.csv", "a,b\n8613800138000,2021-05-17 09:30:00\n")
    assert rows_of(drained(tmp_path / "in", mapping=both), "sightings").height == 1
    assert "the sources that take x.csv disagree" in caplog.text


def test_what_is_empty(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(tmp_path, "calls/a.csv", "")
    put(tmp_path, "calls/b.csv", calls([]))
    put(tmp_path, "calls/c.parquet", b"")
    got = drained(tmp_path)
    assert reasons_of(got) == ["unreadable file"]  # an empty Parquet file is none; as a scan has it
    assert sorted(ends_of(got).values()) == [finished(1), finished(0), finished(0)]
    assert "calls/a.csv holds no records (the file is empty)" in caplog.text
    assert "calls/b.csv holds no records (only a header)" in caplog.text


def test_a_folder_that_goes_away_for_a_while(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "in"
    put(folder, "calls.csv", calls([1]))
    with running(inbox(folder, wait=True, batch_seconds=0.02)) as batches:
        got = until(batches, 1)
        folder.rename(tmp_path / "away")
        _nothing_for(batches, 0.1)
        (tmp_path / "away").rename(folder)
        _nothing_for(batches, 0.1)
        folder.rename(tmp_path / "away")
        folder.mkdir()  # as a mount point without its mount
        _nothing_for(batches, 0.1)
        folder.rmdir()
        (tmp_path / "away").rename(folder)
        put(folder, "calls/b.csv", calls([2]))
        assert seconds_of(until(batches, 1)) == [2]
    assert list(ends_of(got).values()) == [finished(1)]
    assert "cannot be looked into" in caplog.text


def test_many_files_of_before_cost_little(tmp_path: Path) -> None:
    """At most a twentieth of the time goes into looking, and a new file is still found."""
    (tmp_path / "calls").mkdir()
    done = {}
    for at in range(5_000):
        path = tmp_path / "calls" / f"{at}.csv"
        path.touch()
        found = path.stat()
        done[f"file:calls/{at}.csv@0@{found.st_mtime_ns}"] = finished(0)
    landing = DirectoryWatcher(tmp_path, NATIVE, "file", done, FAST, None, lambda _: False)
    assert landing.next() is None
    spent = time.thread_time()
    began = time.monotonic()
    while time.monotonic() - began < 2:
        assert landing.next() is None
        time.sleep(0.01)
    assert (time.thread_time() - spent) / 2 < 0.3
    put(tmp_path, "calls/new.csv", calls([1]))
    while (file := landing.next()) is None:
        time.sleep(0.01)
    assert file.name == "calls/new.csv"
    assert landing.gone() == {}


def test_origins_are_forgotten_when_their_files_are_long_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("duanka.ingest.live.inbox.watcher._FORGET", 0.1)
    done = {
        "file:calls/old.csv@1@2": finished(1),
        "file:calls/half.csv@1@2": 5,
        "nats:records": 9,
        "x:a@1@2": 1,
    }
    with running(inbox(tmp_path, wait=True, batch_seconds=0.02), done) as batches:
        while len(done) > 2:
            done = positions_of([next(batches)], done)
    assert done == {"nats:records": 9, "x:a@1@2": 1}
