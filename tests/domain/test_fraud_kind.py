"""Kinds of fraud and bands of age: what is written in a register, and what stays unknown."""

from __future__ import annotations

import pytest

from duanka.domain.age_band import AgeBand, age_band_of
from duanka.domain.fraud_kind import FraudKind, fraud_kind_of


@pytest.mark.parametrize("kind", FraudKind)
def test_a_kind_is_known_by_its_value_and_by_its_chinese_name(kind: FraudKind) -> None:
    assert fraud_kind_of(kind.value) is kind
    assert fraud_kind_of(f" {kind.value.upper().replace('_', ' ')} ") is kind
    assert fraud_kind_of(kind.words.zh) is kind
    assert len(kind.value) <= 24, "as wide as the column of confirmations"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("刷单诈骗", FraudKind.TASK_REBATE),
        ("冒充公安机关工作人员", FraudKind.FAKE_POLICE),
        ("杀猪盘", FraudKind.ROMANCE),
        ("冒充客服退款", FraudKind.FAKE_SERVICE),
        ("冒充客服办理贷款", None),  # two kinds: which one is a guess
        ("其他", None),
        ("", None),
        (None, None),
    ],
)
def test_words_of_police_reports(text: str | None, kind: FraudKind | None) -> None:
    assert fraud_kind_of(text) is kind


@pytest.mark.parametrize("band", AgeBand)
def test_a_band_is_known_by_its_value_and_by_its_words(band: AgeBand) -> None:
    assert age_band_of(band.value) is band
    assert age_band_of(band.value.replace("-", " – ")) is band
    assert age_band_of(band.words.zh) is band


@pytest.mark.parametrize("text", [None, "", "60-69", "0-18", "老年", "45"])
def test_another_band_is_unknown(text: str | None) -> None:
    assert age_band_of(text) is None
