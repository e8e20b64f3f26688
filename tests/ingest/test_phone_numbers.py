"""Any usual way to write a number -> E.164; what is none is refused."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duanka.ingest.normalise.phone_numbers import Numbers, e164
from support.phone_number_forms import CARD, FORMS, LAB_CARD, LAB_FORMS, REFUSED

MOBILE = "8613800138000"


def one(text: str, *, peer: bool = True, region: str = "CN", bare: str = "e164") -> str | None:
    """Normalise one number, as part of a column."""
    found: str | None = Numbers(region, bare=bare).normalise(pl.Series([text, None]), peer=peer)[0]
    return found


@pytest.mark.parametrize(
    "text",
    [
        *(
            "8613800138000",
            "13800138000",
            "+8613800138000",
            "008613800138000",
            "+86 138 0013 8000",
            "138-0013-8000",
        ),
        *("(86)13800138000", "86 138 00138000", "１３８００１３８０００", "138.0013.8000"),
    ],
)
def test_a_chinese_mobile_number(text: str) -> None:
    assert one(text) == one(text, peer=False) == MOBILE


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("02885551234", "862885551234"),
        ("010-12345678", "861012345678"),
        ("862885551234", "862885551234"),
        ("4008123123", "864008123123"),
        ("+49 151 12345678", "4915112345678"),
        ("0049 151 12345678", "4915112345678"),
        ("4915112345678", "4915112345678"),
        ("959123456789", "959123456789"),  # Myanmar, although China could write a number of that length
        ("85291234567", "85291234567"),
        ("1064812345678", "861064812345678"),  # a machine card
        ("14400123456789"[:13], "861440012345678"),
        ("861440012345678", "861440012345678"),
    ],
)
def test_other_numbers(text: str, number: str) -> None:
    assert one(text, peer=False) == one(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "110",
        "10086",
        "95588",
        "12321",
        "12345678",
        "1069012345678",
        "106575123456789012345",
        "95588" + "9" * 12,
    ],
)
def test_service_numbers_stand_as_peers_only(text: str) -> None:
    assert one(text) == text
    assert one(text, peer=False) is None


@pytest.mark.parametrize(
    "text", ["12", "x", "+", "00", "1380013800", "138001380001234567890123", "+86", "*100#", "1" * 50]
)
def test_impossible_numbers(text: str) -> None:
    assert one(text) is None or text == "1380013800"
    assert one(text, peer=False) is None or text == "1380013800"


def test_elsewhere_digits_are_read_by_the_country() -> None:
    assert one("030 123456", region="DE") == "4930123456"
    assert one("91234567", region="HK") == one("91234567", region="HK", peer=False) == "85291234567"
    assert one("13800138000", region="US") == "13800138000"  # not a Chinese number here
    assert one("+8613800138000", region="US") == MOBILE
    assert one("112", region="DE") == "112"
    assert one("95588", region="DE") == "95588"


def test_bare_digits_may_be_national_first() -> None:
    assert one("4915112345", region="IT", bare="national", peer=False) != "4915112345"
    assert one("3331234567", region="IT", bare="national", peer=False) == "393331234567"
    assert one("13800138000", bare="national") == MOBILE


def test_a_column_is_normalised_value_by_value() -> None:
    text = pl.Series(["8613800138000", "13900139000", None, "zzz", "95588", "02885551234", "02885551234"])
    expected = ["8613800138000", "8613900139000", None, None, "95588", "862885551234", "862885551234"]
    assert Numbers().normalise(text, peer=True).to_list() == expected


def test_opaque_numbers_stay() -> None:
    text = pl.Series(["x y", "1"])
    assert Numbers(opaque=True).normalise(text, peer=False).to_list() == ["x y", "1"]
    assert Numbers().normalise(text, peer=False, opaque=True).to_list() == ["x y", "1"]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789+-86 x*", max_size=18), st.booleans(), st.sampled_from(["CN", "DE", "US"]))
def test_the_column_and_the_single_number_agree(text: str, peer: bool, region: str) -> None:
    found = one(text, peer=peer, region=region)
    if found is not None:
        assert found.isdigit()
        assert 3 <= len(found) <= 21
        # A canonical number of the own country stays as it is. Bare digits of another can also be read as a
        # national number (41 100000000, 49 1000000): nothing in them tells, so the region decides.
        if region == "CN" and found.startswith("86") and len(found) > 8:
            assert one(found, peer=peer, region=region) == found
    single = e164(text, region, peer=peer)
    assert found == single or (found or "").startswith("86")


@pytest.mark.parametrize("text", FORMS)
def test_every_form_of_one_card_is_that_card(text: str) -> None:
    assert one(text) == one(text, peer=False) == CARD


@pytest.mark.parametrize("text", LAB_FORMS)
def test_every_form_of_a_card_of_a_test_system_is_that_card(text: str) -> None:
    assert one(text) == one(text, peer=False) == LAB_CARD


def test_a_card_of_a_test_system_is_known_in_another_country_too() -> None:
    assert one(LAB_CARD, region="US") == one("+86 138 001 3800", region="US", peer=False) == LAB_CARD


def test_with_its_country_code_a_number_of_another_country_may_have_any_length() -> None:
    assert one("+8521380013800") == one("008521380013800", peer=False) == "8521380013800"
    assert one("8521380013800") is None


@pytest.mark.parametrize("text", REFUSED)
def test_nothing_is_put_right_into_another_card(text: str) -> None:
    assert one(text, peer=False) is None or not (one(text, peer=False) or "").startswith("86")


@pytest.mark.parametrize(
    "text",
    [
        "13800138000.5",
        "1380013800.0",
        "8613800138000.5",
        "86138001380000",
        "8.6138E+12",
        "1.380013800E10",
        "138****8000",
    ],
)
def test_what_another_program_spoilt_is_impossible(text: str) -> None:
    assert one(text) is None
    assert one(text, peer=False) is None


def test_a_number_of_north_america_stays_one() -> None:
    assert one("+13922223333") == one("0013922223333", peer=False) == "13922223333"
    assert one("13922223333") == "8613922223333"
