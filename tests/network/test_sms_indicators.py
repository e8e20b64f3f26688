"""What is read of a refused message: hosts, numbers and accounts, whatever is done to hide them; nothing else."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duanka.domain.network import NetworkState
from duanka.domain.takedown import MOST_VALUE, Indicator, IndicatorKind
from duanka.network.smpp import codec as smpp
from duanka.network.sms.proxy.indicators import indicators_in, normalised
from duanka.sandbox.message_proxy import OwnMessageProxy
from duanka.sandbox.smsc import OwnShortMessageCentre
from support.network.esme import BLOCKED, REFUSED, Esme, until
from support.network.message_path import own_centre

pytestmark = pytest.mark.requirement("R4")
centre = pytest.fixture(own_centre)
HOST, NUMBER, ACCOUNT = IndicatorKind


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("请登录 https://www.iｃbc-gift.com/x?u=1 兑换", [(HOST, "www.icbc-gift.com")]),
        ("点击 b a n k。xy点top", [(HOST, "bank.xy.top")]),
        ("аррlе-id.com 登录", [(HOST, "apple-id.com")]),  # Cyrillic letters
        ("http%3A%2F%2Fevil%2Etop", [(HOST, "evil.top")]),
        ("www(dot)evil[.]cn", [(HOST, "www.evil.cn")]),
        ("http://例子.中国/ 和 http://1.2.3.4:8080/", [(HOST, "xn--fsqu00a.xn--fiqs8s"), (HOST, "1.2.3.4")]),
        ("HTTPS://user@Evil.TOP", [(HOST, "evil.top")]),
        ("请登录bank.com验证", [(HOST, "bank.com")]),
        ("加微信：ＡＢＣ_12345", [(ACCOUNT, "abc_12345")]),
        ("扣扣 123 或 QQ号：10012345", [(ACCOUNT, "10012345")]),
        ("转账到6222 0212 3456 7890 128", [(ACCOUNT, "6222021234567890128")]),
        ("拨打１３８-1234-5678", [(NUMBER, "8613812345678")]),
        ("call +44 20 7946 0958", [(NUMBER, "442079460958")]),
        ("客服4008123456", [(NUMBER, "864008123456")]),
        ("今天3.5元，版本v1.2，见附件a.jpg，编号202603021234567", []),
        ("您的验证码是 482913，5 分钟内有效", []),
    ],
)
def test_indicators_are_found_and_normalised(text: str, found: list[tuple[IndicatorKind, str]]) -> None:
    assert [(one.kind, one.value) for one in indicators_in(text)] == found


@given(st.text(max_size=300))
def test_any_text_gives_short_plain_values(text: str) -> None:
    for one in indicators_in(text):
        assert 0 < len(one.value) <= MOST_VALUE
        assert one.value.isascii()
        assert one.value == one.value.lower()
        assert one.value.strip() == one.value


def test_what_somebody_reports_is_normalised_alike() -> None:
    assert normalised("host", "HTTP://Evil。top/x") == Indicator(HOST, "evil.top")
    assert normalised("number", "138 1234 5678") == Indicator(NUMBER, "8613812345678")
    assert normalised("account", " Abc １２3 ") == Indicator(ACCOUNT, "abc123")
    assert normalised(None, "evil[.]top") == Indicator(HOST, "evil.top")
    assert normalised("host", "none here") is None
    assert normalised("number", "12") is None


def test_a_refused_message_leaves_its_indicators_and_nothing_else(
    tmp_path: Path, centre: OwnShortMessageCentre
) -> None:
    with (
        OwnMessageProxy(tmp_path, centre.address) as proxy,
        closing(proxy.element()) as element,
        Esme(proxy.address) as esme,
    ):
        element.put({BLOCKED: NetworkState.SUSPENDED})
        assert esme.says("恭喜中奖，请登录 evil-prize.top 领取", BLOCKED) == REFUSED
        assert esme.says("晚上一起吃饭", BLOCKED) == REFUSED
        assert esme.says("看 good.example 吧") == smpp.OK
        until(lambda: len(element.refusals(0, 10)[0]) == 2)
        first, second = element.refusals(0, 10)[0]
        assert first.indicators == (Indicator(HOST, "evil-prize.top"),)
        assert second.indicators == ()
        kept = b"".join(one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())
        assert b"evil-prize.top" in kept
        for word in ("恭喜中奖", "领取", "一起吃饭"):
            for encoding in ("utf-8", "utf-16-be", "utf-16-le"):
                assert word.encode(encoding) not in kept


def test_what_is_denied_is_refused_at_once_after_a_restart_too_and_passes_again(
    tmp_path: Path, centre: OwnShortMessageCentre
) -> None:
    hosts, words = ["evil-prize.top"], ["13812345678"]
    with OwnMessageProxy(tmp_path, centre.address) as proxy, closing(proxy.element()) as element:
        assert element.denies([], [])
        element.deny(hosts, words)
        assert element.denies(hosts, words)
        assert not element.denies([], [])
        with Esme(proxy.address) as esme:
            assert esme.says("登录 WWW.Evil-Prize。top") == REFUSED
            assert esme.says("拨打138-1234-5678") == REFUSED
            assert esme.says("登录 honest.example") == smpp.OK
    with OwnMessageProxy(tmp_path, centre.address) as proxy, closing(proxy.element()) as element:
        assert element.denies(hosts, words)
        with Esme(proxy.address) as esme:
            assert esme.says("登录 evil-prize.top") == REFUSED
            element.deny([], [])
            assert esme.says("登录 evil-prize.top") == smpp.OK
