"""A live run over a file that grows, killed in the middle: nothing is lost, and nothing comes twice."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from duanka.engine.live.state.state_file import STATE
from duanka.engine.store.record_store import LIVE
from support.waiting import HANG

HEAD = "card,peer,direction,started_at,seconds\n"
_LINES = 2_000
_RUN = "import sys; from duanka.cli.main import main; sys.exit(main())"


def _line(number: int) -> str:
    return (
        f"8613800138000,86139{number:08},out,2021-05-17 09:{number // 60 % 60:02}:{number % 60:02},{number}\n"
    )


def _live(folder: Path, *more: str) -> subprocess.Popen[bytes]:
    arguments = ["live", "--inbox", str(folder / "in"), "--out", str(folder / "out"), "--pace", "5", *more]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DUANKA_")}
    return subprocess.Popen(
        [sys.executable, "-c", _RUN, *arguments], env=clean, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def _written(state: Path) -> int:
    """Bytes of the state and its log: another number with every commit."""
    return sum(path.stat().st_size for path in state.parent.glob(f"{state.name}*"))


def _killed_while_it_grows(folder: Path, rounds: int, commits: int = 2) -> int:
    """Kill a run so many times while its file is written to, after some commits; return how often it knew the file."""
    chance = random.Random(5)
    path, state = folder / "in/calls.csv", folder / "out/state" / LIVE / STATE
    path.parent.mkdir()
    path.write_text(HEAD + _line(0))
    text, at, known = "".join(map(_line, range(_LINES))), len(_line(0)), 0
    with _live(folder, "--once") as child:  # what is known is read on without a pause
        child.communicate(timeout=HANG)
    for _ in range(rounds):
        with _live(folder) as child:
            end, sizes = time.monotonic() + HANG, {_written(state)}
            while len(sizes) < commits and time.monotonic() < end:
                step = chance.randint(1, 3 * len(_line(0)))  # anywhere in a line
                with path.open("a") as file:
                    file.write(text[at : at + step])
                at = min(at + step, len(text) - 1)
                sizes.add(_written(state))
                time.sleep(0.05)
            child.kill()
            child.communicate()
        with duckdb.connect(state) as database:
            known += bool(database.execute("FROM state.positions WHERE origin LIKE '%sha256%'").fetchall())
    with path.open("a") as file:
        file.write(text[at:])
    return known


def _once(folder: Path) -> None:
    with _live(folder, "--once") as child:
        _, told = child.communicate(timeout=HANG)
        assert child.returncode == 0, told.decode()
    assert b"another file" not in told
    with duckdb.connect() as database:
        aside = database.execute(f"SELECT count(*) FROM '{folder}/out/quarantine.parquet'").fetchall()
        assert aside == [(0,)]
    with duckdb.connect(folder / "out/state" / LIVE / STATE, read_only=True) as database:
        assert database.execute("SELECT count(*) FROM state.seen").fetchall() == [(_LINES,)]


def test_killed_while_its_file_grows(tmp_path: Path) -> None:
    assert _killed_while_it_grows(tmp_path, 1)
    _once(tmp_path)


@pytest.mark.long
def test_killed_more_often(tmp_path: Path) -> None:
    assert _killed_while_it_grows(tmp_path, 5, commits=4)
    _once(tmp_path)
