"""Lifeline in the real network: GSUP, SIP and SMPP show what passes and what not; emergency numbers always pass."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from duanka.domain.lifeline import LifelinePolicy
from duanka.domain.network import NetworkState, RefusalReason
from duanka.domain.order_policy import OrderPolicy
from duanka.domain.phone_number import PROTECTED_LINES
from duanka.ledger.card_services import CardServices
from duanka.ledger.db.database import Store
from duanka.network.hlr.services_file import ServicesFile
from duanka.network.sip.kamailio import OwnCallProxy
from duanka.network.smpp import codec as smpp
from duanka.sandbox.hlr import OwnRegister
from duanka.sandbox.message_proxy import OwnMessageProxy
from duanka.sandbox.smsc import OwnShortMessageCentre
from support.network.esme import REFUSED, Esme, until
from support.network.message_path import own_centre
from support.network.sip_messages import PASSED, RawCaller
from support.network.sipp_calls import answering, call
from support.parts import needed
from support.switches import CS, PS, Switch, missing
from support.waiting import HANG

HELD, BARRED, SUSPENDED, HONEST = "8613800000001", "8613800000002", "8613800000003", "8613900000001"
GPRS_NOT_ALLOWED = 7
LINES = OrderPolicy(
    short_code="10086",
    hotline="4001008600",
    lifeline=LifelinePolicy(("96111",), ("955xx", "05718888888"), ("Bank-95588",)),
).lines
centre = pytest.fixture(own_centre)


@pytest.mark.requirement("R1.5")
def test_the_register_admits_calls_and_refuses_data(tmp_path: Path) -> None:
    needed(missing("osmo-hlr"))
    with OwnRegister(tmp_path / "hlr") as register, closing(register.element()) as element:
        imsis = register.add([HELD, HONEST])
        with Switch(register.gsup, "MSC") as calls, Switch(register.gsup, "SGSN") as data:
            for card in (HELD, HONEST):
                assert calls.attach(imsis[card], CS) is None
                assert data.attach(imsis[card], PS) is None
            element.keep_lifeline(HELD)
            assert data.detached(imsis[HELD]), "its data ends at once"
            assert calls.detached(imsis[HELD]), "this register tells every switch; the card attaches again"
            assert not data.detached(imsis[HONEST], within=0.1)
            for _ in range(2):
                assert data.attach(imsis[HELD], PS) == GPRS_NOT_ALLOWED
                assert calls.attach(imsis[HELD], CS) is None
                assert data.attach(imsis[HONEST], PS) is None, "and no other card"
                element.suspend(HELD)
                assert calls.attach(imsis[HELD], CS) is not None
                element.keep_lifeline(HELD)
            element.restore(HELD)
            assert data.attach(imsis[HELD], PS) is None


@pytest.mark.parametrize("services", [(1, 1), (1, 0), (0, 1)])
def test_what_the_card_had_comes_back_after_every_way(tmp_path: Path, services: tuple[int, int]) -> None:
    needed(missing("osmo-hlr"))
    with OwnRegister(tmp_path / "hlr") as register:
        imsi = register.add([HELD])[HELD]

        def modes(put: tuple[int, int] | None = None) -> tuple[int, int]:
            with closing(sqlite3.connect(register.database, timeout=HANG)) as database, database:
                if put:
                    database.execute(
                        "UPDATE subscriber SET nam_cs = ?, nam_ps = ? WHERE imsi = ?", (*put, imsi)
                    )
                found = database.execute("SELECT nam_cs, nam_ps FROM subscriber WHERE imsi = ?", (imsi,))
                cs, ps = found.fetchone()
                return cs, ps

        modes(services)
        with closing(register.element()) as element:
            for ways in (
                (element.keep_lifeline,),
                (element.suspend, element.keep_lifeline),
                (element.keep_lifeline, element.suspend, element.keep_lifeline),
                (element.keep_lifeline, element.suspend),
            ):
                assert element.state_of(HELD) is NetworkState.ACTIVE, "CS alone is a subscription, too"
                assert dict(element.restricted()) == {}
                for way in ways:
                    way(HELD)
                wanted = (
                    NetworkState.LIFELINE if ways[-1] == element.keep_lifeline else NetworkState.SUSPENDED
                )
                assert modes() == ((1, 0) if wanted is NetworkState.LIFELINE else (0, 0))
                with closing(register.element()) as another:  # of another process
                    assert another.state_of(HELD) is wanted
                    assert dict(another.restricted()) == {HELD: wanted}
                element.restore(HELD)
                assert modes() == services


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnCallProxy]:
    needed(missing())
    with (
        answering(tmp_path_factory.mktemp("far-end")) as far_end,
        OwnCallProxy(tmp_path_factory.mktemp("calls"), far_end, lines=LINES) as one,
    ):
        with closing(one.element()) as element:
            element.keep_lifeline(HELD)
            element.bar_outgoing(BARRED)
            element.suspend(SUSPENDED)
        yield one


OPEN_LINES = ("12345", "10086", "4001008600", "96111", "+8612345", "008612345", "010-12345", "8675512345")
SHUT_LINES = (HONEST, "95588", "123456", "112345", "1012345", "12345678", "12306")
DIALLED = [
    *((card, line, "", 200) for card in (HELD, BARRED) for line in OPEN_LINES),
    *((card, line, "", 608) for card in (HELD, BARRED) for line in SHUT_LINES),
    *((SUSPENDED, line, "", 608) for line in OPEN_LINES),
    *((card, line, "", 200) for card in (HELD, BARRED, SUSPENDED) for line in PROTECTED_LINES),
    *((card, "12345%3brn=%2b8613900000001", "", 608) for card in (HELD, BARRED)),
    # one who is suspended is named beside the one who is held
    (HELD, "12345", f"P-Asserted-Identity: <tel:+{SUSPENDED}>", 608),
    (HONEST, "12345", f"P-Asserted-Identity: <tel:+{BARRED}>", 200),
]
CALLED = [
    *((line, HELD, "", 200) for line in ("10086", "95588", "95599", "+8695533", "01095588", "4001008600")),
    ("05718888888", HELD, "", 200),
    ("+8657188888888", HELD, "", 608),  # a digit more is another's number
    *(
        (other, HELD, "", 608)
        for other in (HONEST, "955881", "9558", "1095588", "96111", "anonymous", "12345")
    ),
    ("95588", HELD, f"P-Asserted-Identity: <tel:+{HONEST}>", 608),  # what the network asserts counts
    (HONEST, HELD, "P-Asserted-Identity: <tel:95588>", 200),
    (HONEST, HELD, "P-Asserted-Identity: <sip:95588@op>, <tel:95588>", 200),
    ("95588", HELD, f"P-Asserted-Identity: <tel:95588>, <tel:+{HONEST}>", 608),
    ("95588", SUSPENDED, "", 608),
    (HONEST, BARRED, "", 200),
    (BARRED, HELD, "", 608),
    (HELD, BARRED, "", 608),
]


@pytest.mark.requirement("R1.5")
def test_calls_pass_to_lines_and_from_lines_alone(proxy: OwnCallProxy, tmp_path: Path) -> None:
    rows = [*DIALLED, *CALLED]
    found = call(tmp_path / "calls", proxy.address, [row[:3] if row[2] else row[:2] for row in rows])
    assert [(one.caller, one.callee, one.answer) for one in found] == [(a, b, code) for a, b, _, code in rows]
    with closing(proxy.element()) as element:
        refused = sum(row[3] == 608 for row in rows)
        until(lambda: len(element.refusals(0, 1000)[0]) == refused)
        reasons = {(one.card, one.peer): one.reason for one in element.refusals(0, 1000)[0]}
    assert reasons[HONEST, HELD] is RefusalReason.BLOCKED_DESTINATION
    assert reasons[HELD, HONEST] is RefusalReason.BLOCKED_SENDER


def test_a_line_is_called_and_written_to_and_nothing_else_is_asked_of_it(tmp_path: Path) -> None:
    """A REFER to a line would make it call somebody; a Route without `lr` goes elsewhere."""
    needed(missing())
    refused = "SIP/2.0 608 Rejected"
    with RawCaller() as caller, OwnCallProxy(tmp_path / "calls", caller.address, lines=LINES) as one:
        with closing(one.element()) as element:
            element.keep_lifeline(HELD)
            element.bar_outgoing(BARRED)
        for card in (HELD, BARRED):
            who = f"<sip:{card}@op>"
            assert caller.send(one.address, "sip:12345@op", who) == PASSED
            assert caller.send(one.address, "sip:12345@op", who, method="MESSAGE") == PASSED
            assert caller.send(one.address, "sip:12345@op", who, method="REFER") == refused
            for other in ("12306", f"+{HONEST}"):
                assert caller.send(one.address, f"sip:12345;rn={other}@op", who) == refused
            route = f"Route: <sip:{HONEST}@op>\r\n"
            assert caller.send(one.address, "sip:12345@op", who, extra=route) == refused
            assert caller.send(one.address, "urn:service:sos", who, extra=route) == PASSED


@pytest.mark.requirement("R1.5")
def test_messages_pass_from_listed_accounts_and_to_lines_alone(
    tmp_path: Path, centre: OwnShortMessageCentre
) -> None:
    with (
        OwnMessageProxy(tmp_path, centre.address, lines=LINES) as proxy,
        closing(proxy.element()) as element,
        Esme(proxy.address) as handset,
        Esme(proxy.address, "BANK-95588") as bank,
    ):
        element.keep_lifeline(HELD)
        element.bar_outgoing(BARRED)
        element.suspend(SUSPENDED)
        for card in (HELD, BARRED):
            for line in ("12345", "10086", "+8612345", "96111", "4001008600"):
                assert handset.says("V123", card, line) == smpp.OK
            assert handset.says("hi", card, HONEST) == REFUSED
            assert handset.says("hi", card, "123456") == REFUSED
        assert handset.says("hi", SUSPENDED, "12345") == REFUSED
        for card in (HELD, BARRED, SUSPENDED):
            assert handset.says("help", card, "12110") == smpp.OK
            assert handset.says("help", card, "110") == smpp.OK
            assert handset.says("we come", "110", card) == smpp.OK
        assert bank.says("your transfer", "95588", HELD) == smpp.OK
        assert bank.says("whatever it is called", HONEST, HELD) == smpp.OK, "the account counts"
        assert handset.says("I am your bank", "95588", HELD) == REFUSED, "and no address that anybody claims"
        assert bank.says("your transfer", "95588", SUSPENDED) == REFUSED
        assert bank.says("hi", HELD, HONEST) == REFUSED
        assert handset.says("hi", HONEST, BARRED) == smpp.OK
        until(lambda: len(element.refusals(0, 100)[0]) == 8)
        shut = [one for one in element.refusals(0, 100)[0] if one.peer == HELD]
        assert [(one.card, one.reason, one.detail) for one in shut] == [
            ("95588", RefusalReason.BLOCKED_DESTINATION, "lifeline")
        ]


def test_what_a_card_had_is_kept_for_every_worker(tmp_path: Path, store: Store) -> None:
    """One puts the card into lifeline, another gives it back: calls alone is a subscription, and would stay."""
    needed(missing("osmo-hlr"))
    with OwnRegister(tmp_path / "hlr") as register:
        imsi = register.add([HELD])[HELD]
        with (
            closing(register.element(services=CardServices(store))) as one,
            closing(register.element(services=CardServices(store))) as other,
            Switch(register.gsup) as switch,
        ):
            one.keep_lifeline(HELD)
            assert other.state_of(HELD) is NetworkState.LIFELINE
            assert dict(other.restricted()) == {HELD: NetworkState.LIFELINE}
            other.keep_lifeline(HELD)
            other.restore(HELD)
            assert switch.attach(imsi, PS) is None
            assert dict(one.restricted()) == {}


def test_what_an_earlier_version_kept_in_a_file_is_taken_over(tmp_path: Path, store: Store) -> None:
    path, kept = tmp_path / "home-register.sqlite", CardServices(store)
    ServicesFile(path).hand_over(kept)
    assert not path.exists()
    kept.keep({BARRED: (True, True)})
    ServicesFile(path).keep({HELD: (False, True), BARRED: (True, False)})
    ServicesFile(path).hand_over(kept)
    assert not path.exists()
    assert kept.among([HELD, BARRED, HONEST]) == {HELD: (False, True), BARRED: (True, True)}
    kept.forget([HELD])
    assert kept.among([HELD, BARRED]) == {BARRED: (True, True)}
