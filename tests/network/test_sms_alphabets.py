"""A forbidden text is found in every alphabet and every division into parts that a handset may show."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import closing
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duanka.domain.network import RefusalReason
from duanka.domain.order_policy import MessagePolicy
from duanka.network.smpp import codec as smpp
from duanka.network.smpp.codec import SmppAddress
from duanka.network.sms.proxy.text_rules import TextLists
from duanka.network.sms.proxy.verdict import MessageJudge
from duanka.sandbox.message_proxy import OwnMessageProxy
from duanka.sandbox.smsc import OwnShortMessageCentre
from support.network.esme import CARD, PEER, REFUSED, Esme, number, status, submit
from support.network.message_path import own_centre, own_proxy

centre = pytest.fixture(own_centre)
proxy = pytest.fixture(own_proxy)
BAD = "请把钱转账到安全账户谢谢"
LINK = "look: evil.com/x"
POLICY = MessagePolicy.of(["安全账户+转账"], ["evil.com"], 0, [])
OTHER = "8613900000003"
ALPHABETS = {
    "big-endian": lambda text: text.encode("utf-16-be"),
    "big-endian, marked": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "little-endian": lambda text: text.encode("utf-16-le"),
    "little-endian, marked": lambda text: b"\xff\xfe" + text.encode("utf-16-le"),
    "UTF-8": lambda text: text.encode(),
    "UTF-8, marked": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "GBK": lambda text: text.encode("gbk"),
    "GB 18030": lambda text: text.encode("gb18030"),
}
CODINGS = (0, 1, 2, 3, 4, 8, 15, 0x10, 0x18, 0xE0, 0xF0, 0xF4)
HEADER = smpp.HAS_HEADER


def judge(policy: MessagePolicy = POLICY) -> MessageJudge:
    return MessageJudge(dict, policy, clock=lambda: 1000.0)


def unit(
    data: bytes,
    coding: int = 8,
    esm_class: int = 0,
    optional: Sequence[tuple[int, bytes]] = (),
    source: str = CARD,
    to: str = PEER,
) -> bytes:
    return smpp.submit_sm(
        1, number(source), number(to), data, data_coding=coding, esm_class=esm_class, optional=optional
    )


def verdict(judging: MessageJudge, sent: bytes, account: str = "a") -> RefusalReason | None:
    refused, _ = judging.check(smpp.submission(sent), account)
    return refused and refused.reason


def verdicts(*units: bytes, judging: MessageJudge | None = None) -> list[bool]:
    """Whether each is refused, one after the other."""
    judging = judging or judge()
    return [verdict(judging, sent) is not None for sent in units]


def part(
    which: int, data: bytes, *, reference: int = 77, total: int = 2, coding: int = 8, to: str = PEER
) -> bytes:
    return unit(bytes((5, 0, 3, reference, total, which)) + data, coding, HEADER, to=to)


def u(text: str) -> bytes:
    return text.encode("utf-16-be")


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("alphabet", ALPHABETS)
@pytest.mark.parametrize("text", [BAD, LINK])
def test_every_alphabet_under_every_claim(text: str, alphabet: str, coding: int) -> None:
    data = ALPHABETS[alphabet](text)
    assert verdicts(unit(data, coding)) == [True]
    assert verdicts(unit(b"", coding, optional=[(smpp.PAYLOAD, data)])) == [True]


@pytest.mark.parametrize(
    "data",
    [
        "ab€{} evil.com".encode("latin-1", "ignore"),
        bytes(code | 0x80 for code in b"see evil.com"),  # centres drop the eighth bit
        b"e\x1bv\x1bi\x1bl.com",  # escapes that open nothing
        b"see evil\x1b<.\x1b>com",
        b"see evil[.]com",
        b"\xe9\xe9\xe9 evil.com",
    ],
)
@pytest.mark.parametrize("coding", [0, 1, 3, 0xF0])
def test_letters_of_one_byte(data: bytes, coding: int) -> None:
    assert verdicts(unit(data, coding)) == [True]


def packed(text: str, fill: int = 0) -> bytes:
    bits = sum(code << 7 * at for at, code in enumerate(text.encode())) << fill
    return bits.to_bytes((7 * len(text) + fill + 7) // 8, "little")


def test_septets_without_gaps() -> None:
    assert verdicts(unit(packed("look: evil.com now"), 0), unit(packed("look: evil.com", 1), 4)) == [True] * 2


@pytest.mark.parametrize("link", [b"\x0c\x03evil\x00\x85\x03x\x00", b"\x0b\x03http://evil.com/x\x00"])
def test_the_link_of_a_service_indication(link: bytes) -> None:
    ports = bytes((6, 5, 4, 0x0B, 0x84, 0x23, 0xF0))
    push = b"\x01\x06\x03\xae\x81\xea\x02\x05\x6a\x00\x45\xc6" + link + b"\x01\x03look\x00\x01\x01"
    assert verdicts(unit(ports + push, 4, HEADER), unit(ports + push, 0xF5, HEADER)) == [True, True]


@pytest.mark.parametrize("alphabet", ALPHABETS)
@pytest.mark.parametrize("coding", [0, 4, 8, 15])
@pytest.mark.parametrize("cut", range(1, 20))
def test_parts_cut_anywhere_also_within_a_character(alphabet: str, coding: int, cut: int) -> None:
    data = ALPHABETS[alphabet](BAD)
    assert any(verdicts(part(1, data[:cut], coding=coding), part(2, data[cut:], coding=coding)))
    assert any(verdicts(part(2, data[cut:], coding=coding), part(1, data[:cut], coding=coding)))


@pytest.mark.parametrize(
    "pair", list(itertools.permutations(["big-endian", "little-endian", "UTF-8", "GBK"], 2))
)
@pytest.mark.parametrize("cut", range(5, 10))
@pytest.mark.parametrize("codings", [(8, 0), (0, 8), (0, 0), (8, 8), (15, 4)])
def test_parts_of_one_text_in_several_alphabets(
    pair: tuple[str, str], cut: int, codings: tuple[int, int]
) -> None:
    first, second = (ALPHABETS[name](text) for name, text in zip(pair, (BAD[:cut], BAD[cut:]), strict=True))
    assert any(verdicts(part(1, first, coding=codings[0]), part(2, second, coding=codings[1])))


def test_many_small_parts_in_turn_by_two_alphabets() -> None:
    pieces = [letter.encode("utf-16-be" if at % 2 else "gbk") for at, letter in enumerate(BAD)]
    sent = [
        part(at + 1, data, total=len(pieces), coding=8 if at % 2 else 15) for at, data in enumerate(pieces)
    ]
    assert any(verdicts(*sent))
    assert any(verdicts(*reversed(sent)))


def wide(which: int, data: bytes, reference: int = 77) -> bytes:
    return unit(bytes((6, 8, 4, reference >> 8, reference & 255, 2, which)) + data, 8, HEADER)


def sar(which: int, data: bytes, reference: int = 77) -> bytes:
    named = ((smpp.SAR_REFERENCE, reference.to_bytes(2, "big")), (smpp.SAR_TOTAL, b"\2"))
    return unit(data, 8, optional=[*named, (smpp.SAR_NUMBER, bytes((which,)))])


def port(which: int, data: bytes) -> bytes:
    return unit(bytes((11, 5, 4, 0, 0, 0, 0, 0, 3, 77, 2, which)) + data, 8, HEADER)


def payload_part(which: int, data: bytes) -> bytes:
    return unit(b"", 8, HEADER, [(smpp.PAYLOAD, bytes((5, 0, 3, 77, 2, which)) + data)])


def unannounced(which: int, data: bytes) -> bytes:
    return unit(bytes((5, 0, 3, 77, 2, which)) + data, 8)


def by_data_sm(which: int, data: bytes) -> bytes:
    ends = b"\1\1" + smpp.text(CARD) + b"\1\1" + smpp.text(PEER)
    text = smpp.tlv(smpp.PAYLOAD, bytes((5, 0, 3, 77, 2, which)) + data)
    return smpp.unit(smpp.DATA_SM, 1, b"\0" + ends + bytes((HEADER, 0, 8)) + text)


def by_submit_multi(which: int, data: bytes, to: Sequence[str] = (OTHER, PEER)) -> bytes:
    listed = b"".join(b"\1\1\1" + smpp.text(one) for one in to)
    text = bytes((5, 0, 3, 77, 2, which)) + data
    fields = bytes((HEADER, 0, 0, 0, 0, 0, 0, 8, 0, len(text)))
    return smpp.unit(
        smpp.SUBMIT_MULTI, 1, b"\0\1\1" + smpp.text(CARD) + bytes((len(to),)) + listed + fields + text
    )


WAYS = (part, wide, sar, port, payload_part, unannounced, by_data_sm, by_submit_multi)


@pytest.mark.parametrize("ways", list(itertools.product(WAYS, repeat=2)))
def test_parts_by_whatever_way_they_come(ways: tuple[Callable[[int, bytes], bytes], ...]) -> None:
    first, second = ways
    assert verdicts(first(1, u(BAD[:8])), second(2, u(BAD[8:]))) == [False, True]
    assert verdicts(first(2, u(BAD[8:])), second(1, u(BAD[:8]))) == [False, True]


def test_parts_that_contradict_each_other() -> None:
    halves = u(BAD[:8]), u(BAD[8:])
    several = [
        unit(bytes((10, 0, 3, 20, 2, i + 1, 0, 3, 30 + i, 2, i + 1)) + half, 8, HEADER)
        for i, half in enumerate(halves)
    ]
    assert verdicts(*several) == [False, True]
    assert verdicts(part(1, halves[0], total=2), part(2, halves[1], total=3)) == [False, True]
    assert verdicts(part(1, halves[0], total=1), part(2, halves[1], total=1)) == [False, True]
    other = "86 139-0000-0002"
    assert verdicts(part(1, halves[0]), part(2, halves[1], to=other)) == [False, True]
    # one part sent twice: handsets keep the first or the last
    assert verdicts(part(1, halves[0]), part(1, u("你好")), part(2, halves[1])) == [False, False, True]
    assert verdicts(part(1, u("你好")), part(1, halves[0]), part(2, halves[1])) == [False, False, True]


def test_headers_that_do_not_fit() -> None:
    text = u(BAD)
    assert (
        verdicts(
            unit(b"\xff" + text, 8, HEADER),  # longer than the text
            unit(text, 8, HEADER),  # no header at all
            unit(b"\0" + text, 8, HEADER),
            unit(bytes((6, 5, 4, 0, 0, 0, 0)) + text, 8, HEADER),
            unit(bytes((5, 0, 200, 1, 2, 1)) + text, 8, HEADER),  # an element longer than the header
            unit(bytes((9, 0, 3, 1, 2, 1)) + text, 8, HEADER),
            unit(bytes((200, 0, 3, 1, 2, 1)) + text, 8, HEADER),
        )
        == [True] * 7
    )
    halves = [bytes((250, 0, 3, 77, 2, i + 1)) + half for i, half in enumerate((u(BAD[:8]), u(BAD[8:])))]
    assert verdicts(*(unit(half, 8, HEADER) for half in halves)) == [False, True]


def test_texts_in_several_fields() -> None:
    good, bad = (smpp.PAYLOAD, u("好")), (smpp.PAYLOAD, u(BAD))
    assert (
        verdicts(
            unit(b"", 8, optional=[bad, good]),
            unit(b"", 8, optional=[good, bad]),
            unit(u("好"), 8, optional=[bad]),
            unit(u(BAD), 8, optional=[good]),
            unit(u(BAD[:8]), 8, optional=[(smpp.PAYLOAD, u(BAD[8:]))]),  # a centre may join them
            unit(b"", 8, optional=[(smpp.PAYLOAD, u(BAD[:8])), (smpp.PAYLOAD, u(BAD[8:]))]),
        )
        == [True] * 6
    )


def cut_off(sent: bytes, by: int) -> bytes:
    """The same without its last bytes."""
    return (len(sent) - by).to_bytes(4, "big") + sent[4 : len(sent) - by]


def longer(sent: bytes, more: bytes) -> bytes:
    return (len(sent) + len(more)).to_bytes(4, "big") + sent[4:] + more


def test_what_stands_behind_the_fields_is_read_as_far_as_it_can_be() -> None:
    payload = smpp.tlv(smpp.PAYLOAD, u(BAD))
    assert (
        verdicts(
            cut_off(unit(b"", 8, optional=[(smpp.PAYLOAD, u(BAD + "谢"))]), 2),
            longer(unit(u("hi")), b"\0" + payload),
            longer(unit(u("hi")), b"\0\0\0" + payload),
            longer(unit(u("hi")), payload + b"\0"),
            longer(unit(u("hi")), payload + b"\0\0\0\0\0"),
        )
        == [True] * 5
    )


def replace(data: bytes, source: str = CARD) -> bytes:
    body = smpp.text("id-of-it") + b"\1\1" + smpp.text(source) + b"\0\0" + bytes((0, 0, len(data))) + data
    return smpp.unit(smpp.REPLACE_SM, 1, body)


def test_a_replacement_in_more_than_can_be_read_in_no_time_is_refused() -> None:
    by, text = judge(), "您好，您的快递已到驿站，请凭取件码取件，如有问题请联系客服热线。" * 60
    for message in range(32):
        for which in range(1, 31):
            one = part(which, u(text[which * 60 : which * 60 + 60]), reference=message, total=30)
            assert verdict(by, one) is None
            if (message, which) == (0, 3):
                assert verdict(by, replace(u("好"))) is None
    begun = process_time()
    refused, _ = by.check(smpp.submission(replace(u("好"))), "a")
    assert refused
    assert refused.detail == "replaces in more than can be read"
    assert process_time() - begun < 2.0, "no message of anybody passes meanwhile"


def test_a_replacement_is_judged_like_what_it_replaces() -> None:
    assert verdicts(replace(u(BAD)), replace(BAD.encode()), replace(u("好"))) == [True, True, False]
    header = bytes((5, 0, 3, 77, 2, 1))
    assert verdicts(part(1, u("好")), part(2, u(BAD[8:])), replace(header + u(BAD[:8]))) == [
        False,
        False,
        True,
    ]
    assert verdicts(sar(1, u("好")), sar(2, u(BAD[8:])), replace(u(BAD[:8]))) == [False, False, True]
    assert verdicts(sar(1, u("好")), replace(u(BAD[:8])), sar(2, u(BAD[8:]))) == [False, False, True]
    other = judge()
    assert verdict(other, sar(2, u(BAD[8:]))) is None
    assert verdict(other, replace(u(BAD[:8])), "of another account") is None
    assert verdict(other, replace(u(BAD[:8]), OTHER)) is None


def test_no_client_spoils_anothers_parts() -> None:
    judging = judge()
    assert verdict(judging, part(2, u(BAD)), "stranger") is RefusalReason.TEXT
    assert verdict(judging, part(1, u("你好")), "honest") is None
    assert verdict(judging, part(2, u("再见")), "honest") is None


def test_a_header_is_what_a_handset_takes_off() -> None:
    """Honest parts whose header would be letters: nothing of it belongs to the text."""
    assert verdicts(part(1, u("安全账号")), part(2, u("户头")), part(3, u("转账"))) == [False] * 3


@settings(deadline=None)  # the first example builds the lists
@given(
    st.text(min_size=1, max_size=60),
    st.sampled_from(sorted(ALPHABETS)),
    st.sampled_from(CODINGS),
    st.text(max_size=30),
)
def test_a_forbidden_text_is_found_among_any_other(text: str, alphabet: str, coding: int, more: str) -> None:
    try:
        data = ALPHABETS[alphabet](f"{text} {BAD} {more}")
    except UnicodeEncodeError:
        return
    assert verdicts(unit(b"", coding, optional=[(smpp.PAYLOAD, data)])) == [True]


NOISE = st.text(" ,.。!-_*·\u200b\ufeff\u0305\u3000", max_size=3)


@settings(deadline=None)  # the first example builds the lists
@given(st.lists(NOISE, min_size=12, max_size=12), st.booleans(), st.text(max_size=20))
def test_the_short_way_out_of_the_lists_passes_nothing(noise: list[str], full: bool, before: str) -> None:
    wide = {ord("V"): "Ｖ", ord("X"): "𝐗", ord("e"): "ｅ", ord("o"): "ⓞ"}
    words = "".join(letter + some for letter, some in zip("加VX高返利", noise, strict=False))
    host = "see evil.com".translate(wide if full else {})
    lists = TextLists(MessagePolicy.of(["vx+返利", "稳赚"], ["evil.com"], 0, []))
    assert lists.of(before + "。" + (words.translate(wide) if full else words)) is not None
    assert lists.of(before + "。" + host) is not None


def test_what_is_made_to_cost_is_judged_all_the_same() -> None:
    """Each of these would take minutes or gigabytes if every combination were tried."""
    named = [(tag, bytes((0, at % 250 + 1))) for at in range(3500) for tag in (0x020C, 0x020E, 0x020F)]
    many = [(smpp.PAYLOAD, letter.encode("utf-16-be")) for letter in BAD] + [(smpp.PAYLOAD, b"\0x")] * 8000
    header = bytes((252,)) + bytes((0, 3, 1, 2, 1)) * 50 + bytes((0x70, 0))
    ends = (
        b"\0\1\1"
        + smpp.text(CARD)
        + b"\xfe"
        + b"".join(b"\1\1\1" + smpp.text(f"86137{at:08d}") for at in range(254))
    )
    to_all = smpp.unit(
        smpp.SUBMIT_MULTI,
        1,
        ends + bytes((HEADER, 0, 0, 0, 0, 0, 0, 8, 0, 0)) + smpp.tlv(smpp.PAYLOAD, header + u(BAD)),
    )
    assert verdicts(
        unit(u("hi"), 8, optional=named),
        unit(b"", 8, optional=many),
        to_all,
        unit(b"", 0, optional=[(smpp.PAYLOAD, b"a." * 32_000 + b"evil.com")]),
        unit(b"", 0, optional=[(smpp.PAYLOAD, b"a." * 32_000)]),
        unit(b"", 0, optional=[(smpp.PAYLOAD, b"evil.co " * 8_000)]),
        unit(b"", 8, optional=[(smpp.PAYLOAD, u("\ufdfa" * 32_000 + BAD[:3]))]),
        unit(b"hi", 0, source="1" * 60_000),
    ) == [False, True, True, True, False, False, False, False]


def test_it_holds_on_the_wire_and_honest_bytes_arrive_as_they_were(
    proxy: OwnMessageProxy, centre: OwnShortMessageCentre
) -> None:
    with closing(proxy.element()) as element, Esme(proxy.address) as esme:
        for coding, data in ((0, BAD.encode()), (8, BAD.encode("utf-16-le")), (0, BAD.encode("gbk"))):
            assert status(esme.ask(unit(data, coding))) == REFUSED
        assert status(esme.ask(replace(u(BAD)))) == REFUSED
        honest = [
            longer(submit(7, "你好"), zeros)
            for zeros in (b"\0", b"\0\0\0", bytes(4), smpp.tlv(0x0204, b"\0\1") + b"\0")
        ]
        honest.append(longer(submit(8, "你好"), b"\x04\x24\xff\xff" + u("还有")))  # longer than there is
        assert [status(esme.ask(one)) for one in honest] == [smpp.OK] * len(honest)
        assert [one.unit for one in centre.accepted] == honest
        assert element.status()["malformed"] == 0


@pytest.mark.parametrize("command", [0x03, 0x08, 0x0111, 0x00010200, 0x7FFFFFFF])
def test_units_that_are_no_submission_pass_as_they_are(proxy: OwnMessageProxy, command: int) -> None:
    with Esme(proxy.address) as esme:
        answer = esme.ask(smpp.unit(command, 9, b"what only the centre can read \0" + bytes(7)))
        assert status(answer) == smpp.UNKNOWN_COMMAND  # the word of the centre


def test_a_name_is_an_address_too() -> None:
    sent = smpp.submit_sm(1, SmppAddress(5, 0, "Bank"), number(PEER), BAD.encode("gbk"))
    assert verdicts(sent) == [True]
