"""The holder's page in a real browser, against the real API: every screen, both languages, and what goes wrong."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect, sync_playwright

import browsers
from browsers import Shown, launched, shown
from desks import NOW, Running, TestDesk, card, desk_on, served
from duanka.api import BASE
from duanka.domain.identity import TOLD, Frame, Gesture, Reason, Step
from duanka.domain.order import SYSTEM, Event, Kind, State
from duanka.orders.store import Store
from parts import needed
from verifications import DARK, OTHER, PASSED, UNSURE
from waiting import until

SHORT = (
    Step(Gesture.TURN_LEFT, 0.3, 0.9),
    Step(Gesture.CLOSE_EYES, 0.9, 1.6),
    Step(Gesture.OPEN_MOUTH, 1.6, 2.2),
)
_numbers = iter(range(1000))


class World:
    """A desk that is served, a browser, and a new card for every test."""

    def __init__(self, desk: TestDesk, address: str, browser: Browser) -> None:
        self.desk, self.address, self.browser = desk, address, browser

    @contextmanager
    def link(
        self, *, english: bool = False, expected: str = "", **options: Any
    ) -> Iterator[tuple[Page, str, int]]:
        """The page by a link of a new order, the order's id and the card; at the end nothing was asked elsewhere."""
        number = next(_numbers)
        order, token = self.desk.asked(number)
        locale = {"locale": "en-GB"} if english else {}
        with self.page(f"/v#{token}", expected=expected, **locale, **options) as page:
            expect(page.get_by_role("heading", level=1)).to_contain_text(card(number)[-4:])
            yield page, order.id, number

    @contextmanager
    def page(self, path: str, *, expected: str = "", **options: Any) -> Iterator[Page]:
        with shown(self.browser, self.address + path, **options) as found:
            yield found.page
            self.settled(found, expected)

    def settled(self, found: Shown, expected: str) -> None:
        """`expected`: what the console may say of an answer that is no success."""
        said = [one for one in found.complaints if not (expected and re.search(expected, one))]
        assert said == []
        assert found.hosts == {self.address.removeprefix("http://")}
        assert "#" not in found.page.url
        wide = found.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wide == 0, "no scrolling sideways"


@pytest.fixture
def world(served_world: World) -> World:
    """Nothing waits from another test."""
    queue = served_world.desk.way.queue
    queue.waiting.clear()
    queue.busy, queue.before = False, 2
    return served_world


@pytest.fixture(scope="module")
def served_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    needed(browsers.missing())
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('page')}/orders.sqlite")
    desk = desk_on(store, clock=Running())
    desk.way.judge.steps = SHORT
    with served(desk.api()) as address, sync_playwright() as playwright:
        browser = launched(playwright)
        try:
            yield World(desk, address, browser)
        finally:
            browser.close()
    store.close()


def screen(page: Page, name: str) -> None:
    """Wait for a screen; its heading has the focus, so that a screen reader begins there."""
    expect(page.locator("main")).to_have_attribute("data-screen", name)
    expect(page.locator("main h1").first).to_be_focused()


def agree(page: Page, *, english: bool = False) -> None:
    page.get_by_role("checkbox", name="I agree to face data" if english else "我同意采集人脸信息").check()
    page.get_by_role("checkbox", name="I have read the legal" if english else "我已阅读法律责任告知").check()
    page.get_by_role("button", name="Start online" if english else "开始在线核验").click()


def record(page: Page, world: World, *, english: bool = False) -> None:
    """From the ready camera to the pictures that wait."""
    screen(page, "ready")
    page.get_by_role("button", name="I am ready" if english else "准备好了，开始").click()
    for words in ("Turn your head", "Open your mouth") if english else ("请把头向左转", "请张大嘴巴"):
        expect(page.get_by_role("status")).to_contain_text(words)
    until(lambda: _pumped(page) and world.desk.way.queue.waiting)


def _pumped(page: Page) -> bool:
    page.wait_for_timeout(20)  # events of the page, as routes, are served while it waits
    return True


@pytest.mark.requirement("R1.5")
def test_from_the_link_to_the_pass_in_chinese(world: World) -> None:
    with world.link(expected="ERR_|401") as (page, order, number):
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
        lost = list[str]()
        page.route("**/holder/check", lambda route: _lost(route, lost))
        screen(page, "ready")
        page.get_by_role("button", name="准备好了，开始").click()
        screen(page, "net")
        assert "画面还在手机上" in page.inner_text("main")
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
        assert TOLD[Reason.TOO_DARK].zh in page.inner_text("main")
        assert "本次不计次数。还可以再试 3 次" in page.inner_text("main")
        page.get_by_role("button", name="再试一次").click()
        record(page, world)
        world.desk.way.queue.judge(PASSED)
        screen(page, "passed")
        assert "号码可以正常使用" in page.inner_text("main")
        assert "链接已用完" in page.inner_text("main")
        assert world.desk.reading.state(order).state is State.PASSED
        page.reload()
        screen(page, "passed")
        del number


def _pictures(asked: Request) -> list[tuple[str, str]]:
    """The key and the body of pictures that are sent."""
    if asked.method != "POST" or not asked.url.endswith("/holder/check"):
        return []
    return [(asked.headers["authorization"], asked.post_data or "")]


def _lost(route: Route, lost: list[str]) -> None:
    """The first pictures are lost on the way."""
    if route.request.method == "POST" and not lost:
        lost.append(route.request.url)
        route.abort()
        return
    route.continue_()


# what a screen reader would say, and what the hand would feel
_LISTEN = """() => {
  window.heard = []; window.felt = [];
  const status = document.querySelector('[role=status]');
  new MutationObserver(() => status.textContent && window.heard.push(status.textContent))
    .observe(status, {childList: true});
  navigator.vibrate = (pattern) => window.felt.push(pattern);
}"""


def test_late_in_english_by_keyboard_to_the_restored_card(world: World) -> None:
    number = next(_numbers)
    order, token = world.desk.asked(number)
    world.desk.book.act(order.id, Event.BEGIN, SYSTEM, "came", NOW)
    world.desk.book.act(order.id, Event.FAIL, SYSTEM, "not shown", NOW)
    with world.page(f"/v#{token}", locale="en-GB", expected="401") as page:
        screen(page, "start")
        assert page.evaluate("document.documentElement.lang") == "en"
        said = page.inner_text("main")
        assert "The card is suspended: it can neither call nor be called." in said
        assert "The time is over; being verified still counts" in said
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
        assert page.evaluate("window.heard") == [
            *(
                "Ready: 3",
                "Ready: 2",
                "Ready: 1",
                "Look at the camera and keep still",
                "Turn your head to the left",
            ),
            *("Close your eyes for a second, then open them", "Open your eyes", "Open your mouth wide"),
            "Done. You can relax",
        ]
        assert page.evaluate("window.felt") == [90, 90, [90, 70, 90], 90, [90, 70, 90]]
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
    sent = list[tuple[str, str]]()
    with world.link(english=True) as (page, order, _):
        page.on("request", lambda asked: sent.extend(_pictures(asked)))
        agree(page, english=True)
        screen(page, "ready")
        page.reload()
        screen(page, "resume")
        page.get_by_role("button", name="Open the camera").click()
        record(page, world, english=True)
        screen(page, "waiting")
        page.reload()
        screen(page, "waiting")
        [(key, body)] = sent
        replayed = httpx.post(
            f"{world.address}{BASE}/holder/check",
            content=body,
            headers={"Authorization": key, "Content-Type": "application/json"},
            timeout=20,
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
            _judged_elsewhere(world.desk, token)
        page.reload()
        screen(page, "counter")
        said = page.inner_text("main")
        for words in (TOLD[Reason.OTHER_PERSON].en, TOLD[Reason.USED_UP].en, "any of our own counters"):
            assert words in said
        assert world.desk.reading.state(order).state is State.SENT_TO_COUNTER


def _judged_elsewhere(desk: TestDesk, token: str) -> None:
    """A try that is not passed, without the page."""
    challenge = desk.way.verification.challenge(token, desk.clock())
    desk.clock.now += timedelta(seconds=4)
    frames = [Frame(order, order * 0.14, secrets.token_bytes(40)) for order in range(16)]
    desk.way.verification.submit(token, challenge.id, frames, desk.clock())
    desk.way.queue.judge(OTHER)


def test_when_we_are_away_the_page_says_how_long(world: World) -> None:
    with world.link(english=True, expected="503") as (page, _, _):
        world.desk.way.photos.down = True
        agree(page, english=True)
        screen(page, "busy")
        world.desk.way.photos.down = False
        assert TOLD[Reason.NOT_AVAILABLE].en in page.inner_text("main")
        expect(page.get_by_text("You can try again in 29 seconds.")).to_be_visible()
        expect(page.get_by_role("button", name="Try again")).to_be_disabled()
        page.get_by_role("button", name="Go to a counter instead").click()
        screen(page, "counter")


@pytest.mark.parametrize("english", [False, True], ids=["zh", "en"])
def test_who_does_not_agree_is_shown_the_counter(world: World, *, english: bool) -> None:
    with world.link(english=english) as (page, order, number):
        page.get_by_role("button", name="I do not agree" if english else "我不同意").click()
        screen(page, "counter")
        said = page.inner_text("main")
        for words in (
            ("nothing is stopped for it", "any of our own counters", "your own valid identity document")
            if english
            else ("不会因此停机", "任一自有营业厅", "本人有效身份证件原件")
        ):
            assert words in said
        assert world.desk.reading.last(card(number), Kind.RESTRICTION) is None
        page.get_by_role("button", name="Back" if english else "返回").click()
        screen(page, "start")
        del order


def test_an_objection_is_filed_from_any_screen(world: World) -> None:
    with world.link() as (page, order, number):
        agree(page)
        screen(page, "ready")
        page.get_by_role("button", name="我有异议").click()
        screen(page, "objection")
        assert not page.evaluate("!!document.querySelector('video')")
        page.get_by_role("button", name="提交异议").click()
        expect(page.get_by_role("alert")).to_contain_text("请写明您的理由")
        page.get_by_role("textbox", name="您的说明").fill("我在卖车\n陌生人打来的")
        page.get_by_role("button", name="提交异议").click()
        screen(page, "objected")
        assert "受理后 5 个工作日内" in page.inner_text("main")
        filed = world.desk.reading.last(card(number), Kind.OBJECTION)
        assert filed is not None
        assert (filed.parent, filed.grounds.reason.zh) == (order, "我在卖车\n陌生人打来的")
        page.get_by_role("button", name="返回").click()
        screen(page, "resume")


_CAMERAS = {
    "denied": "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotAllowedError'); }",
    "missing": "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotFoundError'); }",
    "taken": "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotReadableError'); }",
    "inapp": "Object.defineProperty(navigator, 'mediaDevices', {value: undefined})",
    "insecure": "Object.defineProperty(window, 'isSecureContext', {value: false})",
}


def test_every_trouble_with_the_camera_has_its_own_advice(world: World) -> None:
    told = set[str]()
    with world.link() as (page, _, _):
        agree(page)
        screen(page, "ready")
        for kind, broken in _CAMERAS.items():
            page.reload()
            screen(page, "resume")
            page.evaluate(f"() => {{ {broken}; }}")
            page.get_by_role("button", name="打开摄像头").click()
            screen(page, f"camera-{kind}")
            told.add(page.inner_text("main p >> nth=0"))
            assert "任一自有营业厅" in page.inner_text("main"), "the other way is always shown"
    assert len(told) == len(_CAMERAS)


def test_links_that_open_nothing(world: World) -> None:
    with world.page("/v#" + "A" * 44, expected="401") as page:
        screen(page, "ended")
        assert "任一自有营业厅" in page.inner_text("main")
        expect(page.get_by_role("link", name="10086")).to_have_attribute("href", "tel:10086")
    with world.page("/v", locale="en-US") as page:
        screen(page, "noLink")
        assert "Only the link that we sent you" in page.inner_text("main")


def test_without_a_judge_the_page_names_the_counter(world: World) -> None:
    _, token = world.desk.asked(next(_numbers))
    with (
        served(world.desk.api(online=False)) as address,
        shown(world.browser, f"{address}/v#{token}") as found,
    ):
        screen(found.page, "start")
        assert "目前不能在线办理：" + TOLD[Reason.NOT_AVAILABLE].zh in found.page.inner_text("main")
        assert found.page.get_by_role("checkbox").count() == 0


def test_the_network_that_fails_is_told_and_tried_again(world: World) -> None:
    with world.link(english=True, expected="ERR_") as (page, _, _):
        page.route("**/holder/order", lambda route: route.abort())
        page.reload()
        screen(page, "net")
        page.unroute("**/holder/order")
        page.get_by_role("button", name="Try again").click()
        screen(page, "start")


@pytest.mark.parametrize("english", [False, True], ids=["zh", "en"])
def test_it_is_read_aloud_and_fits_the_smallest_phone(world: World, *, english: bool) -> None:
    with world.link(english=english, viewport={"width": 320, "height": 480}) as (page, _, number):
        tree = page.locator("body").aria_snapshot()
        name = "I agree to face data" if english else "我同意采集人脸信息"
        assert re.search(rf'checkbox "{name}', tree)
        for role in ("heading", "checkbox", "button", "link", "term", "definition"):
            assert f"- {role}" in tree, role
        assert not re.search(r"- (button|link|checkbox|textbox)(?:$|:? *\n)", tree), "everything has a name"
        for target in page.locator("button, .tick, a").all():
            box = target.bounding_box()
            assert box is not None
            assert box["height"] >= 48, target.inner_text()
        sizes = page.evaluate(
            "[...document.querySelectorAll('main *')].filter(e => e.textContent.trim())"
            ".map(e => parseFloat(getComputedStyle(e).fontSize))"
        )
        assert min(sizes) >= 16
        del number
