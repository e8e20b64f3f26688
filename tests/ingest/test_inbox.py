"""Live intake from a folder: what comes out of it, and how it goes on."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duanka.domain.errors import UnreadableInput
from duanka.domain.schema import TABLES
from duanka.domain.streaming import finished
from duanka.ingest import Inbox
from support.ingest.deliveries import CALL, CALLS, CARDS, KEY, mapping, quarantined, shipped, table, taken
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
    sources_of,
    until,
)
from support.waiting import HANG


def test_the_same_rows_and_the_same_quarantine_as_a_scan(tmp_path: Path) -> None:
    sample = pl.DataFrame({"card": ["8613800138000", "1"], "day": ["2021-05-17"] * 2, "bytes": [1, 2]})
    files: dict[str, str | bytes | pl.DataFrame] = {
        "cards.csv": CARDS,
        "calls/1.csv": CALLS + CALL + "x\n" + CALL.replace("out", "up"),
        "calls/2.csv.gz": CALLS + CALL.replace(",61", ",-1"),
        "data_days.parquet": sample,
        "data_days/cut.parquet": b"PAR1?",
        "outlets.csv": "outlet,name\nA1,shop\n",
    }
    scanned = taken(tmp_path, files)
    batches = drained(tmp_path / "data")
    assert counted(batches)
    for name in ("cards", "calls", "data_days", "outlets"):
        live = rows_of(batches, name)
        assert live.columns == [*(c.name for c in TABLES[name].columns), "line", "same"]
        assert live.drop("line", "same").equals(table(scanned, name))
        assert live.schema["same"] == pl.UInt64
    aside = sorted(aside_of(batches), key=lambda a: (a.file, a.line or 0))
    assert [(a.line, a.column, a.reason) for a in aside] == quarantined(scanned)
    raws = pl.read_parquet(scanned.quarantine).sort("file", "line", nulls_last=True)["raw"].to_list()
    assert [a.raw for a in aside] == raws


def test_every_table_is_taken(tmp_path: Path) -> None:
    values = {"number": "8613800138000", "time": "2021-05-17 09:30:00", "day": "2021-05-17", "count": "5"}
    values |= {"flag": "true", "imei": "353490069873310", "text": "x", "holder": "a1"}
    for name, one in TABLES.items():
        row = [values.get(c.kind.value, c.choices[0] if c.choices else "") for c in one.columns]
        put(tmp_path, f"{name}.csv", ",".join(c.name for c in one.columns) + "\n" + ",".join(row) + "\n")
    batches = drained(tmp_path)
    assert sources_of(batches) == {(name, name) for name in TABLES}
    assert sum(batch.records for batch in batches) == len(TABLES)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("calls.csv", "calls"),
        ("CALLS.CSV", "calls"),
        ("calls/a.csv", "calls"),
        ("msc-2/calls/a.csv", "msc-2/calls"),
        ("msc-2/calls.csv.gz", "msc-2/calls"),
        ("calls/msc-2/a.csv", "msc-2/calls"),
        ("hebei/msc-2/Calls/a.parquet", "hebei/msc-2/calls"),
        ("msc-2/calls/2021-05-17/a.csv", "msc-2/calls"),
        ("calls/2021/05/17/09/a.csv", "calls"),
        ("calls/day=2021-05-17/hour=09/20210517.csv", "calls"),
        ("20210517/msc-2/calls.csv", "msc-2/calls"),
        ("07/calls.csv", "07/calls"),  # not below a day: may be anything
        ("calls/messages.csv", "calls"),  # the folder says it first
    ],
)
def test_the_folders_say_who_delivers(tmp_path: Path, name: str, source: str) -> None:
    content: str | bytes | pl.DataFrame = calls([1])
    if name.endswith(".gz"):
        content = gzip.compress(calls([1]).encode())
    elif name.endswith(".parquet"):
        content = pl.read_csv(calls([1]).encode(), infer_schema=False)
    put(tmp_path, name, content)
    assert sources_of(drained(tmp_path)) == {(source, "calls")}


def test_a_mapping_names_the_tables(tmp_path: Path) -> None:
    source = '[[source]]\nfiles = "*.txt"\ntable = "{}"\nwhere = {{ kind = ["{}"] }}\n[source.columns]\n'
    source += 'card = "card"\npeer = "peer"\ndirection = "direction"\n{} = "at"\n'
    both = mapping(
        tmp_path, source.format("calls", "call", "started_at") + source.format("messages", "sms", "sent_at")
    )
    rows = "kind,card,peer,direction,at\n" + "".join(
        f"{kind},13800138000,10086,in,2021-05-17\n" for kind in ("call", "sms", "mms")
    )
    put(tmp_path, "in/msc-7/x.txt", rows)
    put(tmp_path, "in/calls.csv", calls([1]))  # the mapping does not take it
    batches = drained(tmp_path / "in", mapping=both)
    assert sources_of(batches) == {("msc-7/calls", "calls"), ("msc-7/messages", "messages")}
    assert [(a.file, a.line, a.column, a.reason) for a in aside_of(batches)] == [
        ("msc-7/x.txt", 4, "kind", "no table for this row")
    ]
    assert counted(batches)


def test_a_mapping_of_binary_records(tmp_path: Path) -> None:
    put(tmp_path, "x.ber", b"no record at all")
    batches = drained(tmp_path, mapping=shipped("ts32298"))
    assert reasons_of(batches) == ["unreadable file"]


def test_the_oldest_file_comes_first(tmp_path: Path) -> None:
    for second, name in enumerate(("calls/b.csv", "calls/c.csv", "calls/a.csv")):
        path = put(tmp_path, name, calls([second]))
        old = 1_600_000_000 + (0 if name == "calls/a.csv" else second)
        os.utime(path, (old, old))
    assert seconds_of(drained(tmp_path)) == [2, 0, 1]


def test_small_files_share_a_batch_and_a_large_one_is_cut(tmp_path: Path) -> None:
    for at in range(10):
        put(tmp_path, f"calls/{at}.csv", calls([at]))
    (batch,) = drained(tmp_path)
    assert batch.records == len(batch.pieces) == 10
    (tmp_path / "big").mkdir()
    put(tmp_path / "big", "calls.csv", calls(range(2_500)))
    batches = drained(tmp_path / "big", batch_records=1_000)
    assert [b.records for b in batches if b.records] == [1_000, 1_000, 500]
    assert rows_of(batches)["line"].to_list() == list(range(2, 2_502))
    ((origin, position),) = ends_of(batches).items()
    assert origin.startswith("file:calls.csv@")
    assert position == finished(2_500)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_restart_anywhere_gives_every_row_once(data: st.DataObject) -> None:
    lines = data.draw(st.lists(st.sampled_from(["good", "bad", "unfit"]), max_size=40), label="lines")
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=30), label="batch sizes")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kinds = {"good": CALL, "bad": "x\n", "unfit": CALL.replace("out", "up")}
        for half, some in (("a", lines[::2]), ("b", lines[1::2])):
            rows = [kinds[kind].replace(",61", f",{at}") for at, kind in enumerate(some)]
            put(folder, f"calls/{half}.csv", CALLS + "".join(rows))
        whole = drained(folder)
        done: dict[str, int] = {}
        got = []
        for size in [*sizes, 1_000]:
            for batch in inbox(folder, batch_records=size).batches(done):
                assert batch.records <= size
                got.append(batch)
                done = positions_of([batch], done)
                if size < 1_000:
                    break  # the engine stops after this batch
        assert counted(got)
        key = ["line", "same"]
        assert rows_of(got).sort(key).equals(rows_of(whole).sort(key))
        assert sorted(aside_of(got), key=str) == sorted(aside_of(whole), key=str)
        assert drained(folder, done) == []


def test_many_lines_in_small_batches_after_a_restart(tmp_path: Path) -> None:
    days = pl.DataFrame({"card": "8613800138000", "day": "2021-05-17", "bytes": range(150_000)})
    put(tmp_path, "data_days.parquet", days)
    done: dict[str, int] = {}
    got = []
    for size in (70_000, 1, 65_537, 200_000):  # readers make blocks of 65,536
        batch = next(inbox(tmp_path, batch_records=size).batches(done))
        got.append(batch)
        done = positions_of([batch], done)
    assert rows_of(got, "data_days")["bytes"].to_list() == list(range(150_000))


def test_a_file_delivered_again_is_another_one(tmp_path: Path) -> None:
    put(tmp_path, "calls.csv", calls([1]))
    first = drained(tmp_path)
    done = positions_of(first)
    assert drained(tmp_path, done) == []
    put(tmp_path, "calls.csv", calls([2, 1]))
    again = drained(tmp_path, done)
    assert seconds_of(again) == [2, 1]
    assert rows_of(again)["same"][1] == rows_of(first)["same"][0]  # the engine knows the first row


def test_what_is_known_is_known_by_its_hash(tmp_path: Path) -> None:
    put(tmp_path, "calls/1.csv", calls([1, 1, 2]))
    put(
        tmp_path,
        "calls/2.csv",
        "seconds,card,peer,direction,started_at\n1,13800138000,13900139000,OUT,2021-05-17T09:30\n",
    )
    put(tmp_path, "cards/1.csv", CARDS)
    put(tmp_path, "cards/2.csv", CARDS.replace("voice", "iot"))
    batches = drained(tmp_path)
    one, two, three, four = rows_of(batches)["same"].to_list()
    assert one == two == four != three
    assert rows_of(batches, "cards")["same"].n_unique() == 1  # one card, whatever is said of it


def test_a_record_id_is_what_a_record_is_known_by(tmp_path: Path) -> None:
    text = '[[source]]\nfiles = "*.csv"\ntable = "calls"\nrecord_id = "id"\n[source.columns]\n'
    text += "".join(f'{name} = "{name}"\n' for name in CALLS.strip().split(","))
    rows = [
        "7," + CALL,
        "7," + CALL.replace(",61", ",62"),
        "," + CALL,
        "," + CALL.replace(",61", ",62"),
        "," + CALL,
    ]
    put(tmp_path, "in/x.csv", "id," + CALLS + "".join(rows))
    same = rows_of(drained(tmp_path / "in", mapping=mapping(tmp_path, text)))["same"].to_list()
    assert same[0] == same[1]
    assert same[2] == same[4] != same[3]  # without an id: by everything
    assert len(set(same)) == 3


def test_the_hash_is_the_same_in_every_process(tmp_path: Path) -> None:
    put(tmp_path, "calls.csv", calls([1]))
    code = "import sys\nfrom pathlib import Path\nfrom support.ingest.landings import *\n"
    code += "print(rows_of(drained(Path(sys.argv[1])))['same'][0])"
    here = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True, env=here
    )
    assert int(told.stdout) == rows_of(drained(tmp_path))["same"][0]


def test_nothing_comes_and_time_passes(tmp_path: Path) -> None:
    feed = inbox(tmp_path, wait=True, batch_seconds=0.05)
    with running(feed) as batches:
        assert [next(batches).records for _ in range(3)] == [0, 0, 0]
        put(tmp_path, "calls.csv", calls([1]))
        assert seconds_of(until(batches, 1)) == [1]
        assert next(batches).pieces == ()


def test_a_batch_waits_only_so_long_for_more(tmp_path: Path) -> None:
    put(tmp_path, "calls.csv", calls([1]))
    began = time.monotonic()
    with running(inbox(tmp_path, wait=True, batch_seconds=0.3)) as batches:
        assert seconds_of(until(batches, 1)) == [1]
        assert 0.2 < time.monotonic() - began < HANG


def test_stopping_is_soon_and_what_was_not_handed_on_comes_again(tmp_path: Path) -> None:
    put(tmp_path, "calls.csv", calls(range(5_000)))
    feed = inbox(tmp_path, wait=True, batch_records=100)
    batches = feed.batches({})
    first = next(batches)
    began = time.monotonic()
    feed.stop()
    assert list(batches) == []
    assert time.monotonic() - began < HANG
    rest = drained(tmp_path, positions_of([first]))
    assert seconds_of([first, *rest]) == list(range(5_000))
    assert list(feed.batches({})) == []  # told to stop is told to stop


def test_what_waits_is_known(tmp_path: Path) -> None:
    for at in range(3):
        put(tmp_path, f"calls/{at}.csv", calls(range(100)))
    size = sum(path.stat().st_size for path in (tmp_path / "calls").iterdir())
    feed = inbox(tmp_path, batch_records=100)
    assert feed.waiting().pieces == 0  # it was not asked for anything yet
    left = [(feed.waiting().pieces, feed.waiting().size) for _ in feed.batches({})]
    assert left[0] in {(3, size), (2, size * 2 // 3)}
    assert left[-1] == (0, 0)
    assert all(before[0] >= after[0] for before, after in pairwise(left))


def test_a_document_number_without_a_key_stops_its_own_row_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, "calls.csv", calls([1]))
    rows = "8613800138000,110101199003074514\n8613800138001,a1b2\n8613800138002,110101199003074514\n"
    put(tmp_path, "cards.csv", "card,holder\n" + rows)
    got = drained(tmp_path)
    assert seconds_of(got) == [1]
    assert rows_of(got, "cards")["holder"].to_list() == ["a1b2"]
    assert [(a.file, a.line, a.reason) for a in aside_of(got)] == [
        ("cards.csv", 2, "no key for document numbers"),
        ("cards.csv", 4, "no key for document numbers"),
    ]
    assert "110101" not in str(aside_of(got))
    assert caplog.text.count("set DUANKA_HOLDER_KEY") == 1
    assert "110101" not in caplog.text
    (tmp_path / "calls.csv").unlink()
    put(tmp_path, "cards.csv", "card,holder\n8613800138000,110101199003074514\n")
    (card,) = rows_of(drained(tmp_path, holder_key=KEY), "cards")["holder"].to_list()
    assert len(card) == 64


def test_an_inbox_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="no such directory; make it, or check the path"):
        Inbox(tmp_path / "no")
