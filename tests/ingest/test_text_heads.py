"""What stands above the records of a text, and how it is written: read as it is meant, or named with what to do."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from duanka.domain.errors import UnreadableInput
from duanka.ingest.formats.csv_header import fitting
from support.ingest.deliveries import CALL, CALLS, mapping, quarantined, reasons, table, taken
from support.ingest.landings import counted, drained, put, seconds_of

_CHINESE = "号码,对方,方向,时间,时长\n13800138000,10086,主叫,2021-05-17 09:30:00,61\n"
_RULES = """
    [[source]]
    files = "*.csv"
    table = "calls"
    {more}
    [source.columns]
    card = "号码"
    peer = "对方"
    direction = {{ from = "方向", codes = {{ "主叫" = "out" }} }}
    started_at = "时间"
    seconds = "时长"
"""


def _seconds(tmp_path: Path, content: bytes, more: str = "") -> list[object]:
    intake = taken(tmp_path, {"x.csv": content}, mapping=mapping(tmp_path, _RULES.format(more=more)))
    read = table(intake, "calls")["seconds"].to_list() if intake.tables else []
    return [*read, *reasons(intake)]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig"])
@pytest.mark.parametrize("more", ["", 'encoding = "gb18030"'])
def test_a_mark_says_the_encoding_of_its_file(tmp_path: Path, encoding: str, more: str) -> None:
    text = ("\ufeff" if encoding == "utf-16-be" else "") + _CHINESE * 1
    assert _seconds(tmp_path, text.encode(encoding), more) == [61]


def test_a_long_text_in_utf_16_is_read_whole(tmp_path: Path) -> None:
    lines = [f"13800138000,10086,主叫,2021-05-17 09:30:{at % 60:02},{at}" for at in range(70_000)]
    text = "\r\n".join([_CHINESE.split("\n", maxsplit=1)[0], *lines]) + "\r\n"
    assert _seconds(tmp_path, text.encode("utf-16")) == list(range(70_000))
    assert _seconds(tmp_path, gzip.compress(text.encode("utf-16"))) == list(range(70_000))
    # Half a letter at its end: the line before it is there, and what is no text is no value.
    assert _seconds(tmp_path, (_CHINESE + "1").encode("utf-16") + b"\x31") == [61, "wrong column count"]


def test_utf_16_in_an_inbox_is_as_in_a_scan(tmp_path: Path) -> None:
    put(tmp_path, "calls.csv", (CALLS + CALL).encode("utf-16"))
    got = drained(tmp_path)
    assert seconds_of(got) == [61]
    assert counted(got)


def test_lines_above_the_header(tmp_path: Path) -> None:
    above = "某公司话单\n\n"
    assert _seconds(tmp_path, (above + _CHINESE).encode(), "skip = 2") == [61]
    broken = _CHINESE + "x\n"
    rules = mapping(tmp_path, _RULES.format(more="skip = 2"))
    assert quarantined(taken(tmp_path, {"x.csv": above + broken}, mapping=rules)) == [
        (5, "", "wrong column count")
    ]
    short = mapping(tmp_path, _RULES.format(more="skip = 5"))
    assert "no more than the 5 lines" in taken(tmp_path, {"x.csv": "a\n"}, mapping=short).files[0].unreadable


def test_names_take_the_place_of_a_header_that_says_a_name_twice(tmp_path: Path) -> None:
    text = "号码,对方,方向,时间,时间,时长\n13800138000,10086,主叫,2021-05-17 09:30:00,x,61\n"
    with pytest.raises(UnreadableInput, match=r"'时间' is there twice.*`names` and `skip = 1`"):
        _seconds(tmp_path, text.encode())
    names = 'names = ["号码", "对方", "方向", "时间", "时间 (2)", "时长"]\nskip = 1'
    assert _seconds(tmp_path, text.encode(), names) == [61]


@pytest.mark.parametrize(("header", "row"), [("", ","), (",,", ""), (",", ",,,"), (",,", ",,")])
def test_separators_at_the_ends_of_lines_are_columns_without_values(
    tmp_path: Path, header: str, row: str
) -> None:
    first, second = _CHINESE.splitlines()
    assert _seconds(tmp_path, f"{first}{header}\n{second}{row}\n{second}{row}\n".encode()) == [
        61,
        "delivered twice",
    ]


def test_a_value_without_a_name_shifts_nothing(tmp_path: Path) -> None:
    """A field more than the header has may stand before the others: only where it is empty is it known to be none."""
    first, second = _CHINESE.splitlines()
    assert _seconds(tmp_path, f"{first}\n{second},\n{second},7\n".encode()) == ["wrong column count"] * 2
    assert fitting(("a", "b"), [["1", "2", ""], ["1", "2"]]) == ("a", "b")
    assert fitting(("a", "column 2", "c"), [["1"]]) == ("a", "column 2", "c")


def test_text_that_kept_the_name_of_a_packed_file_is_text(tmp_path: Path) -> None:
    for ending in (".gz", ".bz2", ".zip"):
        intake = taken(tmp_path / ending, {f"calls.csv{ending}": (CALLS + CALL).encode()})
        assert table(intake, "calls").height == 1


def test_one_file_of_many_that_cannot_be_read_stops_itself_alone(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "calls/a.csv": CALLS + CALL,
        "calls/b.csv": "who,when\n1,2\n",
        "calls/c.csv": b"\xff\xfa\n",
    }
    intake = taken(tmp_path, files)
    assert quarantined(intake) == [(None, "", "unreadable file")] * 2
    assert ["no column 'card'" in file.unreadable for file in intake.files] == [False, True, False, False]
    # As live has it.
    for name, content in files.items():
        put(tmp_path / "in", name, content)
    got = drained(tmp_path / "in")
    assert sorted(record.reason for batch in got for record in batch.aside) == ["unreadable file"] * 2
    with pytest.raises(UnreadableInput, match="no column 'card'"):
        taken(tmp_path / "alone", {"calls/b.csv": files["calls/b.csv"]})


def test_a_delimiter_that_is_another_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        UnreadableInput, match=r'its header is one column .*: say `delimiter = ";"` in a mapping'
    ):
        taken(tmp_path, {"calls.csv": (CALLS + CALL).replace(",", ";")})


def test_what_is_delivered_and_not_read_is_named_where_nothing_is_read(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match=r"not read: calls.jsonl \(write it as CSV.*, calls.xls \(save"):
        taken(tmp_path, {"calls.jsonl": "{}\n", "calls.xls": b"x"})
    rules = mapping(tmp_path, _RULES.format(more=""))
    with pytest.raises(
        UnreadableInput, match=r"no file matches the mapping's \*.csv; not read: x.xls \(save it as"
    ):
        taken(tmp_path / "other", {"x.xls": b"x"}, mapping=rules)
