"""What the message proxy reads in a submission, and what the lists of a policy find there."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duanka.domain.network import NetworkState, RefusalReason
from duanka.domain.order_policy import MessagePolicy
from duanka.network.smpp import codec as smpp
from duanka.network.smpp.card_numbers import EmergencyNumbers, e164, is_service
from duanka.network.smpp.codec import SmppAddress
from duanka.network.smpp.joined_parts import JoinedParts
from duanka.network.smpp.message_text import contents_of
from duanka.network.smpp.text_encodings import GSM, readings
from duanka.network.sms.proxy.text_rules import TextLists
from duanka.network.sms.proxy.verdict import MessageJudge
from support.network.esme import CARD, PEER, number
from support.phone_number_forms import EMERGENCY, FORMS, LAB_CARD, LAB_FORMS, LAB_OR_EMERGENCY

LISTS = TextLists(
    MessagePolicy.of(["安全账户+转账", "VX+返利"], ["evil.com", "t.cn/abc", "https://Bad.example/"], 0, [])
)


@pytest.mark.parametrize(
    "text",
    [
        "请转账到安全账户",
        "安全账户，马上转账",
        "安 全 账 户 转 账",
        "安.全-账*户【转】账",
        "安\u200b全\ufeff账\u2060户转\u00ad账",
        "安\u0305全账户 转账",
        "加ＶＸ 高 返 利",
        "加 v x 返利",
        "see http://evil.com/x",
        "see EVIL.COM",
        "see www.evil.com",
        "see evil。com",
        "see evil．com now",
        "see evil 。 com",
        "点evil点com看",
        "http://evil%2ecom/x",
        "%65vil%2Ecom",
        "see evil dot com",
        "see evil[.]com",
        "see e v i l . c o m",
        "see ev\u200bil.com",
        "see ｅｖｉｌ．ｃｏｍ",
        "see evіl.com",  # the i is Ukrainian
        "打开evil.com领取",
        "t.cn/abc",
        "T.CN/ABC?x=1",
        "bad.example",
    ],
)
def test_tricks_are_seen_through(text: str) -> None:
    assert LISTS.of(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "请转账给我",  # one word of two
        "安全账号已经转账",
        "notevil.com",
        "evil.com.cn",
        "evil.community",
        "evil company",
        "t.cn/xyz",
        "t.cn",
        "明天下午三点开会",
        "The medevil.commander",
    ],
)
def test_neighbours_pass(text: str) -> None:
    assert LISTS.of(text) is None


def test_the_reason_never_holds_the_text() -> None:
    assert LISTS.of("妈妈 请转账到安全账户 6222") == "keywords 安全账户+转账"
    assert LISTS.of("secret www.evil.com/token") == "link evil.com"


def test_a_set_of_nothing_refuses_nothing() -> None:
    assert TextLists(MessagePolicy.of(["", "+", "转账+"], ["", "/", "."], 0, [])).of("转账 . /") is None


@pytest.mark.parametrize(
    ("coding", "message", "text"),
    [
        (0, b"hello \x1b\x65 \x00", "hello € @"),
        (0, "转账".encode("gb18030"), "转账"),
        (1, b"hello", "hello"),
        (3, "é".encode("latin-1"), "é"),
        (4, "转账".encode(), "转账"),
        (8, "转账".encode("utf-16-be"), "转账"),
        (8, "转账".encode("utf-16-be") + b"\x00", "转账"),
        (15, "转账".encode("gb18030"), "转账"),
        (0x18, "转账".encode("utf-16-be"), "转账"),  # flash message
        (0x10, b"hi", "hi"),
        (0xF0, b"hi", "hi"),
        (0xE0, "转".encode("utf-16-be"), "转"),
    ],
)
def test_alphabets(coding: int, message: bytes, text: str) -> None:
    assert text in readings(coding, message)


def test_the_gsm_alphabet_is_whole() -> None:
    assert len(GSM) == 128 == len(set(GSM))


def wire(written: str, ton: int = 1) -> SmppAddress:
    """As a client sends it: what latin-1 has not is UTF-8."""
    return SmppAddress(ton, 1, written.encode().decode("latin-1"))


@pytest.mark.parametrize("written", [*FORMS, "10658 13800138000", "1065813800138000"])
@pytest.mark.parametrize("ton", [0, 1, 2, 3, 5])
def test_one_number_however_it_is_written_and_whatever_type_it_claims(written: str, ton: int) -> None:
    judging = judge(MessagePolicy.of([], [], 1, []), Seconds(), c8613800138000=NetworkState.SUSPENDED)
    from_it = smpp.submission(smpp.submit_sm(1, wire(written, ton), number(PEER), b"hi"))
    to_it = smpp.submission(smpp.submit_sm(1, number(CARD), wire(written, ton), b"hi"))
    refused = judging.of(from_it)
    assert (refused and refused.reason, refused and refused.card) == (
        RefusalReason.BLOCKED_SENDER,
        "8613800138000",
    )
    refused = judging.of(to_it)
    assert refused
    assert refused.reason is RefusalReason.BLOCKED_DESTINATION
    free = judge(MessagePolicy.of([], [], 1, []), Seconds())
    assert free.of(from_it) is None
    assert free.of(read("once more", source="8613800138000")) is not None  # one minute for all forms


@pytest.mark.parametrize("written", LAB_FORMS)
def test_a_card_of_a_test_system_is_judged_in_every_form(written: str) -> None:
    judging = judge(MessagePolicy.of([], [], 1, []), Seconds(), c861380013800=NetworkState.SUSPENDED)
    for sent in (
        smpp.submit_sm(1, wire(written), number(PEER), b"hi"),
        smpp.submit_sm(1, number(CARD), wire(written), b"hi"),
    ):
        refused = judging.of(smpp.submission(sent))
        assert refused
        assert LAB_CARD in (refused.card, refused.peer)


@pytest.mark.parametrize(
    "written", ["10690123456", "Bank", "447700900123", "13800138000x5y", "106901380013800"]
)
def test_what_is_no_card_stays_as_it_is(written: str) -> None:
    assert e164(SmppAddress(5, 0, written)) == written


@pytest.mark.parametrize("written", [*EMERGENCY, *LAB_OR_EMERGENCY])
def test_emergency_destinations_pass_in_every_form(written: str) -> None:
    judging = judge(MessagePolicy.of(["赌"], [], 1, []), Seconds(), c8613800138000=NetworkState.SUSPENDED)
    for _ in range(3):
        sent = smpp.submit_sm(
            1, number("13800138000"), wire(written), "赌".encode("utf-16-be"), data_coding=8
        )
        assert judging.of(smpp.submission(sent)) is None


def test_emergency_numbers_and_short_codes() -> None:
    emergency = EmergencyNumbers(("95110",))
    for one in ("110", "86110", "119", "120", "122", "12110", "12110025", "8612110755", "95110"):
        assert one in emergency, one
    for one in ("1100", "13800138110", "8613800138110", "121100000000", "12111"):
        assert one not in emergency, one
    assert is_service("10086")
    assert is_service("1069012345678")
    assert is_service("Bank")
    assert not is_service(CARD)


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def judge(policy: MessagePolicy, clock: Seconds, **cards: NetworkState) -> MessageJudge:
    listed = {name.removeprefix("c"): state for name, state in cards.items()}
    return MessageJudge(lambda: listed, policy, clock=clock)


def read(text: str, source: str = CARD, destination: str = PEER, header: bytes = b"") -> smpp.Submission:
    return smpp.submission(
        smpp.submit_sm(
            1,
            number(source),
            number(destination),
            header + text.encode("utf-16-be"),
            data_coding=8,
            esm_class=smpp.HAS_HEADER if header else 0,
        )
    )


def test_the_rate_is_of_any_sixty_seconds_and_of_one_sender() -> None:
    clock = Seconds()
    judging = judge(MessagePolicy.of([], [], 2, ["10086"]), clock)
    assert judging.of(read("a")) is None
    clock.now += 59
    assert judging.of(read("b")) is None
    refused = judging.of(read("c"))
    assert refused is not None
    assert refused.reason is RefusalReason.RATE
    assert judging.of(read("c", source=PEER, destination=CARD)) is None
    clock.now += 0.999
    assert judging.of(read("c")) is not None
    clock.now += 0.001  # sixty after the first
    assert judging.of(read("c")) is None
    assert judging.of(read("d")) is not None
    for service in ("10086", "1069000000001"):
        assert all(judging.of(read("x", source=service)) is None for _ in range(10)), service


def test_a_refused_message_does_not_count_for_the_rate() -> None:
    judging = judge(MessagePolicy.of(["安全账户"], [], 1, []), Seconds())
    assert judging.of(read("安全账户")) is not None
    assert judging.of(read("hi")) is None


def test_parts_are_judged_together() -> None:
    judging = judge(MessagePolicy.of(["安全账户+转账"], [], 0, []), Seconds())

    def part(which: int, text: str, reference: int = 7, source: str = CARD) -> RefusalReason | None:
        header = bytes((5, 0, 3, reference, 3, which))
        refused = judging.of(read(text, source=source, header=header))
        return refused and refused.reason

    assert part(1, "请到安全账") is None
    assert part(2, "户办理", reference=8) is None  # of another message
    assert part(2, "户办理", source=PEER) is None  # of another sender
    assert part(2, "户办理然后转") is None
    assert part(3, "账") is RefusalReason.TEXT  # the word and the set are complete
    assert part(3, "账") is RefusalReason.TEXT  # also when it is sent again
    assert part(3, "账", reference=9) is None


def join(joined: JoinedParts, whose: str, number: int, text: str, now: float = 0.0) -> list[str]:
    data = text.encode("utf-16-be")
    return list(joined.add("account", whose, [PEER], 1, number, data, 8, now))


def refused_as(texts: list[str]) -> str | None:
    return next((why for text in texts if (why := LISTS.of(text))), None)


def test_no_word_reaches_over_a_missing_part() -> None:
    joined = JoinedParts()
    assert refused_as(join(joined, "x", 1, "转账 安全")) is None
    assert refused_as(join(joined, "x", 3, "账户")) is None
    assert refused_as(join(joined, "x", 2, "")) is not None


def test_parts_take_a_bounded_room_and_are_forgotten() -> None:
    joined = JoinedParts(most=3000, seconds=60)
    assert "说" * 300 in join(joined, "a", 1, "说" * 300)
    join(joined, "b", 1, "话" * 300, 1)
    join(joined, "c", 1, "z", 2)
    assert "x" in join(joined, "a", 2, "x", 3)  # the oldest made room
    assert not any("说" in text for text in join(joined, "a", 3, "x", 4))
    assert not any("z" in text for text in join(joined, "c", 2, "y", 100))  # too late
    for other in range(100):  # empty parts cost something too
        join(joined, f"{other}", 1, "", 101)
    assert "z" in join(joined, "99", 2, "z", 102)
    join(joined, "0", 2, "转账 安全", 103)
    assert refused_as(join(joined, "0", 3, "账户", 104)) is not None


def test_a_long_text_in_the_payload_and_in_sar_parts() -> None:
    judging = judge(MessagePolicy.of(["安全账户"], [], 0, []), Seconds())
    payload = [(smpp.PAYLOAD, "到安全账户".encode("utf-16-be"))]
    sent = smpp.submit_sm(1, number(CARD), number(PEER), b"", data_coding=8, optional=payload)
    assert judging.of(smpp.submission(sent)) is not None
    both = smpp.submit_sm(1, number(CARD), number(PEER), b"\0h\0i", data_coding=8, optional=payload)
    assert judging.of(smpp.submission(both)) is not None
    verdicts = []
    for which, text in ((1, "安全"), (2, "账户")):
        sar = [(smpp.SAR_REFERENCE, b"\0\1"), (smpp.SAR_TOTAL, b"\2"), (smpp.SAR_NUMBER, bytes((which,)))]
        one = smpp.submit_sm(
            1, number(CARD), number(PEER), text.encode("utf-16-be"), data_coding=8, optional=sar
        )
        verdicts.append(judging.of(smpp.submission(one)))
    assert verdicts[0] is None
    assert verdicts[1] is not None


def test_whose_card_says_what() -> None:
    judging = judge(
        MessagePolicy.of(["赌"], [], 0, ["10086"], ["Notices"]),
        Seconds(),
        c8613800138000=NetworkState.SUSPENDED,
        c8613800138001=NetworkState.OUTGOING_BARRED,
    )

    def verdict(source: str, destination: str, text: str = "hi", by: str = "") -> RefusalReason | None:
        refused = judging.of(read(text, source, destination), by)
        return refused and refused.reason

    assert verdict("13800138000", PEER) is RefusalReason.BLOCKED_SENDER
    assert verdict("+8613800138001", PEER) is RefusalReason.BLOCKED_SENDER
    assert verdict(CARD, "13800138000") is RefusalReason.BLOCKED_DESTINATION
    assert verdict(CARD, "13800138001") is None  # barred outgoing: it still receives
    assert verdict("13800138000", "12110") is None
    assert verdict("13800138000", "110", "赌") is None
    assert verdict("110", "13800138000") is None
    assert verdict("10086", PEER, "赌", by="notices") is None
    assert verdict("10086", PEER, "赌", by="shop") is RefusalReason.TEXT, "any client can write any sender"
    assert verdict("10086", "13800138000", by="notices") is RefusalReason.BLOCKED_DESTINATION
    assert verdict(CARD, PEER, "赌") is RefusalReason.TEXT


def multi(source: str, *destinations: str) -> bytes:
    listed = b"".join(bytes((1, 1, 1)) + smpp.text(one) for one in destinations)
    body = (
        b"\0\1\1" + smpp.text(source) + bytes((len(destinations) + 1,)) + listed + b"\2" + smpp.text("list")
    )
    return smpp.unit(smpp.SUBMIT_MULTI, 1, body + bytes((0, 0, 0, 0, 0, 0, 0, 0, 0, 2)) + b"hi")


def test_all_destinations_of_a_submit_multi_count() -> None:
    judging = judge(MessagePolicy.of([], [], 5, []), Seconds(), c8613800138000=NetworkState.SUSPENDED)
    refused = judging.of(smpp.submission(multi(CARD, PEER, "110", "13800138000")))
    assert refused is not None
    assert (refused.reason, refused.peer) == (RefusalReason.BLOCKED_DESTINATION, "8613800138000")
    assert judging.of(smpp.submission(multi(CARD, PEER, "8613900000003"))) is None  # three with the list
    assert judging.of(smpp.submission(multi(CARD, PEER, "8613900000003"))) is not None  # six in a minute


def test_a_submission_to_nobody_is_judged_like_any_other() -> None:
    judging = judge(MessagePolicy.of([], [], 5, []), Seconds(), c8613800138000=NetworkState.SUSPENDED)
    head = b"\0\1\1" + smpp.text("13800138000") + b"\0"
    to_nobody = smpp.unit(smpp.SUBMIT_MULTI, 1, head + bytes((0, 0, 0, 0, 0, 0, 0, 0, 0, 2)) + b"hi")
    refused = judging.of(smpp.submission(to_nobody))
    assert refused is not None
    assert refused.reason is RefusalReason.BLOCKED_SENDER


@given(st.binary(max_size=80), st.sampled_from(sorted(smpp.SUBMISSIONS)))
def test_no_bytes_break_the_reading(body: bytes, command: int) -> None:
    unit = smpp.unit(command, 1, body)
    try:
        found = smpp.submission(unit)
    except smpp.Malformed:
        return
    for content in contents_of(found):
        readings(found.data_coding, content.data)


@settings(deadline=None)  # the first example builds the lists
@given(st.integers(0, 255), st.binary(max_size=40), st.integers(0, 255))
def test_no_text_breaks_the_verdict(coding: int, message: bytes, esm_class: int) -> None:
    judging = judge(MessagePolicy.of(["安全账户"], ["evil.com"], 3, []), Seconds())
    sent = smpp.submit_sm(1, number(CARD), number(PEER), message, data_coding=coding, esm_class=esm_class)
    judging.of(smpp.submission(sent))


@pytest.mark.parametrize(
    "piece", ["e", "e-", "-e", "e ", "e.", " dot ", "点", "[", ". ", "/", "-", "e。", "\u200b"]
)
def test_a_text_of_any_repetition_is_searched_for_links_in_no_time(piece: str) -> None:
    text = "evil.co dot " + (piece * 60_000)[:60_000]
    begun = process_time()
    assert LISTS.of(text) is None
    assert LISTS.of(f"{text} evil.com") == LISTS.of(f"{text} -evil.com") == "link evil.com"
    assert process_time() - begun < 2.0, "one message holds up all that come after it"
