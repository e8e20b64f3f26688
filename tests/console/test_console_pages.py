"""The console's pages as people use them: sign in, the queue by keyboard, a case from the list to the next one."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from duanka.domain.order import SYSTEM, Event, Kind, Role, State
from support.api.desks import card, demand, phone
from support.console.pages import Console, own_console, serious_faults
from support.orders.books import receive
from support.people import PASSWORD

console = pytest.fixture(own_console, scope="module")
_COUNTED = {
    "zh": re.compile(r"共 \d+ 件|全部在列"),
    "en": re.compile(r"of \d+ shown|all \d+ are in the list"),
}


def rows(page: Page) -> list[str]:
    """Ids of the orders in the list, from above."""
    expect(page.locator("tbody tr").first).to_be_visible()
    return page.locator("tbody tr td:last-child").all_inner_texts()


@pytest.fixture(scope="module")
def cases(console: Console) -> list[str]:
    """Thirty verifications, of cards 100 to 129."""
    receive(console.desk.orders, [demand(number) for number in range(100, 130)], console.desk.clock.now)
    found = [console.desk.reading.last(card(number), Kind.VERIFICATION) for number in range(100, 130)]
    return [order.id for order in found if order]


def test_a_wrong_password_says_so_and_a_right_one_opens_the_view_that_was_asked_for(console: Console) -> None:
    with console.page("/queue", expected="/changes|401") as page:
        expect(page.get_by_role("heading", level=1)).to_have_text("工单队列")
        page.get_by_role("button", name="退出登录").click()
        page.locator("input[name=login]").fill("the.desk")
        page.locator("input[name=password]").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("登录名或密码不正确。")
        expect(page.locator("input[name=password]")).to_have_value("")
        page.locator("input[name=password]").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("工单队列")


def test_ten_cases_in_a_row_by_keyboard_alone(console: Console, cases: list[str]) -> None:
    del cases
    with console.page("/queue?sort=opened") as page:
        listed = rows(page)
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        for order in listed[1:11]:
            expect(page).to_have_url(re.compile(rf"/console/orders/{order}$"))
            expect(page.get_by_role("button", name="撤回")).to_be_visible()
            for key in ("w", "4", "Enter"):  # withdraw, entered in error, do it: three keys a case
                page.keyboard.press(key)
            expect(page.get_by_role("status").filter(has_text="撤回：完成")).to_be_visible()
        expect(page).to_have_url(re.compile(rf"/console/orders/{listed[11]}$"))
        done = [console.desk.reading.state(order) for order in listed[1:11]]
        assert {order.state for order in done} == {State.WITHDRAWN}
        assert console.desk.reading.state(listed[11]).state is State.OPENED
        page.keyboard.press("u")
        expect(page).to_have_url(re.compile(r"/console/queue\?sort=opened$"))


def test_a_number_in_any_form_leads_to_its_card(console: Console, cases: list[str]) -> None:
    with console.page("/today") as page:
        for text in (
            phone(129),
            card(129)[2:],
            f"{card(129)[2:5]} {card(129)[5:9]} {card(129)[9:]}",
            cases[-1].lower(),
        ):
            page.keyboard.press("/")
            page.keyboard.type(text)
            page.keyboard.press("Enter")
            expect(page).to_have_url(re.compile(rf"/orders/{cases[-1]}$"))
            expect(page.get_by_text("可读给来电人")).to_be_visible()
            assert card(129)[2:] not in page.url
            page.keyboard.press("T")
            expect(page).to_have_url(re.compile("/today$"))
        page.keyboard.press("/")
        page.keyboard.type("nonsense")
        page.keyboard.press("Enter")
        expect(page.get_by_role("search").get_by_role("status")).to_contain_text("既不是号码")


def test_somebody_elses_change_moves_no_row_until_the_clerk_asks(console: Console, cases: list[str]) -> None:
    with console.page("/queue?sort=opened") as page:
        listed = rows(page)
        order = console.desk.reading.state(listed[0])
        console.desk.orders.apply(order.id, Event.WITHDRAW, SYSTEM, "elsewhere", console.desk.clock.now)
        offered = page.get_by_role("button", name="队列有变化")
        expect(offered).to_be_visible()
        assert rows(page) == listed
        page.keyboard.press("r")
        expect(offered).to_be_hidden()
        expect(page.get_by_role("link", name=listed[0])).to_have_count(0)
    assert cases


def test_what_a_filter_hides_is_said_and_the_view_has_an_address(console: Console, cases: list[str]) -> None:
    with console.page("/queue", english=True) as page:
        total = len(rows(page))
        page.get_by_role("button", name="medium").click()
        expect(page).to_have_url(re.compile("tier=medium"))
        expect(page.get_by_text(_COUNTED["en"])).to_contain_text("filtered by: Tier medium")
        address = page.url.removeprefix(f"{console.address}/console")
    with console.page(address, Role.SUPERVISOR) as page:
        assert 0 < len(rows(page)) <= total
        expect(page.get_by_text(_COUNTED["zh"])).to_contain_text("等级 中")
    assert cases


def test_a_regulator_sees_orders_and_may_do_nothing_with_them(console: Console, cases: list[str]) -> None:
    with console.page(f"/orders/{cases[-2]}", Role.REGULATOR, expected="/changes|403") as page:
        expect(page.get_by_text("您现在不能对这张工单做任何处置。")).to_be_visible()


@pytest.mark.parametrize("view", ["/today", "/queue", "card"])
@pytest.mark.parametrize("dark", [False, True])
def test_pages_fit_from_1280_to_2560_and_everybody_can_use_them(
    console: Console, cases: list[str], view: str, dark: bool
) -> None:
    path = f"/orders/{cases[-3]}" if view == "card" else view
    with console.page(path, dark=dark, english=dark, viewport={"width": 1280, "height": 900}) as page:
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator(".skeleton")).to_have_count(0)
        if view == "card":
            page.keyboard.press("w")
        assert serious_faults(page) == []
        page.set_viewport_size({"width": 2560, "height": 1200})
