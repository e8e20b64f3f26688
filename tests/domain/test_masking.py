import pytest

from duanka.domain.masking import masked_card, masked_device, masked_text, spelled_card


@pytest.mark.parametrize(
    ("card", "shown"),
    [
        ("8613800000001", "+86 138****0001"),
        ("14155550123", "+1 415****0123"),
        ("35312345678", "+353 ****78"),
        ("95588", "****"),
        ("", "****"),
        ("pseudonym-000123", "pse****0123"),
        ("ab12cd34", "****34"),
    ],
)
def test_a_card_is_recognised_but_not_told(card: str, shown: str) -> None:
    assert masked_card(card) == shown


def test_an_opaque_card_never_shows_more_than_half() -> None:
    for length in range(40):
        card = "x" * length
        assert masked_card(card).count("x") <= length / 2


def test_a_number_in_full_is_spelled_with_its_country() -> None:
    assert spelled_card("8613800000001") == "+86 13800000001"
    assert spelled_card("opaque") == "opaque"


def test_a_device_keeps_its_type() -> None:
    assert masked_device("356938035643809") == "35693803****809"
    assert masked_device("device-abc") == "****bc"


def test_long_runs_in_a_text_are_masked_and_dates_and_counts_are_not() -> None:
    assert masked_text("张三 13800000001 店") == "张三 138****0001 店"
    assert masked_text("2021-05-17 09:30，20210517，120,000 次") == "2021-05-17 09:30，20210517，120,000 次"
