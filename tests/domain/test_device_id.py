"""An IMEI in the forms in which people write it, and why something is none."""

from __future__ import annotations

import pytest

from duanka.domain.device_id import COPIED, MalformedDevice, check_digit, identity_of, why_no_device


@pytest.mark.parametrize(
    ("identity", "digit"), [("49015420323751", "8"), ("35209900176148", "1"), ("86901612345677", "0")]
)
def test_the_check_digit_is_that_of_the_standard(identity: str, digit: str) -> None:
    assert check_digit(identity) == digit


@pytest.mark.parametrize(
    "written",
    [
        *("49015420323751", "490154203237518", "490154203237510", "4901542032375101", "4901542032375109"),
        *("49-015420-323751-8", " 49 015420 323751 ", "IMEI: 490154203237518", "imeisv=4901542032375123"),
        "４９０１５４２０３２３７５１８",
    ],
)
def test_one_device_however_it_is_written(written: str) -> None:
    assert identity_of(written) == "49015420323751"


def test_a_wrong_check_digit_is_said_with_the_right_one_and_a_way_on() -> None:
    with pytest.raises(MalformedDevice, match=r"IMEI 490154203237517 would be 8.*its first 14 digits alone"):
        identity_of("490154203237517")


@pytest.mark.parametrize(
    "pseudonym", ["a1b2c3d4e5f60718293a4b5c6d7e8f90", "tel-0001", "49015420323751aaaaaa", "机001"]
)
def test_a_pseudonym_stays_as_it_is(pseudonym: str) -> None:
    assert identity_of(f" {pseudonym} ") == pseudonym
    assert not why_no_device(pseudonym)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("1234567890123", "this has 13"),
        ("49015420323751801", "this has 17"),
        ("7", "many telephones bear it"),
        *(
            (placeholder, "do not know")
            for placeholder in ("000000000000000", "9" * 14, "8" * 15, "00000000123456", *COPIED)
        ),
        ("49015420323751", ""),
    ],
)
def test_what_is_no_number_of_a_device_says_why(written: str, why: str) -> None:
    told = why_no_device(identity_of(written))
    assert (why in told, bool(told)) == (True, bool(why)), told
