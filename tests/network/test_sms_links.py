"""What the message proxy carries: bytes, order, pressure, links that break."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import smpplib.client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duanka.domain.network import NetworkState
from duanka.network.process import free_port
from duanka.network.smpp import codec as smpp
from duanka.network.smpp.codec import SmppAddress
from duanka.network.sms.proxy.relay import LinkLimits
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
    sequence,
    status,
    submit,
    until,
)
from support.network.message_path import own_centre, own_proxy
from support.waiting import HANG

centre = pytest.fixture(own_centre)
proxy = pytest.fixture(own_proxy)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OwnShortMessageCentre, Esme]]:
    """A centre, and a client of it through a proxy, for many examples."""
    folder = tmp_path_factory.mktemp("proxy")
    with (
        OwnShortMessageCentre() as centre,
        OwnMessageProxy(folder, centre.address, POLICY) as proxy,
        Esme(proxy.address) as esme,
    ):
        yield centre, esme


BYTES = st.integers(0, 255)
DIGITS = st.text("0123456789+", min_size=1, max_size=20).filter(lambda one: "110" not in one)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    addresses=st.tuples(*[st.builds(SmppAddress, BYTES, BYTES, DIGITS)] * 2),
    message=st.binary(max_size=254),
    fields=st.tuples(BYTES.map(lambda one: one & ~1), BYTES, BYTES, st.integers(1, 0x7FFFFFFF)),
    optional=st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=300)), max_size=5),
)
def test_what_passes_is_the_same_to_the_byte(
    standing: tuple[OwnShortMessageCentre, Esme],
    addresses: tuple[SmppAddress, SmppAddress],
    message: bytes,
    fields: tuple[int, int, int, int],
    optional: list[tuple[int, bytes]],
) -> None:
    centre, esme = standing
    registered, coding, esm_class, number = fields
    unit = smpp.submit_sm(
        number,
        *addresses,
        message,
        esm_class=esm_class,
        data_coding=coding,
        registered_delivery=registered,
        optional=optional,
    )
    answer = esme.ask(unit)
    assert status(answer) == smpp.OK
    assert centre.accepted[-1].unit == unit
    assert answer[16:-1].decode() == centre.accepted[-1].message_id


def test_a_thousand_at_once_keep_their_order(proxy: OwnMessageProxy, centre: OwnShortMessageCentre) -> None:
    with closing(proxy.element()) as element, Esme(proxy.address) as esme:
        element.suspend(BLOCKED)
        units = [submit(i, f"{i}", BLOCKED if i % 10 == 0 else CARD) for i in range(1, 1001)]
        writing = threading.Thread(target=esme.send, args=(b"".join(units),))
        writing.start()
        answers = [esme.read() for _ in units]
        writing.join()
        passed = [sequence(one) for one in answers if status(one) == smpp.OK]
        assert passed == [i for i in range(1, 1001) if i % 10]
        assert sorted(sequence(one) for one in answers if status(one) == REFUSED) == list(range(10, 1001, 10))
        assert [one.text for one in centre.accepted] == [f"{i}" for i in range(1, 1001) if i % 10]


def test_units_may_come_in_any_pieces(proxy: OwnMessageProxy, centre: OwnShortMessageCentre) -> None:
    with Esme(proxy.address) as esme:
        whole = b"".join(submit(i, "文" * 30) for i in range(1, 6))
        for at in range(0, len(whole), 7):
            esme.send(whole[at : at + 7])
        assert [sequence(esme.read()) for _ in range(5)] == [1, 2, 3, 4, 5]
        assert b"".join(one.unit for one in centre.accepted) == whole


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\n\r\n", bytes(16), b"\xff" * 16, (smpp.LONGEST + 1).to_bytes(4, "big")],
    ids=["http", "zeros", "ones", "long"],
)
def test_garbage_ends_its_own_link_alone(proxy: OwnMessageProxy, garbage: bytes) -> None:
    with Esme(proxy.address) as honest, Esme(proxy.address) as other:
        other.send(submit(5, "before") + garbage)
        said = other.until_closed()
        assert any(command(one) == smpp.GENERIC_NACK and status(one) == smpp.BAD_LENGTH for one in said)
        assert honest.says("hi") == smpp.OK


def test_a_submission_that_nobody_can_read_does_not_pass(
    proxy: OwnMessageProxy, centre: OwnShortMessageCentre
) -> None:
    with Esme(proxy.address) as esme:
        good = submit(9, "hi")
        cut_off = smpp.unit(smpp.SUBMIT_SM, 9, good[16:-1])
        assert esme.ask(cut_off) == smpp.unit(smpp.SUBMIT_SM | smpp.RESPONSE, 9, status=smpp.BAD_LENGTH)
        assert esme.says("hi") == smpp.OK
        assert len(centre.accepted) == 1


def test_half_a_unit_and_a_client_that_never_begins_are_ended(
    tmp_path: Path, centre: OwnShortMessageCentre
) -> None:

    def ended(esme: Esme) -> None:
        assert command(esme.read()) == smpp.GENERIC_NACK
        with pytest.raises(EOFError):
            esme.read()

    begin, rest = LinkLimits(begin=0.5), LinkLimits(rest=0.5)
    with (
        OwnMessageProxy(tmp_path / "begin", centre.address, limits=begin) as proxy,
        Esme(proxy.address, bind=False) as esme,
    ):
        ended(esme)
    with OwnMessageProxy(tmp_path / "rest", centre.address, limits=rest) as proxy:
        with Esme(proxy.address) as esme:
            esme.send(submit(1, "hi")[:20])
            ended(esme)
        with Esme(proxy.address) as esme:  # whole units: it may be quiet as long as it likes
            assert esme.says("hi") == smpp.OK
            esme.socket.settimeout(1.5)
            with pytest.raises(TimeoutError):
                esme.read()
            assert esme.says("hi") == smpp.OK


def test_other_units_pass_as_they_are(proxy: OwnMessageProxy) -> None:
    with Esme(proxy.address) as esme:
        assert esme.ask(smpp.unit(smpp.ENQUIRE_LINK, 5)) == smpp.unit(smpp.ENQUIRE_LINK | smpp.RESPONSE, 5)
        odd = esme.ask(
            smpp.unit(0x00010200, 6, b"of a vendor")
        )  # the centre knows no such thing, and says so
        assert (command(odd), status(odd)) == (smpp.GENERIC_NACK, smpp.UNKNOWN_COMMAND)


def turn_deaf(centre: OwnShortMessageCentre, deaf: bool) -> None:
    """Let the centre stop or resume reading from all clients."""

    def change() -> None:
        centre.behaviour.deaf = deaf
        for session in centre.sessions:
            session.hear(deaf=deaf)

    centre.call(change)


def test_a_silent_centre_costs_bounded_memory_and_no_verdict(
    tmp_path: Path, centre: OwnShortMessageCentre
) -> None:
    with OwnMessageProxy(tmp_path, centre.address) as proxy, closing(proxy.element()) as element:
        element.suspend(BLOCKED)
        with Esme(proxy.address) as esme, Esme(proxy.address) as other:
            turn_deaf(centre, True)
            big = submit(1, "文" * 100) * 1000
            before = _resident(proxy.pid)
            esme.socket.settimeout(1.0)
            with pytest.raises(TimeoutError):  # the proxy takes no more than it can pass on
                esme.send(big * 200)
            assert _resident(proxy.pid) - before < 20_000
            assert other.says("hi", BLOCKED) == REFUSED  # answered by the proxy itself
            element.suspend("8613800138009")
            assert element.state_of("8613800138009") is NetworkState.SUSPENDED
            turn_deaf(centre, False)
            assert other.says("hi") == smpp.OK


def _resident(pid: int) -> int:
    """Memory in kB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError


def test_a_centre_that_is_down_closes_and_comes_back(tmp_path: Path) -> None:
    with (
        OwnMessageProxy(tmp_path, ("127.0.0.1", free_port())) as proxy,
        Esme(proxy.address, bind=False) as one,
        pytest.raises(EOFError),
    ):
        one.read()
    with OwnShortMessageCentre() as centre, OwnMessageProxy(tmp_path, centre.address) as proxy:
        with Esme(proxy.address) as esme:
            assert esme.says("hi") == smpp.OK
            centre.stop()
            with pytest.raises(EOFError):
                esme.read()
        centre.start()
        with Esme(proxy.address) as esme:
            assert esme.says("again") == smpp.OK


def test_receipts_go_to_the_client_that_asked(proxy: OwnMessageProxy, centre: OwnShortMessageCentre) -> None:
    with Esme(proxy.address, "one") as one, Esme(proxy.address, "two") as two:
        for client, text in ((one, "a"), (two, "b")):
            client.send(submit(50, text, receipt=1))
        for client, text in ((one, "a"), (two, "b")):
            units = sorted((client.read(), client.read()), key=lambda unit: command(unit) != smpp.DELIVER_SM)
            named = next(taken.message_id for taken in centre.accepted if taken.text == text)
            assert f"id:{named} ".encode() in units[0]
            assert units[1][16:-1].decode() == named
            client.send(smpp.unit(smpp.DELIVER_SM | smpp.RESPONSE, sequence(units[0]), b"\0"))
        until(lambda: centre.acknowledged == 2)


def test_smpplib_sees_no_proxy(proxy: OwnMessageProxy, centre: OwnShortMessageCentre) -> None:
    statuses: list[int] = []
    received: list[bytes] = []
    client = smpplib.client.Client(*proxy.address, timeout=HANG, allow_unknown_opt_params=True)
    client.set_message_sent_handler(lambda pdu: statuses.append(pdu.status))
    client.set_error_pdu_handler(lambda pdu: None)
    client.set_message_received_handler(lambda pdu: received.append(pdu.short_message))
    client.connect()
    try:
        client.bind_transceiver(system_id="lib", password="secret")  # noqa: S106
        with closing(proxy.element()) as element:
            element.suspend(BLOCKED)
        for source in (CARD, BLOCKED, CARD):
            client.send_message(
                source_addr_ton=1,
                source_addr=source,
                dest_addr_ton=1,
                destination_addr=PEER,
                short_message=b"hello",
                registered_delivery=1,
            )
        while len(statuses) < 3 or len(received) < 2:
            client.read_once()
        assert sorted(statuses) == [0, 0, REFUSED]
        assert all(b"stat:DELIVRD" in one for one in received)
        assert [one.text for one in centre.accepted] == ["hello", "hello"]
        client.unbind()
    finally:
        client.disconnect()


def test_a_wrong_password_is_the_centres_to_refuse(
    proxy: OwnMessageProxy, centre: OwnShortMessageCentre
) -> None:
    centre.behaviour.password = "another"  # noqa: S105
    with Esme(proxy.address, bind=False) as esme:
        body = smpp.text("x") + smpp.text("secret") + b"\0" + bytes((0x34, 0, 0)) + b"\0"
        assert status(esme.ask(smpp.unit(smpp.BIND_TRANSCEIVER, 1, body))) == smpp.BAD_PASSWORD
        assert status(esme.ask(submit(2, "hi"))) == smpp.NOT_BOUND
