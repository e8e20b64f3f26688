"""Bulk actions in the console: selected in the queue, decided by somebody who saw each card, undone in words; takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from duanka.decision_log.reader import DecisionFile, KeptLines
from duanka.domain.order import Kind, Person, Role
from duanka.domain.take import Choice
from duanka.orders.intake.taking import DecisionTaker
from support.api.desks import KEY, card, demand, phone
from support.console.pages import Console, own_console, serious_faults
from support.decided import decide, high, medium
from support.orders.books import receive

console = pytest.fixture(own_console, scope="module")
_ACT = re.compile(r"/console/acts/(A[A-Z0-9]+)$")


@pytest.fixture(scope="module")
def cases(console: Console) -> None:
    """A hundred and twenty verifications, of cards 200 to 319: three pages of a list."""
    receive(console.desk.orders, [demand(number) for number in range(200, 320)], console.desk.clock.now)


def _propose(page: Page) -> str:
    page.get_by_role("button", name="群众举报核实").click()
    page.keyboard.press("Tab")
    page.locator("dialog[open] button.main").click()
    expect(page).to_have_url(_ACT)
    found = _ACT.search(page.url)
    assert found
    return found[1]


def _stopped(console: Console) -> int:
    last = (console.desk.reading.last(card(number), Kind.RESTRICTION) for number in range(200, 320))
    return sum(order is not None and order.closed_at is None for order in last)


def test_a_stop_of_all_that_the_filter_finds_is_approved_after_each_card_was_shown_and_undone(
    console: Console, cases: None
) -> None:
    with console.page("/queue?tier=medium&sort=opened") as page:
        expect(page.locator("tbody tr").first).to_be_visible()
        for key in ("x", "Shift+J", "Shift+J"):
            page.keyboard.press(key)
        bar = page.get_by_role("region", name="已选工单")
        expect(bar).to_contain_text("已选 3 件（共 120 件）")
        page.locator("tbody tr").nth(9).click(modifiers=["Shift"])
        expect(bar).to_contain_text("已选 10 件")
        page.keyboard.press("a")
        expect(bar).to_contain_text("已选 120 件（共 120 件）")
        expect(bar).to_contain_text("其中 70 件尚未显示")
        page.locator("tbody input[type=checkbox]").first.click()
        page.keyboard.press("b")
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("双停 119 张号码，1 张不动")
        dialog.locator("tbody input[type=checkbox]:checked").first.click()
        expect(dialog).to_contain_text("双停 118 张号码，2 张不动")
        act = _propose(page)
        expect(page.get_by_text("这是您提出的，须由另一位主管复核")).to_be_visible()
        expect(page.get_by_role("button", name="通过")).to_have_count(0)
    with console.page(f"/acts/{act}", Role.SUPERVISOR) as page:
        approve = page.get_by_role("button", name="通过")
        expect(approve).to_be_disabled()
        page.keyboard.press("a")
        expect(page.locator("form textarea")).to_have_count(0)
        page.keyboard.press("x")
        seen = page.get_by_text("全部号码都已显示，可以决定。")
        for _ in range(40):
            if seen.count():
                break
            page.keyboard.press("n")
            page.wait_for_timeout(100)
        expect(seen).to_be_visible()
        assert console.desk.bulk_actions.get(act).state == "proposed"
        page.keyboard.press("a")
        page.keyboard.type("seen")
        page.keyboard.press("Enter")
        expect(page.get_by_text("正在执行：118 张中")).to_be_visible()
        console.desk.bulk_actions.carry_out(console.desk.clock())
        expect(page.get_by_text("117 张号码已双停，1 张跳过")).to_be_visible()  # without a reload
        progress = page.get_by_role("region", name="执行进度")
        expect(progress).to_contain_text("home_register")
        expect(progress).to_contain_text("0 / 117")
        assert _stopped(console) == 117
        page.keyboard.press("z")
        page.keyboard.type("wrong list")
        page.keyboard.press("Enter")
        expect(page.get_by_text(re.compile(r"the.supervisor 于 .* 撤销：A.* 已还原 117 张"))).to_be_visible()
        assert _stopped(console) == 0
    with console.page("/acts", english=True) as page:
        expect(page.locator("tbody tr")).to_have_count(2)
        expect(page.locator("tbody")).to_contain_text("117 done, 1 skipped")


def test_a_card_that_waits_in_another_act_is_left_alone_with_a_link_to_it(
    console: Console, cases: None
) -> None:
    with console.page("/queue?tier=medium&sort=opened") as page:
        expect(page.locator("tbody tr").first).to_be_visible()
        page.keyboard.press("x")
        page.keyboard.press("b")
        first = _propose(page)
        page.keyboard.press("Q")
        expect(page.locator("tbody tr").first).to_be_visible()
    with console.page("/queue?tier=medium&sort=opened") as page:
        expect(page.locator("tbody tr").first).to_be_visible()
        for key in ("x", "Shift+J", "b"):
            page.keyboard.press(key)
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("双停 1 张号码，1 张不动")
        expect(dialog).to_contain_text("不动：已在其他批量处置中 1")
        expect(dialog.get_by_role("link", name=first)).to_be_visible()
    console.desk.bulk_actions.reject(first, Person("the.desk", Role.DESK), "a try", console.desk.clock())


def test_a_take_is_released_in_portions_and_undone_in_words(console: Console, tmp_path: Path) -> None:
    desk = console.desk
    out = decide(tmp_path / "out", KEY, [*medium(1, 2, 3), *high(11)])
    choice = Choice(hold=frozenset(phone(number).removeprefix("+") for number in (2, 3)))
    file = DecisionFile(out, KEY)
    taking = DecisionTaker(desk.orders, file, KeptLines(KEY), frozenset, choice, "not all at once")
    taking.take(desk.clock(), Person("the.desk", Role.DESK))
    with console.page("/takes") as page:
        held = page.get_by_role("region", name="暂缓的研判结果").first
        expect(held).to_contain_text("共 2 条")
        held.get_by_label("等级").select_option("medium")
        held.get_by_label("至多").fill("1")
        held.get_by_label("理由").fill("one more")
        held.get_by_role("button", name="放行 1 条").click()
        expect(page.get_by_text("已放行：建单 1。")).to_be_visible()
        expect(held).to_contain_text("共 1 条")
        page.keyboard.press("Escape")
        row = page.locator("tbody tr").filter(has_text="建单 2")
        row.get_by_role("button", name="撤销此批").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("此批新建了 2 张工单")
        dialog.locator("textarea").fill("wrong file")
        dialog.locator("textarea").press("Enter")
        expect(dialog).to_contain_text("1 张工单中 1 张已撤回")
        expect(dialog).to_contain_text("1 张的等级须双人复核")
        dialog.get_by_role("button", name="关闭").click()
        expect(page.get_by_text("the.desk 于")).to_be_visible()


def test_who_may_propose_nothing_selects_nothing(console: Console, cases: None) -> None:
    with console.page("/queue?tier=medium", Role.REGULATOR) as page:
        expect(page.locator("tbody tr").first).to_be_visible()
        for key in ("x", "a", "b"):
            page.keyboard.press(key)
        page.locator("tbody tr").nth(3).click(modifiers=["Shift"])
        expect(page.locator("tbody input")).to_have_count(0)
        expect(page.get_by_role("region", name="已选工单")).to_have_count(0)
        expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("view", ["/acts", "/takes", "act", "dialog"])
@pytest.mark.parametrize("dark", [False, True])
def test_these_pages_fit_from_1280_and_everybody_can_use_them(
    console: Console, cases: None, view: str, dark: bool
) -> None:
    latest = console.desk.reading.bulk_actions(Person("the.desk", Role.DESK)).items[0].id
    path = {"act": f"/acts/{latest}", "dialog": "/queue"}.get(view, view)
    with console.page(path, dark=dark, english=dark, viewport={"width": 1280, "height": 900}) as page:
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator(".skeleton")).to_have_count(0)
        if view == "dialog":
            page.keyboard.press("x")
            page.keyboard.press("b")
            expect(page.get_by_role("dialog").locator("tbody tr")).to_have_count(1)
        assert serious_faults(page) == []
        page.set_viewport_size({"width": 2560, "height": 1200})
