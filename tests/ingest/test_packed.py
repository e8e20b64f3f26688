"""Packed files: read like what is in them; what breaks off gives what stood before, what is not read is named."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path

import pytest

from duanka.ingest.formats.unpacked import Unpacked
from duanka.ingest.live.inbox.completeness import looks_complete
from duanka.ingest.model.mapping import Layout
from support.ingest.deliveries import CALLS, mapping, quarantined, table, taken
from support.ingest.landings import aside_of, calls, drained, put, seconds_of
from support.ingest.packing import MEMBERS, NAMES, PACK, zipped

_ROWS = 8_000


def _text() -> bytes:
    """Calls that do not shrink to nothing, so that what is cut off is cut off somewhere in them."""
    chance = random.Random(7)
    row = "8613800138000,86139{:08},out,2021-05-17 09:30:00,{}\n"
    return (CALLS + "".join(row.format(chance.randrange(10**8), i) for i in range(_ROWS))).encode()


def _read(path: Path, octets: bytes) -> tuple[bytes, str]:
    path.write_bytes(octets)
    with Unpacked(path) as data:
        pieces = []
        while piece := data.read(1 << 20):
            pieces.append(piece)
        return b"".join(pieces), data.broken


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("name", ["calls.csv", "calls/2021-05-17.csv", "CALLS/x.CSV"])
def test_a_packed_file_is_read_like_what_is_in_it(tmp_path: Path, ending: str, name: str) -> None:
    put(tmp_path, name + ending, PACK[ending](calls([1, 2]).encode()))
    assert seconds_of(drained(tmp_path)) == [1, 2]
    if name.islower():
        intake = taken(tmp_path / "scan", {name + ending: PACK[ending](calls([1, 2]).encode())})
        assert table(intake, "calls")["seconds"].to_list() == [1, 2]


@pytest.mark.parametrize("ending", PACK)
def test_a_file_of_a_mapping_is_known_by_its_first_bytes(tmp_path: Path, ending: str) -> None:
    text = '[[source]]\nfiles = "*.dat"\ntable = "calls"\n[source.columns]\n' + "".join(
        f'{name} = "{name}"\n' for name in ("card", "peer", "direction", "started_at", "seconds")
    )
    given = {"cdr.dat": PACK[ending](calls([1, 2, 3]).encode())}
    assert taken(tmp_path, given, mapping=mapping(tmp_path, text)).used == 3


@pytest.mark.parametrize("ending", PACK)
def test_what_is_cut_off_gives_what_stood_before(tmp_path: Path, ending: str) -> None:
    text = _text()
    whole = PACK[ending](text)
    got, why = _read(tmp_path / "x.dat", whole[: len(whole) * 2 // 3])
    assert text.startswith(got)
    assert len(got) > len(text) // 3
    assert why == f"the {NAMES[ending]} data is cut off"


@pytest.mark.parametrize("ending", PACK)
def test_what_is_damaged_gives_every_line_before_the_damage(tmp_path: Path, ending: str) -> None:
    text = _text()
    whole = bytearray(PACK[ending](text))
    at = len(whole) * 2 // 3
    before, _ = _read(tmp_path / "before.dat", bytes(whole[:at]))
    whole[at : at + 200] = bytes(200)
    got, why = _read(tmp_path / "x.dat", bytes(whole))
    assert got[: len(before)] == before
    assert why == f"the {NAMES[ending]} data is damaged"


@pytest.mark.parametrize("ending", MEMBERS)
def test_parts_that_were_packed_by_themselves(tmp_path: Path, ending: str) -> None:
    pack, text = PACK[ending], _text()
    assert _read(tmp_path / "x.dat", pack(text[:1000]) + pack(b"") + pack(text[1000:])) == (text, "")
    got, why = _read(tmp_path / "y.dat", pack(text) + b"garbage behind it")
    assert got == text
    assert why


@pytest.mark.parametrize("ending", PACK)
def test_a_name_that_says_more_than_is_there(tmp_path: Path, ending: str) -> None:
    intake = taken(tmp_path, {"calls/a.csv" + ending: b"\0\1" * 9, "calls/b.csv": calls([1])})
    assert intake.files[0].unreadable == f"it is not {NAMES[ending]} data"
    assert table(intake, "calls").height == 1
    assert quarantined(intake) == [(None, "", "unreadable file")]


def _encrypted() -> bytes:
    octets = bytearray(zipped(calls([1]).encode()))
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        octets[octets.index(magic) + flags] |= 1
    return bytes(octets)


UNFIT = {
    "several": (
        zipped(b"x", *(f"{n}.csv" for n in "bcd")),
        "there are 4 files in the zip file (calls.csv, b.csv, c.csv, …); unpack it, or pack each by itself",
    ),
    "encrypted": (
        _encrypted(),
        "the zip file is encrypted; unpack it with its password, or pack it without one",
    ),
    "zip in zip": (
        zipped(zipped(b"x"), name="a.zip"),
        "there is a zip or Excel file in the zip file; unpack",
    ),
    "gzip in zip": (
        zipped(PACK[".gz"](b"x"), name="a.csv.gz"),
        "there is a gzip file in the zip file; unpack",
    ),
    "spreadsheet": (
        zipped(b"<Types/>", "xl/workbook.xml", "xl/worksheets/sheet1.xml", name="[Content_Types].xml"),
        "a workbook in which no sheet holds rows (it has none)",
    ),
    "nothing": (
        zipped(b"", name="empty/"),
        "there is no file in the zip file; pack the file of records in it",
    ),
    "lzma": (
        zipped(b"x" * 999, method=zipfile.ZIP_LZMA),
        "it is packed in a way that few programs read; pack",
    ),
    "many": (zipped(b"", *(f"{n:0200}" for n in range(18_000))), "there are too many files in the zip file"),
}


@pytest.mark.parametrize("form", UNFIT)
def test_a_zip_file_that_is_not_read_is_named(
    tmp_path: Path, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    octets, why = UNFIT[form]
    intake = taken(tmp_path / "scan", {"calls/a.csv.zip": octets, "calls/b.csv": calls([1])})
    assert intake.files[0].unreadable.startswith(why)
    assert table(intake, "calls").height == 1
    put(tmp_path / "in", "calls/a.csv.zip", octets)
    got = drained(tmp_path / "in")
    assert [record.raw.startswith(why) for record in aside_of(got)] == [True]
    assert why in caplog.text


def test_what_computers_add_to_a_zip_file_does_not_count(tmp_path: Path) -> None:
    octets = zipped(calls([1]).encode(), "__MACOSX/._calls.csv", ".DS_Store", "day/", "readme.pdf")
    assert table(taken(tmp_path, {"calls.csv.zip": octets}), "calls").height == 1


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_file_that_lies_about_its_size(tmp_path: Path, method: int) -> None:
    """What the directory says of sizes is not believed; the checksum tells."""
    octets = bytearray(zipped(calls(range(9)).encode(), method=method))
    at = octets.index(b"PK\x01\x02")
    octets[at + 24 : at + 28] = b"\x01\0\0\0"  # bytes unpacked
    octets[at + 16] ^= 0xFF  # checksum
    intake = taken(tmp_path, {"calls.csv.zip": bytes(octets)})
    assert table(intake, "calls").height == 9
    assert intake.files[0].unreadable == "the zip data is damaged"


def test_half_a_packed_file_waits_for_the_rest(tmp_path: Path) -> None:
    for ending, pack in PACK.items():
        whole = pack(_text())
        assert looks_complete(put(tmp_path, f"a.csv{ending}", whole), Layout())
        assert not looks_complete(put(tmp_path, f"b.csv{ending}", whole[: len(whole) // 2]), Layout())


@pytest.mark.parametrize("name", ["calls.zip", "calls.bz2", "calls/a.zst"])
def test_a_packed_file_whose_name_does_not_say_csv(tmp_path: Path, name: str) -> None:
    ending = Path(name).suffix
    intake = taken(tmp_path, {name: b"x", "messages.csv": "card,peer,direction,sent_at\n"})
    assert f"{name} (unpack it, or let its name end in .csv{ending})" in intake.ignored
