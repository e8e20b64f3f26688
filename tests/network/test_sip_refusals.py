"""What the call proxy refused: written by Kamailio itself, each once, also while nobody of ours is there."""

from __future__ import annotations

import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from duanka.domain.network import Carried, LossCause, RefusalReason
from duanka.network.sip.element import REFUSED, CallProxy
from duanka.network.sip.kamailio import OwnCallProxy
from duanka.sandbox.phones import Phone, Switchboard
from support.network.esme import until
from support.network.sipp_calls import call, missing
from support.parts import needed
from support.waiting import HANG

SUSPENDED, BARRED, HONEST = "8613800000001", "8613800000002", "8613900000001"
EVERY = 0.2


@pytest.fixture
def board() -> Iterator[Switchboard]:
    needed(missing())
    with Switchboard() as one:
        yield one


@pytest.fixture
def proxy(tmp_path: Path, board: Switchboard) -> Iterator[OwnCallProxy]:
    with OwnCallProxy(tmp_path / "proxy", board.address, write_every=EVERY) as one:
        yield one


@pytest.fixture
def element(proxy: OwnCallProxy) -> Iterator[CallProxy]:
    with closing(proxy.element()) as one:
        one.suspend(SUSPENDED)
        one.bar_outgoing(BARRED)
        yield one


def count(element: CallProxy) -> int:
    return len(element.refusals(0, 100_000)[0])


def test_each_with_its_reason_and_moment(element: CallProxy, proxy: OwnCallProxy) -> None:
    began = datetime.now(UTC)
    with Phone(proxy.address) as phone:
        for card, peer in ((SUSPENDED, HONEST), (HONEST, SUSPENDED), (BARRED, SUSPENDED), (HONEST, BARRED)):
            phone.call(card, peer)
    until(lambda: count(element) == 3)
    found, position = element.refusals(0, 10)
    sender, destination = RefusalReason.BLOCKED_SENDER, RefusalReason.BLOCKED_DESTINATION
    assert [(one.card, one.peer, one.reason) for one in found] == [
        (SUSPENDED, HONEST, sender),
        (HONEST, SUSPENDED, destination),
        (BARRED, SUSPENDED, sender),
    ]
    assert {(one.element, one.carried) for one in found} == {("call_proxy", Carried.CALL)}
    assert len({one.key for one in found}) == 3
    for one in found:
        assert began - timedelta(seconds=1) <= one.at <= datetime.now(UTC)
    assert element.refusals(position, 10) == ([], position)
    some, middle = element.refusals(0, 2)
    assert [*some, *element.refusals(middle, 2)[0]] == found

    element.forget(middle)
    assert element.refusals(0, 10) == (found[2:], position)
    element.forget(position)
    with Phone(proxy.address) as phone:
        phone.call(SUSPENDED, HONEST)
    until(lambda: count(element) == 1)
    assert element.refusals(0, 10)[1] > position, "a position never comes twice"


def test_sent_again_it_is_the_same_refusal(element: CallProxy, proxy: OwnCallProxy) -> None:
    """At once, and after the first was written; another call of the same card is another one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        caller.bind(("127.0.0.1", 0))
        caller.settimeout(HANG)
        host, port = caller.getsockname()

        def send(call_id: str, number: int) -> None:
            lines = (
                f"INVITE sip:{HONEST}@x SIP/2.0",
                f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{call_id}{number}",
                f"From: <sip:{SUSPENDED}@x>;tag=1",
                f"To: <sip:{HONEST}@x>",
                f"Call-ID: {call_id}",
                f"CSeq: {number} INVITE",
                "Content-Length: 0",
            )
            caller.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), proxy.address)
            assert b"608 Rejected" in caller.recv(65535)

        for _ in range(5):
            send("one", 1)
        until(lambda: count(element) == 1)
        for _ in range(5):
            send("one", 1)
        send("one", 2)
        send("two", 1)
        until(lambda: count(element) == 3)
        time.sleep(3 * EVERY)
        assert count(element) == 3


def test_nothing_is_lost_while_ours_is_away_or_holds_the_file(
    element: CallProxy, proxy: OwnCallProxy
) -> None:
    element.close()
    with (
        Phone(proxy.address) as phone,
        closing(sqlite3.connect(proxy.folder / REFUSED, timeout=HANG)) as file,
    ):
        for _ in range(20):
            assert phone.call(SUSPENDED, HONEST).code == 608
        time.sleep(2 * EVERY)
        file.execute("BEGIN IMMEDIATE")  # as a long `forget` does
        for _ in range(20):
            assert phone.call(SUSPENDED, HONEST).code == 608
        time.sleep(4 * EVERY)  # more than one write is refused by the file
        file.commit()
    with closing(CallProxy(proxy.folder)) as back:
        until(lambda: count(back) >= 40)
        time.sleep(2 * EVERY)
        found, _ = back.refusals(0, 100)
        assert len(found) == len({one.key for one in found}) == 40


def test_what_the_disk_does_not_take_is_tried_again(element: CallProxy, proxy: OwnCallProxy) -> None:
    with (
        closing(sqlite3.connect(proxy.folder / REFUSED, timeout=HANG)) as file,
        Phone(proxy.address) as phone,
    ):
        file.execute(
            "CREATE TRIGGER full BEFORE INSERT ON refused BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )
        for _ in range(20):
            assert phone.call(SUSPENDED, HONEST).code == 608
        time.sleep(4 * EVERY)
        assert count(element) == 0
        file.execute("DROP TRIGGER full")
    until(lambda: count(element) == 20)


def test_what_waits_is_bounded_and_the_newest_stay(tmp_path: Path, board: Switchboard) -> None:
    with (
        OwnCallProxy(tmp_path / "proxy", board.address, write_every=0.05, waiting=30) as proxy,
        closing(proxy.element()) as element,
        Phone(proxy.address) as phone,
    ):
        element.suspend(SUSPENDED)
        began = datetime.now(UTC)
        with closing(sqlite3.connect(proxy.folder / REFUSED, timeout=HANG)) as file:
            file.execute("BEGIN IMMEDIATE")
            for number in range(100):
                assert phone.call(SUSPENDED, str(8613900000000 + number)).code == 608
            file.commit()
        until(lambda: count(element) == 30)
        assert [one.peer for one in element.refusals(0, 100)[0]] == [
            str(8613900000070 + n) for n in range(30)
        ]
        until(lambda: bool(element.losses()))
        (lost,) = element.losses()
        assert (lost.count, lost.why, lost.carried) == (70, LossCause.NO_ROOM, Carried.CALL)
        assert began <= (lost.since or began) <= (lost.until or began) <= datetime.now(UTC)
        element.forget_losses([lost.key])
        assert phone.call(SUSPENDED, HONEST).code == 608
        until(lambda: count(element) == 31)
        assert not element.losses(), "it is told once"


def test_a_killed_kamailio_loses_what_waited_one_round_at_most(
    element: CallProxy, proxy: OwnCallProxy, tmp_path: Path
) -> None:
    """SIPp's calls, all written; then some more, and everything dies at once."""
    assert len(call(tmp_path / "calls", proxy.address, [(SUSPENDED, HONEST)] * 200)) == 200
    with Phone(proxy.address) as phone:
        until(lambda: count(element) == 200)
        for _ in range(20):
            assert phone.call(SUSPENDED, HONEST).code == 608
        proxy.stop(signal.SIGKILL)
    before = count(element)
    assert 200 <= before <= 220
    proxy.start()
    with Phone(proxy.address) as phone:
        assert phone.call(SUSPENDED, HONEST).code == 608
    until(lambda: count(element) == before + 1)
