"""Records delivered twice: told from look-alikes, in bounded memory, whatever the order."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duanka.ingest.storage import deduplication as repeats
from duanka.ingest.storage import parquet_store as parts
from duanka.ingest.storage.deduplication import settle
from duanka.ingest.storage.key_columns import KnownTexts
from duanka.ingest.storage.seen_hashes import SeenHashes
from duanka.ingest.validation.quarantine import Quarantine
from support.ingest.deliveries import CALL, CALLS, CARDS, mapping, quarantined, table, taken

WITH_ID = """
[[source]]
files = "*.csv"
table = "calls"
record_id = "id"
[source.columns]
card = "card"
peer = "peer"
direction = "direction"
started_at = "started_at"
"""


def test_the_first_is_used(tmp_path: Path) -> None:
    files = {"calls/1.csv": CALLS + CALL + CALL, "calls/2.csv": CALLS + CALL.replace(",61", ",62") + CALL}
    intake = taken(tmp_path, files)
    assert table(intake, "calls")["seconds"].to_list() == [61, 62]
    assert quarantined(intake) == [(3, "", "delivered twice"), (3, "", "delivered twice")]
    assert [(f.file, f.used, f.quarantined) for f in intake.files] == [
        ("calls/1.csv", 1, 1),
        ("calls/2.csv", 1, 1),
        ("cards.csv", 1, 0),
    ]
    raw = pl.read_parquet(intake.quarantine)["raw"][0]
    assert raw.startswith(
        '{"card": "8613800138000", "peer": "8613900139000", "direction": "out", "started_at"'
    )


def test_the_same_call_written_otherwise_is_the_same(tmp_path: Path) -> None:
    other = "13800138000,+8613900139000,OUT,2021-05-17T09:30:00.0,61.2\n"
    assert quarantined(taken(tmp_path, {"calls.csv": CALLS + CALL + other})) == [(3, "", "delivered twice")]


def test_a_copied_file_is_not_read(tmp_path: Path) -> None:
    files = {
        "calls/1.csv": CALLS + CALL,
        "calls/2.csv": CALLS + CALL,
        "messages.csv": CALLS.replace("started", "sent"),
    }
    intake = taken(tmp_path, files)
    copy = intake.files[1]
    assert (copy.file, copy.duplicate_of, copy.records, copy.used, copy.quarantined) == (
        "calls/2.csv",
        "calls/1.csv",
        0,
        0,
        0,
    )
    assert quarantined(intake) == []


def test_the_same_bytes_for_another_table_are_read(tmp_path: Path) -> None:
    both = "card,peer,direction,started_at,sent_at\n8613800138000,10086,in,2021-05-17,2021-05-17\n"
    intake = taken(tmp_path, {"calls.csv": both, "messages.csv": both})
    assert (len(table(intake, "calls")), len(table(intake, "messages"))) == (1, 1)


def test_a_register_describes_a_thing_once(tmp_path: Path) -> None:
    cards = CARDS + "8613800138000,voice\n8613800138000,iot\n13800138000,iot\n8613800138001,iot\n"
    outlets = "outlet,name\na,Shop\na,Shop\na,Store\n"
    rings = pl.DataFrame(  # as `duanka links build --deliver` writes it
        {
            "card": ["8613800138000", "8613800138000", "13800138001"],
            "ring": ["R00001", "R00002", "R00002"],
            "certainty": [90, 0, 60],
            "since": [date(2021, 5, 16)] * 3,
        }
    )
    files: dict[str, str | bytes | pl.DataFrame] = {
        "cards.csv": cards,
        "outlets.csv": outlets,
        "rings.parquet": rings,
        "calls.csv": CALLS + CALL,
    }
    intake = taken(tmp_path, files)
    assert table(intake, "rings").rows() == [
        ("8613800138000", "R00002", 0, datetime(2021, 5, 16)),
        ("8613800138001", "R00002", 60, datetime(2021, 5, 16)),
    ]
    assert table(intake, "cards").select("card", "kind").rows() == [
        ("8613800138000", "iot"),
        ("8613800138001", "iot"),
    ]
    assert table(intake, "outlets")["name"].to_list() == ["Store"]
    assert quarantined(intake) == [
        (2, "", "delivered twice"),  # the second of that other description
        (3, "", "card described twice"),
        (4, "", "delivered twice"),
        (2, "", "delivered twice"),
        (3, "", "outlet described twice"),
        (1, "", "link described twice"),
    ]


@pytest.mark.parametrize("at_once", [1, 2, 250_000])
def test_what_a_later_delivery_of_a_register_says_counts_as_in_a_live_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """A scan over three months of registers must not ask who was verified since."""
    monkeypatch.setattr(repeats, "CANDIDATES_AT_ONCE", at_once)
    months = {
        f"cards/2021-0{month}.csv": "card,kind,verified_at\n"
        + "".join(f"861380013800{card},voice,2021-0{month}-01\n" for card in range(4))
        for month in (3, 4, 5)
    }
    intake = taken(tmp_path, {**months, "calls.csv": CALLS + CALL})
    assert {str(at.date()) for at in table(intake, "cards")["verified_at"]} == {"2021-05-01"}
    assert [account.used for account in intake.files if "cards" in account.file] == [0, 0, 4]


def test_a_record_id_decides_where_there_is_one(tmp_path: Path) -> None:
    row = "8613800138000,10086,in,2021-05-17"
    lines = [f"1,{row}", f"2,{row}", f"1,{row}", f"1,{row.replace('in', 'out')}", f",{row}", f",{row}"]
    rows = "\n".join(["id,card,peer,direction,started_at", *lines])
    intake = taken(tmp_path, {"x.csv": rows}, mapping=mapping(tmp_path, WITH_ID))
    # Equal but for the id: two records. The same id: one. Without an id: compared whole.
    assert quarantined(intake) == [
        (4, "", "delivered twice"),
        (5, "", "delivered twice"),
        (7, "", "delivered twice"),
    ]
    assert intake.used == 3


def test_equal_hashes_of_different_records_are_no_repeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        pl.DataFrame, "hash_rows", lambda frame: pl.zeros(frame.height, pl.UInt64, eager=True)
    )
    rows = "".join(CALL.replace(",61", f",{number}") for number in range(50))
    intake = taken(tmp_path, {"calls.csv": CALLS + rows + CALL.replace(",61", ",7")})
    assert table(intake, "calls")["seconds"].to_list() == list(range(50))
    assert quarantined(intake) == [(52, "", "delivered twice")]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seconds=st.lists(st.integers(0, 12), min_size=1, max_size=60),
    part_rows=st.integers(1, 20),
    hashes_at_once=st.integers(1, 50),
    candidates_at_once=st.integers(1, 20),
)
def test_bounds_of_memory_change_nothing(
    tmp_path: Path, seconds: list[int], part_rows: int, hashes_at_once: int, candidates_at_once: int
) -> None:
    parts.clear(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "GROUP_ROWS", max(1, part_rows // 2))
        patch.setattr(parts, "PART_ROWS", part_rows)
        shelf = parts.TablePartsWriter(tmp_path, "data_days", KnownTexts(tmp_path / "texts.parquet"))
        for at in range(0, len(seconds), 7):
            some = seconds[at : at + 7]
            days = pl.Series([None] * len(some), dtype=pl.Date)
            frame = pl.DataFrame({"card": ["8613800138000"] * len(some), "day": days, "bytes": some})
            shelf.add(frame, 0, np.arange(at, at + len(some), dtype=np.int64), None)
        shelf.close()
        shelf.abandon()
        patch.setattr(repeats, "HASHES_AT_ONCE", hashes_at_once)
        patch.setattr(repeats, "CANDIDATES_AT_ONCE", candidates_at_once)
        with Quarantine(tmp_path / "quarantine.parquet") as quarantine:
            settled = settle("data_days", shelf.parts, ["x"], quarantine)
    first = list(dict.fromkeys(seconds))
    left = [value for part in settled.parts for value in pl.read_parquet(part.path)["bytes"].to_list()]
    assert left == first
    assert settled.lost[0] == len(seconds) - len(first)
    expected = [at for at, value in enumerate(seconds) if value in seconds[:at]]
    assert sorted(pl.read_parquet(tmp_path / "quarantine.parquet")["line"].to_list()) == expected


def test_ranges_of_hashes_cover_all_of_them() -> None:
    hashes = np.array([0, 0, 1, 2**63, 2**63, 2**64 - 1, 2**64 - 1, 5], np.uint64)
    assert repeats._twice(hashes).tolist() == [0, 2**63, 2**64 - 1]


def test_rows_that_repeat_none_are_written_once(tmp_path: Path) -> None:
    shelf = parts.TablePartsWriter(tmp_path, "data_days", KnownTexts(tmp_path / "texts.parquet"))
    for numbers in ([*range(500)], [7, *range(500, 900)], [1_000, 1_000]):
        days = pl.Series([None] * len(numbers), dtype=pl.Date)
        frame = pl.DataFrame({"card": ["8613800138000"] * len(numbers), "day": days, "bytes": numbers})
        shelf.add(frame, 0, np.arange(len(numbers), dtype=np.int64), None)
    shelf.close()
    shelf.abandon()
    first = shelf.parts[0]
    assert first.rows == 901
    written = first.path.stat().st_ino, first.path.stat().st_mtime_ns
    with Quarantine(tmp_path / "quarantine.parquet") as quarantine:
        settled = settle("data_days", shelf.parts, ["x"], quarantine)
    assert settled.parts == [first]
    assert (first.path.stat().st_ino, first.path.stat().st_mtime_ns) == written
    assert settled.lost[0] == 2


def test_a_row_that_is_not_said_to_repeat_is_the_first_with_its_hash() -> None:
    luck = np.random.default_rng(1)
    seen = SeenHashes()
    hashes = luck.integers(0, 1 << 64, 40_000, np.uint64)
    hashes[::7] = luck.choice(hashes, len(hashes[::7]))
    first = pl.Series(hashes).is_first_distinct().to_numpy()
    said = np.concatenate([seen.again(some) for some in np.split(hashes, [1, 500, 20_000, 20_000])])
    assert not (~said & ~first).any()
    assert (said & first).sum() < 200
