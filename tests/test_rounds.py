"""The mark `waits` is on tests that look for what happens elsewhere, and not on those that only take their time."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from support import desk, waiting
from support.rounds import look
from support.waiting import HANG


def _until() -> None:
    waiting.until(lambda: True)


def _sleeps() -> None:
    time.sleep(0)


def _asks_a_socket() -> None:
    socket.create_connection(("127.0.0.1", 9), timeout=HANG).close()


def _waits_for_a_thread() -> None:
    threading.Event().wait(HANG)


def _inside() -> None:
    def later() -> None:
        _sleeps()

    later()


def _starts_and_looks() -> None:
    subprocess.Popen([sys.executable]).kill()
    _until()


def _types_a_command() -> None:
    desk.duanka("--help")


def _runs_to_the_end() -> None:
    subprocess.run([sys.executable], timeout=HANG, check=True)


def _runs_beside_one_another() -> None:
    for one in [subprocess.Popen([sys.executable]) for _ in range(2)]:
        one.communicate(timeout=HANG)


class _Live:
    def expect(self) -> None: ...


def _expects_no_page() -> None:
    _Live().expect()


class _Service:
    def __init__(self) -> None:
        _sleeps()

    def ask(self) -> int:
        return 1

    def ask_until(self) -> None:
        _until()

    def close(self) -> None:
        _sleeps()


def _service() -> _Service:
    return _Service()


def _asks(service: _Service) -> None:
    assert service.ask()


def _asks_until(service: _Service) -> None:
    service.ask_until()


@pytest.mark.parametrize(
    "test", [_until, _sleeps, _asks_a_socket, _waits_for_a_thread, _inside, _starts_and_looks, _service]
)
def test_who_looks_for_what_happens_elsewhere_waits(test: Callable[[], object]) -> None:
    assert look(frozenset([test]))


@pytest.mark.parametrize(
    "test", [_types_a_command, _runs_to_the_end, _runs_beside_one_another, _expects_no_page, _asks]
)
def test_who_runs_something_to_its_end_does_not(test: Callable[[], object]) -> None:
    assert not look(frozenset([test]))


def test_of_what_others_use_too_only_what_the_test_asks_of_it_counts() -> None:
    assert not look(frozenset([_asks]), frozenset([_service])), "its start and its end are not the test's"
    assert look(frozenset([_asks_until]), frozenset([_service]))
    assert look(frozenset([_asks, _service])), "made for this test alone"
