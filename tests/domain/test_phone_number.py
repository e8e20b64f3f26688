"""One grammar of telephone numbers: every form of one card, nothing that is another's, emergency in every form."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duanka.domain.phone_number import ProtectedNumbers, identity, is_emergency, parse
from support.phone_number_forms import (
    CARD,
    EMERGENCY,
    EMERGENCY_URIS,
    FORMS,
    LAB_CARD,
    LAB_FORMS,
    LAB_OR_EMERGENCY,
    NO_EMERGENCY,
    REFUSED,
)

MOBILE = st.from_regex(r"1[3-689][0-9]{9}|17[0-8][0-9]{8}", fullmatch=True)


@pytest.mark.parametrize("text", FORMS)
def test_every_form_is_one_card(text: str) -> None:
    assert parse(text) == identity(text) == CARD
    assert not is_emergency(text)


@pytest.mark.parametrize("text", LAB_FORMS)
def test_a_card_of_a_test_system_stays_as_it_is_written(text: str) -> None:
    assert parse(text) == identity(text) == LAB_CARD
    assert not is_emergency(text)


@pytest.mark.parametrize("text", LAB_OR_EMERGENCY)
def test_digits_of_a_test_system_hide_no_emergency_number(text: str) -> None:
    assert is_emergency(text)


@given(st.from_regex("1[3-9][0-9]{8}", fullmatch=True), st.sampled_from(["86", "+86", "0086"]))
def test_a_card_of_a_test_system_is_nobody_elses(ten: str, code: str) -> None:
    assert parse(code + ten) == identity(code + ten) == f"86{ten}"
    assert parse(ten) is None
    protected = ProtectedNumbers([f"86{ten}"])
    assert code + ten in protected
    assert f"86{ten}0" not in protected


@pytest.mark.parametrize("text", REFUSED)
def test_no_number_is_put_right_into_another(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("010-12345678", "861012345678"),
        ("02885551234", "862885551234"),
        ("862885551234", "862885551234"),
        ("0755-12345678转801", "8675512345678"),
        ("17951075512345678", "8675512345678"),
        ("4008123123", "864008123123"),
        ("1064812345678", "861064812345678"),
        ("1440012345678", "861440012345678"),
        ("861440012345678", "861440012345678"),
        ("+49 151 12345678", "4915112345678"),
        ("0049 (0)151 12345678", "4915112345678"),
        ("4915112345678", "4915112345678"),
        ("0755.12345678", "8675512345678"),
        ("85291234567", "85291234567"),
        ("959123456789", "959123456789"),
        ("+1 202 555 0123", "12025550123"),
        ("+13922223333", "13922223333"),  # possible in North America, where the + says that it is
        ("13922223333", "8613922223333"),
        ("+852 138 001 3800", "8521380013800"),  # with a country code any length is kept
        ("+7 912 345", "7912345"),
    ],
)
def test_other_subscribers(text: str, number: str) -> None:
    assert parse(text) == number


def test_elsewhere_a_number_needs_its_country() -> None:
    assert parse("13800138000", country="49") is None
    assert parse("0151 12345678", country="49") is None
    assert parse("+8613800138000", country="49") == parse("86138 0013 8000", country="49") == CARD
    assert parse("4915112345678", country="49") == "4915112345678"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("10086", "10086"),
        ("+10690123456", "10690123456"),
        (" 1069-0123-45678", "1069012345678"),
        (" Bank ", "Bank"),
    ],
)
def test_what_is_no_subscriber_is_known_as_dialled(text: str, read: str) -> None:
    assert identity(text) == read


@pytest.mark.parametrize("text", [*EMERGENCY, *EMERGENCY_URIS])
def test_emergency_in_every_form(text: str) -> None:
    assert is_emergency(text)
    assert parse(text) is None


@pytest.mark.parametrize("text", NO_EMERGENCY)
def test_what_only_looks_like_emergency_is_none(text: str) -> None:
    assert not is_emergency(text)


def test_protected_are_lines_and_whole_numbers() -> None:
    protected = ProtectedNumbers(["95588", "+86 12345", "010 1234 5678", "8613900000000", "62345678"])
    assert {"95588", "12345", "62345678", "110"} <= set(protected.lines)
    assert protected.subscribers == {"861012345678", "8613900000000"}
    for one in ("+8695588", "01095588", "*31#12345", "+86 10 12345678", "tel:13900000000", "62345678", "119"):
        assert one in protected, one
    for one in ("9558", "955881", "010-62345678", "8613900000001", "8613900095588", ""):
        assert one not in protected, one
    local = ProtectedNumbers(["71234567", "1234567"])
    for one in ("71234567", "+71234567", "861931234567"):  # also where the digits could be a number abroad
        assert one in local, one


@given(
    mobile=MOBILE,
    before=st.sampled_from(["", "86", "+86", "0", "17951", "*31#"]),
    after=st.sampled_from(["", "#"]),
)
def test_a_person_is_never_protected_by_accident(mobile: str, before: str, after: str) -> None:
    assert parse(before + mobile + after) == f"86{mobile}"
    assert not is_emergency(before + mobile + after)


@pytest.mark.parametrize("end", ["", "5", "138", "x"])
@pytest.mark.parametrize(
    "piece",
    [
        *("*31#", "#31#", "*67", "*67#", "*70#", "*30#", "**31#", "#*31", "*21*", "*#", "*31#*67#"),
        *("86", "8600", "+", "00", "0", "17951", "10193", "(0)", "%25", ";1", "p1", "*31%23", ",138"),
    ],
)
def test_a_text_of_any_repetition_is_read_in_no_time(piece: str, end: str) -> None:
    begun = process_time()
    for before in ("", "tel:", "sip:", "1"):
        text = (before + piece * 256)[: 256 - len(end)] + end
        parse(text)
        identity(text)
        is_emergency(text)
    assert process_time() - begun < 1.0, "with one more code it was twice as long"


@given(st.text(max_size=300) | st.text(alphabet="+0123456789 86*#;:@%,.()tel", max_size=40))
def test_any_text_is_answered_and_what_is_read_is_read_again(text: str) -> None:
    found = parse(text)
    assert found is None or (found.isascii() and found.isdigit() and 7 <= len(found) <= 15)
    if found and found.startswith("86"):
        assert parse(found) == parse(f"+{found}") == found
    is_emergency(text)
    identity(text)
