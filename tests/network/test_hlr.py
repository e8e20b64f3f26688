"""The real home register: what a switch is told, what survives a kill, and peers that are none."""

from __future__ import annotations

import contextlib
import signal
import socket
import sqlite3
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from duanka.domain.network import ElementRefused, NetworkState, UnknownCard, Unreachable
from duanka.network.hlr.element import HomeRegister
from duanka.network.hlr.services_file import ServicesFile
from duanka.sandbox.hlr import OwnRegister
from support.parts import needed
from support.switches import CS, PS, Switch, missing
from support.waiting import HANG, until

CARDS = tuple(str(8613800000000 + number) for number in range(300))
NOT_ADMITTED = {CS: 11, PS: 7}  # PLMN not allowed; GPRS services not allowed


@pytest.fixture
def register(tmp_path: Path) -> Iterator[OwnRegister]:
    needed(missing("osmo-hlr"))
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


def test_both_switches_are_told_of_a_suspension(register: OwnRegister) -> None:
    """Calls and data may be served by different ones."""
    imsis = register.add(CARDS[:2])
    element = register.element()
    with Switch(register.gsup, "MSC") as calls, Switch(register.gsup, "SGSN") as data:
        for card in CARDS[:2]:
            assert calls.attach(imsis[card], CS) is None
            assert data.attach(imsis[card], PS) is None
        element.suspend(CARDS[0])
        assert calls.detached(imsis[CARDS[0]])
        assert data.detached(imsis[CARDS[0]])
        assert not calls.detached(imsis[CARDS[1]], within=0.1)
    element.close()


def test_acknowledged_suspensions_survive_kill_9(register: OwnRegister) -> None:
    cards = [str(8615000000000 + number) for number in range(20_000)]
    register.add(cards)
    element, done = register.element(), list[str]()
    for _ in range(3):
        before = len(done)

        def kill(
            at_least: int = before + 20,
        ) -> None:  # not by the clock: a busy machine does nothing in 0.3 s
            until(lambda: len(done) >= at_least)
            register.stop(signal.SIGKILL)

        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        with contextlib.suppress(Unreachable):
            for card in cards[len(done) :]:
                element.suspend(card)
                done.append(card)
        killer.join()
        assert len(done) < len(cards), "it was killed while it worked"
        register.start()
        assert set(done) <= {card for card, _ in element.restricted()} <= set(cards[: len(done) + 1])
    element.close()


def test_a_restart_between_two_calls_goes_unnoticed(register: OwnRegister) -> None:
    register.add(CARDS[:1])
    element = register.element()
    for act, state in ((element.suspend, "SUSPENDED"), (element.restore, "ACTIVE")):
        act(CARDS[0])
        register.stop(signal.SIGKILL)
        register.start()
        assert element.state_of(CARDS[0]) is NetworkState[state]
    element.close()


@contextmanager
def peer(
    answer: bytes | None, taken: list[socket.socket] | None = None, *, trickling: bool = False
) -> Iterator[tuple[str, int]]:
    """Something that listens and says `answer` to everything; None: nothing at all. `trickling`: without an end."""
    connections = [] if taken is None else taken

    def say(connection: socket.socket, words: bytes) -> None:
        with contextlib.suppress(OSError):
            connection.sendall(words)
            while trickling:
                time.sleep(0.0002)
                connection.sendall(words[:1])

    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connections.append(connection)
                if answer is not None:
                    threading.Thread(target=say, args=(connection, answer), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield server.getsockname()
        finally:
            server.shutdown(socket.SHUT_RDWR)
            for connection in connections:
                connection.close()


@pytest.mark.parametrize("trickling", [False, True])
@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00\x00\xee\x00",
        b"\x00\x09\xee\x00ERROR 9 no",
        b"\xff" * 50,
    ],
    ids=["silence", "HTTP", "an empty frame", "another's answer", "noise"],
)
def test_a_silent_or_senseless_peer_is_unreachable_in_time(
    answer: bytes | None, trickling: bool, tmp_path: Path
) -> None:
    with peer(answer, trickling=trickling) as address:
        element = HomeRegister(
            address, address, seconds=0.2, services=ServicesFile(tmp_path / "services.sqlite")
        )
        for act in (element.suspend, element.bar_outgoing, element.restore, element.state_of):
            began = time.monotonic()
            with pytest.raises(Unreachable):
                act(CARDS[0])
            assert time.monotonic() - began < HANG / 4
        element.close()


@pytest.mark.parametrize("whose", ["8613800138001", "", "13800138000"])
def test_an_answer_about_another_card_is_none(whose: str, tmp_path: Path) -> None:
    """The number of the question alone does not say whose access it is."""
    lines = "\n".join(("id\t1", *([f"msisdn\t{whose}"] if whose else []), "nam_cs\t0", "nam_ps\t0"))
    text = f"GET_REPLY 1 subscriber.by-msisdn-{CARDS[0]}.info\n{lines}".encode()
    said = struct.pack(">HBB", len(text) + 1, 0xEE, 0x00) + text
    with peer(b"\r\nOsmoHLR> ") as vty, peer(said) as ctrl:
        element = HomeRegister(vty, ctrl, seconds=5, services=ServicesFile(tmp_path / "services.sqlite"))
        with contextlib.closing(element), pytest.raises(ElementRefused, match="another card"):
            element.state_of(CARDS[0])


def test_what_is_no_card_opens_no_connection(tmp_path: Path) -> None:
    taken: list[socket.socket] = []
    with peer(None, taken) as address:
        element = HomeRegister(
            address, address, seconds=1.0, services=ServicesFile(tmp_path / "services.sqlite")
        )
        for act in (element.suspend, element.bar_outgoing, element.restore, element.state_of):
            with pytest.raises(UnknownCard):
                act("1 delete\r")
        with socket.create_connection(address):  # it comes after theirs, had there been any
            until(lambda: taken)
        assert len(taken) == 1


def test_a_register_that_does_not_do_it_is_found_out(register: OwnRegister, tmp_path: Path) -> None:
    """The terminal's word is not taken for it: its change is read back."""
    register.add(CARDS[:1])
    with peer(b"Hello\r\nOsmoHLR> ") as quiet:
        deaf = HomeRegister(
            quiet, register.ctrl, seconds=1.0, services=ServicesFile(tmp_path / "services.sqlite")
        )
        with contextlib.closing(deaf), pytest.raises((ElementRefused, Unreachable)):
            deaf.suspend(CARDS[0])
    element = register.element()
    assert element.state_of(CARDS[0]) is NetworkState.ACTIVE
    element.close()


@contextmanager
def database(register: OwnRegister) -> Iterator[sqlite3.Connection]:
    """What an operator's own people do to it meanwhile."""
    opened = sqlite3.connect(register.database, timeout=HANG, isolation_level=None, check_same_thread=False)
    yield opened
    opened.close()


def test_a_database_that_cannot_be_read_makes_no_card_unknown(register: OwnRegister) -> None:
    """The terminal says "no subscriber" to every error; believed, an order to restore would end there."""
    register.add(CARDS[:3])
    element = register.element(seconds=3.0)
    element.suspend(CARDS[0])
    with database(register) as theirs:
        theirs.execute("ALTER TABLE subscriber RENAME TO away")
        for act in (element.suspend, element.bar_outgoing, element.restore, element.state_of):
            with pytest.raises(ElementRefused):
                act(CARDS[0])
        with pytest.raises(ElementRefused):
            list(element.restricted())  # an empty list would say that all of them are let in
        theirs.execute("ALTER TABLE away RENAME TO subscriber")
    assert list(element.restricted()) == [(CARDS[0], NetworkState.SUSPENDED)]
    element.restore(CARDS[0])
    assert list(element.restricted()) == []
    element.close()


def test_a_change_that_is_made_by_half_is_not_acknowledged(register: OwnRegister) -> None:
    register.add(CARDS[:2])
    element = register.element(seconds=3.0)
    no_data = "CREATE TRIGGER half BEFORE UPDATE OF nam_ps ON subscriber BEGIN SELECT raise(ABORT, 'no'); END"
    with database(register) as theirs:
        for act, state in ((element.suspend, "SUSPENDED"), (element.restore, "ACTIVE")):
            theirs.execute(no_data)
            with pytest.raises(ElementRefused):
                act(CARDS[0])
            theirs.execute("DROP TRIGGER half")
            act(CARDS[0])
            assert element.state_of(CARDS[0]) is NetworkState[state]
            modes = theirs.execute(
                "SELECT DISTINCT nam_cs, nam_ps FROM subscriber WHERE msisdn = ?", CARDS[:1]
            )
            assert modes.fetchall() == [(state == "ACTIVE",) * 2]
    element.close()


def test_a_lock_on_the_database_that_passes_is_waited_for(register: OwnRegister) -> None:
    register.add(CARDS[:2])
    element = register.element()
    with database(register) as theirs:
        theirs.execute("BEGIN EXCLUSIVE")
        over = threading.Timer(0.3, lambda: theirs.execute("ROLLBACK"))
        over.start()
        element.suspend(CARDS[0])
        over.join()
    assert element.state_of(CARDS[0]) is NetworkState.SUSPENDED
    element.close()


def test_a_lock_on_the_database_that_lasts_is_told_in_time(register: OwnRegister) -> None:
    register.add(CARDS[:2])
    element = register.element(seconds=3.0)
    element.suspend(CARDS[0])
    with database(register) as theirs:
        theirs.execute("BEGIN EXCLUSIVE")
        for act, card in ((element.restore, CARDS[0]), (element.suspend, CARDS[1])):
            began = time.monotonic()
            with pytest.raises(ElementRefused):
                act(card)
            assert time.monotonic() - began < HANG / 4
        element.suspend(CARDS[0])  # nothing to change: nothing to wait for
        theirs.execute("ROLLBACK")
    assert list(element.restricted()) == [(CARDS[0], NetworkState.SUSPENDED)]
    element.close()


def test_what_the_operator_bars_by_half_is_left_alone(register: OwnRegister) -> None:
    register.add(CARDS[:4])
    element = register.element()
    with database(register) as theirs:
        theirs.execute("UPDATE subscriber SET nam_ps = 0 WHERE msisdn = ?", CARDS[:1])
        theirs.execute("UPDATE subscriber SET nam_cs = 0 WHERE msisdn = ?", CARDS[1:2])
        theirs.execute(
            "UPDATE subscriber SET imei = '12345678901234', nam_cs = 0, nam_ps = 0 WHERE msisdn = ?",
            CARDS[2:3],
        )
        theirs.execute(
            "INSERT INTO subscriber (imsi, nam_cs, nam_ps) VALUES ('460009999999999', 0, 0)"
        )  # no number
        assert list(element.restricted()) == [(CARDS[2], NetworkState.SUSPENDED)]
        for card in CARDS[:4]:
            element.bar_outgoing(card)
        modes = dict(
            theirs.execute("SELECT msisdn, nam_cs || nam_ps FROM subscriber WHERE msisdn NOT NULL").fetchall()
        )
    assert modes == {CARDS[0]: "10", CARDS[1]: "01", CARDS[2]: "11", CARDS[3]: "11"}
    element.close()


def test_a_hundred_thousand_cards_are_listed_without_a_gap(register: OwnRegister) -> None:
    cards = [str(8615000000000 + number) for number in range(100_000)]
    register.add(cards)
    with sqlite3.connect(register.database, timeout=HANG) as database:
        database.execute("UPDATE subscriber SET nam_cs = 0, nam_ps = 0")
    database.close()
    element = register.element()
    assert {card for card, _ in element.restricted()} == set(cards)
    element.close()


def _modes(register: OwnRegister, *imsis: str) -> list[tuple[int, int]]:
    with contextlib.closing(sqlite3.connect(register.database, timeout=HANG)) as database:
        asked = "SELECT nam_cs, nam_ps FROM subscriber WHERE imsi = ?"
        return [database.execute(asked, (imsi,)).fetchone() for imsi in imsis]


def test_a_card_is_found_as_the_register_stores_it(register: OwnRegister) -> None:
    """With the country or without; and nobody else is meant by it."""
    imsis = register.add(["13800138001", "8613800138002", "447700900123"])
    with contextlib.closing(register.element()) as element:
        element.suspend("8613800138001")
        assert element.state_of("8613800138001") is NetworkState.SUSPENDED
        assert dict(element.restricted()) == {"8613800138001": NetworkState.SUSPENDED}
        assert _modes(register, *imsis.values()) == [(0, 0), (1, 1), (1, 1)]
        element.restore("8613800138001")
        assert _modes(register, *imsis.values()) == [(1, 1)] * 3
        for unknown in ("8613800138009", "86447700900123", "867700900123"):
            with pytest.raises(UnknownCard) as told:
                element.suspend(unknown)
            assert unknown not in str(told.value)
            assert unknown[-4:] in str(told.value)


@pytest.mark.parametrize("services", [(0, 1), (1, 0)])
def test_a_card_of_one_service_gets_that_one_back(register: OwnRegister, services: tuple[int, int]) -> None:
    imsi = register.add(CARDS[:1])[CARDS[0]]
    with sqlite3.connect(register.database, timeout=HANG) as database:
        database.execute("UPDATE subscriber SET nam_cs = ?, nam_ps = ?", services)
    database.close()
    with contextlib.closing(register.element()) as element:
        element.restore(CARDS[0])
        element.bar_outgoing(CARDS[0])
        assert _modes(register, imsi) == [services], "what it had, and not more"
        for lift in (element.restore, element.bar_outgoing):
            element.suspend(CARDS[0])
            element.suspend(CARDS[0])
            assert _modes(register, imsi) == [(0, 0)]
            with contextlib.closing(register.element()) as another:  # of another process
                assert another.state_of(CARDS[0]) is NetworkState.SUSPENDED
            lift(CARDS[0])
            assert _modes(register, imsi) == [services]


@pytest.mark.parametrize(
    "lines", ["password geheim\nline vty\n login\n", "enable password geheim\nline vty\n"]
)
def test_a_terminal_that_asks_for_a_password_is_not_called_unreachable(tmp_path: Path, lines: str) -> None:
    needed(missing("osmo-hlr"))
    part = OwnRegister(tmp_path / "hlr")
    config = tmp_path / "hlr" / "osmo-hlr.cfg"
    config.write_text(config.read_text().replace("line vty\n", lines, 1))
    with part as register, contextlib.closing(register.element()) as element:
        register.add(CARDS[:1])
        began = time.monotonic()
        with pytest.raises(ElementRefused, match="asks for a password, and it must have none"):
            element.suspend(CARDS[0])
        assert time.monotonic() - began < HANG / 4
