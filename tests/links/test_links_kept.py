"""A graph to which a night is added is that of a build of all, to the byte; a kill leaves the one of before."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from duanka.bootstrap.links import building
from duanka.bootstrap.policies import policy_named
from duanka.bootstrap.settings import Settings
from duanka.domain.ports import Silent
from duanka.engine.links.gathered_days import FIRST, UNUSABLE
from duanka.links.graph.stored import load
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
    ended = subprocess.run([sys.executable, "-c", _KILLED, store, out], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert len([one for one in out.iterdir() if one.is_dir()]) == 2
    graph, _ = load(out)
    assert graph.cards.height
    assert {path.name: path.read_bytes() for path in (out / "1").iterdir() if path.is_file()} == before
    assert built(store, out).read == building.DaysRead(5, 1, None)
    assert len([one for one in out.iterdir() if one.is_dir()]) == 1
