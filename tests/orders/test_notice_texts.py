from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duanka.domain.network import NetworkState
from duanka.domain.order import Grounds, Kind, Order, OrderError, State
from duanka.domain.order_policy import DeadlineStage, OrderPolicy
from duanka.domain.text import BilingualText
from duanka.ledger.db.database import Store
from duanka.orders.dispatch.notice_texts import (
    MOST_PARTS,
    TEMPLATES,
    VERIFY,
    VICTIM_WARNING,
    NoticeTexts,
    in_words,
    parts,
    shortened,
    without_links,
    writing,
)
from duanka.orders.verification.links import LENGTH, Links
from support.order_policies import AT_ONCE
from support.orders.books import book_on, demand, receive, verification

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
POLICY = OrderPolicy()
LINK = Links(b"k" * 32, POLICY).address("A" * LENGTH)
REASON = BilingualText("一天外呼80个陌生号码，接听率低于两成，多次更换终端", "80 strangers called in a day")
ABOUT_THE_CARD = ("outgoing_barred", "lifeline", "suspended", "forced_stop", "punished", "cancelled")
POLICIES = {
    "default": POLICY,
    "lifeline": OrderPolicy(
        stages=(
            DeadlineStage(24, NetworkState.OUTGOING_BARRED),
            DeadlineStage(36, NetworkState.LIFELINE),
            DeadlineStage(72, NetworkState.SUSPENDED),
        ),
        hotline="4001000000",
    ),
    "stages": OrderPolicy(
        stages=(DeadlineStage(48, NetworkState.OUTGOING_BARRED), DeadlineStage(120, NetworkState.SUSPENDED)),
        operator=BilingualText("中国某某移动通信", "Some Mobile Communications"),
        short_code="10099",
        hotline="4001000000",
        counter=BilingualText("本省任一自有营业厅", "any own counter in the province"),
        objection_days=7,
    ),
}


def order(policy: OrderPolicy = POLICY, reason: BilingualText = REASON, **facts: object) -> Order:
    grounds = Grounds(reason, policy.redress, policy.papers)
    made = Order("V0123456789AB", Kind.VERIFICATION, "8613800001234", State.OPENED, 0, grounds, NOW, NOW)
    return replace(made, decision="run:1", **facts)  # type: ignore[arg-type]


def written(
    template: str, policy: OrderPolicy = POLICY, reason: BilingualText = REASON, **facts: object
) -> str:
    texts = NoticeTexts(policy)
    if template == VICTIM_WARNING:
        return texts.warning("8613800001234", reason, "V0123456789AB")
    about = order(policy, reason, **facts)
    return texts.text(template, about, NOW, LINK if template == VERIFY else "")


@pytest.mark.requirement("R1.5")
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES.keys())
@pytest.mark.parametrize("template", TEMPLATES)
def test_every_notice_says_what_it_must(template: str, policy: OrderPolicy) -> None:
    for due in (None, NOW + timedelta(hours=30)):
        text = written(template, policy, due_at=due, until=NOW + timedelta(days=100))
        assert text.startswith(f"【{policy.operator.zh} {policy.short_code}】")
        assert "尾号1234" in text
        assert "我们不会索要银行卡号、密码、验证码" in text
        assert f"真伪可拨{policy.hotline}或发“V0123456789AB”至{policy.short_code}核实" in text
        assert parts(text) <= MOST_PARTS, (parts(text), text)
        assert not re.search(r"[{}]|None|  |。。|，，", text), text
        assert (LINK in text) == (template == VERIFY)
        if template in (*ABOUT_THE_CARD, VERIFY, "verify_at_counter", VICTIM_WARNING):
            assert "一天外呼80个陌生号码" in text
        if template in (
            *ABOUT_THE_CARD,
            VERIFY,
            "verify_at_counter",
            "objection_accepted",
            "objection_rejected",
        ):
            assert policy.papers.zh in text
            assert policy.counter.zh in text
        if template in ("outgoing_barred", "lifeline", "suspended", "forced_stop", "punished"):
            assert "紧急电话不受影响" in text


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_english_is_as_complete(template: str) -> None:
    """Whether or not the length lets it be sent."""
    zh, en = TEMPLATES[template]
    names = set(re.findall(r"{(\w+)}", en))
    assert {"tail", "hotline"} <= names
    assert "never ask for card numbers, passwords or codes" in en
    assert not re.search(r"[\u4e00-\u9fff]", en)
    # what only one language tells would be told to half of the readers; the reason and the number stay Chinese
    assert {name.removesuffix("_en") for name in names} - set(re.findall(r"{(\w+)}", zh)) == set()


def test_there_is_a_notice_for_everything_that_an_order_sends() -> None:
    source = set(TEMPLATES)
    assert {"verify", "verify_at_counter", "passed", "withdrawn", "restored", "cancelled", "upheld"} <= source
    assert {"objection_accepted", "objection_rejected", "victim_warning", *ABOUT_THE_CARD} <= source


def test_a_holder_reads_their_own_time_and_what_happens_otherwise() -> None:
    assert "收到后24小时内（即2026年3月3日16:00前）" in written(VERIFY)
    assert "请于2026年3月2日18:00前打开" in written(VERIFY, due_at=NOW + timedelta(hours=2))
    assert "逾期将限制呼出（单停），再过24小时停机（双停）" in written(VERIFY)
    assert "逾期将停机（双停）。" in written(VERIFY, AT_ONCE)
    assert "再过72小时停机（双停）" in written("verify_at_counter", POLICIES["stages"])
    stages = POLICIES["stages"]
    assert "收到后48小时内" in written(VERIFY, stages)
    assert "逾期将限制呼出（单停）" in written(VERIFY, stages)
    barred = written("outgoing_barred", stages, due_at=NOW + timedelta(hours=72))
    assert "2026年3月5日16:00前未通过核验将停机（双停）" in barred
    three = POLICIES["lifeline"]
    assert "逾期将限制呼出（单停），再过12小时转为保底服务" in written(VERIFY, three)
    barred = written("outgoing_barred", three, due_at=NOW + timedelta(hours=36))
    assert "可拨12345和4001000000" in barred
    assert "前未通过核验将转为保底服务" in barred
    held = written("lifeline", three, due_at=NOW + timedelta(hours=72))
    assert "可接本运营商和银行来电及名单内短信，不能上网。2026年3月5日16:00前未通过核验将停机（双停）" in held
    assert "停机至2026年6月10日16:00" in written("punished", until=NOW + timedelta(days=100))
    assert "我们将于2026年3月3日16:00前答复" in written("objection_accepted", due_at=NOW + timedelta(days=1))
    assert "7个工作日" in written("cancelled", stages)


@pytest.mark.parametrize("template", ["outgoing_barred", "lifeline", "suspended"])
def test_a_stop_names_order_number_and_page_without_a_link(template: str) -> None:
    text = written(template)
    assert "用浏览器打开verify点operator点example，凭号码和文末工单号刷脸核验，通过立即恢复" in text
    assert text.index("文末工单号") < text.index("“V0123456789AB”")
    assert "https" not in text
    assert "one.example" not in text
    long = replace(POLICY, counter=BilingualText("本省任一自有营业厅或代办点" * 3, "any counter"))
    cramped = written(template, long, due_at=NOW + timedelta(hours=30))
    assert parts(cramped) <= MOST_PARTS, "rather without the page than in five parts"


@pytest.mark.parametrize(
    ("site", "zh", "en"),
    [
        ("https://verify.operator.example", "verify点operator点example", "verify dot operator dot example"),
        ("https://op.cn/id/", "op点cn斜杠id", "op dot cn slash id"),
        ("http://127.0.0.1:8080", "127点0点0点1冒号8080", "127 dot 0 dot 0 dot 1 colon 8080"),
    ],
)
def test_an_address_is_told_in_words(site: str, zh: str, en: str) -> None:
    assert in_words(site) == (zh, en)
    assert without_links(zh) == zh
    assert without_links(en) == en


def test_english_stands_there_where_it_fits() -> None:
    assert "works again (2 March 2026 16:00)" in written("restored")
    assert written(VERIFY).isascii() is False
    assert "must be verified" not in written(VERIFY)


@pytest.mark.parametrize("template", sorted(TEMPLATES))
def test_a_long_reason_is_cut_and_the_rest_is_there(template: str) -> None:
    text = written(template, reason=BilingualText("一天外呼80个陌生号码并且多次更换终端" * 30, "x" * 900))
    assert parts(text) <= MOST_PARTS
    assert "我们不会索要" in text


def test_a_link_only_stands_where_it_belongs() -> None:
    texts = NoticeTexts(POLICY)
    with pytest.raises(OrderError, match="carries a link"):
        texts.text("suspended", order(), NOW, LINK)
    with pytest.raises(OrderError, match="carries a link"):
        texts.text(VERIFY, order(), NOW)
    site = OrderPolicy(counter=BilingualText("营业厅（见 www.operator.example）", "a counter"))
    for template in ("suspended", VERIFY):
        with pytest.raises(OrderError, match=r"operator\.example"):
            written(template, site)


def test_the_link_of_a_notice_opens_its_order(store: Store) -> None:
    book, links = book_on(store), Links(b"k" * 32, POLICY)
    receive(book, [demand()], NOW)
    about, write = verification(book), writing(POLICY, links)
    text = book.transaction(lambda unit: write(unit.connection, VERIFY, about, NOW), NOW)
    token = re.findall(r"https://verify\.operator\.example/v#(\S+) ", text)
    with store.reading() as connection:
        assert [links.open_in(connection, one, NOW).id for one in token] == [about.id]
    plain = book.transaction(lambda unit: write(unit.connection, "verify_at_counter", about, NOW), NOW)
    assert "https" not in plain
    with pytest.raises(OrderError, match="victim_warning"):
        book.transaction(lambda unit: write(unit.connection, "nothing", about, NOW), NOW)


PHISHING = (
    "点击http://a.cn/x领取",
    "见 www.bank.example 办理",
    "bit.ly/3xYz",
    "登录ICBC.COM认证",
    "写信到 me@evil.example",
    "访问１0.0.0.1或10.0.0.1/x",
    "点t。cn/abc",
    "点ｗｗｗ．ｅｖｉｌ．ｃｏｍ",
    "ev\u200bil.c\u200bom/x",
    "htt\nps://evil.example",
    "hthttp://tp://evil.example",
    "微信.中国",
)


@pytest.mark.parametrize("reason", PHISHING)
def test_links_in_a_reason_are_taken_out(reason: str) -> None:
    left = without_links(reason)
    assert not re.search(r"//|[.．。]\w*(cn|com|ly|example|中国)|[cＣｃ][oｏ][mｍ]|@|10\.0", left), left
    for template in TEMPLATES:
        text = written(template, reason=BilingualText(reason, reason))
        assert re.findall("http", text) == (["http"] if template == VERIFY else [])


def test_a_reason_that_carries_no_link_stays() -> None:
    for reason in ("一天外呼80个陌生号码，接听率0.15", "比率12.5%。3日内", "第3.2条；A/B卡", "见规则V1.2"):
        assert without_links(reason) == reason


_PIECES = st.sampled_from(
    (
        *PHISHING,
        "http",
        "://",
        ".",
        "。",
        "com",
        "cn",
        "www",
        "/",
        "@",
        "一天",
        "号码",
        " ",
        "，",
        "1",
        "\u200b",
        "a",
        "…",
    )
)


@given(st.lists(st.one_of(_PIECES, st.text(max_size=3)), max_size=12).map("".join))
def test_no_reason_brings_a_link_into_a_notice(reason: str) -> None:
    for template in TEMPLATES:
        text = written(template, reason=BilingualText(reason, reason)).replace(LINK, "", 1)
        assert "//" not in text
        assert not re.search(
            r"[.．｡][A-Za-z]{2}|@|[a-z0-9]。[a-z]{2}|[\x00-\x09\x0b-\x1f\ud800-\udfff]", text
        ), text
        assert parts(text) <= MOST_PARTS


@given(st.text(), st.integers(min_value=10, max_value=60))
def test_a_shortened_text_is_short_and_begins_as_it_did(text: str, letters: int) -> None:
    cut = shortened(text, letters)
    assert len(cut) <= letters
    assert text.startswith(cut.removesuffix("…"))


def test_a_text_is_cut_between_words_and_numbers() -> None:
    assert shortened("一天外呼80个陌生号码，接听率低于两成", 14) == "一天外呼80个陌生号码…"
    assert shortened("外呼了1234567890个号码", 8) == "外呼了…"
    assert shortened("seventy strangers called", 20) == "seventy strangers…"
    told = "一天主叫 25 次、2 个号码，被叫占 0%"
    assert shortened(told, 14) == shortened(told, 12) == "一天主叫 25 次…", "a number stays with its unit"
    assert shortened(told, 17) == "一天主叫 25 次、2 个号码…"
    assert shortened("一天主叫 2512 次", 9) == "一天主叫…"


@pytest.mark.parametrize(
    ("units", "expected"), [(0, 1), (70, 1), (71, 2), (134, 2), (135, 3), (268, 4), (269, 5)]
)
def test_parts_are_counted_as_telephones_do(units: int, expected: int) -> None:
    assert parts("一" * units) == expected
    if units % 2 == 0:
        assert parts("😀" * (units // 2)) == expected
