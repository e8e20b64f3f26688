import pytest

from duanka.domain.phone_masking import masked_card, masked_device, masked_log_line, masked_text, spelled_card


@pytest.mark.parametrize(
    ("card", "shown"),
    [
        ("8613800000001", "+86 138****0001"),
        ("14155550123", "+1 415****0123"),
        ("35312345678", "+353 ****78"),
        ("95588", "****"),
        ("1069098023", "****23"),
        ("1008611", "****11"),
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


NUMBER = "13800138000"


@pytest.mark.parametrize(
    "written",
    [
        "13800138000",
        "138 0013 8000",
        "138-0013-8000",
        "138 - 0013 - 8000",
        "138.0013.8000",
        "138/0013/8000",
        "138,0013,8000",
        "138:0013:8000",
        "(138) 0013_8000",
        "1 3 8 0 0 1 3 8 0 0 0",
        "138\u20130013\u20148000",
        "138\u00a00013\u30008000",
        "138\u200b0013\u20608000",
        "138\n0013\t8000",
        "１３８００１３８０００",
        "１３８－００１３－８０００",
        "①③⑧⓪⓪①③⑧⓪⓪⓪",
        "一三八零零一三八零零零",
        "幺三八〇〇幺三八〇〇〇",
        "1️⃣3️⃣8️⃣0️⃣0️⃣1️⃣3️⃣8️⃣0️⃣0️⃣0️⃣",
        "tel:13800138000",
        "x13800138000x",
    ],
)
@pytest.mark.parametrize("before", ["", "+86", "+86 ", "0086-", "86", "(+86) "])
def test_a_number_is_masked_however_it_is_written(written: str, before: str) -> None:
    for text in (f"{before}{written}", f"联系 {before}{written} 的机主", f"call {before}{written}, 3 times"):
        masked = masked_text(text)
        assert "****8000" in masked
        assert "0013" not in "".join(char for char in masked if char.isdigit())
        assert masked_text(masked) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("+441234567", "+44 ****67"),
        ("+1 (212) 555-0100", "+1 212****0100"),
        ("+51 987-654-321", "+51 987****4321"),
        ("8613800138000, 008613900139000", "+86 138****8000, +86 139****9000"),
        ("861380013800, 00861390013900", "+86 138****3800, +86 139****3900"),
        ("+123456789012345678", "+123****5678"),
        ("IMEI 356938035643809", "IMEI 356****3809"),
        ("身份证 11010519491231002X", "身份证 110****1002X"),
        ("a list: 13800138000, 13900139000", "a list: 138****8000, 139****9000"),
    ],
)
def test_shorter_and_longer_numbers(text: str, masked: str) -> None:
    assert masked_text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-29T02:13:18.229140+00:00",
        "from 2026-03-02 16:00 to 2026-03-03 08:30",
        "七天内主叫 114 次、92 个号码，接通率 50%，仅 4 人回拨",
        "一天外呼80个陌生号码",
        "10.20.30.140:12775 refuses the connection",
        "8:30-12:00, 14:00-18:00",
        "10086, 12381, 96110",
        "5f0c1b1e-1234-4123-8123-123456789012",
        "+86 138****8000, +86 139****9000",
        "+86138****8000, 138****8000",
    ],
)
def test_what_is_nobodys_number_stays(text: str) -> None:
    assert masked_text(text) == text


def test_a_log_line_keeps_the_names_of_files() -> None:
    said = "cdr_20261128_101530.csv, HB20261128101530.csv: 13800138000"
    assert masked_log_line(said) == "cdr_20261128_101530.csv, HB20261128101530.csv: 138****8000"


@pytest.mark.parametrize("card", ["8613800138000", "861380013800", "51987654321", "35312345678"])
def test_a_card_in_a_text_is_masked_as_a_card_by_itself(card: str) -> None:
    assert masked_text(f"+{card}") == masked_card(card) == masked_text(masked_card(card))
