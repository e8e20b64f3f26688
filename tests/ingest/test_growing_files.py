"""Files that grow: only what was added is read, once, wherever the writer pauses and the reader is stopped."""

from __future__ import annotations

import gzip
import os
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duanka.domain.streaming import Batch
from duanka.ingest import LandingTimeouts
from duanka.ingest.files.beginnings import is_beginning
from support.ingest.landings import (
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

LATER = LandingTimeouts(settle=0, whole=600, poll=0.01)  # what has no line end waits for longer than any test
LINES = calls(range(40)).splitlines(keepends=True)


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_what_is_appended_in_steps_is_read_once(tmp_path: Path) -> None:
    path = put(tmp_path, "calls.csv", LINES[0])
    got: list[Batch] = []
    with running(inbox(tmp_path, wait=True, batch_seconds=0.02)) as batches:
        for step in range(8):
            append(path, "".join(LINES[1 + 5 * step : 6 + 5 * step]))
            got += until(batches, 5)
        assert next(batches).records == 0
    assert seconds_of(got) == list(range(40))
    assert rows_of(got)["line"].to_list() == list(range(2, 42))
    assert sum(batch.records for batch in got) == 40
    assert aside_of(got) == []
    assert len(positions_of(got)) == 2  # nothing of before is kept


def test_cards_of_a_test_system_count_like_any(tmp_path: Path) -> None:
    path = put(tmp_path, "calls.csv", LINES[0])
    rows = [f"8613800138{n:02},8613900139000,out,2021-05-17 09:30:00,{n}\n" for n in range(40)]
    got: list[Batch] = []
    with running(inbox(tmp_path, wait=True, batch_seconds=0.02)) as batches:
        for step in range(8):
            append(path, "".join(rows[5 * step : 5 * step + 5]))
            got += until(batches, 5)
    assert rows_of(got)["card"].to_list() == [row.partition(",")[0] for row in rows]
    assert aside_of(got) == []


def test_it_is_known_again_after_a_restart(tmp_path: Path) -> None:
    path = put(tmp_path, "calls.csv", "".join(LINES[:6]))
    done = positions_of(drained(tmp_path))
    append(path, "".join(LINES[6:10]))
    os.utime(path, (1, 1))  # whatever its time of change
    again = drained(tmp_path, done)
    assert seconds_of(again) == [5, 6, 7, 8]
    done = positions_of(again, done)
    assert drained(tmp_path, done) == []
    path.touch()
    assert seconds_of(drained(tmp_path, done)) == []


def test_without_a_header_and_with_other_line_ends(tmp_path: Path) -> None:
    path = put(tmp_path, "calls.csv", "".join(LINES[:3]).replace("\n", "\r\n"))
    done = positions_of(got := drained(tmp_path))
    append(path, "\r\n" + LINES[3].replace("\n", "\r\n"))
    got += drained(tmp_path, done)
    assert rows_of(got)["line"].to_list() == [2, 3, 5]
    assert [(one.line, one.reason) for one in aside_of(got)] == [(4, "empty line")]


@pytest.mark.parametrize("how", ["other beginning", "shorter", "other beginning, as long"])
def test_another_file_under_its_name_is_read_anew(
    tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = put(tmp_path, "calls.csv", "".join(LINES[:6]))
    got = drained(tmp_path)
    other = {
        "other beginning": [LINES[0], *LINES[2:9]],
        "shorter": [LINES[0], *LINES[7:9]],
        "other beginning, as long": [LINES[0], *LINES[2:7]],
    }[how]
    path.write_text("".join(other))
    os.utime(path, (2, 2))
    again = drained(tmp_path, positions_of(got))
    assert [str(second) for second in seconds_of(again)] == [
        line.strip().rsplit(",")[-1] for line in other[1:]
    ]
    assert "calls.csv" in caplog.text
    assert "it is another file" in caplog.text
    assert len([o for o in positions_of(again, positions_of(got)) if is_beginning(o)]) == 1


def test_a_line_without_an_end_waits_for_it(tmp_path: Path) -> None:
    path = put(tmp_path, "calls.csv", "".join(LINES[:3]))
    feed = inbox(tmp_path, wait=True, batch_seconds=0.02, patience=LATER)
    with running(feed) as batches:
        got = until(batches, 2)
        append(path, LINES[3] + LINES[4][:20])
        got += until(batches, 1)
        assert next(batches).records == 0
        assert feed.waiting().pieces == 1
        append(path, LINES[4][20:] + LINES[5][:-1])
        got += until(batches, 1)
        assert next(batches).records == 0
        append(path, "\n")
        got += until(batches, 1)
    assert seconds_of(got) == [0, 1, 2, 3, 4]
    assert aside_of(got) == []


def test_a_line_without_an_end_counts_when_the_file_rests(tmp_path: Path) -> None:
    path = put(tmp_path, "calls.csv", "".join(LINES[:4])[:-1])
    got = drained(tmp_path)
    assert seconds_of(got) == [0, 1, 2]
    done = positions_of(got)
    append(path, "\n" + LINES[4])  # it was whole
    again = drained(tmp_path, done)
    assert seconds_of(again) == [3]
    done = positions_of(again, done)
    append(path, LINES[5][:-4])
    again = drained(tmp_path, done)
    assert reasons_of(again) == ["wrong column count"] or seconds_of(again) == []
    done = positions_of(again, done)
    append(path, LINES[5][-4:])  # it was not
    again = drained(tmp_path, done)
    assert seconds_of(again) == [4]
    assert rows_of(again)["line"].to_list() == [6]


def test_what_never_rests_is_read_up_to_its_last_whole_line(tmp_path: Path) -> None:
    path, text = put(tmp_path, "calls.csv", ""), "".join(LINES)
    patience = LandingTimeouts(settle=3600, whole=0.05, poll=0.01)
    got: list[Batch] = []
    with running(inbox(tmp_path, wait=True, batch_seconds=0.02, patience=patience)) as batches:
        for at in range(0, len(text), 70):  # in the middle of a line, mostly
            append(path, text[at : at + 70])
            got.append(next(batches))
        while (missing := 40 - sum(batch.records for batch in got)) > 0:
            got += until(batches, missing)
    assert seconds_of(got) == list(range(40))


def test_it_grows_while_it_is_read(tmp_path: Path) -> None:
    path = put(tmp_path, "calls.csv", calls(range(30)))
    with running(inbox(tmp_path, wait=True, batch_records=4, batch_seconds=0.02)) as batches:
        got = until(batches, 4)
        append(path, "".join(calls([row]).splitlines(keepends=True)[1] for row in range(30, 36)))
        got += until(batches, 32)
    assert seconds_of(got) == list(range(36))
    assert aside_of(got) == []


def test_packed_files_are_read_as_a_whole(tmp_path: Path) -> None:
    path = put(tmp_path, "calls.csv.gz", gzip.compress("".join(LINES[:3]).encode()))
    got = drained(tmp_path)
    assert list(positions_of(got)) == list(ends_of(got))
    with path.open("ab") as file:
        file.write(gzip.compress(LINES[3].encode()))
    assert seconds_of(drained(tmp_path, positions_of(got))) == [0, 1, 2]


def test_a_packed_file_that_grows_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = put(tmp_path, "calls.csv.gz", gzip.compress("".join(LINES[:3]).encode()))
    with running(inbox(tmp_path, wait=True, batch_seconds=0.02)) as batches:
        until(batches, 2)
        for records in (3, 4):
            with path.open("ab") as file:
                file.write(gzip.compress(LINES[records].encode()))
            until(batches, records)
    assert caplog.text.count("being packed, it is read from its beginning again") == 1


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_stopped_and_written_to_anywhere_every_row_comes_once(data: st.DataObject) -> None:
    """A writer that pauses at any byte, a reader that is killed after any batch."""
    text = "".join(LINES[:13]).replace("\n", data.draw(st.sampled_from(["\n", "\r\n"])))
    chance = random.Random(data.draw(st.integers(0, 1 << 32)))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(text) - 1), max_size=4)))
    with TemporaryDirectory() as name:
        folder = Path(name)
        path = put(folder, "calls.csv", "")
        done: dict[str, int] = {}
        kept: list[Batch] = []
        for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
            append(path, text[begin:end])
            known = any(map(is_beginning, done)) or text[:end].endswith(
                "\n"
            )  # half a new file waits as a whole
            there = max(text[:end].count("\n") - 1, 0) if known else 0
            size = chance.randint(1, 5)
            while sum(batch.records for batch in kept) < there:
                feed = inbox(folder, wait=True, batch_seconds=0.01, batch_records=size, patience=LATER)
                with running(feed, done) as batches:
                    for _ in range(chance.randint(1, 3)):
                        batch = next(batches)
                        kept.append(batch)
                        done = positions_of([batch], done)
        assert seconds_of(kept) == list(range(12))
        assert counted(kept)
        assert aside_of(kept) == []


@pytest.mark.parametrize("then", ["", "a new file", "a longer file"])
def test_rotated_under_another_name_it_is_read_on(tmp_path: Path, then: str) -> None:
    """As logrotate leaves it: written to until it was renamed, and perhaps begun anew under its old name."""
    path = put(tmp_path, "calls/now.csv", "".join(LINES[:21]))
    done = positions_of(drained(tmp_path))
    append(path, "".join(LINES[21:31]))
    path.rename(path.with_name("0930.csv"))
    fresh = {
        "": [],
        "a new file": LINES[31:],
        "a longer file": calls(range(30, 90)).splitlines(keepends=True)[1:],
    }
    if fresh[then]:
        put(tmp_path, "calls/now.csv", "".join([LINES[0], *fresh[then]]))
    got = drained(tmp_path, done)
    assert sorted(seconds_of(got)) == list(range(20, 30 + len(fresh[then])))
    assert reasons_of(got) == []
    append(path.with_name("0930.csv"), "".join(LINES[31:33]))  # its writer was not told yet
    later = drained(tmp_path, positions_of(got) if then else done | positions_of(got))
    assert seconds_of(later) == [30, 31]


def test_the_same_again_beside_it_is_a_delivery_of_its_own(tmp_path: Path) -> None:
    put(tmp_path, "calls/a.csv", "".join(LINES[:6]))
    done = positions_of(drained(tmp_path))
    put(tmp_path, "calls/b.csv", "".join(LINES[:8]))
    assert seconds_of(drained(tmp_path, done)) == list(range(7))
