"""The short ways of the message path give what the long ones would."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duanka.domain.order_policy import MessagePolicy
from duanka.network.smpp import codec as smpp
from duanka.network.smpp.card_numbers import EmergencyNumbers, e164
from duanka.network.smpp.codec import SmppAddress
from duanka.network.smpp.joined_parts import usual_characters
from duanka.network.smpp.text_encodings import GSM, gsm_text, readings
from duanka.network.sms.proxy.text_rules import TextLists, letters

WORDS, LINKS = ["加微+返利", "安全账户", "vx"], ["evil.com", "t.cn/a"]
BOTH = TextLists(MessagePolicy.of(WORDS, LINKS, 0, []))
WORDS_ALONE = TextLists(MessagePolicy.of(WORDS, [], 0, []))
LINKS_ALONE = TextLists(MessagePolicy.of([], LINKS, 0, []))
PIECES = st.sampled_from(
    [*"加微返利安全账户vxＶ𝐗evil.com。点·t/a 你好\u200bеⓥ", "evil", " dot ", "com", "安全账户", "t.cn/a"]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)


@settings(deadline=None)  # the first example builds the lists
@given(TEXTS)
def test_lists_of_words_and_links_find_what_each_of_them_finds(text: str) -> None:
    assert bool(BOTH.of(text)) == bool(WORDS_ALONE.of(text) or LINKS_ALONE.of(text))


@given(TEXTS | st.text(max_size=6).flatmap(lambda some: TEXTS.map(lambda text: some + text + some)))
def test_sets_are_found_wherever_all_their_words_stand(text: str) -> None:
    plain = letters(text)
    sets = [[letters(word) for word in words.split("+")] for words in WORDS]
    assert bool(WORDS_ALONE.of(text)) == any(all(word in plain for word in words) for words in sets)


@given(st.lists(TEXTS, max_size=5))
def test_readings_looked_through_together_find_what_each_finds_alone(texts: list[str]) -> None:
    assert BOTH.first_hit(texts) == next((why for text in texts if (why := BOTH.of(text))), None)


def one_by_one(unit: bytes) -> smpp.Submission:
    """A submit_sm, field by field."""
    at = smpp.HEAD.size

    def until_zero() -> str:
        nonlocal at
        begin, at = at, unit.index(0, at) + 1
        return unit[begin : at - 1].decode("latin-1")

    def octet() -> int:
        nonlocal at
        at += 1
        return unit[at - 1]

    until_zero()  # service type
    source = SmppAddress(octet(), octet(), until_zero())
    destination = SmppAddress(octet(), octet(), until_zero())
    esm_class, _, _ = octet(), octet(), octet()  # protocol, priority
    until_zero(), until_zero()  # schedule, validity
    registered, _, coding, _, length = octet(), octet(), octet(), octet(), octet()
    end = at + length
    if end > len(unit):
        raise ValueError(length)
    _, command, _, sequence = smpp.HEAD.unpack_from(unit)
    return smpp.Submission(
        command, sequence, source, (destination,), esm_class, registered, coding, unit[at:end],
        smpp.parameters(unit, end),
    )  # fmt: skip


BYTES = st.binary(max_size=30) | st.lists(st.sampled_from([0, 1, 2, 0x31, 0xFF]), max_size=40).map(bytes)


@given(BYTES, BYTES, BYTES, st.sampled_from([smpp.SUBMIT_SM, smpp.DELIVER_SM]))
def test_a_submission_read_at_once_is_what_it_is_field_by_field(
    one: bytes, two: bytes, three: bytes, command: int
) -> None:
    unit = smpp.unit(command, 7, one + b"\0\1\1" + two + b"\0" + three)
    try:
        wanted = one_by_one(unit)
    except (ValueError, IndexError):
        with pytest.raises(smpp.Malformed):
            smpp.submission(unit)
        return
    assert smpp.submission(unit) == wanted


NUMBERS = st.sampled_from(
    [
        "13900000001",
        "8613900000001",
        "+8613900000001",
        "110",
        "86110",
        "13800138000",
        "8613800138000",
        "95588",
    ]
) | st.text("0123456789+86", max_size=14)


@given(st.lists(NUMBERS, max_size=4))
def test_destinations_that_are_no_emergency_are_those_that_are_asked_one_by_one(numbers: list[str]) -> None:
    emergency = EmergencyNumbers(("13800138000", "95110"))
    destinations = [SmppAddress(1, 1, number) for number in numbers]
    assert emergency.others(destinations) == [
        e164(one) for one in destinations if one.number not in emergency
    ]


@given(st.binary(min_size=1, max_size=255))
def test_septets_unpacked_at_once_are_those_unpacked_one_by_one(message: bytes) -> None:
    bits = int.from_bytes(message, "little")
    for fill in (0, 1):
        count = (8 * len(message) - fill) // 7
        septets = bytes(bits >> fill + 7 * number & 0x7F for number in range(count))
        text = gsm_text(septets)
        if not text or all(0x20 <= octet < 0x7F or octet in b"\n\r" for octet in message):
            continue  # plain text is not read as packed
        assert text in readings(4, message)


def test_usual_characters_are_those_of_gb_2312_and_printable_ascii() -> None:
    pairs = (bytes((high, low)) for high in range(0xA1, 0xF8) for low in range(0xA1, 0xFF))
    usual = (
        {pair.decode("gb2312", "ignore") for pair in pairs}
        | {chr(code) for code in range(0x20, 0x7F)}
        | {"\n", "\r"}
    )
    assert all(usual_characters(chr(code)) == (chr(code) in usual) for code in range(0x110000))
    mixed = "您好 ok\x00é\u0400한\U00020000\n"
    assert usual_characters(mixed) == sum(letter in usual for letter in mixed)


def decoded(coding: int, message: bytes) -> set[str]:
    """What a message of two bytes a character may show, by Python's own codecs."""
    names = ["utf-16-be", "utf-16-le", "gb18030"]
    found = {message.decode(name, "ignore") for name in names}
    utf_8 = message.decode("utf-8", "ignore")
    if not utf_8.isascii():
        found.add(utf_8)
    if coding == 8 and message.startswith(b"\xff\xfe"):
        found.add(message[2:].decode("utf-16-le", "ignore"))
    return found - {""}


@given(
    st.sampled_from([8, 15]),
    st.binary(max_size=40)
    | st.sampled_from(["utf-16-be", "utf-16", "gb18030", "utf-8"]).flatmap(
        lambda name: st.text("你好，evil点" + GSM[:8], max_size=12).map(
            lambda text: text.encode(name, "ignore")
        )
    ),
)
def test_two_bytes_a_character_are_read_in_every_such_alphabet(coding: int, message: bytes) -> None:
    if message.isascii():
        return
    found = readings(coding, message)
    assert decoded(coding, message) - {""} <= set(found)
    assert len(found) == len(set(found))
