"""A graph to which a night is added is that of a build of all, to the byte; a kill leaves the one of before."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from errno import EFBIG, EXDEV
from pathlib import Path

import pytest

from duanka.bootstrap.links import building
from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import Settings
from duanka.domain.errors import DuankaError
from duanka.domain.ports import Silent
from duanka.engine.links.gathered_days import FIRST, UNUSABLE
from duanka.links.graph.stored import load, writing_alone
from support.disk import room_for
from support.links.ring_nights import BEGIN, deliver, records

_KILLED = """
import os, signal, sys
from pathlib import Path
from duanka.bootstrap.links import building
from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import Settings
class Killer:
    def step(self, what, done, total=None):
        if what == "dividing the graph into communities":
            os.kill(os.getpid(), signal.SIGKILL)
building.build(Settings(), Path(sys.argv[1]), Path(sys.argv[2]), policy_named("national"), None, Killer())
"""


def built(store: Path, out: Path) -> building.Built:
    return building.build(Settings(), store, out, policy_named("national"), None, Silent())


def killed(store: Path, out: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", _KILLED, store, out], check=False)
    assert ended.returncode == -signal.SIGKILL


def files(out: Path) -> dict[str, bytes]:
    """The files of the graph, without what is kept of the days."""
    (inside,) = (one for one in out.iterdir() if one.is_dir())
    return {path.name: path.read_bytes() for path in inside.iterdir() if path.is_file()}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for number in range(4):
        deliver(tmp_path / "store", records(random.Random(number), BEGIN + timedelta(days=number)))
    return tmp_path / "store"


def test_a_night_is_read_alone_and_gives_the_graph_of_all_days_to_the_byte(
    tmp_path: Path, store: Path
) -> None:
    added, anew = tmp_path / "added", tmp_path / "anew"
    assert built(store, added).read == building.DaysRead(4, 4, FIRST)
    shutil.copytree(added, anew)
    next(anew.glob("*/days/days.json")).unlink()
    deliver(store, records(random.Random(9), BEGIN + timedelta(days=4)))
    assert built(store, added).read == building.DaysRead(5, 1, None)
    assert built(store, anew).read == building.DaysRead(5, 5, UNUSABLE)
    assert files(added) == files(anew)
    assert len(files(added)) > 12


def test_a_kill_amid_a_night_leaves_the_graph_of_before_and_the_next_night_goes_on(
    tmp_path: Path, store: Path
) -> None:
    out = tmp_path / "links"
    built(store, out)
    before = files(out)
    deliver(store, records(random.Random(9), BEGIN + timedelta(days=4)))
    killed(store, out)
    assert len([one for one in out.iterdir() if one.is_dir()]) == 2
    graph, _ = load(out)
    assert graph.cards.height
    assert {path.name: path.read_bytes() for path in (out / "1").iterdir() if path.is_file()} == before
    assert built(store, out).read == building.DaysRead(5, 1, None)
    assert len([one for one in out.iterdir() if one.is_dir()]) == 1


def test_a_kept_file_or_graph_with_a_wrong_bit_lets_all_days_be_read_and_says_why(
    tmp_path: Path, store: Path
) -> None:
    out = tmp_path / "links"
    built(store, out)
    for name in ("days/circle-0.parquet", "cards_of.other.npy"):
        (path,) = out.glob(f"*/{name}")
        written = bytearray(path.read_bytes())
        written[len(written) // 2] ^= 1
        path.write_bytes(written)
        assert built(store, out).read == building.DaysRead(4, 4, UNUSABLE)
        assert built(store, out).read == building.DaysRead(4, 0, None)
    assert built(store, out).read == building.DaysRead(4, 0, None), "what was not read anew is known, too"


def test_a_build_into_a_folder_in_which_another_builds_is_refused_before_it_reads(
    tmp_path: Path, store: Path
) -> None:
    out = tmp_path / "links"
    with writing_alone(out), pytest.raises(DuankaError, match=f"another build is writing to {out}"):
        built(store, out)
    assert not out.exists(), "nothing was written"
    assert built(store, out).read


def test_a_first_build_that_was_killed_is_told_and_the_next_one_is_not_kept_from_building(
    tmp_path: Path, store: Path
) -> None:
    out = tmp_path / "links"
    killed(store, out)
    with pytest.raises(DuankaError, match=f"did not finish.*duanka links build STORE --out {out}"):
        building.opened(Settings(), out, tmp_path, policy_named("national"), None, Silent())
    assert built(store, out).read == building.DaysRead(4, 4, FIRST)


def test_a_copy_that_finds_no_room_names_the_file_that_it_writes(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_another_disk(_path: Path, _into: Path) -> None:
        raise OSError(EXDEV, "Invalid cross-device link")

    monkeypatch.setattr("os.link", on_another_disk)
    with room_for(100), pytest.raises(OSError, match="File too large") as full:
        built(store, tmp_path / "links")
    assert full.value.errno == EFBIG
    assert Path(full.value.filename).parent.parent == tmp_path / "links" / "1" / "days"
    assert not (tmp_path / "links").exists()
