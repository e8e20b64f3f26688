"""The holder's page where something is otherwise: no consent, an objection, no camera or network, a small telephone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from duanka.domain.identity import CheckReason
from duanka.domain.order import SYSTEM, Event, Kind, Role
from duanka.orders.dispatch.link_requests import PAUSE
from support.api.desks import HOUR, card, served
from support.api.holder_pages import World, agree, numbers, own_served_world, own_world, screen
from support.browsers import shown

served_world = pytest.fixture(scope="module")(own_served_world)
world = pytest.fixture(own_world)


def test_when_we_are_away_the_page_says_how_long(world: World) -> None:
    with world.link(english=True, expected="503") as (page, _, _):
        world.desk.way.photos.down = True
        agree(page, english=True)
        screen(page, "busy")
        world.desk.way.photos.down = False
        assert CheckReason.NOT_AVAILABLE.words.en in page.inner_text("main")
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
        said = page.inner_text("main")
        assert "5 个工作日内短信答复" in said
        filed = world.desk.reading.last(card(number), Kind.OBJECTION)
        assert filed is not None
        assert (filed.parent, filed.grounds.reason.zh) == (order, "我在卖车\n陌生人打来的")
        assert f"异议编号\n{filed.id}\n状态\n已提出" in said
        page.get_by_role("button", name="返回").click()
        screen(page, "resume")
        assert f"您的异议 {filed.id}：已提出。" in page.inner_text("footer")
        expect(page.get_by_role("button", name="我有异议")).to_have_count(0)
        desk = world.desk.keys.who(world.desk.given[Role.DESK])
        assert desk is not None
        world.desk.orders.apply(filed.id, Event.ACCEPT, desk, "a look", world.desk.clock())
        page.reload()
        expect(page.locator("footer")).to_contain_text(f"您的异议 {filed.id}：已受理。")
        world.desk.orders.apply(filed.id, Event.REJECT, desk, "no", world.desk.clock())
        page.reload()
        expect(page.locator("footer")).to_contain_text(f"您的异议 {filed.id}：不成立。")
        page.get_by_role("button", name="我有异议").click()
        screen(page, "objection")


def test_until_when_is_told_alike_on_every_screen(world: World) -> None:
    """At the start, after refusing and opened again; before the notice arrives, with its hours, and too late."""
    for delivered, passed, words in (
        (False, 0, "收到短信通知后 24 小时内"),
        (True, 0, "还有约 23 小时"),
        (True, 24, "期限已过，现在核验仍然有效"),
    ):
        number = next(numbers)
        order, token = world.desk.asked(number)
        if delivered:
            at = world.desk.clock()
            world.desk.orders.apply(order.id, Event.DELIVERED, SYSTEM, "receipt", at, delivered_at=at)
            world.desk.orders.sweep(at + passed * HOUR)
        with world.page(f"/v#{token}", expected="401") as page:
            screen(page, "start")
            assert _until(page) == _until(page, words)
            told = _until(page)
            page.get_by_role("button", name="我不同意").click()
            screen(page, "counter")
            assert _until(page) == told
            page.get_by_role("button", name="返回").click()
            screen(page, "start")
            assert _until(page) == told
            page.get_by_role("button", name="我不同意").click()
            screen(page, "counter")


def _until(page: Page, words: str = "") -> str:
    said = page.locator("dt", has_text="办理期限").locator("xpath=following-sibling::dd[1]").inner_text()
    assert words in said
    return said


_TEXT_SIZES = (
    "[...document.querySelectorAll('main *, header *, footer *')].filter(e => e.textContent.trim())"
    ".map(e => parseFloat(getComputedStyle(e).fontSize))"
)
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
        assert "有异议？可以拨打服务热线或到营业厅提出" in page.inner_text("footer")
        expect(page.get_by_role("link", name="10086")).to_have_attribute("href", "tel:10086")
    with world.page("/v", locale="en-US") as page:
        screen(page, "unlinked")
        assert "Restore a number by its order number" in page.inner_text("main")


@pytest.mark.parametrize("english", [False, True], ids=["zh", "en"])
def test_in_another_browser_a_link_leads_to_a_new_one_and_nothing_else(
    world: World, *, english: bool
) -> None:
    options = {"locale": "en-GB"} if english else {}
    with world.link(english=english) as (page, _, number):
        agree(page, english=english)
        screen(page, "ready")
        token = page.evaluate("JSON.parse(sessionStorage.duanka).link")
        world.desk.clock.now += PAUSE  # the first notice was sent a moment ago
        with world.page(f"/v#{token}", **options) as other:
            screen(other, "elsewhere")
            asked = "Send a new link to this number" if english else "给本号码发送新链接"
            assert other.get_by_role("checkbox").count() == 0, "nobody agrees or refuses here"
            assert other.get_by_role("button").count() == 2, "the language, and a new link"
            other.get_by_role("button", name=asked).click()
            screen(other, "linkSent")
            assert card(number)[-4:] in other.inner_text("main")
        page.reload()
        screen(page, "resume")


def test_without_a_judge_the_page_names_the_counter(world: World) -> None:
    _, token = world.desk.asked(next(numbers))
    with (
        served(world.desk.api(online=False)) as address,
        shown(world.browser, f"{address}/v#{token}") as found,
    ):
        screen(found.page, "start")
        assert "目前不能在线办理：" + CheckReason.NOT_AVAILABLE.words.zh in found.page.inner_text("main")
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
        sizes = page.evaluate(_TEXT_SIZES)
        assert min(sizes) >= 16
        page.evaluate(
            "document.documentElement.style.fontSize = '225%'"
        )  # twice the usual, as a browser is set to
        larger = page.evaluate(_TEXT_SIZES)
        assert min(larger) >= 2 * 16, "everything that is read grows"
        page.get_by_role("button", name="I do not agree" if english else "我不同意").click()
        screen(page, "counter")
        del number  # that nothing scrolls sideways is looked at in the end
