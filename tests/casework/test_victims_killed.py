"""Kill -9 while victims are found, warned and corrected by two workers: each once in the book, none forgotten."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from duanka.ledger.db.casework.victims import victim_watches, victims
from duanka.ledger.db.database import Store
from duanka.sandbox.smsc import OwnShortMessageCentre
from support import ROOT
from support.casework.victim_process import LENIENT, clock
from support.casework.victim_scene import FRAUD, LOCAL, Scene, both, registered, scene_in
from support.network.message_path import own_centre
from support.waiting import HANG

PERSONS, BATCH = 300, 40
centre = pytest.fixture(own_centre)


def person(number: int) -> str:
    return str(8613900100000 + number)


def crowd() -> dict[str, list[dict[str, object]]]:
    """One card that talked long with many."""
    calls = [
        row
        for number in range(PERSONS)
        for row in both(FRAUD, person(number), LOCAL - timedelta(minutes=5 + number), 600)
    ]
    cards = [registered(FRAUD, "h"), *(registered(person(number), f"h{number}") for number in range(PERSONS))]
    return {"calls": calls, "cards": cards}


@contextmanager
def worker(
    scene: Scene, url: str, centre: OwnShortMessageCentre, began: float
) -> Iterator[subprocess.Popen[str]]:
    host, port = centre.address
    script = ROOT / "tests" / "support" / "casework" / "victim_process.py"
    words = [script, url, scene.folder, host, port, began, BATCH]
    with subprocess.Popen(
        [sys.executable, *map(str, words)],
        env={"PYTHONPATH": f"{ROOT / 'tests'}:{ROOT / 'src'}", "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def wait(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + HANG
    while not holds():
        assert time.monotonic() < end, "it does not come to an end"
        time.sleep(0.02)


def kill_while(
    scene: Scene,
    url: str,
    centre: OwnShortMessageCentre,
    began: float,
    chance: random.Random,
    kills: int,
    done: Callable[[], bool],
) -> None:
    """Let two workers work until `done`; `kills` of them die at random moments, and others take over."""
    for _ in range(kills - 1):
        with worker(scene, url, centre, began), worker(scene, url, centre, began):
            time.sleep(chance.uniform(0.0, 0.4))
    with worker(scene, url, centre, began) as first, worker(scene, url, centre, began):
        time.sleep(chance.uniform(0.0, 0.3))
        first.kill()
        wait(done)


def told_once(
    store: Store, url: str, tmp_path: Path, centre: OwnShortMessageCentre, chance: random.Random, kills: int
) -> None:
    scene = scene_in(store, tmp_path, crowd(), policy=LENIENT)
    began = time.time()
    scene.confirm(FRAUD)

    def all_sent(count: int) -> Callable[[], bool]:
        return lambda: [row.outcome for row in scene.rows()].count("sent") == count

    kill_while(scene, url, centre, began, chance, kills, all_sent(PERSONS))
    scene.release(FRAUD, at=clock(began))
    kill_while(scene, url, centre, began, chance, kills, all_sent(2 * PERSONS))
    kinds = Counter((row.number, row.kind) for row in scene.rows())
    assert set(kinds.values()) == {1}
    assert len(kinds) == 2 * PERSONS
    assert len(scene.rows(victims)) == PERSONS
    assert [row.corrected_at is not None for row in scene.rows(victim_watches)] == [True]
    got = Counter((one.destination, "更正" in one.text) for one in centre.accepted)
    assert set(got) == {(person(number), what) for number in range(PERSONS) for what in (False, True)}
    twice = sum(count - 1 for count in got.values())
    assert twice <= 2 * 2 * kills * BATCH, "a crash repeats what was submitted since the last commit, no more"


def test_kill_9_between_any_two_steps_loses_nobody_and_corrects_each_once(
    tmp_path: Path, centre: OwnShortMessageCentre
) -> None:
    """On SQLite; `make test-long` does so on both databases, many times."""
    url = f"sqlite:///{tmp_path / 'orders.sqlite'}"
    with closing(Store(url)) as store:
        told_once(store, url, tmp_path, centre, random.Random(5), kills=1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(12))
def test_many_kills_lose_nobody(
    store: Store, order_database_url: str, tmp_path: Path, centre: OwnShortMessageCentre, seed: int
) -> None:
    told_once(store, order_database_url, tmp_path, centre, random.Random(seed), kills=4)
