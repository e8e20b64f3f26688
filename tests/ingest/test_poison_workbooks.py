"""Workbooks that are none, broken, locked or made to burst: each is named with what to do, and nothing else is lost."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import polars as pl
import pytest

from duanka.ingest.files.limits import unpacks_too_much
from support.ingest.deliveries import taken
from support.ingest.landings import calls, drained, put
from support.ingest.packing import zipped
from support.ingest.workbooks import HEADER, book, call, calls_book, row, rows

_WHOLE = calls_book(*(call(n) for n in range(2000)))
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(3000)
_MAIN = '<worksheet xmlns:x="urn:x"><sheetData>'
_HEAD = rows(HEADER, call(1))


def _sheet(octets: bytes) -> bytes:
    return book({"a": ""}, parts={"xl/worksheets/sheet1.xml": octets})


def _damaged() -> bytes:
    octets = bytearray(_WHOLE)
    at = octets.index(b"xl/worksheets/sheet1.xml") + 2500
    octets[at : at + 40] = bytes(40)
    return bytes(octets)


def _lying() -> bytes:
    """The directory says that a sheet holds a few bytes, and that its bytes have another sum."""
    with zipfile.ZipFile(io.BytesIO(_WHOLE)) as archive:
        one = archive.getinfo("xl/worksheets/sheet1.xml")
        sums = one.CRC.to_bytes(4, "little")
    return _WHOLE.replace(sums, b"\1\2\3\4")


NOT_READ = {
    "nothing": (b"", "the file is empty"),
    "a letter": (b"x", "its name is that of a spreadsheet, and its content is none"),
    "random": (bytes(range(256)) * 40, "its name is that of a spreadsheet, and its content is none"),
    "cut off": (_WHOLE[: len(_WHOLE) // 2], "the file is cut off or damaged; deliver it again"),
    "old": (_COMPOUND, "a workbook of before 2007 (.xls); save it as .xlsx or CSV"),
    "password": (
        _COMPOUND + "EncryptedPackage".encode("utf-16-le") + bytes(99),
        "the workbook has a password; save it without one",
    ),
    "web page": (b"\r\n<html><table><tr><td>card,peer</td>\n", "a web page or XML under the name"),
    "binary": (
        zipped(b"x", "xl/workbook.bin", name="[Content_Types].xml"),
        "a binary workbook (.xlsb); save it as .xlsx or CSV",
    ),
    "OpenDocument": (
        zipped(b"x", "content.xml", name="mimetype"),
        "a spreadsheet of OpenDocument (.ods); save",
    ),
    "a document": (
        zipped(b"<a/>", "word/document.xml", name="[Content_Types].xml"),
        "it has no part xl/work",
    ),
    "no rows": (book({"一": "", "二": "<row/>"}), "a workbook in which no sheet holds rows (一, 二)"),
    "no XML": (_sheet(b"card,peer\n1,2\n"), "sheet a: its XML is broken: "),
    "document type": (
        _sheet(b'<!DOCTYPE a [<!ENTITY b "c">]><worksheet><sheetData>&b;</sheetData></worksheet>'),
        "sheet a: a document type, which no workbook has",
    ),
    "deep": (_sheet(_MAIN.encode() + b"<c>" * 100), "sheet a: more elements in one another than"),
    "far column": (
        _sheet(f'{_MAIN}<row><c r="XFE1" t="str"><v>a</v></c></row></sheetData></worksheet>'.encode()),
        "sheet a: a cell in the column 'XFE', which no sheet has",
    ),
    "long tag": (_sheet(_MAIN.encode() + b'<c r="' + b"A" * 2_000_000), "sheet a: a tag longer than any"),
    "names": (
        _sheet(_MAIN.encode() + b"".join(b"<a%d/>" % n for n in range(9000))),
        "sheet a: more names of elements than",
    ),
}


@pytest.mark.parametrize("form", NOT_READ)
def test_what_is_no_workbook_is_named_with_what_to_do(tmp_path: Path, form: str) -> None:
    octets, why = NOT_READ[form]
    intake = taken(tmp_path, {"calls/a.xlsx": octets, "calls/b.csv": calls([1])})
    (account,) = [one for one in intake.files if one.file == "calls/a.xlsx"]
    assert account.unreadable.startswith(why)
    assert (account.records, intake.used) == (1, 2)
    assert pl.read_parquet(intake.quarantine)["raw"][0].startswith(why)


BROKEN_OFF = {
    "damaged": (_damaged(), "sheet 通话 breaks off after row "),
    "another sum": (_lying(), "sheet 通话 breaks off after row 2001 (the zip data is damaged)"),
    "not ended": (_sheet((_MAIN + _HEAD).encode()), "sheet a breaks off after row 2 (its XML is broken"),
    "below the last row": (
        _sheet(f'{_MAIN}{_HEAD}<row r="1048577"><c><v>1</v></c></row></sheetData></worksheet>'.encode()),
        "sheet a breaks off after row 2 (more rows than a sheet has)",
    ),
}


@pytest.mark.parametrize("form", BROKEN_OFF)
def test_rows_before_the_damage_count(tmp_path: Path, form: str) -> None:
    octets, why = BROKEN_OFF[form]
    intake = taken(tmp_path, {"calls.xlsx": octets})
    (account,) = [one for one in intake.files if one.unreadable]
    assert account.unreadable.startswith(why)
    assert account.used > 0
    assert account.quarantined == 1
    assert pl.read_parquet(intake.quarantine)["reason"].to_list() == ["file cut off"]


def test_long_texts_cost_their_row(tmp_path: Path) -> None:
    long = "<si><t>" + "长" * 40_000 + "</t></si>"
    sheet = rows(HEADER, call(1), ("x" * 70_000, *call(2)[1:]))
    sheet += row(4, call(3)[:3])[: -len("</row>")] + '<c t="s"><v>0</v></c></row>'
    sheet += row(5, call(4))
    intake = taken(tmp_path, {"calls.xlsx": book({"a": sheet}, strings=long)})
    frame = pl.read_parquet(intake.quarantine)
    assert frame.select("line", "reason").rows() == [(3, "line too long"), (4, "line too long")]
    assert intake.used == 3


def test_shared_strings_beyond_the_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("duanka.ingest.formats.workbook.strings.MOST_STRINGS", 1000)
    strings = "<si><t>abcdefgh</t></si>" * 100
    intake = taken(tmp_path, {"calls.xlsx": book({"a": _HEAD}, strings=strings)})
    (account,) = [one for one in intake.files if one.unreadable]
    assert account.unreadable.endswith("MB; save it as CSV")
    assert pl.read_parquet(intake.quarantine)["reason"].to_list() == ["beyond the limits of intake"]


def test_what_unpacks_out_of_proportion_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("duanka.ingest.formats.workbook.package.FREELY_UNPACKED_XML", 1000)
    monkeypatch.setattr("duanka.ingest.formats.workbook.package.MOST_XML_RATIO", 5)
    empty = book({"a": _HEAD + "<row/>" * 100_000})
    sheets = book({f"s{number}": "<row/>" * 1000 for number in range(9)})
    intake = taken(tmp_path, {"calls/a.xlsx": empty, "calls/b.xlsx": sheets, "calls/c.csv": calls([1])})
    told = [one.unreadable.partition("unpacks to more than 5 times its size") for one in intake.files]
    assert [bool(found) for _, found, _ in told] == [True, True, False, False]
    assert pl.read_parquet(intake.quarantine)["reason"].to_list() == ["beyond the limits of intake"] * 2


def test_a_long_text_that_all_cells_share_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("duanka.ingest.formats.workbook.reading._BLOCK_BYTES", 1 << 16)
    monkeypatch.setattr(unpacks_too_much, "__kwdefaults__", {"freely": 1000, "ratio": 250})
    shared = "".join(f'<row><c t="s"><v>0</v></c><c r="B{n}"/></row>' for n in range(3, 3000))
    octets = book({"a": rows(HEADER, call(1)) + shared}, strings="<si><t>" + "a" * 30_000 + "</t></si>")
    intake = taken(tmp_path, {"calls.xlsx": octets})
    assert any("breaks off" in one.unreadable for one in intake.files)
    assert intake.records < 500


def test_the_mark_of_an_open_workbook_is_no_file(tmp_path: Path) -> None:
    files = {"calls.xlsx": calls_book(call(1)), "~$calls.xlsx": b"\x05user", "calls/~$a.xlsx": b"\x05user"}
    intake = taken(tmp_path, files)
    assert (len(intake.files), dict(intake.ignored)) == (2, {})
    (batch,) = [batch for batch in drained(tmp_path / "data") if batch.records]
    assert (batch.records, batch.aside) == (2, ())


def test_a_workbook_that_lands_is_read_as_in_a_scan(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sheets = {
        "说明": rows(["x", "y"]),
        "一": rows(HEADER, call(1)),
        "二": rows(HEADER, ("x", *call(2)[1:]), call(3)),
    }
    put(tmp_path, "jiangsu/calls.xlsx", book(sheets))
    put(tmp_path, "calls/cut.xlsx", _WHOLE[:900])
    batches = drained(tmp_path)
    assert sum(batch.records for batch in batches) == 4
    aside = [(one.file, one.line) for batch in batches for one in batch.aside]
    assert sorted(aside, key=str) == [("calls/cut.xlsx", None), ("jiangsu/calls.xlsx [二]", 2)]
    assert "jiangsu/calls.xlsx: read is the sheet 一, 二; not read" in caplog.text
    assert "cut.xlsx is not whole: the file is cut off or damaged" in caplog.text


def test_text_under_the_name_of_a_workbook_is_read_as_text(tmp_path: Path) -> None:
    assert taken(tmp_path, {"calls.xlsx": calls([1, 2])}).used == 3
