"""Small files that unpack to far more than memory holds: read in bounded memory and time, or given up and named."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from deliveries import CARDS

PEAK = 900  # MB that reading may take; the rest of 1 GB and its third is for the rules
HANG = 240.0  # seconds that only a bomb that went off takes
MB = 1 << 20
HEAD = b"card,peer,direction,started_at\n"
CALL = b"8613800138000,8613900139000,out,2021-05-03 09:00:00\n"
GIVEN_UP = "beyond the limits of intake"


def took(how: str, folder: Path) -> dict[str, Any]:
    """What reading the delivery in `folder` took, in a process of its own."""
    program = Path(__file__).with_name("bombs.py")
    done = subprocess.run(
        [sys.executable, str(program), how, str(folder)], capture_output=True, timeout=HANG, check=False
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def packed(path: Path, pieces: Iterable[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wb", compresslevel=6) as file:
        for piece in pieces:
            file.write(piece)


def one_line(data: Path) -> None:
    packed(data / "calls/b.csv.gz", (HEAD, CALL, *(b"a" * MB for _ in range(600))))


def empty_lines(data: Path) -> None:
    packed(data / "calls/b.csv.gz", (HEAD, CALL, *(b"\n" * MB for _ in range(300))))


def bad_rows(data: Path) -> None:
    packed(data / "calls/b.csv.gz", (HEAD, CALL, *(b"x,y,z,w\n" * (MB // 8) for _ in range(200))))


def short_rows(data: Path) -> None:
    packed(data / "calls/b.csv.gz", (HEAD, CALL, *(b"x\n" * (MB // 2) for _ in range(200))))


def equal_rows(data: Path) -> None:
    packed(data / "calls/b.csv.gz", (HEAD, *(CALL * (MB // len(CALL)) for _ in range(400))))


def empty_members(data: Path) -> None:
    path = data / "calls/b.csv.gz"
    packed(path, (HEAD, CALL))
    with path.open("ab") as file:
        file.write(gzip.compress(b"") * 1_000_000)


def zeros_behind(data: Path) -> None:
    path = data / "calls/b.csv.gz"
    packed(path, (HEAD, CALL))
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


TEXT_BOMBS: list[Callable[[Path], None]] = [
    *(one_line, empty_lines, bad_rows, short_rows, equal_rows, empty_members, zeros_behind),
    *(zeros_without_end, deflated_nothing),
]


BOTH_WAYS = [(bomb, how) for bomb in TEXT_BOMBS for how in ("scan", "live")]
SLOW = {
    (empty_lines, "scan"),
    (bad_rows, "scan"),
    (short_rows, "live"),
    (equal_rows, "live"),
}  # the same again


@pytest.mark.parametrize(("bomb", "how"), [one for one in BOTH_WAYS if one not in SLOW])
def test_a_bomb_is_given_up_and_the_others_are_read(
    tmp_path: Path, bomb: Callable[[Path], None], how: str
) -> None:
    data = tmp_path / "data"
    bomb(data)
    (data / "cards.csv").write_text(CARDS)
    (data / "calls/a.csv").write_bytes(HEAD + CALL.replace(b"09:00:00", b"10:00:00"))
    (data / "calls/c.csv").write_bytes(HEAD + CALL.replace(b"09:00:00", b"11:00:00"))
    found = took(how, tmp_path)
    assert found["used"] >= 4  # what stood before it is read
    told = "file cut off" if bomb is deflated_nothing else GIVEN_UP
    assert found["reasons"][told] == 1
    assert found["peak"] < PEAK
    assert sum(found["reasons"].values()) < 110_000
