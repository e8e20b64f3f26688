"""Parquet files that unpack to far more than memory holds are read in portions, or given up beforehand."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from duanka.ingest.formats import parquet_pages
from duanka.ingest.formats import parquet_reader as parquet_blocks
from duanka.ingest.formats.thrift_compact import I32, I64, CompactReader, Truncated
from support.ingest.deliveries import CALL, CALLS, CARDS, quarantined, table, taken
from test_bombs import GIVEN_UP, PEAK, took

NAMES = ("card", "peer", "direction", "started_at")
ROW = ("8613800138000", "8613900139000", "out", "2021-05-03 09:00:00")


def written(data: Path, columns: Any, **options: Any) -> None:
    path = data / "calls/b.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, compression="zstd", **options)


def equal(rows: int, values: tuple[str, ...] = ROW) -> dict[str, Any]:
    """Columns that each repeat one value, as dictionaries: a few bytes whatever the rows."""
    places = pa.array(np.zeros(rows, np.int32))
    return {
        name: pa.DictionaryArray.from_arrays(places, [value])
        for name, value in zip(NAMES, values, strict=True)
    }


def one_long_text(data: Path) -> None:
    written(data, equal(50, ("9" * 30_000_000, *ROW[1:])))


def long_texts_by_their_beginning(data: Path) -> None:
    texts = ["9" * 500_000 + str(number) for number in range(600)]
    columns = {name: pa.array([value] * 600) for name, value in zip(NAMES, ROW, strict=True)}
    encodings = {"card": "DELTA_BYTE_ARRAY"}
    written(data, {**columns, "card": texts}, use_dictionary=list(NAMES[1:]), column_encoding=encodings)


def long_texts_plain(data: Path) -> None:
    columns = {name: pa.array([value] * 700) for name, value in zip(NAMES, ROW, strict=True)}
    written(data, {**columns, "card": ["9" * 500_000] * 700}, use_dictionary=list(NAMES[1:]))


def many_equal_rows(data: Path) -> None:
    written(data, equal(11_000_000), row_group_size=11_000_000)


def one_large_page(data: Path) -> None:
    columns = {name: pa.array([value] * 400) for name, value in zip(NAMES, ROW, strict=True)}
    large = ["9" * 500_000] * 400
    written(data, {**columns, "card": large}, use_dictionary=False, data_page_size=1 << 30)


BOMBS: dict[Callable[[Path], None], tuple[str, int]] = {
    one_long_text: ("line too long", 50),
    long_texts_by_their_beginning: ("line too long", 600),
    long_texts_plain: (GIVEN_UP, 1),
    many_equal_rows: (GIVEN_UP, 1),
    one_large_page: (GIVEN_UP, 1),
}


@pytest.mark.parametrize(
    ("bomb", "how"), [*((bomb, "scan") for bomb in BOMBS), (one_long_text, "live"), (one_large_page, "live")]
)
def test_a_bomb_takes_no_more_than_its_share(tmp_path: Path, bomb: Callable[[Path], None], how: str) -> None:
    data = tmp_path / "data"
    bomb(data)
    (data / "cards.csv").write_text(CARDS)
    (data / "calls/a.csv").write_text(CALLS + CALL)
    found = took(how, tmp_path)
    assert found["used"] == 2
    assert found["reasons"] == dict([BOMBS[bomb]])
    assert found["peak"] < PEAK


def test_equal_rows_within_reason_are_read(tmp_path: Path) -> None:
    data = tmp_path / "data"
    written(data, equal(1_500_000))
    (data / "cards.csv").write_text(CARDS)
    found = took("scan", tmp_path)
    assert (found["records"], found["used"]) == (1_500_001, 2)
    assert found["reasons"] == {"delivered twice": 100_001}
    assert found["peak"] < PEAK


def test_a_row_with_a_text_too_long_costs_itself_alone(tmp_path: Path) -> None:
    columns = {name: [value] * 3 for name, value in zip(NAMES, ROW, strict=True)}
    columns["peer"] = ["8613900139000", "1" * 65_537, "8613900139001"]
    intake = taken(tmp_path, {"calls.parquet": pl.DataFrame(columns)})
    assert quarantined(intake) == [(2, "", "line too long")]
    assert table(intake, "calls")["peer"].to_list() == ["8613900139000", "8613900139001"]


PORTIONS = [
    *((most, encoding, "zstd") for most in (1, 7, 1_000) for encoding in ("DELTA_BYTE_ARRAY", None)),
    *((1, encoding, "snappy") for encoding in ("PLAIN", "DELTA_LENGTH_BYTE_ARRAY")),
    *((1, None, codec) for codec in ("none", "snappy", "gzip", "lz4", "brotli")),
]


@pytest.mark.parametrize(("most", "encoding", "codec"), PORTIONS)
def test_small_portions_make_no_difference(
    tmp_path: Path, most: int, encoding: str | None, codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = 300
    columns = {name: pa.array([value] * rows) for name, value in zip(NAMES, ROW, strict=True)}
    columns["peer"] = pa.array([f"86139{number:08}" for number in range(rows)])
    options: dict[str, Any] = {"use_dictionary": encoding is None, "data_page_version": "2.0"}
    if encoding:
        options["column_encoding"] = dict.fromkeys(NAMES, encoding)
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, compression=codec, row_group_size=100, **options)
    monkeypatch.setattr(parquet_pages, "TEXT_AT_ONCE", most * 100)
    monkeypatch.setattr(parquet_blocks, "TEXT_AT_ONCE", most * 1_000)
    intake = taken(tmp_path, {"calls.parquet": sink.getvalue()})
    assert table(intake, "calls")["peer"].to_list() == columns["peer"].to_pylist()
    assert quarantined(intake) == []


def test_a_footer_beyond_all_reason_is_not_read(tmp_path: Path) -> None:
    sink = io.BytesIO()
    pl.DataFrame({"card": ["8613800138000"]}).write_parquet(sink)
    whole = sink.getvalue()
    claimed = whole[:-8] + struct.pack("<I", 0x7FFFFFFF) + b"PAR1"
    intake = taken(tmp_path, {"calls/a.parquet": claimed, "calls/b.csv": CALLS + CALL})
    assert [reason for _, _, reason in quarantined(intake)] == ["unreadable file"]
    assert "a footer of more than 16 MB" in intake.files[0].unreadable


@pytest.mark.parametrize(
    "octets",
    [b"\x15" + b"\xff" * 20, b"\x1c" * 40, b"\x19\xfc" + b"\xff" * 4 + b"\x7f", b"\x1d\x00", b"\xff\xff\xff"],
)
def test_a_header_that_is_none_is_told(octets: bytes) -> None:
    with pytest.raises((ValueError, Truncated)):
        CompactReader(octets).struct()


def test_a_field_that_is_there_again_with_another_type_is_another_field() -> None:
    """As Arrow reads it: a page of a gigabyte would else call itself small behind its true size."""
    size = b"\x25\x80\x80\x80\x80\x08"  # field 2, 32 bits
    again = b"\x06\x04\x02"  # field 2 once more, 64 bits
    assert CompactReader(size + again + b"\0").struct() == {(2, I32): 1 << 30, (2, I64): 1}


def dictionary_page(texts: list[bytes]) -> bytes:
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


@pytest.mark.parametrize(
    "texts",
    [
        [b"8613800138000", b"95599", b"1"],
        [b"95599", b"", b"8613800138000"],
        [b"", b"1"],
        [b"1", b""],
        [b"1", b"\0\0\0", b"123456789"],
        [b"1", b"1\0\0\0", b"123456789"],
        [b"1" * 255, b"2"],
        [b"1", b"2" * 256],
        [b"1" * 70_000, b"2"],
        [],
    ],
)
@pytest.mark.parametrize("lost", [0, 1, 3])
def test_the_longest_text_of_a_page_is_found_whatever_the_texts(texts: list[bytes], lost: int) -> None:
    page = dictionary_page(texts)
    page = page[: len(page) - lost]
    expected = max(map(len, texts), default=0)
    if lost and texts and len(texts[-1]) + 4 - lost < 4:
        expected = max(map(len, texts[:-1]), default=0)  # its length is cut off
    assert parquet_pages.longest_text(page) == expected


def test_the_longest_text_of_any_octets_is_that_of_the_lengths_in_turn() -> None:
    luck = np.random.default_rng(3)
    for _ in range(2_000):
        octets = luck.choice(np.array([0, 0, 0, 1, 2, 3], np.uint8), luck.integers(1, 30)).tobytes()
        longest = at = 0
        while at + 4 <= len(octets):
            length = int.from_bytes(octets[at : at + 4], "little")
            longest, at = max(longest, length), at + 4 + length
        assert parquet_pages.longest_text(octets) == longest
