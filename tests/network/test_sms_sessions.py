"""Whom the message proxy judges, and what clients that have not bound may cost others."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import closing
from itertools import islice, repeat
from pathlib import Path

import pytest

from duanka.domain.network import RefusalReason
from duanka.domain.order_policy import MessagePolicy
from duanka.network.smpp import codec as smpp
from duanka.network.sms.proxy.outstanding import OutstandingSubmissions
from duanka.network.sms.proxy.relay import LinkLimits
from duanka.network.sms.proxy.sender_rate import SenderRate
from duanka.network.sms.proxy.unbound_links import UnboundLinks
from duanka.sandbox.message_proxy import OwnMessageProxy
from duanka.sandbox.smsc import OwnShortMessageCentre
from support.network.esme import (
    BLOCKED,
    CARD,
    PEER,
    POLICY,
    REFUSED,
    Esme,
    command,
    number,
    sequence,
    status,
    submit,
    until,
)
from support.network.message_path import own_centre, own_proxy
from support.waiting import HANG

centre = pytest.fixture(own_centre)
proxy = pytest.fixture(own_proxy)
THREE_A_MINUTE = MessagePolicy.of(["安全账户+转账"], [], 3, [])


def bind(sequence: int, which: int = smpp.BIND_TRANSCEIVER, word: str = "secret") -> bytes:
    body = smpp.text("esme") + smpp.text(word) + b"\0" + bytes((0x34, 0, 0)) + b"\0"
    return smpp.unit(which, sequence, body)


@pytest.mark.parametrize("which", sorted(smpp.SUBMISSIONS))
def test_who_has_not_bound_is_neither_judged_nor_counted_nor_recorded(
    tmp_path: Path, centre: OwnShortMessageCentre, which: int
) -> None:
    with (
        OwnMessageProxy(tmp_path, centre.address, THREE_A_MINUTE) as proxy,
        closing(proxy.element()) as element,
        Esme(proxy.address, bind=False) as stranger,
    ):
        element.suspend(BLOCKED)
        for source, text in ((CARD, "hi"), (BLOCKED, "made up"), (CARD, "安全账户转账")):
            for turn in range(5):
                unit = submit(100 + turn, text, source)
                unit = smpp.unit(which, 100 + turn, unit[16:])
                assert stranger.ask(unit) == smpp.answer(unit, smpp.NOT_BOUND)
        with Esme(proxy.address) as honest:
            assert [honest.says("mine") for _ in range(4)] == [smpp.OK] * 3 + [REFUSED]
        until(lambda: element.refusals(0, 10)[0])
        assert [one.reason for one in element.refusals(0, 10)[0]] == [RefusalReason.RATE]
        told = element.status()
        assert (told["not_bound"], told["refused"], told["passed"]) == (15, {"rate": 1}, 3)


def test_a_bind_that_the_centre_refused_is_none(proxy: OwnMessageProxy) -> None:
    with closing(proxy.element()) as element, Esme(proxy.address, bind=False) as stranger:
        element.suspend(BLOCKED)
        assert status(stranger.ask(bind(1, word="wrong"))) == smpp.BAD_PASSWORD
        assert stranger.says("hi", BLOCKED) == smpp.NOT_BOUND
        assert status(stranger.ask(bind(2))) == smpp.OK
        assert stranger.says("hi", BLOCKED) == REFUSED


def test_who_unbound_is_a_stranger_again(proxy: OwnMessageProxy) -> None:
    with closing(proxy.element()) as element, Esme(proxy.address) as esme:
        element.suspend(BLOCKED)
        assert esme.says("hi", BLOCKED) == REFUSED
        assert status(esme.ask(smpp.unit(smpp.UNBIND, 7))) == smpp.OK
        assert esme.says("hi", BLOCKED) == smpp.NOT_BOUND
        assert element.status()["unbound"] == 1


def test_a_receiver_submits_nothing(proxy: OwnMessageProxy) -> None:
    with closing(proxy.element()) as element, Esme(proxy.address, bind=False) as esme:
        element.suspend(BLOCKED)
        assert status(esme.ask(bind(1, smpp.BIND_RECEIVER))) == smpp.OK
        assert esme.says("hi", BLOCKED) == smpp.NOT_BOUND
        assert element.status()["refused"] == {}


def test_what_comes_with_a_bind_in_one_piece_waits_for_its_answer(proxy: OwnMessageProxy) -> None:
    with closing(proxy.element()) as element:
        element.suspend(BLOCKED)
        for word, refused in (("secret", REFUSED), ("wrong", smpp.NOT_BOUND)):
            with Esme(proxy.address, bind=False) as esme:
                many = [submit(10 + i, "x", BLOCKED) for i in range(300)]
                esme.send(bind(1, word=word) + b"".join(many))
                assert sequence(esme.read()) == 1  # the answer to the bind comes first
                assert [status(esme.read()) for _ in many] == [refused] * 300


def test_the_rate_counts_what_the_centre_took(tmp_path: Path, centre: OwnShortMessageCentre) -> None:
    with (
        OwnMessageProxy(tmp_path, centre.address, THREE_A_MINUTE) as proxy,
        Esme(proxy.address) as esme,
    ):
        centre.behaviour.status = smpp.THROTTLED
        assert [esme.says("x") for _ in range(10)] == [smpp.THROTTLED] * 10
        centre.behaviour.status = smpp.OK
        assert [esme.says("x") for _ in range(4)] == [smpp.OK] * 3 + [REFUSED]


def test_one_sequence_number_for_all_gives_nothing_back(
    tmp_path: Path, centre: OwnShortMessageCentre
) -> None:
    """A submission that is made to fail must not take back the count of one that passed."""
    with (
        OwnMessageProxy(tmp_path, centre.address, THREE_A_MINUTE) as proxy,
        Esme(proxy.address) as esme,
    ):
        pairs = 6
        for turn in range(pairs):
            to_nobody = smpp.submit_sm(5, number(f"86137{turn:08d}"), number(""), b"x")
            esme.send(to_nobody + submit(5, "x"))
        said = [status(esme.read()) for _ in range(2 * pairs)]
        assert said.count(smpp.BAD_DESTINATION) == pairs
        assert said.count(smpp.OK) == 3


def test_a_sender_has_a_minute_in_each_account(tmp_path: Path, centre: OwnShortMessageCentre) -> None:
    with (
        OwnMessageProxy(tmp_path, centre.address, THREE_A_MINUTE) as proxy,
        Esme(proxy.address, "shop") as one,
        Esme(proxy.address, "SHOP") as same,
        Esme(proxy.address, "bank") as other,
    ):
        assert [client.says("x") for client in (one, same, one, same)] == [smpp.OK] * 3 + [REFUSED]
        assert [other.says("x") for _ in range(4)] == [smpp.OK] * 3 + [REFUSED]


def test_who_does_not_bind_in_time_is_closed_whatever_it_sends(
    tmp_path: Path, centre: OwnShortMessageCentre
) -> None:
    drip = smpp.HEAD.pack(70_000, smpp.SUBMIT_SM, 0, 1) + bytes(5000)
    enquiry, wrong = smpp.unit(smpp.ENQUIRE_LINK, 1), bind(1, word="w")
    with (
        OwnMessageProxy(tmp_path, centre.address, limits=LinkLimits(begin=1.0)) as proxy,
        Esme(proxy.address) as honest,
    ):
        for sent in ([drip[at : at + 1] for at in range(len(drip))], repeat(enquiry), repeat(wrong)):
            with socket.create_connection(proxy.address) as client:
                assert _ends(client, sent)
        assert honest.says("still here") == smpp.OK
        honest.ask(smpp.unit(smpp.UNBIND, 7))
        honest.until_closed()  # who unbound has as long again


def _ends(client: socket.socket, sent: Iterable[bytes]) -> bool:
    """Whether the other side ends the connection while one piece after another is sent, until only a hang is left."""
    client.settimeout(0.1)
    for piece in islice(sent, int(HANG / 0.1)):
        try:
            client.sendall(piece)
            while client.recv(1 << 16):
                pass
        except TimeoutError:
            continue
        except OSError:
            return True
        return True
    return False


def test_a_unit_must_be_whole_in_its_time(tmp_path: Path, centre: OwnShortMessageCentre) -> None:
    with (
        OwnMessageProxy(tmp_path, centre.address, limits=LinkLimits(rest=1.0)) as proxy,
        Esme(proxy.address) as esme,
        Esme(proxy.address) as honest,
    ):
        unit = smpp.unit(smpp.SUBMIT_SM, 5, bytes(5000))
        assert _ends(esme.socket, [unit[at : at + 1] for at in range(len(unit))])
        assert honest.says("hi") == smpp.OK


def test_five_hundred_connections_shut_nobody_out(proxy: OwnMessageProxy) -> None:
    drips = []
    try:
        for _ in range(500):
            drips.append(socket.create_connection(proxy.address, timeout=HANG))
            drips[-1].sendall(b"\0\1")
        for _ in range(5):
            with Esme(proxy.address) as honest:
                assert honest.says("hi") == smpp.OK
        with closing(proxy.element()) as element:
            told = element.status()
            assert told["unbound"] <= 50
            assert told["displaced"] >= 450
    finally:
        for one in drips:
            one.close()


def test_who_sends_without_pause_leaves_others_their_turn(
    tmp_path: Path, centre: OwnShortMessageCentre
) -> None:
    """Half a megabyte of messages waits in the proxy; the next client's message is answered before most of it."""
    with OwnMessageProxy(tmp_path, centre.address, POLICY) as proxy, closing(proxy.element()) as element:
        element.suspend(BLOCKED)
        with Esme(proxy.address) as flooding, Esme(proxy.address) as honest:
            many = 4000
            for sent in range(many, 6 * many, many):  # the test may sleep until all of them are answered
                flooding.send(b"".join(submit(1 + i, "x", BLOCKED) for i in range(many)))
                assert honest.says("hi") == smpp.OK
                in_turn = element.status()["refused"].get("blocked_sender", 0) < sent
                assert [sequence(flooding.read()) for _ in range(many)] == list(range(1, many + 1))
                if in_turn:
                    break
            assert in_turn


def test_a_flood_of_connections_displaces_itself() -> None:
    links = UnboundLinks[int](most=6, most_of_address=4)
    assert links.add(1, "10.0.0.1") is None
    assert [links.add(n, "10.0.0.2") for n in (2, 3, 4, 5)] == [None] * 4
    assert links.add(6, "10.0.0.2") == 2  # the oldest of its own address
    assert links.add(7, "10.0.0.3") is None
    assert links.add(8, "10.0.0.4") == 3  # of the address that holds the most
    assert 1 in links
    for one in (1, 4, 5, 6, 7, 8, 8):
        links.discard(one)
    assert len(links) == 0


def test_one_network_of_ipv6_is_one_address() -> None:
    links = UnboundLinks[int](most=10, most_of_address=1)
    assert links.add(1, "2001:db8::1") is None
    assert links.add(2, "2001:db8::2") == 1
    assert links.add(3, "2001:db8:0:1::1") is None
    assert links.add(4, "::ffff:10.0.0.1") is None
    assert links.add(5, "10.0.0.1") == 4


def test_a_count_is_not_reset_by_naming_other_senders() -> None:
    rate = SenderRate(2)
    assert [rate.take("a", CARD, 1, 0.0) is None for _ in range(3)] == [False, False, True]
    for other in range(200_000):
        rate.take("a", f"86137{other:08d}", 1, 1.0)
    assert rate.take("a", CARD, 1, 59.9) is None
    assert rate.take("a", CARD, 1, 60.0) is not None


def test_what_is_a_minute_old_is_forgotten_in_pieces() -> None:
    rate = SenderRate(1, log_entries=1000)
    for other in range(1000):
        assert rate.take("a", str(other), 1, 0.0) is not None
    assert rate.expire(60.0, 600)
    assert not rate.expire(60.0, 600)
    assert rate.take("a", "999", 1, 60.0) is not None


def test_taken_back_is_what_was_counted_and_once() -> None:
    rate = SenderRate(3)
    position = rate.take("a", CARD, 3, 0.0)
    assert position is not None
    assert rate.take("a", CARD, 1, 1.0) is None
    rate.refund(position, 2)
    assert rate.take("a", CARD, 2, 1.0) is not None
    rate.refund(position)
    rate.refund(position)
    assert rate.take("a", CARD, 1, 1.0) is not None
    assert rate.take("a", CARD, 1, 1.0) is None
    rate.refund(12345)
    assert not rate.expire(61.0, 10)
    assert rate.take("a", CARD, 3, 61.0) is not None


def test_answers_find_what_they_speak_of() -> None:
    under_way = OutstandingSubmissions(most=3)
    under_way.sent(1, 70)
    under_way.sent(2, -1)
    assert [under_way.answered(one) for one in (1, 1, 2, 3)] == [70, -1, -1, -1]
    for position in (71, 72, 73):
        under_way.sent(5, position)
    assert under_way.answered(5) == -1
    under_way.sent(5, 74)  # still two of that number under way
    assert [under_way.answered(5) for _ in range(4)] == [-1] * 4
    under_way.sent(5, 75)
    assert under_way.answered(5) == 75
    for other in range(4):
        under_way.sent(other, other)
    assert [under_way.answered(one) for one in range(4)] == [-1] * 4


def test_an_answer_of_the_proxy_never_precedes_that_to_the_bind(proxy: OwnMessageProxy) -> None:
    with Esme(proxy.address, bind=False) as esme:
        esme.send(submit(1, "x", PEER) + bind(2) + submit(3, "y"))
        assert [(command(unit), status(unit)) for unit in (esme.read(), esme.read(), esme.read())] == [
            (smpp.SUBMIT_SM | smpp.RESPONSE, smpp.NOT_BOUND),
            (smpp.BIND_TRANSCEIVER | smpp.RESPONSE, smpp.OK),
            (smpp.SUBMIT_SM | smpp.RESPONSE, smpp.OK),
        ]
