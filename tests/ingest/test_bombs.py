"""Small files that unpack to far more than memory holds: read in bounded memory and time, or given up and named."""

from __future__ import annotations

import gzip
import json
import lzma
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from duanka.ingest.formats.unpacked import Unpacked
from support import ROOT
from support.ingest.deliveries import CARDS
from support.ingest.packing import PACK, zstd

PEAK = 900  # MB that reading may take; the rest of 1 GB and its third is for the rules
HANG = 240.0  # seconds that only a bomb that went off takes
MB = 1 << 20
HEAD = b"card,peer,direction,started_at\n"
CALL = b"8613800138000,8613900139000,out,2021-05-03 09:00:00\n"
GIVEN_UP = "beyond the limits of intake"


def took(how: str, folder: Path, *limits: str) -> dict[str, Any]:
    """What reading the delivery in `folder` took, in a process of its own; `limits`: NAME=NUMBER, other than ours."""
    program = ROOT / "tests/support/ingest/bombs.py"
    done = subprocess.run(
        [sys.executable, str(program), how, str(folder), *limits],
        capture_output=True,
        timeout=HANG,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def packed(path: Path, start: bytes, piece: bytes = b"", times: int = 0) -> None:
    """A gzip file of `start` and of `piece` so many times, which is packed once; without end if it is repeated."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not times:
        path.write_bytes(gzip.compress(start))
        return
    whole, one = zlib.compressobj(wbits=31), zlib.compressobj(wbits=-15)
    octets = whole.compress(start) + whole.flush(zlib.Z_FULL_FLUSH)
    path.write_bytes(octets + (one.compress(piece) + one.flush(zlib.Z_FULL_FLUSH)) * times)


def one_line(data: Path) -> None:
    packed(data / "calls/b.csv.gz", HEAD + CALL, b"a" * MB, 600)


def empty_lines(data: Path) -> None:
    packed(data / "calls/b.csv.gz", HEAD + CALL, b"\n" * MB, 300)


def bad_rows(data: Path) -> None:
    packed(data / "calls/b.csv.gz", HEAD + CALL, b"x,y,z,w\n" * (MB // 8), 200)


def short_rows(data: Path) -> None:
    packed(data / "calls/b.csv.gz", HEAD + CALL, b"x\n" * (MB // 2), 200)


def equal_rows(data: Path) -> None:
    packed(data / "calls/b.csv.gz", HEAD, CALL * (MB // len(CALL)), 400)


def equal_long_rows(data: Path) -> None:
    """A fifth as many rows in as many bytes."""
    row = CALL[:-1] + b"," + b"9" * 4 * len(CALL) + b"\n"
    path = data / "calls/b.csv.zst"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zstd(HEAD[:-1] + b",more\n") + zstd(row * (10 * MB // len(row))) * 40)


def empty_members(data: Path) -> None:
    path = data / "calls/b.csv.gz"
    packed(path, HEAD + CALL)
    with path.open("ab") as file:
        file.write(gzip.compress(b"") * 1_000_000)


def zeros_behind(data: Path) -> None:
    path = data / "calls/b.csv.gz"
    packed(path, HEAD + CALL)
    with path.open("r+b") as file:
        file.truncate(1 << 40)


def zeros_without_end(data: Path) -> None:
    path = data / "calls/b.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(HEAD + CALL)
    with path.open("r+b") as file:
        file.truncate(1 << 40)


def deflated_nothing(data: Path) -> None:
    path = data / "calls/b.csv.gz"
    packer = zlib.compressobj(wbits=31)
    octets = packer.compress(HEAD + CALL) + packer.flush(zlib.Z_FULL_FLUSH)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(octets + b"\x00\x00\x00\xff\xff" * 10_000_000)


def tight(ending: str) -> bytes:
    """A few kB that unpack to 300 MB; of bzip2, 45 bytes a megabyte."""
    start = HEAD + CALL
    if ending in {".bz2", ".xz"}:  # of members, for they pack slowly
        one = PACK[ending](b"a" * (5 * MB))
        return PACK[ending](start) + one * 60
    return PACK[ending](start + b"a" * (300 * MB))


@pytest.mark.parametrize("ending", [".bz2", ".xz", ".zst", ".zip"])
def test_what_was_packed_to_nothing_is_given_up(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"b.csv{ending}"
    path.write_bytes(tight(ending))
    with Unpacked(path) as data:
        start = data.read(MB)
        assert start.startswith(HEAD + CALL)
        size = len(start)
        while piece := data.read(MB):
            size += len(piece)
        assert data.oversized
        assert data.broken == "unpacks to more than 250 times its size"
        assert 256 * MB < size < 258 * MB


def packed_tightly(data: Path) -> None:
    path = data / "calls/b.csv.zst"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tight(".zst"))


def _far_back(whole: bytes) -> bytes:
    """An xz or zstd file that says that it looks back upon gigabytes."""
    octets = bytearray(whole)
    if whole.startswith(b"\x28\xb5\x2f\xfd"):
        octets[5] = 20 << 3  # 2 to the power of 30
        return bytes(octets)
    size = (octets[12] + 1) * 4
    header = octets[12 : 12 + size]
    header[header.index(b"\x21\x01") + 2] = 37  # 3 GB
    header[-4:] = zlib.crc32(header[:-4]).to_bytes(4, "little")
    return bytes(octets[:12] + header + octets[12 + size :])


@pytest.mark.parametrize("ending", [".xz", ".zst"])
def test_what_looks_far_back_is_not_unpacked(tmp_path: Path, ending: str) -> None:
    whole = lzma.compress(HEAD + CALL, preset=0) if ending == ".xz" else zstd(HEAD + CALL)
    path = tmp_path / f"b.csv{ending}"
    path.write_bytes(_far_back(whole))
    with Unpacked(path) as data:
        assert data.read(MB) == b""
        assert data.oversized
        assert data.broken.startswith("unpacking it takes more than 128 MB of memory; pack it")


TEXT_BOMBS: list[Callable[[Path], None]] = [
    *(one_line, empty_lines, bad_rows, short_rows, equal_rows, empty_members, zeros_behind),
    *(zeros_without_end, deflated_nothing),
    packed_tightly,
]
FEWER = "REJECTED_MOST=200000"  # a fifth of ours: what is set aside row by row is what takes long
QUICK: list[tuple[Callable[[Path], None], str, tuple[str, ...]]] = [
    *((bomb, how, ()) for bomb in (one_line, empty_members, zeros_behind) for how in ("scan", "live")),
    *((bomb, how, ()) for bomb in (zeros_without_end, deflated_nothing) for how in ("scan", "live")),
    (empty_lines, "live", (FEWER,)),
    (bad_rows, "live", ()),
    (short_rows, "scan", (FEWER,)),
    (equal_long_rows, "scan", ()),
    (packed_tightly, "scan", ()),
]


@pytest.mark.parametrize(("bomb", "how", "limits"), QUICK)
def test_a_bomb_is_given_up_and_the_others_are_read(
    tmp_path: Path, bomb: Callable[[Path], None], how: str, limits: tuple[str, ...]
) -> None:
    is_given_up(tmp_path, bomb, how, *limits)


@pytest.mark.long
@pytest.mark.parametrize("how", ["scan", "live"])
@pytest.mark.parametrize("bomb", TEXT_BOMBS)
def test_each_bomb_is_given_up_both_ways(tmp_path: Path, bomb: Callable[[Path], None], how: str) -> None:
    is_given_up(tmp_path, bomb, how)


def is_given_up(tmp_path: Path, bomb: Callable[[Path], None], how: str, *limits: str) -> None:
    """The bomb is given up in bounded memory, and a file before it and one behind it are read."""
    data = tmp_path / "data"
    bomb(data)
    (data / "cards.csv").write_text(CARDS)
    (data / "calls/a.csv").write_bytes(HEAD + CALL.replace(b"09:00:00", b"10:00:00"))
    (data / "calls/c.csv").write_bytes(HEAD + CALL.replace(b"09:00:00", b"11:00:00"))
    found = took(how, tmp_path, *limits)
    assert found["used"] >= 4  # what stood before it is read
    told = "file cut off" if bomb is deflated_nothing else GIVEN_UP
    assert found["reasons"][told] == 1
    assert found["peak"] < PEAK
    assert sum(found["reasons"].values()) < 110_000
