"""Parquet: damaged files and row groups, and columns of any type."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duanka.domain.errors import UnreadableInput
from duanka.ingest.formats.parquet_reader import ParquetReading
from support.ingest.deliveries import CALL, CALLS, quarantined, reasons, table, taken


def calls(rows: int, **options: Any) -> bytes:
    """A Parquet file of calls, each of another length."""
    table = pa.table(
        {
            "card": ["8613800138000"] * rows,
            "peer": [f"86139{number:08}" for number in range(rows)],
            "direction": ["out"] * rows,
            "started_at": ["2021-05-17 09:30:00"] * rows,
            "seconds": list(range(rows)),
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", **options)
    return sink.getvalue()


@pytest.mark.parametrize("data", [calls(100)[:-50], b"PAR1", b"", b"no such thing"])
def test_a_file_that_is_none(tmp_path: Path, data: bytes) -> None:
    intake = taken(tmp_path, {"calls/a.parquet": data, "calls/b.csv": CALLS + CALL})
    assert quarantined(intake) == [(None, "", "unreadable file")]
    account = intake.files[0]
    assert (account.records, account.used, account.quarantined) == (1, 0, 1)
    assert account.unreadable.startswith("not a whole Parquet file (")
    assert len(table(intake, "calls")) == 1


def test_a_damaged_row_group_costs_its_own_rows(tmp_path: Path) -> None:
    data = bytearray(calls(300, row_group_size=100, write_page_checksum=True))
    column = pq.ParquetFile(io.BytesIO(bytes(data))).metadata.row_group(1).column(1)
    data[column.data_page_offset + 30 : column.data_page_offset + 60] = b"\xff" * 30
    intake = taken(tmp_path, {"calls.parquet": bytes(data)})
    assert table(intake, "calls")["seconds"].to_list() == [*range(100), *range(200, 300)]
    assert quarantined(intake) == [(record, "", "unreadable row group") for record in range(101, 201)]
    assert intake.files[0].unreadable.startswith("row group 1 is damaged (")


def test_text_that_is_none(tmp_path: Path) -> None:
    bad = pa.array([b"10086", b"\xff\xfe", b"10010"], pa.binary()).view(pa.string())
    text = ["8613800138000"] * 3
    table_ = pa.table(
        {"card": text, "peer": bad, "direction": ["in"] * 3, "started_at": ["2021-05-17 09:30:00"] * 3}
    )
    pq.write_table(table_, tmp_path / "x.parquet")
    intake = taken(tmp_path, {"calls.parquet": (tmp_path / "x.parquet").read_bytes()})
    assert quarantined(intake) == [(2, "", "broken encoding")]
    assert pl.read_parquet(intake.quarantine)["raw"].to_list() == [
        "8613800138000,\\xff\\xfe,in,2021-05-17 09:30:00"
    ]
    assert table(intake, "calls")["peer"].to_list() == ["10086", "10010"]


def test_columns_of_odd_types(tmp_path: Path) -> None:
    table_ = pa.table(
        {
            "card": pa.array([b"8613800138000"], pa.binary()),
            "peer": pa.array(["10086"]).dictionary_encode(),
            "direction": pa.array(["in"], pa.large_string()),
            "started_at": pa.array([1_621_215_000_000], pa.timestamp("ms", "+03:00")),
            "seconds": pa.array([5], pa.decimal128(10, 2)),
            "answered": pa.array([1], pa.int8()),
            "imei": pa.nulls(1),
        }
    )
    pq.write_table(table_, tmp_path / "x.parquet")
    intake = taken(tmp_path, {"calls.parquet": (tmp_path / "x.parquet").read_bytes()})
    assert reasons(intake) == []
    row = table(intake, "calls").row(0, named=True)
    assert str(row["started_at"]) == "2021-05-17 09:30:00"
    assert (row["card"], row["peer"], row["seconds"], row["answered"]) == ("8613800138000", "10086", 5, True)


@pytest.mark.parametrize("value", [[1], {"a": 1}])
def test_a_type_that_nothing_can_read(tmp_path: Path, value: object) -> None:
    frame = pl.DataFrame({"card": [value], "peer": ["1"], "direction": ["in"], "started_at": ["2021-05-17"]})
    with pytest.raises(UnreadableInput, match=r"column 'card' is of type .*, which no mapping can read"):
        taken(tmp_path, {"calls.parquet": frame})


def test_a_parquet_file_under_another_name(tmp_path: Path) -> None:
    assert taken(tmp_path, {"calls/2021.csv": calls(5)}).used == 6


WHOLE = calls(50, row_group_size=20)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.integers(0, len(WHOLE)), octets=st.binary(min_size=1, max_size=20), cut=st.booleans())
def test_no_damage_crashes_the_reader(tmp_path: Path, where: int, octets: bytes, cut: bool) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(WHOLE[:where] + octets + (b"" if cut else WHOLE[where + len(octets) :]))
    reading = ParquetReading(path)
    wanted = [name for name in ("card", "peer", "seconds") if name in reading.columns]
    try:
        for block in reading.blocks(wanted):
            assert block.records == block.frame.height + len(block.bad)
    except UnreadableInput:
        pass  # the damage made a column's type another one


def test_no_byte_of_a_footer_ends_the_process(tmp_path: Path) -> None:
    """Arrow's view of a damaged column in a footer does (of a histogram that does not fit, an unknown codec)."""
    path = tmp_path / "x.parquet"
    footer = int.from_bytes(WHOLE[-8:-4], "little")
    for at in range(len(WHOLE) - 8 - footer, len(WHOLE) - 8):
        changed = WHOLE[at] ^ (0x01 if at % 2 else 0x04)
        path.write_bytes(WHOLE[:at] + bytes((changed,)) + WHOLE[at + 1 :])
        reading = ParquetReading(path)
        wanted = [name for name in ("card", "peer", "seconds") if name in reading.columns]
        try:
            for block in reading.blocks(wanted):
                assert block.records == block.frame.height + len(block.bad)
        except UnreadableInput:
            pass
