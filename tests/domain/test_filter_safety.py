"""What the message filter never refuses, whoever agreed on it."""

from __future__ import annotations

import pytest

from duanka.domain.filter_safety import never_refused
from duanka.domain.phone_number import ProtectedNumbers
from duanka.domain.takedown import Indicator, IndicatorKind
from duanka.network.sms.proxy.indicators import normalised

pytestmark = pytest.mark.requirement("R4")
SAFE = ("gov.cn", "icbc.com.cn", "alipay.com", "qq.com", "12306.cn", "95516.com")
PROTECTED = ProtectedNumbers(("95588",))
HOST, NUMBER, ACCOUNT = IndicatorKind


def held(kind: IndicatorKind, value: str) -> bool:
    return bool(never_refused(Indicator(kind, value), SAFE, PROTECTED.__contains__))


@pytest.mark.parametrize(
    "value",
    [
        *(
            "gov.cn",
            "www.gov.cn",
            "GOV.CN",
            "a.gov.cn.",
            "",
            "cn",
            "top",
            "com.cn",
            "js.cn",
            "bj.cn",
            "github.io",
        ),
        *(
            "pages.dev",
            "io",
            "icbc.com.cn",
            "m.icbc.com.cn",
            "co.uk",
            "https",
            "evil..top",
            "evil.top/x",
            "中国.cn",
            "xn--55qx5d.cn",
            "a.gov.hk",
            "west.police.uk",
            "pku.edu.cn",
        ),
    ],
)
def test_honest_hosts_registries_and_what_is_no_host(value: str) -> None:
    assert held(HOST, value)


@pytest.mark.parametrize(
    "value", ["evil.top", "evil.github.io", "icbc.com.cn.evil.top", "evil-icbc.com", "1.2.3.4", "evil.js.cn"]
)
def test_a_host_of_fraud_may_be_refused(value: str) -> None:
    assert not held(HOST, value)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "https",
            "http://",
            "gov.cn",
            "govcn",
            "icbc.com.cn",
            "icbccomcn",
            "alipay",
            "您的验证码",
            "12306.cn",
            "12306cn",
        ),
        *(
            "95588",
            "8695588",
            "10086",
            "110",
            "20260302",
            "12345678",
            "a1",
            "abc12",
            "abcdefgh",
            "evil.top",
            "95516com",
            "13800000000",
        ),
    ],
)
def test_accounts_that_honest_texts_hold(value: str) -> None:
    assert held(ACCOUNT, value)


@pytest.mark.parametrize("value", ["wx_8812kf", "6222021234567890128", "3312345678", "fraud2026"])
def test_an_account_of_fraud_may_be_refused(value: str) -> None:
    assert not held(ACCOUNT, value)


def test_numbers() -> None:
    assert held(NUMBER, "95588")
    assert held(NUMBER, "8695588")
    assert held(NUMBER, "86110")
    assert held(NUMBER, "")
    assert held(NUMBER, "+8613812345678")
    assert not held(NUMBER, "8613812345678")


def test_what_is_reported_as_an_account_and_is_none() -> None:
    assert normalised("account", "icbc。com.cn") == Indicator(HOST, "icbc.com.cn")
    assert normalised("account", "138 0000 0000") == Indicator(NUMBER, "8613800000000")
    assert normalised("account", "wx_8812kf") == Indicator(ACCOUNT, "wx_8812kf")
