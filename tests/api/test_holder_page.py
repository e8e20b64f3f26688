"""The holder's page in a real browser, against the real API: from the link to every verdict, in both languages."""

from __future__ import annotations

import json
import secrets
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Request, Route, expect

from duanka.api import BASE
from duanka.domain.identity import CheckReason, Frame, Verdict
from duanka.domain.order import SYSTEM, Event, Kind, State
from support.api.desks import HOUR, TestDesk, card
from support.api.holder_pages import World, agree, numbers, own_served_world, own_world, record, screen
from support.api.verifications import DARK, OTHER, PASSED, UNSURE
from support.waiting import HANG

served_world = pytest.fixture(scope="module")(own_served_world)
world = pytest.fixture(own_world)


@pytest.mark.requirement("R1.5")
def test_from_the_link_to_the_pass_in_chinese(world: World) -> None:
    with world.link(expected="ERR_|401") as (page, order, _):
        said = page.inner_text("body")
        wanted = [
            "本运营商",
            "不会索要银行卡号、密码、验证码",
            "一天外呼80个陌生号码",
            "24 小时内",
            "本号码将停机（双停）",
        ]
        wanted += [
            "现在用手机办理",
            "任一自有营业厅",
            "本人有效身份证件原件及本手机卡",
            "Test Judge",
            "工单办结后删除",
        ]
        places = [said.find(words) for words in wanted]
        assert -1 not in places, wanted[places.index(-1)]
        assert places == sorted(places), "in this order"
        assert page.evaluate("document.documentElement.lang") == "zh-CN"
        for box in page.get_by_role("checkbox").all():
            expect(box).not_to_be_checked()
        page.get_by_role("button", name="开始在线核验").click()
        expect(page.get_by_role("alert").last).to_contain_text("请先阅读并勾选以上两项")
        expect(page.locator("#face")).to_be_focused()
        agree(page)
        page.route("**/holder/check/**", lambda route: route.abort())
        screen(page, "ready")
        page.get_by_role("button", name="准备好了，开始").click()
        screen(page, "net")
        assert "画面还在手机上" in page.inner_text("main")
        page.unroute("**/holder/check/**")
        page.get_by_role("button", name="再试一次").click()
        screen(page, "waiting")
        expect(page.get_by_role("status")).to_have_text("前面还有 2 人，大约需要 9 秒。")
        world.desk.way.queue.before = 0
        expect(page.get_by_role("status")).to_have_text("正在处理您的画面，大约需要 3 秒。")
        world.desk.way.queue.before = 2
        check = world.desk.way.queue.judge(DARK)
        assert 16 <= len(check.frames) <= 40
        assert all(one.jpeg.startswith(b"\xff\xd8") for one in check.frames)
        screen(page, "again")
        assert CheckReason.TOO_DARK.words.zh in page.inner_text("main")
        assert "本次不计次数。还可以再试 3 次" in page.inner_text("main")
        page.get_by_role("button", name="再试一次").click()
        screen(page, "ready")
        _judged_elsewhere(world.desk, page.evaluate("JSON.parse(sessionStorage.duanka).session"), PASSED)
        page.reload()
        screen(page, "passed")
        assert "号码可以正常使用" in page.inner_text("main")
        assert "链接不再打开" in page.inner_text("main")
        assert world.desk.reading.state(order).state is State.PASSED


def _late(route: Route, late: set[str]) -> None:
    """The first request of each kind reaches a connection that the server is closing, as one does that was idle."""
    path = urlsplit(route.request.url).path
    if route.request.method == "POST" and path not in late:
        late.add(path)
        route.fulfill(status=408, body="{}")
        return
    route.continue_()


def _recordings(asked: Request) -> list[tuple[str, str]]:
    """The key and the body by which a recording is told."""
    if asked.method != "POST" or not asked.url.endswith("/holder/check/recording"):
        return []
    return [(asked.headers["authorization"], asked.post_data or "")]


# what a screen reader would say, and what the hand would feel
_SAID = (
    *("Ready: 3", "Ready: 2", "Ready: 1", "Look at the camera and keep still", "Turn your head to the left"),
    *("Close your eyes for a second, then open them", "Open your eyes", "Open your mouth wide"),
    "Done. You can relax",
)
_TWICE = [90, 70, 90]  # milliseconds of vibration and rest
_LISTEN = """() => {
  window.heard = []; window.felt = [];
  const status = document.querySelector('[role=status]');
  new MutationObserver(() => status.textContent && window.heard.push(status.textContent))
    .observe(status, {childList: true});
  navigator.vibrate = (pattern) => window.felt.push(pattern);
}"""


def test_late_in_english_by_keyboard_to_the_restored_card(world: World) -> None:
    number = next(numbers)
    order, token = world.desk.asked(number)
    delivered = world.desk.clock()  # it runs: the order was opened after NOW
    world.desk.orders.apply(order.id, Event.DELIVERED, SYSTEM, "receipt", delivered, delivered_at=delivered)
    world.desk.orders.sweep(delivered + 24 * HOUR)
    with world.page(f"/v#{token}", locale="en-GB", expected="401") as page:
        screen(page, "start")
        assert page.evaluate("document.documentElement.lang") == "en"
        said = page.inner_text("main")
        assert "The card is suspended: it can neither call nor be called." in said
        assert "The time is over; being verified still counts" in said
        page.keyboard.press("Tab")
        expect(page.locator(".stop-text summary")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        expect(page.locator("#face")).to_be_checked()
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Start online")).to_be_focused()
        page.keyboard.press("Enter")
        screen(page, "ready")
        expect(page.get_by_role("button", name="I am ready")).to_be_enabled()
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="I am ready")).to_be_focused()
        page.evaluate(_LISTEN)
        page.keyboard.press("Enter")
        screen(page, "waiting")
        heard, felt = page.evaluate("[window.heard, window.felt]")
        assert heard == [one for one in _SAID if one in heard]
        # a browser that gets no core for a second does not say what is over by then
        assert set(_SAID) - set(heard) <= {"Open your eyes", "Done. You can relax"}
        opened = [_TWICE] if "Open your eyes" in heard else []
        assert felt == [90, 90, *opened, 90, _TWICE]
        page.get_by_role("button", name="中文").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("正在核验")
        page.get_by_role("button", name="English").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Being checked")
        world.desk.way.queue.judge(PASSED)
        screen(page, "passed")
        assert "Your number is restored and works at once." in page.inner_text("main")
    stopped = world.desk.reading.last(card(number), Kind.RESTRICTION)
    assert stopped is not None
    assert stopped.state is State.RESTORED


def test_a_reload_goes_on_a_replay_is_refused_and_a_person_looks(world: World) -> None:
    sent, late = list[tuple[str, str]](), set[str]()
    with world.link(english=True, expected="408") as (page, order, _):
        page.on("request", lambda asked: sent.extend(_recordings(asked)))
        page.route("**/holder/c*", lambda route: _late(route, late))
        page.route("**/holder/check/*", lambda route: _late(route, late))
        agree(page, english=True)
        screen(page, "ready")
        page.reload()
        screen(page, "resume")
        page.get_by_role("button", name="Open the camera").click()
        record(page, world, english=True)
        screen(page, "waiting")
        page.reload()
        screen(page, "waiting")
        assert len(late) == 3, "challenge, pictures and recording came through nevertheless"
        key, body = sent[-1]
        replayed = httpx.post(
            f"{world.address}{BASE}/holder/check/recording",
            content=body,
            headers={"Authorization": key, "Content-Type": "application/json"},
            timeout=HANG,
        )
        assert (replayed.status_code, replayed.json()["reason"]) == (409, "replayed")
        world.desk.way.queue.judge(UNSURE)
        screen(page, "review")
        assert "No hours run meanwhile" in page.inner_text("main")
        assert world.desk.reading.state(order).state is State.UNDER_REVIEW
        frames = json.loads(body)["frames"]
        assert [one["order"] for one in frames] == list(range(len(frames)))
        assert frames[0]["at"] == 0
        assert 2.0 <= frames[-1]["at"] < 4.0


def test_the_last_try_leads_to_the_counter(world: World) -> None:
    with world.link(english=True) as (page, order, _):
        agree(page, english=True)
        screen(page, "ready")
        token = page.evaluate("JSON.parse(sessionStorage.duanka).session")
        for _ in range(3):
            _judged_elsewhere(world.desk, token, OTHER)
        page.reload()
        screen(page, "counter")
        said = page.inner_text("main")
        for words in (
            CheckReason.OTHER_PERSON.words.en,
            CheckReason.USED_UP.words.en,
            "any of our own counters",
        ):
            assert words in said
        assert world.desk.reading.state(order).state is State.SENT_TO_COUNTER


def _judged_elsewhere(desk: TestDesk, token: str, verdict: Verdict) -> None:
    """A try in the same session, without the page."""
    challenge = desk.way.verification.challenge(token, desk.clock())
    desk.clock.now += timedelta(seconds=4)
    frames = [Frame(order, order * 0.14, secrets.token_bytes(40)) for order in range(16)]
    desk.way.verification.submit(token, challenge.id, frames, desk.clock())
    desk.way.queue.judge(verdict)
