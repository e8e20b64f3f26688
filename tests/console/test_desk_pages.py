"""Reviews, counter, objections and the police as people use them, by keyboard where a desk does."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from duanka.api import BASE
from duanka.api.routes.pages.console import PATH
from duanka.domain.order import Kind, Role, State
from support.api.desks import HOUR, card, phone
from support.browsers import CHROMIUM
from support.console.desk_cases import MARK, asked_of, under_review, verification
from support.console.pages import Console, own_console, serious_faults
from support.people import PASSWORD

console = pytest.fixture(own_console, scope="module")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def said(page: Page, words: str) -> None:
    expect(page.get_by_role("status").filter(has_text=words)).to_be_visible()


def test_a_review_takes_three_keys_and_the_next_opens_by_itself(console: Console) -> None:
    first, second, third = (under_review(console.desk, console.address, number) for number in (201, 202, 203))
    with console.page("/reviews") as page:
        said(page, "共 3 件，已显示 3 件")
        page.keyboard.press("Enter")
        for one in (first, second):
            expect(page).to_have_url(re.compile(rf"/console/reviews/{one.order_id}$"))
            expect(page.locator("figure img")).to_have_count(2)
            drawn = "[...document.querySelectorAll('figure img')].every(one => one.naturalWidth === 360)"
            page.wait_for_function(drawn)
            expect(page.get_by_role("button", name="核验通过")).to_be_visible()
            press(page, "p", "1", "Enter")
            said(page, "已定为“核验通过”")
        expect(page).to_have_url(re.compile(rf"/console/reviews/{third.order_id}$"))
        expect(page.locator("figure img")).to_have_count(2)
        assert serious_faults(page) == []
        press(page, "c", "1", "Enter")
        expect(page.get_by_text("没有等待审核的核验。")).to_be_visible()
    desk = console.desk
    states = [desk.reading.state(one.order_id).state for one in (first, second, third)]
    assert states == [State.PASSED, State.PASSED, State.SENT_TO_COUNTER]


def test_the_next_ones_pictures_are_not_asked_for_before_it_is_opened(console: Console) -> None:
    first, second = (under_review(console.desk, console.address, number) for number in (211, 212))
    asked = list[str]()
    with console.page("/queue") as page:
        page.on("request", lambda request: asked.append(request.url.removeprefix(console.address)))
        page.keyboard.press("V")
        expect(page.locator("aside li")).to_have_count(2)
        page.keyboard.press("Enter")
        expect(page.locator("figure img")).to_have_count(2)
        expect(page.get_by_role("button", name="核验通过")).to_be_visible()
        assert f"{BASE}/reviews/{first.order_id}/pictures" in asked
        assert f"{BASE}/orders/{second.order_id}" in asked, "its order is read before"
        assert f"{BASE}/reviews/{second.order_id}/pictures" not in asked
        page.keyboard.press("n")
        expect(page).to_have_url(re.compile(second.order_id))
        expect(page.locator("figure img")).to_have_count(2)
        assert f"{BASE}/reviews/{second.order_id}/pictures" in asked
        press(page, "c", "1", "Enter")
        expect(page).to_have_url(re.compile(first.order_id))
        expect(page.locator("figure img")).to_have_count(2)
        press(page, "f", "1", "Enter")
        expect(page.get_by_text("没有等待审核的核验。")).to_be_visible()
    assert console.desk.reading.state(first.order_id).state is State.FAILED


def _on_disk(folder: Path, *marks: bytes) -> set[str]:
    """Files below a folder that have one of the marks, as it is or as base64."""
    wanted = set(marks)
    for mark in marks:
        # base64 of a text hangs on where it begins: the letters in the middle of each of the three ways
        wanted |= {base64.b64encode(b"x" * at + mark)[4:-4] for at in range(3)}
    found = set[str]()
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            found |= {path.name for mark in wanted if mark in content}
    return found


def test_pictures_of_holders_are_in_no_cache_no_storage_no_history_and_on_no_disk(
    console: Console, tmp_path: Path
) -> None:
    one, other = (under_review(console.desk, console.address, number) for number in (221, 222))
    kept = console.browser.browser_type.launch_persistent_context(
        tmp_path, executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"], locale="zh-CN"
    )
    page = kept.pages[0]
    page.goto(f"{console.address}{PATH}/reviews")
    page.get_by_role("button", name="English").click()
    console.sign_in(page, Role.DESK)
    expect(page.locator("aside li")).to_have_count(2)
    with page.expect_response("**/pictures") as answer:
        page.keyboard.press("Enter")
    assert answer.value.headers["cache-control"] == "no-store"
    expect(page.locator("figure img")).to_have_count(2)
    shown = page.locator("figure img").evaluate_all("all => all.map(one => one.src)")
    assert all(address.startswith("blob:") for address in shown)
    loads = """address => new Promise(done => { const image = new Image();
        image.onload = () => done(true); image.onerror = () => done(false); image.src = address; })"""
    assert page.evaluate(loads, shown[0]), "it is there while it is looked at"
    press(page, "p", "1", "Enter")
    expect(page).to_have_url(re.compile(other.order_id))
    expect(page.locator("figure img")).to_have_count(2)
    assert not any(page.evaluate(loads, address) for address in shown), (
        "those of the one before are given back"
    )
    shown = page.locator("figure img").evaluate_all("all => all.map(one => one.src)")
    page.keyboard.press("Q")
    expect(page.get_by_role("heading", level=1)).to_have_text("Queue")
    assert not any(page.evaluate(loads, address) for address in shown), "and when the page is left"
    assert page.evaluate("caches.keys()") == []
    assert (
        page.evaluate("document.cookie") == ""
    )  # the browser keeps cookies encrypted: none is found on its disk
    assert page.evaluate("indexedDB.databases()") == []
    scrolled = page.evaluate("JSON.parse(sessionStorage.getItem('vue-router:scroll') ?? '{}')")
    assert page.evaluate("Object.keys(sessionStorage).filter(one => one !== 'vue-router:scroll')") == []
    assert all(set(place) == {"left", "top"} for place in scrolled.values()), (
        "where the window was scrolled to"
    )
    assert set(page.evaluate("Object.keys(localStorage)")) <= {
        "duanka.language",
        "duanka.theme",
        "duanka.counter",
        "duanka.signed-in",
    }
    assert "blob" not in page.evaluate("JSON.stringify(history.state)")
    page.go_back()
    expect(page.locator("figure img")).to_have_count(2)
    kept.close()
    assert _on_disk(tmp_path, b"duanka.language"), "what a page stores is found there"
    assert _on_disk(tmp_path, MARK) == set()
    assert console.desk.reading.state(one.order_id).state is State.PASSED


def test_at_the_counter_a_second_person_confirms_on_the_same_screen(console: Console) -> None:
    order = asked_of(console.desk, 231, "extreme")
    with console.page("/counter", expected="/changes|403") as page:  # the browser tells of each refusal
        page.get_by_label("工单号（").fill(order.id.lower())
        page.get_by_label("号码（用于核对").fill(phone(231))
        page.keyboard.press("Enter")
        expect(page.get_by_text("须双人复核")).to_be_visible()
        record = page.get_by_role("button", name="登记")
        for mark in page.get_by_role("checkbox").all():
            expect(record).to_be_disabled()
            mark.press("Space")
        page.get_by_role("textbox", name="营业厅").fill("长安路营业厅")
        page.get_by_role("button", name="本人持证件到厅核验").click()
        assert serious_faults(page) == []
        record.click()
        expect(page.get_by_role("heading", name="第二人复核")).to_be_visible()
        expect(page.get_by_label("登录名")).to_be_focused()
        second(page, "the.supervisor", "Wrong-horse-9-battery")
        expect(page.get_by_role("alert")).to_be_visible()
        expect(page.get_by_label("密码")).to_have_value("")
        assert serious_faults(page) == []
        second(page, "the.supervisor", PASSWORD)
        said(page, "现为“核验通过”")
        expect(page.get_by_text("没有等待第二人复核的登记。")).to_be_visible()
        # the first one is still signed in
        expect(page.get_by_role("banner")).to_contain_text("the.desk")
        assert PASSWORD not in page.content()
    assert verification(console.desk, 231).state is State.PASSED


def second(page: Page, login: str, password: str) -> None:
    page.get_by_label("登录名").fill(login)
    page.get_by_label("密码").fill(password)
    page.get_by_role("button", name="已见本人和证件，与登记一致").click()
    page.get_by_role("button", name="确认", exact=False).last.click()


def test_a_number_that_is_not_theirs_is_stopped_when_a_second_person_confirms(console: Console) -> None:
    with console.page("/counter") as page:
        page.keyboard.press("Escape")
        page.get_by_role("button", name="非本人号码").click()
        page.get_by_label("被否认的号码").fill("130 0000 0232")
        for mark in page.get_by_role("checkbox").all():
            mark.check()
        page.get_by_role("textbox", name="营业厅").fill("长安路营业厅")
        page.get_by_role("button", name="登记人声明未办理该号码").click()
        page.get_by_role("button", name="登记", exact=True).click()
        second(page, "the.supervisor", PASSWORD)
        said(page, "现为“否认已确认”")
    stop = console.desk.reading.last(card(232), Kind.RESTRICTION)
    assert stop
    assert stop.state is State.STOPPED_AT_REQUEST


def test_a_number_that_does_not_belong_to_the_order_is_not_recorded(console: Console) -> None:
    order = asked_of(console.desk, 233, "medium")
    with console.page("/counter") as page:
        page.get_by_label("工单号（").fill(order.id)
        page.get_by_label("号码（用于核对").fill(phone(234))
        page.keyboard.press("Enter")
        expect(page.get_by_text("号码与工单不符")).to_be_visible()
        expect(page.get_by_role("checkbox").first).to_be_disabled()


def test_objections_are_filed_and_answered_by_keyboard_the_overdue_first(console: Console) -> None:
    desk = console.desk
    for number in (241, 242):
        asked_of(desk, number, "medium")
    late = desk.orders.object(card(241), "我在卖车，陌生人打来的", desk.people.who("the.desk"), desk.clock())
    desk.clock.now += 24 * 12 * HOUR
    while desk.orders.sweep(desk.clock(), restrict=False):
        pass
    with console.page("/objections") as page:
        expect(page.get_by_text("其中 1 件超期")).to_be_visible()
        page.keyboard.press("+")
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("号码", exact=True).fill(phone(242))
        dialog.get_by_label("用户所述").fill("我是送外卖的，每天打很多电话")
        dialog.get_by_role("button", name="登记").click()
        said(page, "的异议已登记")
        assert page.locator("aside li").first.inner_text().count("已超期") == 1
        page.locator("aside li a").first.click()
        expect(page).to_have_url(re.compile(late.id))
        expect(page.locator("blockquote")).to_have_text("我在卖车，陌生人打来的")
        expect(page.get_by_text("五个工作日已过")).to_be_visible()
        expect(page.get_by_role("button", name="受理", exact=False).first).to_be_visible()
        assert serious_faults(page) == []
        press(page, "a", "1", "Enter")
        said(page, "受理：完成")
        expect(page.get_by_role("button", name="异议不成立")).to_be_visible()
        press(page, "x", "2", "Enter")
        said(page, "异议不成立：完成")
        # the next one opened by itself
        expect(page).not_to_have_url(re.compile(late.id))
    rejected, filed = (desk.reading.last(card(number), Kind.OBJECTION) for number in (241, 242))
    assert rejected
    assert rejected.state is State.REJECTED
    assert filed
    assert (filed.state, filed.channel) == (State.FILED, "desk")


def test_the_police_begin_at_a_page_of_their_own_and_are_offered_none_of_the_desks(console: Console) -> None:
    with console.page("/today", Role.POLICE) as page:
        expect(page).to_have_url(re.compile(r"/console/police$"))
        names = set(page.get_by_role("navigation").locator("a").all_text_contents())
        assert "公安机关" in names
        assert not {"今日", "工单", "人工审核", "营业厅", "异议"} & names
        page.get_by_label("号码", exact=True).fill(phone(251))
        page.get_by_label("案件编号").fill("京公（刑）字〔2026〕0001号")
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="公安停机")).to_be_visible()
        expect(page.get_by_role("button", name="公安解除停机")).to_have_count(0)
        page.get_by_label("诈骗类型").select_option(label="虚假贷款")
        assert serious_faults(page) == []
        page.locator("h1").click()
        press(page, "s", "1", "Enter")
        said(page, "公安停机：完成")
        expect(page.get_by_role("button", name="公安解除停机")).to_be_visible()
        page.locator("h1").click()
        press(page, "e", "1", "Enter")
        said(page, "公安解除停机：完成")
        assert phone(251)[1:] not in page.url
    stop = console.desk.reading.last(card(251), Kind.RESTRICTION)
    assert stop
    assert stop.state is State.RESTORED


def test_a_regulator_reads_objections_and_is_offered_no_counter(console: Console) -> None:
    with console.page("/counter", Role.REGULATOR) as page:
        expect(page).to_have_url(re.compile(r"/console/today$"))
        names = page.get_by_role("navigation").locator("a").all_text_contents()
        assert "异议" in names
        assert not {"营业厅", "人工审核", "公安机关"} & set(names)
