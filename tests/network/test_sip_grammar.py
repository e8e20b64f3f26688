"""The call proxy reads numbers and headers by their grammar: raw messages through a real Kamailio."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duanka.domain.phone_number import (
    FIXED_FORM,
    FREEPHONE_FORM,
    LAB_FORM,
    MACHINE_FORM,
    MOBILE_FORM,
    NORTH_AMERICAN_FORM,
)
from duanka.network.sip.element import LOG
from duanka.network.sip.kamailio import OwnCallProxy
from duanka.network.sip.number_patterns import LEAST_DIGITS
from support.network.sip_messages import PASSED, RawCaller, bound, escaped
from support.network.sipp_calls import missing
from support.parts import needed
from support.phone_number_forms import (
    CARD,
    CLAIMED,
    CODED,
    EMERGENCY,
    EMERGENCY_URIS,
    LAB_CARD,
    LAB_OR_EMERGENCY,
    LAB_PLAIN,
    LAB_URIS,
    NO_EMERGENCY,
    PLAIN,
    REFUSED,
    URIS,
)
from support.waiting import until

BARRED, HONEST, ABROAD, FIXED, CALLING = (
    "8613800138001",
    "8613900139000",
    "447700900123",
    "862885551234",
    "8613800138007",
)
REFUSED_608 = "SIP/2.0 608 Rejected"
ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'
PAI = "P-Asserted-Identity: "


@pytest.fixture(scope="module")
def caller() -> Iterator[RawCaller]:
    needed(missing())
    with RawCaller() as one:
        yield one


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, caller: RawCaller) -> Iterator[OwnCallProxy]:
    protected = ("95588", "+86 10 12345678", "13900000000")
    with OwnCallProxy(tmp_path_factory.mktemp("grammar"), caller.address, emergency=protected) as one:
        with closing(one.element()) as element:
            for card in (CARD, ABROAD, FIXED, LAB_CARD):
                element.suspend(card)
            element.bar_outgoing(BARRED)
        yield one


def uri(text: str) -> str:
    """A form of the table as an address: what a SIP URI may not hold is escaped."""
    if re.match("<?[a-z][a-z0-9]+:", text, re.IGNORECASE):
        return text.strip("<>")
    return f"sip:{escaped(text)}@op"


def test_a_suspended_card_is_refused_in_every_form(proxy: OwnCallProxy, caller: RawCaller) -> None:
    forms = (*PLAIN, *CODED, *URIS, *CLAIMED, f"+{ABROAD}", f"00{ABROAD}", "028-85551234", "1795102885551234")
    for text in (*forms, *LAB_PLAIN, *LAB_URIS):
        assert caller.send(proxy.address, uri(text)) == REFUSED_608, text
        assert caller.send(proxy.address, who=f"<{uri(text)}>") == REFUSED_608, text


def test_emergency_calls_of_a_suspended_card_pass_in_every_form(
    proxy: OwnCallProxy, caller: RawCaller
) -> None:
    policy = ("95588", "+86 95588", "01012345678", "+861012345678", "13900000000", "0086 139 0000 0000")
    for text in (*EMERGENCY, *EMERGENCY_URIS, *LAB_OR_EMERGENCY, *policy):
        assert caller.send(proxy.address, uri(text), f"<sip:{CARD}@op>") == PASSED, text
    unreadable = f"{PAI}{'<sip:a@b>,' * 40}\r\nFrom: <sip:{CARD}@op>;tag=2\r\n"
    assert caller.send(proxy.address, "sip:110@op", "nobody", extra=unreadable) == PASSED


def test_what_only_looks_like_emergency_or_like_the_card_is_neither(
    proxy: OwnCallProxy, caller: RawCaller
) -> None:
    for text in NO_EMERGENCY:
        assert caller.send(proxy.address, uri(text), f"<sip:{CARD}@op>") == REFUSED_608, text
    for text in filter(None, REFUSED):
        assert caller.send(proxy.address, uri(text)) == PASSED, text
        assert caller.send(proxy.address, who=f"<{uri(text)}>") == PASSED, text


@pytest.mark.parametrize(
    "header",
    [
        f"{PAI}<sip:{CARD}@op>",
        f"{PAI}tel:+{CARD};verstat=TN-Validation-Passed",
        f"{PAI}John Doe <sip:+{CARD}@x>",
        f'{PAI}"a, sip:{HONEST}@x" <sip:{CARD}@op>',
        f'{PAI}"\\\\" <tel:+{CARD}>, "" <sip:x@y>',
        f"{PAI}<sip:{HONEST}@op>, <tel:+{CARD}>, <sip:{HONEST}@op>",
        f"{PAI}<sip:{HONEST}@op>\r\n{PAI}<tel:+{CARD}>\r\n{PAI}<sip:{HONEST}@op>",
        f"{PAI}<sip:{HONEST}@op>, <sip:{CARD}@op;x=tel:{HONEST}>",
        f"{PAI}<sip:>, <tel:+{CARD}>",
        f"{PAI}<+{CARD}>",
        f"{PAI}{CARD}",
        f"{PAI}<{CARD}@op>",
        f"{PAI}<<sip:{CARD}@op>>",
        f"{PAI}<im:{CARD}@op>, ???",
        f"{PAI}<sip:{CARD}@{'o' * 900}>",
        f"{PAI}<sip:1,2,3,4@x>,<SIP:+{CARD}@x>",
        f"{PAI}<tel:13800138000;phone-context=+86>",
        f"{PAI}\r\n <sip:+{CARD}@x>",
        f"{PAI}<sip:alice@x>,\r\n\t<tel:+{CARD}>",
        f'{PAI}"A\r\n B" <sip:+{CARD}@x>',
        f"p-asserted-identity :  <sip:{CARD}@op> , ",
        f"P-Preferred-Identity: <sip:{CARD}@op>",
        f"Remote-Party-ID: <sip:{CARD}@op>;party=calling",
        f"Remote-Party-ID: <sip:{CARD}@op;party=called>;party=calling",
        f"Remote-Party-ID: <sip:{CARD}@op>;party=called2",
        f"Diversion: <sip:a@x>, <sip:+{CARD}@x>;reason=unconditional",
        f"History-Info: <sip:+{CARD}@x?Reason=SIP%3Bcause%3D302>;index=1, <sip:13900139000@op>;index=1.1",
    ],
)
def test_who_calls_or_diverts_is_read_in_every_header(
    proxy: OwnCallProxy, caller: RawCaller, header: str
) -> None:
    assert caller.send(proxy.address, who=ANONYMOUS, extra=f"{header}\r\n") == REFUSED_608
    assert (
        caller.send(proxy.address, who=ANONYMOUS, extra=f"{header.replace(CARD[2:], '13900139001')}\r\n")
        == PASSED
    )


@pytest.mark.parametrize(
    ("whom", "header"),
    [
        (HONEST, f"Remote-Party-ID: <sip:{CARD}@op>;party=called"),
        (HONEST, f'{PAI}"{CARD}" <sip:{HONEST}@op>'),
        (HONEST, f"{PAI}<sip:{HONEST}@op;x=tel:{CARD}>"),
        (HONEST, f"{PAI}???"),
        (HONEST, f"X-Other: <sip:{CARD}@op>"),
        (BARRED, f"History-Info: <sip:{BARRED}@op>;index=1"),  # who is barred outgoing can be called
    ],
)
def test_a_header_that_names_nobody_who_calls_refuses_nothing(
    proxy: OwnCallProxy, caller: RawCaller, whom: str, header: str
) -> None:
    assert caller.send(proxy.address, f"sip:{whom}@op", ANONYMOUS, extra=f"{header}\r\n") == PASSED


def test_what_cannot_be_read_does_not_pass(proxy: OwnCallProxy, caller: RawCaller) -> None:
    for header in (
        f"{PAI}<sip:{CARD}@{'o' * 1100}>",
        f'{PAI}"a\0" <sip:{CARD}@op>',
        f"{PAI}\0<sip:{CARD}@op>",
        f"{PAI}<sip:{HONEST}@op> <sip:{CARD}@op>",
        f"{PAI}{'x' * 3000}",
        f"{PAI}{'<sip:a@b>,' * 40}",
        "\r\n".join([f"{PAI}<sip:a@b>"] * 30),
    ):
        assert caller.send(proxy.address, extra=f"{header}\r\n") == "SIP/2.0 400 Bad Identity"


def test_what_kamailio_says_of_what_it_cannot_parse_has_no_number(
    proxy: OwnCallProxy, caller: RawCaller
) -> None:
    log = proxy.folder / LOG
    for number in range(1, 3):  # each worker
        caller.send(proxy.address, who=f"<sip:{CARD}@op>, <sip:+86-138-0013-8000@op>{number}")
    until(lambda: log.read_text().count("bad From header") >= 2)
    said = log.read_text()
    assert "0013" not in said
    assert "+86 138****8000@op" in said


def test_a_zero_byte_hides_nobody(proxy: OwnCallProxy, caller: RawCaller) -> None:
    """What is read here ends at it; what is read behind us may go on."""
    for whom in ("sip:110\x0013900139000@op", f"sip:{CARD}\0@op", f"sip:\0{CARD}@op", "sip:139@op\0"):
        assert caller.send(proxy.address, whom, f"<sip:{CARD}@op>") == "SIP/2.0 400 Bad URI", whom


@pytest.mark.parametrize("route", ["<sip:{}@op>", "<sip:{};lr@op;lrx>", "<sip:edge;lr>, <tel:+{};lr>"])
def test_a_route_leads_past_no_list(proxy: OwnCallProxy, caller: RawCaller, route: str) -> None:
    """A strict router goes where Route says, and not to the request URI (RFC 3261, 16.4)."""
    to_card = f"Route: {route.format(CARD)}\r\n"
    to_other = f"Route: {route.format(HONEST)}\r\n"
    for routing in (
        "sip:{};npdi;rn=+{}@op",
        "tel:+{};RN=+{};npdi",
    ):  # the same by a routing number (RFC 4694)
        assert caller.send(proxy.address, routing.format(HONEST, CARD)) == REFUSED_608
        assert caller.send(proxy.address, routing.format(HONEST, "861390")) == PASSED
    assert caller.send(proxy.address, "sip:edge.op", extra=to_card) == REFUSED_608
    assert caller.send(proxy.address, "sip:edge.op", extra=to_other) == PASSED
    sent = caller.message("sip:110@op", f"<sip:{CARD}@op>", f"routed-{route}", extra=to_other)
    caller.own.sendto(sent, proxy.address)
    outcome, request = caller.outcome(f"routed-{route}")
    assert outcome == PASSED
    assert "Route:" not in request  # it goes to the emergency number, and nowhere else
    call = f"within-{route}"
    answered(proxy, caller, call, "sip:110@op", f"<sip:{CARD}@op>")
    within = {"call": call, "tag": "two"}
    for method in ("INVITE", "UPDATE"):
        who = f"<sip:{CARD}@op>"
        assert (
            caller.send(proxy.address, "sip:10.0.0.7", who, method=method, extra=to_other, **within)
            == REFUSED_608
        )
        edge = "Route: <sip:edge.op;lr>, <sip:1234567890@core.op;lr=on>, <sip:9876543210@x;a=b;lr;c=d>\r\n"
        assert caller.send(proxy.address, "sip:10.0.0.7", who, method=method, extra=edge, **within) == PASSED


@pytest.mark.parametrize("hops", ["abc", "", "-1", "70 ;x", "99999999999"])
def test_hops_that_are_no_number_stop_no_emergency_call(
    proxy: OwnCallProxy, caller: RawCaller, hops: str
) -> None:
    for who in (HONEST, CARD):
        call = f"hops-{hops}-{who}"
        sent = caller.message("sip:110@op", f"<sip:{who}@op>", call)
        caller.own.sendto(sent.replace(b"Max-Forwards: 70", f"Max-Forwards: {hops}".encode()), proxy.address)
        outcome, request = caller.outcome(call)
        assert (outcome, request.count("Max-Forwards: 69\r\n")) == (PASSED, 1)


@pytest.mark.parametrize("method", ["MESSAGE", "REFER", "INVITEX", "invite"])
def test_every_method_that_carries_is_judged(proxy: OwnCallProxy, caller: RawCaller, method: str) -> None:
    assert caller.send(proxy.address, who=f"<sip:{BARRED}@op>", method=method) == REFUSED_608
    assert caller.send(proxy.address, f"sip:{CARD}@op", method=method) == REFUSED_608
    assert caller.send(proxy.address, "sip:12110@op", f"<sip:{BARRED}@op>", method=method) == PASSED
    assert caller.send(proxy.address, f"sip:{BARRED}@op", method=method) == PASSED


@pytest.mark.parametrize("method", ["OPTIONS", "REGISTER", "SUBSCRIBE", "BYE", "PUBLISH"])
def test_what_carries_nothing_passes(proxy: OwnCallProxy, caller: RawCaller, method: str) -> None:
    assert caller.send(proxy.address, who=f"<sip:{CARD}@op>", method=method) == PASSED


def test_only_a_call_that_was_answered_goes_on(proxy: OwnCallProxy, caller: RawCaller) -> None:
    who = f"<sip:{CALLING}@op>"
    caller.own.sendto(caller.message("sip:13900139000@op", who, "a-call"), proxy.address)
    _, request = caller.outcome("a-call")
    caller.hop.sendto(caller.answer(request), proxy.address)
    assert caller.outcome("a-call")[0] == "SIP/2.0 200 OK"
    with closing(proxy.element()) as element:
        element.suspend(CALLING)
        assert caller.send(proxy.address, who=who, call="a-call", tag="two") == PASSED
        for other in (
            {"call": "a-call", "tag": "three"},
            {"call": "a-call"},
            {"call": "another", "tag": "two"},
        ):
            assert caller.send(proxy.address, who=who, **other) == REFUSED_608
        element.restore(CALLING)


def answered(
    proxy: OwnCallProxy, caller: RawCaller, call: str, whom: str, who: str, *, extra: str = ""
) -> None:
    """A call is made and answered: its tags are one (of the caller) and two."""
    caller.own.sendto(caller.message(whom, who, call, extra=extra), proxy.address)
    outcome, request = caller.outcome(call)
    assert outcome == PASSED
    caller.hop.sendto(caller.answer(request), proxy.address)
    assert caller.outcome(call)[0] == "SIP/2.0 200 OK"


@pytest.mark.parametrize(
    "emergency",
    [
        "sip:110@op",
        "tel:110;phone-context=+852",
        "urn:service:sos.police",
        "sip:95588@op",
        "sip:13900000000@op",
    ],
)
def test_an_emergency_call_of_a_suspended_card_carries_nothing_to_others(
    proxy: OwnCallProxy, caller: RawCaller, emergency: str
) -> None:
    who, call = f"<sip:{CARD}@op>", f"emergency-{emergency}"
    answered(proxy, caller, call, emergency, who)
    within = {"call": call, "tag": "two"}
    for other in (
        f"sip:{HONEST}@op",
        f"sip:+{HONEST}@10.0.0.7:5060;transport=udp",
        f"tel:+{HONEST}",
        "sip:13900139000",
        "sip:85551234@op",
        "sip:+447700900999@op",
        "sip:028%2D85551999@op",
        "sip:13900139110@op",
        "sip:13900139000%00@op",
        "sip:+447700900999F@op",
    ):
        for method in ("INVITE", "UPDATE", "MESSAGE", "REFER"):
            assert caller.send(proxy.address, other, who, method=method, **within) == REFUSED_608, other
    for method in ("MESSAGE", "REFER"):  # new ones, whatever their request URI is
        assert caller.send(proxy.address, "sip:10.0.0.7", who, method=method, **within) == REFUSED_608
        assert caller.send(proxy.address, emergency, who, method=method, **within) == PASSED
    for target in (
        "sip:10.0.0.7",
        "sip:139.110.123.45:5060;transport=udp",
        "sip:[2001:db8::7]:5060",
        "sip:psap-7.example.org",
        "sip:110@10.0.0.7",
        "sip:operator7@10.0.0.7",
        "sip:5005@10.0.0.7",
        "sip:+8610110@10.0.0.7",
        emergency,
    ):
        for method in ("INVITE", "UPDATE", "INFO", "PRACK", "ACK", "CANCEL", "BYE"):
            assert caller.send(proxy.address, target, who, method=method, **within) == PASSED, target


@pytest.mark.parametrize(
    ("who", "extra"),
    [
        (f"<sip:{CARD}@op>", ""),
        (f"<sip:{HONEST}@op>", f"{PAI}<sip:{CARD}@op>\r\n"),
        (ANONYMOUS, f"{PAI}<sip:alice@op>, <tel:+{CARD}>\r\n"),
    ],
)
def test_the_emergency_side_reaches_the_suspended_card_and_nobody_in_its_name(
    proxy: OwnCallProxy, caller: RawCaller, who: str, extra: str
) -> None:
    call = f"back-{who}-{extra.partition(' ')[2].strip()}"
    answered(proxy, caller, call, "sip:110@op", who, extra=extra)
    # the other way round From has the tag of who was called
    for method in ("INVITE", "UPDATE"):
        for target in (f"sip:{CARD}@10.0.0.9:5060", f"sip:+{CARD}@op", f"tel:+{CARD}", "sip:10.0.0.9"):
            sent = caller.message(target, "<sip:110@op>", call, method, tag="one").replace(
                b"<sip:110@op>;tag=one", b"<sip:110@op>;tag=two"
            )
            caller.own.sendto(sent, proxy.address)
            assert caller.outcome(call)[0] == PASSED, target
        # who was suspended knows both tags, and writes himself into From
        again = caller.message("sip:110@op", f"<sip:{HONEST}@op>", call, method, tag="two")
        caller.own.sendto(again, proxy.address)  # with another From, and answered: makes nobody a part of it
        outcome, request = caller.outcome(call)
        assert outcome == PASSED
        caller.hop.sendto(caller.answer(request), proxy.address)
        assert caller.outcome(call)[0] == "SIP/2.0 200 OK"
        forged = caller.message(f"sip:{HONEST}@op", f"<sip:{CARD}@op>", call, method, tag="one").replace(
            b"op>;tag=one\r\nTo", b"op>;tag=two\r\nTo"
        )
        caller.own.sendto(forged, proxy.address)
        assert caller.outcome(call)[0] == REFUSED_608


def test_a_call_stays_with_whom_it_was_made(proxy: OwnCallProxy, caller: RawCaller) -> None:
    """A re-INVITE that was answered changes nothing in who called whom."""
    who, other, call = f"<sip:{CALLING}@op>", "8613900139055", "a-lasting-call"
    answered(proxy, caller, call, f"sip:{HONEST}@op", who)
    within = {"call": call, "tag": "two"}
    assert caller.send(proxy.address, f"sip:{other}@op", who, **within) == PASSED  # both are honest
    with closing(proxy.element()) as element:
        element.suspend(CALLING)
        for _ in range(2):
            for target in ("sip:10.0.0.7", f"sip:{HONEST}@10.0.0.7", f"sip:{HONEST[2:]}@op"):
                caller.own.sendto(caller.message(target, who, call, tag="two"), proxy.address)
                outcome, request = caller.outcome(call)
                assert outcome == PASSED, target
                caller.hop.sendto(caller.answer(request), proxy.address)
                assert caller.outcome(call)[0] == "SIP/2.0 200 OK"
            assert caller.send(proxy.address, f"sip:{CALLING}@10.0.0.9", **within) == PASSED
            assert caller.send(proxy.address, f"sip:{other}@op", who, **within) == REFUSED_608
            assert (
                caller.send(proxy.address, f"sip:{HONEST}@op", who, method="MESSAGE", **within) == REFUSED_608
            )
        element.restore(CALLING)


def test_an_answer_to_nothing_reaches_nobody(proxy: OwnCallProxy, caller: RawCaller) -> None:
    host, port = proxy.address
    with bound() as third:
        third.setblocking(False)
        ours = f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK1;dk={'0' * 32}"
        theirs = "Via: SIP/2.0/UDP {}:{};branch=z9hG4bK2".format(*third.getsockname())
        rest = "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: reflected\r\nCSeq: 1 INVITE\r\n\r\n"
        for via in (ours, f"{ours}.{HONEST}.{CALLING}..", ours.partition(";dk")[0]):
            caller.hop.sendto(f"SIP/2.0 200 OK\r\n{via}\r\n{theirs}\r\n{rest}".encode(), proxy.address)
        for number in range(40):  # every worker has taken what came before
            assert caller.send(proxy.address, call=f"after-{number}") == PASSED
        with pytest.raises(BlockingIOError):
            third.recv(65_536)


@pytest.mark.parametrize(
    ("behind", "arrives"),
    [
        ("{}", True),
        ("{};received=127.0.0.1", True),
        ("{};received=127.0.0.1;rport=5060", True),
        ("{} ", True),
        ("{}\t; received = 127.0.0.1", True),
        (" ; dk = {mark}", True),
        (";DK={mark}", True),
        (";dk={upper}", True),
        ("\r\n ;dk\r\n =\r\n\t{mark}\r\n ;x=y", True),
        ("{}, SIP/2.0/UDP {here};branch=z9hG4bK5;dk={half}", True),
        ("{}x", False),
        ("{}.", False),
        ("{};dk=", True),
        (";dk={half}", False),
        (";xdk={mark}", False),
        (";xk={mark};dk={half}", False),
        (";;;", False),
    ],
)
def test_our_mark_is_known_wherever_it_stands_in_our_via(
    proxy: OwnCallProxy, caller: RawCaller, behind: str, arrives: bool
) -> None:
    call = f"mark-{behind.encode().hex()}"
    caller.own.sendto(caller.message(f"sip:{HONEST}@op", f"<sip:{CALLING}@op>", call), proxy.address)
    outcome, request = caller.outcome(call)
    assert outcome == PASSED
    via = next(line for line in request.split("\r\n") if line.startswith("Via:"))
    start, between, mark = via.partition(";dk=")
    here = "{}:{}".format(*caller.own.getsockname())
    marks = {"mark": mark, "half": mark[:20], "upper": mark.upper(), "here": here}
    marked = start + behind.format(f"{between}{mark}", **marks)
    caller.hop.sendto(caller.answer(request).replace(via.encode(), marked.encode()), proxy.address)
    if not arrives:  # what arrives is the next one, unchanged
        caller.hop.sendto(caller.answer(request, "486 Busy Here"), proxy.address)
    assert caller.outcome(call)[0] == ("SIP/2.0 200 OK" if arrives else "SIP/2.0 486 Busy Here")


FORMS = (MOBILE_FORM, MACHINE_FORM, FIXED_FORM, FREEPHONE_FORM, LAB_FORM, NORTH_AMERICAN_FORM)


@given(st.sampled_from(FORMS).flatmap(st.from_regex))
def test_no_form_of_a_subscriber_is_shorter_than_what_is_looked_for(number: str) -> None:
    assert len(number.rstrip("\n")) >= LEAST_DIGITS


_TURNS = itertools.count(77_000_000)  # the proxy is shared: whoever calls this again is somebody else


def test_each_refused_call_is_recorded_once(proxy: OwnCallProxy, caller: RawCaller) -> None:
    turn = next(_TURNS)
    sender, other = f"86139{turn:08d}", f"86138{turn:08d}"
    with closing(proxy.element()) as element:

        def callers() -> Counter[str]:
            return Counter(one.card for one in element.refusals(0, 100_000)[0])

        repeated = caller.message(f"sip:{CARD}@op", f"<sip:{sender}@op>", f"repeated-{turn}")
        for _ in range(5):
            caller.own.sendto(repeated, proxy.address)
            assert caller.outcome(f"repeated-{turn}")[0] == REFUSED_608
        for _ in range(20):  # of one Call-ID and CSeq, and yet each a call
            assert (
                caller.send(proxy.address, f"sip:{CARD}@op", f"<sip:{other}@op>", call=f"same-{turn}")
                == REFUSED_608
            )
        until(lambda: callers()[other] >= 20)
        assert (callers()[sender], callers()[other]) == (1, 20)
