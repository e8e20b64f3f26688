"""The message proxy as a process of its own, between clients and a message centre that are real."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from duanka.domain.errors import DuankaError
from duanka.domain.network import (
    Carried,
    LossCause,
    NetworkState,
    Refusal,
    RefusalReason,
    UnknownCard,
    Unreachable,
)
from duanka.domain.order_policy import MessagePolicy
from duanka.network.smpp import codec as smpp
from duanka.sandbox.message_proxy import OwnMessageProxy
from duanka.sandbox.smsc import OwnShortMessageCentre
from support.network.esme import BLOCKED, CARD, PEER, REFUSED, Esme, command, status, until
from support.network.message_path import own_centre, own_proxy
from support.waiting import seconds_without_a_core

centre = pytest.fixture(own_centre)
proxy = pytest.fixture(own_proxy)


def recorded(proxy: OwnMessageProxy, count: int) -> list[Refusal]:
    with closing(proxy.element()) as element:
        until(lambda: len(element.refusals(0, 100_000)[0]) >= count)
        return list(element.refusals(0, 100_000)[0])


def test_each_reason_is_answered_and_counted(tmp_path: Path, centre: OwnShortMessageCentre) -> None:
    policy = MessagePolicy.of(["安全账户+转账"], ["evil.com"], 3, ["10086"], ["ESME"])
    with (
        OwnMessageProxy(tmp_path, centre.address, policy) as proxy,
        closing(proxy.element()) as element,
        Esme(proxy.address) as esme,
    ):
        element.suspend(BLOCKED)
        element.bar_outgoing("8613800138001")
        assert esme.says("hi", BLOCKED) == REFUSED
        assert esme.says("hi", "13800138001") == REFUSED
        assert esme.says("hi", CARD, "+8613800138000") == REFUSED
        assert esme.says("hi", CARD, "8613800138001") == smpp.OK  # 单停: it still receives
        assert esme.says("请转 账到安\u200b全账户") == REFUSED
        assert esme.says("www.evil。com") == REFUSED
        assert esme.says("请转账到安全账户", "10086") == smpp.OK
        assert esme.says("help", BLOCKED, "12110") == smpp.OK
        assert [esme.says("x") for _ in range(4)] == [smpp.OK, smpp.OK, REFUSED, REFUSED]
        found = recorded(proxy, 7)
        wanted = {"blocked_sender": 2, "blocked_destination": 1, "text": 2, "rate": 2}
        assert element.status()["refused"] == wanted
        assert {one.value: sum(r.reason is one for r in found) for one in RefusalReason} == wanted
        assert (found[0].card, found[0].peer, found[0].carried) == (BLOCKED, PEER, Carried.MESSAGE)
        assert found[2].peer == BLOCKED
        assert not any("转账到" in one.detail for one in found)
        assert [one.text for one in centre.accepted] == ["hi", "请转账到安全账户", "help", "x", "x"]
        some, after = element.refusals(0, 3)
        assert [*some, *element.refusals(after, 100)[0]] == found
        element.forget(after)
        assert list(element.refusals(0, 100)[0]) == found[3:]


@pytest.mark.parametrize("which", sorted(smpp.SUBMISSIONS))
def test_each_kind_of_submission_has_its_own_answer(proxy: OwnMessageProxy, which: int) -> None:
    with closing(proxy.element()) as element, Esme(proxy.address) as esme:
        element.suspend(BLOCKED)
        source = b"\0\1\1" + smpp.text(BLOCKED)
        destination = b"\1\1" + smpp.text(PEER)
        body = {
            smpp.SUBMIT_SM: source + destination + bytes(10),
            smpp.SUBMIT_MULTI: source + b"\1\1" + destination + bytes(10),
            smpp.DATA_SM: source + destination + bytes(3),
        }[which]
        assert esme.ask(smpp.unit(which, 77, body)) == smpp.unit(which | smpp.RESPONSE, 77, status=REFUSED)


def to_many(sequence: int, source: str, *destinations: bytes, text: bytes = b"hi") -> bytes:
    """A submit_multi; destinations as `to` and `to_list` write them."""
    rest = bytes(9) + bytes((len(text),)) + text
    head = b"\0\1\1" + smpp.text(source) + bytes((len(destinations),))
    return smpp.unit(smpp.SUBMIT_MULTI, sequence, head + b"".join(destinations) + rest)


def to(card: str) -> bytes:
    return b"\1\1\1" + smpp.text(card)


def to_list(name: str) -> bytes:
    return b"\2" + smpp.text(name)


def test_what_goes_to_many_reaches_the_emergency_numbers_among_them(
    proxy: OwnMessageProxy, centre: OwnShortMessageCentre
) -> None:
    with closing(proxy.element()) as element, Esme(proxy.address) as esme:
        element.suspend(BLOCKED)
        refused = REFUSED.to_bytes(4, "big")
        for sequence, source, others in (
            (7, BLOCKED, (PEER, CARD)),
            (8, CARD, (BLOCKED,)),
            (9, BLOCKED, (PEER,)),
        ):
            unit = to_many(sequence, source, to(others[0]), to("12110"), *map(to, others[1:]), to("+86 110"))
            answer = esme.ask(unit)
            assert (status(answer), command(answer)) == (smpp.OK, smpp.SUBMIT_MULTI | smpp.RESPONSE)
            _, _, unsuccessful = answer[smpp.HEAD.size :].partition(b"\0")
            left_out = [b"\1\1" + smpp.text(one) + refused for one in others]
            assert unsuccessful == bytes((len(others),)) + b"".join(left_out)
        reached = [[to.number for to in one.submission.destinations] for one in centre.accepted]
        assert reached == [["12110", "+86 110"]] * 3
        assert {one.submission.message for one in centre.accepted} == {b"hi"}
        assert status(esme.ask(to_many(10, BLOCKED, to(PEER), to_list("110")))) == REFUSED
        assert status(esme.ask(to_many(11, CARD, to(PEER), to("110")))) == smpp.OK
        assert len(recorded(proxy, 4)) == 4


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_list_and_record_survive(proxy: OwnMessageProxy, how: signal.Signals) -> None:
    with closing(proxy.element()) as element:
        for last in range(50):
            element.suspend(f"86138001381{last:02d}")
        element.restore("8613800138100")
        with Esme(proxy.address) as esme:
            for last in range(1, 31):
                assert esme.says("hi", f"86138001381{last:02d}") == REFUSED
        before = recorded(proxy, 30)
        proxy.stop(how)
        with pytest.raises(Unreachable):
            element.state_of(BLOCKED)
        proxy.start()
        assert element.state_of("8613800138101") is NetworkState.SUSPENDED  # the same value connects again
        assert len(list(element.restricted())) == 49
        with Esme(proxy.address) as esme:
            assert esme.says("hi", "8613800138100") == smpp.OK
            assert esme.says("hi", "8613800138149") == REFUSED
        after = recorded(proxy, 31)
        assert after[:30] == before
        assert len({one.key for one in after}) == 31


def test_what_was_acknowledged_survives_a_kill_in_the_middle(proxy: OwnMessageProxy) -> None:
    acknowledged: list[str] = []

    def suspend() -> None:
        with closing(proxy.element()) as element, suppress(Unreachable):
            for i in range(100_000):
                element.suspend(f"86137{i:08d}")
                acknowledged.append(f"86137{i:08d}")

    working = threading.Thread(target=suspend)
    working.start()
    until(lambda: len(acknowledged) > 50)
    proxy.stop(signal.SIGKILL)
    working.join()
    proxy.start()
    with closing(proxy.element()) as element:
        assert {card for card, _ in element.restricted()} >= set(acknowledged)


def test_a_kill_costs_no_more_than_the_last_moment_of_the_record(proxy: OwnMessageProxy) -> None:
    answered: list[float] = []

    def send() -> None:
        with Esme(proxy.address) as esme, suppress(EOFError, BrokenPipeError):
            while esme.says("hi", BLOCKED) == REFUSED:
                answered.append(time.monotonic())

    with closing(proxy.element()) as element:
        element.suspend(BLOCKED)
        sending = threading.Thread(target=send)
        sending.start()
        others = seconds_without_a_core(proxy.pid)
        until(lambda: bool(answered) and answered[-1] - answered[0] > 1.5)
        others = seconds_without_a_core(proxy.pid) - others
        last, killed = 1.0 + others, time.monotonic()  # a second of a machine of its own
        proxy.stop(signal.SIGKILL)
        sending.join()
        kept = len(element.refusals(0, 1_000_000)[0])
        assert sum(at < killed - last for at in answered) <= kept <= len(answered) + 1
        assert not element.losses()
        proxy.start()
        (lost,) = element.losses()
        assert lost.why is LossCause.KILLED
        proxy.stop()
        proxy.start()
        assert len(element.losses()) == 1, "one that ends in order loses nothing"


def test_a_list_is_exchanged_between_two_messages(proxy: OwnMessageProxy) -> None:
    """Both lists hold one card of each pair: whenever both or neither pass, a message met half a list."""
    pairs = [(f"86131{i:08d}", f"86132{i:08d}") for i in range(0, 5000, 50)]
    ballast = {f"86133{i:08d}": NetworkState.SUSPENDED for i in range(20_000)}
    lists = [ballast | {pair[side]: NetworkState.SUSPENDED for pair in pairs} for side in (0, 1)]
    stop = threading.Event()
    failed: list[BaseException] = []

    def exchange() -> None:
        try:
            with closing(proxy.element()) as element:
                for turn in range(6):
                    element.replace_all(lists[turn % 2])
        except BaseException as error:
            failed.append(error)
        finally:
            stop.set()

    with closing(proxy.element()) as element, Esme(proxy.address) as esme:
        element.replace_all(lists[1])
        exchanging = threading.Thread(target=exchange)
        exchanging.start()
        seen, at = set[bool](), 0
        while not stop.is_set():
            first, second = pairs[at % len(pairs)]
            at += 1
            one = smpp.SUBMIT_MULTI
            unit = smpp.unit(
                one,
                at,
                b"\0\1\1"
                + smpp.text(CARD)
                + b"\2\1\1\1"
                + smpp.text(first)
                + b"\1\1\1"
                + smpp.text(second)
                + bytes(10),
            )
            # one message to both of a pair is refused under either list; each alone under one of them
            assert status(esme.ask(unit)) == REFUSED
            seen.add(esme.says("hi", CARD, first) == REFUSED)
        exchanging.join()
        assert not failed
        assert seen == {True, False}
        assert dict(element.restricted()) == lists[1]
        assert esme.says("hi", CARD, pairs[0][0]) == smpp.OK
        element.replace_all({})
        assert list(element.restricted()) == []


def test_a_hundred_thousand_cards(tmp_path: Path, centre: OwnShortMessageCentre) -> None:
    cards = {f"86139{i:08d}": NetworkState.SUSPENDED for i in range(100_000)}
    with OwnMessageProxy(tmp_path, centre.address) as proxy:
        with closing(proxy.element()) as element:
            element.replace_all(cards)
        proxy.stop(signal.SIGKILL)
        proxy.start()
        with closing(proxy.element()) as element, Esme(proxy.address) as esme:
            assert dict(element.restricted()) == cards
            assert esme.says("hi", "8613900099999", PEER) == REFUSED
            assert esme.says("hi", "8613900100000", "8613900100001") == smpp.OK


def test_what_is_no_card_and_who_does_not_answer(proxy: OwnMessageProxy) -> None:
    with closing(proxy.element()) as element:
        for wrong in ("", "+8613800138000", "86138'", "1" * 16):
            with pytest.raises(UnknownCard):
                element.suspend(wrong)
            with pytest.raises(UnknownCard):
                element.state_of(wrong)
    with closing(proxy.element(0.5)) as element:
        os.kill(proxy.pid, signal.SIGSTOP)
        try:
            with pytest.raises(Unreachable):
                element.suspend(BLOCKED)
        finally:
            os.kill(proxy.pid, signal.SIGCONT)
        element.suspend(BLOCKED)
        assert element.state_of(BLOCKED) is NetworkState.SUSPENDED


def test_a_second_proxy_in_the_same_folder_is_refused(proxy: OwnMessageProxy) -> None:
    second = OwnMessageProxy(proxy.folder, ("127.0.0.1", 1))
    try:
        with pytest.raises(DuankaError, match="another message proxy works"):
            second.start()
    finally:
        second.stop()
    with closing(proxy.element()) as element:
        assert element.status()["cards"] == 0
