"""What the call proxy refuses and what it lets pass, by calls of SIPp through a real Kamailio."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duanka.domain.errors import DuankaError
from duanka.domain.network import NetworkState, UnknownCard
from duanka.domain.phone_number import PROTECTED_LINES
from duanka.network.sip.kamailio import OwnCallProxy
from duanka.sandbox.phones import Phone, Switchboard
from support.network.esme import until
from support.network.sipp_calls import answering, call, missing
from support.parts import needed
from support.waiting import HANG

SUSPENDED, BARRED, HONEST, OTHER = "8613800000001", "8613800000002", "8613900000001", "8613900000002"
MACHINE, LANDLINE = "861064712345678", "861012345678"
REDRESS = "https://verify.operator.example/redress?a=$b"
CALL_INFO = f"<{REDRESS}>;purpose=jcard"


@pytest.fixture(scope="module")
def far_end(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    needed(missing())
    with answering(tmp_path_factory.mktemp("far-end")) as address:
        yield address


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, far_end: tuple[str, int]) -> Iterator[OwnCallProxy]:
    folder = tmp_path_factory.mktemp("call-proxy") / (
        "very-long-name-" * 12
    )  # more than a socket's address holds
    with OwnCallProxy(
        folder, far_end, redress=REDRESS, emergency=("12345", "+86 400-700.1234", "0755-1234567")
    ) as one:
        with closing(one.element()) as element:
            for card in (SUSPENDED, MACHINE, LANDLINE):
                element.suspend(card)
            element.bar_outgoing(BARRED)
        yield one


# who calls, whom, another header line, what is to come of it
CALLS = [
    (SUSPENDED, HONEST, "", 608),
    (BARRED, HONEST, "", 608),
    (HONEST, SUSPENDED, "", 608),
    (HONEST, BARRED, "", 200),  # can still be called
    (HONEST, OTHER, "", 200),
    (SUSPENDED, BARRED, "", 608),
    *((card, number, "", 200) for card in (SUSPENDED, BARRED) for number in (*PROTECTED_LINES, "12345")),
    *(
        (SUSPENDED, written, "", 200)
        for written in ("+86110", "0086110", "86110", "+110", "%31%31%30", "1-1-0")
    ),
    *((SUSPENDED, written, "", 200) for written in ("010110", "8610110", "+860755-119", "0086021120")),
    *(
        (SUSPENDED, written, "", 200)
        for written in ("4007001234", "+864007001234", "07551234567", "+867551234567")
    ),
    (SUSPENDED, "400-700x1234", "", 608),
    (SUSPENDED, "10110", "", 608),  # no area, but another short code
    (SUSPENDED, "01101100", "", 608),
    (SUSPENDED, "1100", "", 608),
    (SUSPENDED, "11", "", 608),
    (SUSPENDED, "8613900000110", "", 608),
    (SUSPENDED, "110%3b13900000001", "", 608),
    (MACHINE, HONEST, "", 608),
    ("1064712345678", HONEST, "", 608),
    ("01012345678", HONEST, "", 608),
    ("+86-10-12345678", HONEST, "", 608),
    ("8601012345678", HONEST, "", 608),
    ("8613800000003", HONEST, "", 200),
    ("861380000000", HONEST, "", 200),
    ("86138000000011", HONEST, "", 200),
    ("anonymous", HONEST, "", 200),
    ("unknown", HONEST, "", 200),
    (HONEST, OTHER, "P-Asserted-Identity: <sip:+8613800000001@x>", 608),
    (HONEST, OTHER, "P-Asserted-Identity: <tel:13800000001>", 608),
    (HONEST, OTHER, 'P-Asserted-Identity: "A, B" <sip:alice@x>, <tel:+86-138-0000-0001>', 608),
    (HONEST, OTHER, "P-Asserted-Identity: <tel:+8613800000001>, <sip:alice@x>", 608),
    (HONEST, OTHER, "P-Asserted-Identity: <sip:alice@x>, <tel:+8613900000001>", 200),
    (SUSPENDED, OTHER, "P-Asserted-Identity: <tel:+8613900000001>", 608),  # what the caller writes counts too
    (HONEST, "110", "P-Asserted-Identity: <tel:+8613800000001>", 200),
]


def test_each_call_is_judged_as_its_cards_are(proxy: OwnCallProxy, tmp_path: Path) -> None:
    found = call(tmp_path / "calls", proxy.address, [row[:3] if row[2] else row[:2] for row in CALLS])
    assert [(one.caller, one.callee, one.answer) for one in found] == [
        (a, b, code) for a, b, _, code in CALLS
    ]
    assert {one.info for one in found if one.answer == 608} == {CALL_INFO}
    assert {one.info for one in found if one.answer == 200} == {""}


def test_a_restored_card_calls_at_once(proxy: OwnCallProxy, tmp_path: Path) -> None:
    card = "8613800000009"
    with closing(proxy.element()) as element:
        for number, (act, state, code) in enumerate(
            (
                (element.suspend, NetworkState.SUSPENDED, 608),
                (element.bar_outgoing, NetworkState.OUTGOING_BARRED, 608),
                (element.restore, NetworkState.ACTIVE, 200),
                (element.restore, NetworkState.ACTIVE, 200),
            )
        ):
            act(card)
            assert element.state_of(card) is state
            found = call(tmp_path / str(number), proxy.address, [(card, HONEST)])
            assert [one.answer for one in found] == [code]


NUMBERS = st.integers(8613000000000, 8619999999999).map(str)
BEFORE = st.sampled_from(["", "+", "00", "86", "+86", "0086", "0", "+860"])


@st.composite
def written(draw: st.DrawFn, card: str) -> str:
    """A card in one of the ways that people and exchanges write it."""
    prefix = draw(BEFORE)
    text = prefix + card[2:]
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(len(prefix), len(text)))
        text = text[:at] + draw(st.sampled_from("-.()")) + text[at:]
    after = draw(st.sampled_from(["", ";phone-context=+86", ";cpc=ordinary"]))
    if draw(st.booleans()):
        at = draw(st.integers(0, len(text) - 1))
        text = text[:at] + f"%{ord(text[at]):02X}" + text[at + 1 :]
    return text + after


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), other=NUMBERS)
def test_however_a_number_is_written_it_is_the_same_card(
    judge: tuple[OwnCallProxy, Phone], data: st.DataObject, other: str
) -> None:
    _, phone = judge
    blocked, free = data.draw(written(SUSPENDED)), data.draw(written(other))
    expected = 608 if other == SUSPENDED else 200
    assert phone.call(blocked, HONEST).code == 608
    assert phone.call(HONEST, blocked).code == 608
    assert phone.call(free, HONEST).code == expected
    assert phone.call(HONEST, free).code == expected


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OwnCallProxy, Phone]]:
    needed(missing())
    with (
        Switchboard() as board,
        OwnCallProxy(tmp_path_factory.mktemp("judge"), board.address) as one,
        Phone(one.address) as phone,
    ):
        with closing(one.element()) as element:
            element.suspend(SUSPENDED)
        yield one, phone


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    needed(missing())
    with Wire(tmp_path) as one:
        yield one


class Wire:
    """A caller and a next hop that see every byte."""

    def __init__(self, folder: Path) -> None:
        self.caller, self.next_hop = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for end in (self.caller, self.next_hop):
            end.bind(("127.0.0.1", 0))
            end.settimeout(HANG)
        self.proxy = OwnCallProxy(folder / "proxy", self.next_hop.getsockname())

    def __enter__(self) -> Wire:
        self.proxy.start()
        with closing(self.proxy.element()) as element:
            element.suspend(SUSPENDED)
        return self

    def __exit__(self, *_: object) -> None:
        self.proxy.stop()
        self.caller.close()
        self.next_hop.close()

    def send(self, method: str = "INVITE", uri: str = f"sip:{OTHER}@x", **more: str) -> None:
        host, port = self.caller.getsockname()
        headers = {
            "Via": f"SIP/2.0/UDP {host}:{port};branch=z9hG4bK{more.pop('branch', 'one')}",
            "Max-Forwards": "70",
            "From": f"<sip:{SUSPENDED}@x>;tag=1",
            "To": f"<sip:{OTHER}@x>",
            "Call-ID": "a-call",
            "CSeq": f"1 {method}",
            "Content-Length": "0",
        } | {name.replace("_", "-"): value for name, value in more.items()}
        lines = [f"{method} {uri} SIP/2.0", *(f"{name}: {value}" for name, value in headers.items())]
        self.caller.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), self.proxy.address)

    def passed(self) -> str:
        """The next request that came to the next hop."""
        return self.next_hop.recv(65535).decode()

    def refused(self) -> str:
        """The next answer that came to the caller."""
        return self.caller.recv(65535).decode()


def test_emergency_by_service_name_and_telephone_uri_passes(wire: Wire) -> None:
    for uri in (
        "urn:service:sos",
        "urn:service:sos.police",
        "tel:110",
        "sip:110;phone-context=+86@x;user=phone",
    ):
        wire.send(uri=uri, Call_ID=quote(uri))
        assert wire.passed().startswith(f"INVITE {uri} SIP/2.0\r\n")
    wire.send(uri="urn:service:counseling")
    assert wire.refused().startswith("SIP/2.0 608 Rejected\r\n")


def test_what_belongs_to_a_call_passes_and_keeps_its_branch(wire: Wire) -> None:
    """A stateless proxy gives an INVITE, its CANCEL and its ACK one branch, other calls others (RFC 3261, 16.11)."""
    honest = {"From": f"<sip:{HONEST}@x>;tag=1"}
    branches = []
    for method, more in (
        ("INVITE", honest),
        ("CANCEL", honest),
        ("ACK", honest | {"To": f"<sip:{OTHER}@x>;tag=2"}),
        ("INVITE", honest | {"Call_ID": "another", "branch": "two"}),
        ("BYE", {"To": f"<sip:{OTHER}@x>;tag=2", "branch": "three"}),  # of a card that was stopped meanwhile
    ):
        wire.send(method, **more)
        passed = wire.passed()
        assert passed.startswith(method)
        branches.append(re.split("[;\r]", passed.split("branch=")[1])[0])
    assert len(set(branches[:3])) == 1
    assert len(set(branches)) == 3


def test_a_loop_ends(wire: Wire) -> None:
    wire.send(From=f"<sip:{HONEST}@x>;tag=1", Max_Forwards="0")
    assert wire.refused().startswith("SIP/2.0 483")
    wire.send(From=f"<sip:{HONEST}@x>;tag=1", Max_Forwards="7", branch="two")
    assert "\r\nMax-Forwards: 6\r\n" in wire.passed()


@pytest.mark.parametrize("bad", ["<sip:1'); DROP TABLE refused;--@x>;tag=1", "<sip:\x00@x>;tag=1", ""])
def test_a_caller_who_cannot_be_read_passes_nothing(wire: Wire, bad: str) -> None:
    wire.send(From=bad)
    wire.send(From=f"<sip:{HONEST}@x>;tag=1", Call_ID="the-next", branch="two")
    assert "Call-ID: the-next" in wire.passed()


def test_what_a_caller_writes_never_becomes_sql(wire: Wire) -> None:
    wire.send(CSeq="1'),('x','1','x','x','x');-- INVITE", uri="sip:x'),('a@x", branch="two")
    assert wire.refused().startswith("SIP/2.0 608")
    wire.send(Call_ID="1'||(SELECT 1)||'", uri="sip:'||randomblob(9)||'@x", branch="three")
    assert wire.refused().startswith("SIP/2.0 608")
    with closing(wire.proxy.element()) as element:
        until(lambda: len(element.refusals(0, 10)[0]) == 2)
        found, _ = element.refusals(0, 10)
    assert [(one.card, one.peer, one.reason.value) for one in found] == [
        (SUSPENDED, "unknown", "blocked_sender")
    ] * 2
    assert all(len(one.key) == 32 for one in found)


def test_what_is_no_card_is_unknown(proxy: OwnCallProxy) -> None:
    with closing(proxy.element()) as element:
        for card in ("", "+8613800000001", "abc", "8" * 16, "1;2", "٣"):
            with pytest.raises(UnknownCard):
                element.suspend(card)
            with pytest.raises(UnknownCard):
                element.state_of(card)
            with pytest.raises(UnknownCard):
                element.replace_all({HONEST: NetworkState.SUSPENDED, card: NetworkState.SUSPENDED})
        assert element.state_of(HONEST) is NetworkState.ACTIVE


@pytest.mark.parametrize(
    "url", ['https://x/"', "https://x/>", "https://x/\r\nX: y", "https://x/申诉", "", "a b"]
)
def test_a_way_of_redress_that_is_no_url_is_refused(tmp_path: Path, url: str) -> None:
    needed(missing())
    with pytest.raises(DuankaError, match="redress"):
        OwnCallProxy(tmp_path, ("127.0.0.1", 5060), redress=url)


def test_without_kamailio_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(DuankaError, match="apt-get install kamailio"):
        OwnCallProxy(tmp_path, ("127.0.0.1", 5060))
