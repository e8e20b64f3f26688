"""CSV line by line: what is fine, what is set aside, and with which line number."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duanka.domain.errors import UnreadableInput
from duanka.ingest import take_in
from duanka.ingest.files.limits import LINE_LIMIT
from duanka.ingest.formats import csv_reader
from duanka.ingest.formats.csv_header import split
from duanka.ingest.formats.csv_reader import CsvReading
from duanka.ingest.model.blocks import Block
from duanka.ingest.model.mapping import Layout
from duanka.ingest.model.reasons import QuarantineReason
from support.ingest.deliveries import CALL, CALLS, delivered, mapping, quarantined, reasons, table, taken

GOOD = CALL.rstrip("\n")


def other(second: int) -> str:
    """A call that differs from CALL."""
    return GOOD.replace("09:30:00", f"10:30:{second:02}")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (GOOD + ",x", "wrong column count"),
        ("8613800138000", "wrong column count"),
        ("8613800138000,\x00,out,2021-05-17 09:30:00,1", "NUL byte"),
        ('8613800138000,"10086,out,2021-05-17 09:30:00,1', "unterminated quote"),
        ("8613800138000,10086\r,out,2021-05-17 09:30:00,1", "stray carriage return"),
        ("x" * (LINE_LIMIT + 1), "line too long"),
        ("", "empty line"),
        ("   ", "empty line"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_broken_line_among_good_ones(tmp_path: Path, line: str, reason: str, end: str) -> None:
    lines = [CALLS.rstrip(), GOOD, line, other(1), other(2)]
    intake = taken(tmp_path, {"calls.csv": end.join(lines) + end})
    assert quarantined(intake) == [(3, "", reason)]
    assert len(table(intake, "calls")) == 3
    assert intake.files[0].records == 4


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    text = (
        CALLS.encode()
        + CALL.encode()
        + b"8613800138000,\xff\xfe,out,2021-05-17 09:30:00,1\n"
        + other(1).encode()
    )
    intake = taken(tmp_path, {"calls.csv": text})
    assert quarantined(intake) == [(3, "", "broken encoding")]
    assert pl.read_parquet(intake.quarantine)["raw"][0].startswith("8613800138000,\\xff\\xfe,out")
    assert intake.used == 3


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + CALLS + CALL + other(1) + "\n",
        CALLS + CALL + other(1),  # no end of line at the end
        CALLS + CALL + other(1) + "\n\n\r\n\n",
        (CALLS + CALL + other(1) + "\n").replace("\n", "\r\n"),
        '"card","peer","direction","started_at","seconds"\n'
        + CALL
        + '"8613800138000","10086",in,2021-05-17,"1"',
    ],
)
@pytest.mark.parametrize("name", ["calls.csv", "calls.csv.gz", "calls/2021-05-17.csv", "calls/05/17.csv.gz"])
def test_what_is_fine(tmp_path: Path, text: str, name: str) -> None:
    intake = taken(tmp_path, {name: text})
    assert reasons(intake) == []
    assert len(table(intake, "calls")) == 2


def test_a_gzip_file_cut_off(tmp_path: Path) -> None:
    lines = [f"8613800138000,86139{number:08},out,2021-05-17 09:30:00,{number}\n" for number in range(20_000)]
    whole = gzip.compress((CALLS + "".join(lines)).encode())
    intake = taken(tmp_path, {"calls.csv.gz": whole[: len(whole) // 2]})
    calls = table(intake, "calls")
    used = len(calls)
    assert 5_000 < used < 15_000
    assert calls["seconds"].to_list() == list(range(used))  # every whole line before the break
    assert quarantined(intake) == [(used + 2, "", "file cut off")]
    account = intake.files[0]
    assert (account.records, account.used, account.quarantined) == (used + 1, used, 1)
    assert account.unreadable == "the gzip data is cut off"


def test_a_gzip_file_damaged(tmp_path: Path) -> None:
    lines = [f"8613800138000,86139{number:08},out,2021-05-17 09:30:00,{number}\n" for number in range(50_000)]
    whole = bytearray(gzip.compress((CALLS + "".join(lines)).encode()))
    middle = len(whole) // 2
    whole[middle : middle + 50] = b"\xff" * 50
    intake = taken(tmp_path, {"calls.csv.gz": bytes(whole)})
    assert "damaged" in intake.files[0].unreadable
    assert reasons(intake)[-1] == "file cut off"
    assert len(table(intake, "calls")) > 10_000


def test_gzip_in_several_members_padded(tmp_path: Path) -> None:
    data = gzip.compress((CALLS + GOOD[:20]).encode()) + gzip.compress((GOOD[20:] + "\n" + other(1)).encode())
    assert taken(tmp_path, {"calls.csv.gz": data + b"\0" * 100}).used == 3


def test_what_follows_gzip_data_is_told(tmp_path: Path) -> None:
    data = gzip.compress((CALLS + CALL).encode()) + b"garbage"
    intake = taken(tmp_path, {"calls.csv.gz": data})
    assert (intake.used, reasons(intake)) == (2, ["file cut off"])
    assert intake.files[0].unreadable == "what follows the gzip data is not gzip data"


@pytest.mark.parametrize(
    ("data", "reason", "why"),
    [
        (b"card,peer", "unreadable file", "it is not gzip data"),
        (gzip.compress(CALLS.encode(), mtime=0)[:15], "file cut off", "the gzip data is cut off"),
        (gzip.compress(CALLS.encode(), mtime=0)[:5], "unreadable file", "the gzip data is cut off"),
        (b"", "unreadable file", "it is not gzip data"),
    ],
)
def test_a_gzip_file_without_a_whole_header(tmp_path: Path, data: bytes, reason: str, why: str) -> None:
    intake = taken(tmp_path, {"calls/a.csv.gz": data, "calls/b.csv": CALLS + CALL})
    assert reasons(intake) == [reason]
    assert intake.files[0].unreadable == why
    assert (intake.files[0].records, intake.used) == (1, 2)


def test_an_empty_file_is_set_aside_by_name_and_one_of_a_header_is_none(tmp_path: Path) -> None:
    intake = taken(tmp_path, {"calls/a.csv": b"", "calls/b.csv": CALLS, "calls/c.csv": CALLS + CALL})
    assert [(f.records, f.unreadable) for f in intake.files[:2]] == [(1, "the file is empty"), (0, "")]
    assert reasons(intake) == ["unreadable file"]
    assert pl.read_parquet(intake.quarantine)["file"].to_list() == ["calls/a.csv"]


def test_a_header_that_does_not_end(tmp_path: Path) -> None:
    intake = taken(tmp_path, {"calls/a.csv": b"x" * 200_000, "calls/b.csv": CALLS + CALL})
    assert intake.files[0].unreadable == "no header line"
    assert reasons(intake) == ["unreadable file"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "card,peer,started_at\n",
            r"calls.csv: no column 'direction' for calls.direction; found card, peer, started_at; .*--mapping",
        ),
        ("card,peer,direction,started_at,card\n" + CALL, "calls.csv: column 'card' is there twice"),
        (b"card,\xff\n", "calls.csv: the header line is not utf-8 text; name the encoding in a mapping"),
        ('card,"peer\n', "calls.csv: the header line is no CSV"),
        ("nothing\n", "no column 'card' for calls.card; found nothing;"),
    ],
)
def test_a_header_that_does_not_do(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(UnreadableInput, match=message):
        taken(tmp_path, {"calls.csv": text})


def test_an_unnamed_column_has_a_name_all_the_same(tmp_path: Path) -> None:
    intake = taken(tmp_path, {"calls.csv": "," + CALLS + "1," + CALL})
    assert intake.ignored["calls.csv"] == ("column 1",)


def test_another_encoding(tmp_path: Path) -> None:
    text = """
        [[source]]
        files = "outlets.csv"
        table = "outlets"
        encoding = "gb18030"
        [source.columns]
        outlet = "编号"
        name = "名称"
    """
    rows = "编号,名称\n1,解放路营业厅\n2,".encode("gb18030") + b"\xff\xff\n3,\n"
    intake = taken(tmp_path, {"outlets.csv": rows}, mapping=mapping(tmp_path, text))
    assert table(intake, "outlets")["name"].to_list() == ["解放路营业厅", None]
    assert quarantined(intake) == [(3, "", "broken encoding")]


def test_small_blocks_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"a{number},b" if number % 7 else "broken" for number in range(500)]
    path = tmp_path / "x.csv"
    path.write_text("x,y\n" + "\n".join(lines) + "\n\n\n")
    whole = _all(CsvReading(path, Layout()))
    assert whole[1] == [number + 2 for number in range(500) if number % 7 == 0]
    for size in (1, 3, 64, 1000):
        monkeypatch.setattr(csv_reader, "BLOCK_BYTES", size)
        assert _all(CsvReading(path, Layout())) == whole


def _all(reading: CsvReading) -> tuple[list[tuple[int, str]], list[int | None], int]:
    """Rows with their lines, lines of bad records, records counted."""
    blocks: list[Block] = list(reading.blocks(["x"]))
    rows = [row for b in blocks for row in zip(b.lines.tolist(), b.frame["x"].to_list(), strict=True)]
    for block in blocks:
        if block.raw is not None and block.frame.height:
            places = pl.Series(range(block.frame.height)).to_numpy()
            assert [raw.split(",")[0] for raw in block.raw(places)] == block.frame["x"].to_list()
    return rows, [bad.line for b in blocks for bad in b.bad], sum(b.records for b in blocks)


PIECES = st.sampled_from(["a", ",", '"', "\n", "\r\n", "\r", "\0", "é", " ", '""', "x,y\n", "1,2\n", "\n\n"])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES, max_size=30).map("".join), st.sampled_from([1, 5, 1 << 20]))
def test_every_line_is_a_row_or_bad(tmp_path: Path, text: str, size: int) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"x,y\n" + text.encode())
    reading = CsvReading(path, Layout())
    lines: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_reader, "BLOCK_BYTES", size)
        blocks = list(reading.blocks(["x", "y"]))
    for block in blocks:
        assert block.records == block.frame.height + len(block.bad)
        lines += block.lines.tolist() + [bad.line for bad in block.bad if bad.line]
    body = text.encode().rstrip(b"\r\n")
    expected = body.count(b"\n") + 1 if body else 0
    assert sorted(lines) == list(range(2, expected + 2))
    # The fast way and the slow way see the same rows.
    for block in reading.blocks(["x", "y"]):
        assert block.raw is not None
        places = pl.Series(range(block.frame.height), dtype=pl.Int64).to_numpy()
        for raw, row in zip(block.raw(places), block.frame.rows(), strict=True):
            fields = split(raw, ",", len(reading.columns))
            assert isinstance(fields, list)
            assert fields[:2] == [cell or "" for cell in row]


def test_a_broken_line_costs_its_surroundings_only(tmp_path: Path) -> None:
    lines = [f"8613800138000,86139{number:08},out,2021-05-17 09:30:00,{number}" for number in range(30_000)]
    lines[10_000] = "broken"
    lines[25_000] = '"'
    data = delivered(tmp_path, {"calls.csv": CALLS + "\n".join(lines), "cards.csv": "card\n8613800138000"})
    intake = take_in(data, tmp_path / "out")
    assert quarantined(intake) == [(10_002, "", "wrong column count"), (25_002, "", "unterminated quote")]
    calls = table(intake, "calls")
    assert len(calls) == 29_998
    assert calls["seconds"].to_list() == [n for n in range(30_000) if n not in {10_000, 25_000}]


def test_split_says_what_is_wrong() -> None:
    assert split('a,"b,c",""', ",", 3) == ["a", "b,c", ""]
    assert split('a"b,c', ",", 2) == ['a"b', "c"]
    assert split('"a', ",", 1) is QuarantineReason.OPEN_QUOTE
    assert split("a", ",", 2) is QuarantineReason.WRONG_COLUMN_COUNT
