"""The real home register: what a switch is told, what survives a kill, and peers that are none."""

from __future__ import annotations

import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from duanka.domain.network import NetworkState, Refused, Unreachable
from duanka.network.hlr import HomeRegister
from duanka.network.own_hlr import OwnRegister
from parts import needed
from switches import CS, PS, Switch, missing

CARDS = tuple(str(8613800000000 + number) for number in range(300))
NOT_ADMITTED = {CS: 11, PS: 7}  # PLMN not allowed; GPRS services not allowed


@pytest.fixture
def register(tmp_path: Path) -> Iterator[OwnRegister]:
    needed(missing())
    with OwnRegister(tmp_path / "hlr") as part:
        yield part


@pytest.mark.requirement("R1.5")
@pytest.mark.requirement("R2")
def test_a_suspended_card_is_detached_and_refused_until_it_is_restored(register: OwnRegister) -> None:
    imsis = register.add(CARDS[:2])
    element = register.element()
    with Switch(register.gsup) as switch:
        for domain in (CS, PS):
            assert switch.attach(imsis[CARDS[0]], domain) is None
            assert switch.attach(imsis[CARDS[1]], domain) is None
        element.suspend(CARDS[0])
        assert switch.detached(imsis[CARDS[0]])
        for domain, cause in NOT_ADMITTED.items():
            assert switch.attach(imsis[CARDS[0]], domain) == cause
            assert switch.attach(imsis[CARDS[1]], domain) is None, "and no other card"
        element.bar_outgoing(CARDS[0])  # can be called, so it must be reachable
        assert switch.attach(imsis[CARDS[0]]) is None
        element.suspend(CARDS[0])
        element.restore(CARDS[0])
        for domain in (CS, PS):
            assert switch.attach(imsis[CARDS[0]], domain) is None
    element.close()


def test_acknowledged_suspensions_survive_kill_9(register: OwnRegister) -> None:
    register.add(CARDS)
    element, done = register.element(seconds=1), list[str]()
    killer = threading.Timer(0.15, lambda: register.stop(signal.SIGKILL))
    killer.start()
    try:
        for card in CARDS:
            element.suspend(card)
            done.append(card)
    except Unreachable:
        pass
    killer.join()
    assert len(done) > 0, "it was killed before it did anything"
    register.start()
    assert {card for card, _ in element.restricted()} >= set(done)
    element.close()


@contextmanager
def peer(answer: bytes | None) -> Iterator[tuple[str, int]]:
    """Something that listens and says `answer` to everything; None: nothing at all."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                taken.append(connection)
                if answer is not None:
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield server.getsockname()
        finally:
            server.shutdown(socket.SHUT_RDWR)
            for connection in taken:
                connection.close()


@pytest.mark.parametrize(
    "answer", [None, b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\x00\xee\x00", b"\xff" * 50]
)
def test_a_silent_or_senseless_peer_is_unreachable_in_time(answer: bytes | None) -> None:
    with peer(answer) as address:
        element = HomeRegister(address, address, seconds=1.0)
        began = time.monotonic()
        for act in (element.suspend, element.state_of):
            with pytest.raises(Unreachable):
                act(CARDS[0])
        assert time.monotonic() - began < 4.0
        element.close()


def test_a_register_that_does_not_do_it_is_found_out(register: OwnRegister) -> None:
    """The terminal's word is not taken for it: its change is read back."""
    register.add(CARDS[:1])
    with peer(b"Hello\r\nOsmoHLR> ") as quiet, pytest.raises((Refused, Unreachable)):
        HomeRegister(quiet, register.ctrl, seconds=1.0).suspend(CARDS[0])
    element = register.element()
    assert element.state_of(CARDS[0]) is NetworkState.ACTIVE
    element.close()


def test_a_hundred_thousand_cards_are_listed_without_a_gap(register: OwnRegister) -> None:
    cards = [str(8615000000000 + number) for number in range(100_000)]
    register.add(cards)
    with sqlite3.connect(register.database, timeout=30) as database:
        database.execute("UPDATE subscriber SET nam_cs = 0, nam_ps = 0")
    database.close()
    element = register.element(seconds=60)
    assert {card for card, _ in element.restricted()} == set(cards)
    element.close()
