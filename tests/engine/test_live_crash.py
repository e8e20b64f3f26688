"""A live run that is killed, finds no room, no permission, or a state that it cannot use."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import pytest

from duanka.domain.errors import DuankaError
from duanka.domain.streaming import Batch, HitChange
from duanka.engine.live.state.state_file import STATE
from duanka.engine.store.record_store import LIVE
from support import OWN_PROCESS
from support.disk import nobody
from support.engine.play_world import CARDS, play
from support.engine.streams import NOW, differences, hits_of, opened, plain, standing
from support.engine.worlds import Hits, invented, scanned
from support.waiting import HANG


def _start(folder: Path, seed: int, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "support.engine.play_world", str(folder), str(seed), *more],
        env=OWN_PROCESS,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _read(folder: Path, seed: int) -> tuple[Hits, list[HitChange]]:
    with opened(folder, invented(seed, cards=CARDS), pack_rows=1) as live:
        return hits_of(live, folder), list(live.answers.changes(0))


def _ends_as_a_scan(folder: Path, seed: int, work: Path) -> tuple[Hits, list[HitChange]]:
    """The state in `folder`, played to its end after all, against a scan."""
    play(folder, seed)
    hits, changes = _read(folder, seed)
    assert standing(changes) == plain(hits)
    assert not differences(hits, scanned(invented(seed, cards=CARDS), work / "scan"))
    return hits, changes


def _same_as_undisturbed(folder: Path, seed: int, work: Path) -> None:
    hits, changes = _ends_as_a_scan(folder, seed, work)
    play(work / "undisturbed", seed)
    hits_there, changes_there = _read(work / "undisturbed", seed)
    assert not differences(hits, hits_there)
    assert changes == changes_there


def _killed(folder: Path, seed: int, rounds: int, chance: random.Random) -> int:
    """Kill a run so many times, each at a moment of its own; returns how many came to their end before."""
    ended = 0
    for _ in range(rounds):
        with _start(folder, seed) as child:
            assert child.stdout
            assert child.stdout.readline() == "playing\n"
            time.sleep(chance.uniform(0, 0.9))
            ended += child.poll() is not None
            child.kill()
            child.communicate()
    return ended


def test_killed_at_any_moment_it_goes_on_as_if_nothing_was(tmp_path: Path) -> None:
    assert _killed(tmp_path / "state", 3, 3, random.Random(3)) < 3
    _same_as_undisturbed(tmp_path / "state", 3, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10, 20))
def test_killed_more_often(seed: int, tmp_path: Path) -> None:
    _killed(tmp_path / "state", seed, 5, random.Random(seed))
    _same_as_undisturbed(tmp_path / "state", seed, tmp_path)


@pytest.mark.parametrize("room", [4_000, 150_000])
def test_without_room_it_says_so_and_goes_on_when_there_is(room: int, tmp_path: Path) -> None:
    with _start(tmp_path / "state", 5, str(room)) as child:
        out, err = child.communicate(timeout=HANG)
    assert child.returncode == 3, (out, err)
    assert len(err.splitlines()) == 1, err
    assert "cannot be written" in err or "cannot open" in err, err
    assert "again" in err or "choose" in err, err
    _ends_as_a_scan(tmp_path / "state", 5, tmp_path)


def test_a_second_run_on_a_state_is_told_of_the_first(tmp_path: Path) -> None:
    with _start(tmp_path / "state", 3) as child:
        assert child.stdout
        assert child.stdout.readline() == "playing\n"
        with pytest.raises(DuankaError, match=r"in use by another duanka live; stop that one first"):
            opened(tmp_path / "state", invented(3, cards=CARDS))
        child.kill()
        child.communicate()


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(DuankaError, match="choose another folder with --store"):
        opened(tmp_path / "state", invented(1))


def test_a_folder_that_only_can_be_read(tmp_path: Path) -> None:
    world = invented(1)
    with opened(tmp_path / "elsewhere", world):
        pass  # whatever is imported late is imported by now
    with tempfile.TemporaryDirectory() as open_to_all:
        Path(open_to_all).chmod(0o755)
        folder = Path(open_to_all) / "state"
        folder.mkdir(mode=0o555)
        with nobody(), pytest.raises(DuankaError, match="state") as found:
            opened(folder, world)
    assert len(str(found.value).splitlines()) == 1


@pytest.mark.parametrize("content", [b"no database", os.urandom(20_000), b"\0" * 40_000])
def test_a_state_that_is_garbage(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "state" / LIVE).mkdir(parents=True)
    (tmp_path / "state" / LIVE / STATE).write_bytes(content)
    with pytest.raises(DuankaError, match="state") as found:
        opened(tmp_path / "state", invented(1))
    assert len(str(found.value).splitlines()) == 1
    assert (tmp_path / "state" / LIVE / STATE).read_bytes() == content, "what is not ours is left as it is"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state of this version, for copying."""
    folder = tmp_path_factory.mktemp("sound") / "state"
    with opened(folder, invented(1)) as live:
        live.take(Batch(), NOW)
    return folder


@pytest.mark.parametrize(
    "broken",
    [
        "DROP SCHEMA state CASCADE; CREATE TABLE x (y INTEGER)",
        "DROP TABLE state.hits",
        "UPDATE state.progress SET value = '{}{'",
        "UPDATE state.progress SET value = '{\"version\": 99}'",
        'UPDATE state.progress SET value = replace(value, \'"shape":"\', \'"shape":"x\')',
        "DROP TABLE state.progress",
        "DELETE FROM state.progress",
    ],
)
def test_a_state_of_another_version(broken: str, sound: Path, tmp_path: Path) -> None:
    """One clear line, again and again; an empty database is begun."""
    folder = shutil.copytree(sound, tmp_path / "state")
    with duckdb.connect(str(folder / LIVE / STATE)) as db:
        db.execute(broken)
    if broken.startswith("DROP SCHEMA"):
        with opened(folder, invented(1)) as live:
            live.take(Batch(), NOW)
        return
    begin = "begin a new one with --store"
    said = f"damaged .*move this file out of the folder|rollups; {begin}"
    if "99" in broken:
        said = f"of version 99, and this Duanka needs.*{begin}"
    for _ in range(2):  # and it is let go of: the second one says the same, and not that it is in use
        with pytest.raises(DuankaError, match=said) as found:
            opened(folder, invented(1))
        assert len(str(found.value).splitlines()) == 1
    with duckdb.connect(str(folder / LIVE / STATE)) as db:
        db.execute("SELECT 1")
