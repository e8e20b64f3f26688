"""Parts of a process: each is restarted with back-off, told of, and ends no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from duanka.application import supervision
from duanka.application.supervision import Running, Supervisor
from support.waiting import until


@dataclass
class Heard:
    said: list[tuple[str, str]] = field(default_factory=list)

    def failed(self, part: str, error: BaseException) -> None:
        self.said.append((part, f"{type(error).__name__}: {error}"))
        raise OSError("the log is on a full disk")

    def works(self, part: str) -> None:
        self.said.append((part, "works"))


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def supervisor(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    monkeypatch.setattr(supervision, "FIRST_REST_SECONDS", 0.01)
    monkeypatch.setattr(supervision, "_WATCH_SECONDS", 0.02)
    made = Supervisor(heard, time.monotonic)
    yield made
    made.stop()


def waits(running: Running) -> None:
    running.stopping.wait()


FAILURES = [
    OSError("no space left"),
    MemoryError("none"),
    SystemExit(3),
    KeyboardInterrupt(),
    ValueError("bad state"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda error: type(error).__name__)
def test_a_part_that_fails_is_started_again_and_ends_no_other(
    supervisor: Supervisor, heard: Heard, failure: BaseException
) -> None:
    runs = []

    def fails_twice(running: Running) -> None:
        runs.append(1)
        if len(runs) < 3:
            raise failure
        running.works()
        waits(running)

    supervisor.start("other", waits)
    supervisor.start("weak", fails_twice)
    until(lambda: ("weak", "works") in heard.said)
    assert [part for part, _ in heard.said] == ["weak"] * 3
    other, weak = supervisor.states()
    assert (other.alive, other.restarts, other.failing) == (True, 0, False)
    assert (weak.alive, weak.restarts, weak.failing) == (True, 2, False)


def test_a_part_that_ends_by_itself_has_failed(supervisor: Supervisor, heard: Heard) -> None:
    supervisor.start("short", lambda running: None)
    until(lambda: len(heard.said) > 2)
    assert heard.said[0] == ("short", "RuntimeError: it ended by itself")
    assert supervisor.states()[0].failing


def test_a_part_that_ran_long_without_a_failure_works(
    supervisor: Supervisor, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "WELL_AFTER_SECONDS", 0.1)
    runs = []

    def fails_once(running: Running) -> None:
        runs.append(1)
        if len(runs) == 1:
            raise OSError("away")
        waits(running)

    supervisor.start("silent", fails_once)
    until(lambda: ("silent", "works") in heard.said)


def test_a_thread_that_dies_is_seen(
    supervisor: Supervisor, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    died = threading.Event()
    run = Supervisor._run

    def dies_once(self: Supervisor, part: supervision._Part) -> None:
        if not died.is_set():
            died.set()
            return
        run(self, part)

    monkeypatch.setattr(Supervisor, "_run", dies_once)
    supervisor.start("dead", waits)
    until(lambda: heard.said == [("dead", "RuntimeError: its thread died")])
    until(lambda: supervisor.states()[0].alive)


def test_a_thread_that_is_long_in_starting_has_not_died(
    supervisor: Supervisor, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, runs = threading.Thread.start, list[Running]()

    def slow(thread: threading.Thread) -> None:
        if thread.name == "slow":
            time.sleep(0.2)  # the watcher looks ten times meanwhile
        start(thread)

    def once(running: Running) -> None:
        runs.append(running)
        waits(running)

    monkeypatch.setattr(threading.Thread, "start", slow)
    supervisor.start("other", waits)
    supervisor.start("slow", once)
    until(lambda: runs)
    assert heard.said == []
    assert [state.alive for state in supervisor.states()] == [True, True]
    assert len(runs) == 1


def test_the_end_comes_in_order_and_to_each_of_its_callbacks(heard: Heard) -> None:
    made, ended = Supervisor(heard, time.monotonic), list[str]()

    def part(name: str) -> None:
        def run(running: Running) -> None:
            running.on_stop(lambda: 1 / 0)
            running.on_stop(lambda: ended.append(name))
            waits(running)

        made.start(name, run)

    for name in "abc":
        part(name)
    until(lambda: all(state.alive for state in made.states()))
    time.sleep(0)
    made.stop()
    assert sorted(ended) == ["a", "b", "c"]
    assert not any(state.alive for state in made.states())
    assert heard.said == []
