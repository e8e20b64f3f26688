"""Without a link, on the page in a real browser: what is typed, what is said of it, and the card that is back."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from duanka.domain.order import SYSTEM, Event, Kind, State
from support.api.desks import HOUR, card
from support.api.holder_pages import World, agree, numbers, own_served_world, own_world, record, screen
from support.api.verifications import DARK, OTHER, PASSED

served_world = pytest.fixture(scope="module")(own_served_world)
world = pytest.fixture(own_world)

NUMBER, ORDER = ("手机号码", "Your number"), ("工单号", "Order number")


def _stopped(world: World) -> tuple[str, str, str]:
    """A stopped card as people write it: the number, its verification and its restriction."""
    number = next(numbers)
    order, _ = world.desk.asked(number)
    delivered = world.desk.clock()
    world.desk.orders.apply(order.id, Event.DELIVERED, SYSTEM, "receipt", delivered, delivered_at=delivered)
    world.desk.orders.sweep(delivered + 24 * HOUR)
    stop = world.desk.reading.last(card(number), Kind.RESTRICTION)
    assert stop
    own = card(number).removeprefix("86")
    return f"{own[:3]} {own[3:7]}-{own[7:]}", order.id, stop.id


def _type(page: Page, number: str, order: str, *, english: bool = False) -> None:
    page.get_by_label(NUMBER[english], exact=True).fill(number)
    page.get_by_label(ORDER[english], exact=True).fill(order)


def test_by_number_and_order_number_to_the_restored_card(world: World) -> None:
    number, asked, stop = _stopped(world)
    with world.page("/v") as page:
        screen(page, "unlinked")
        said = page.inner_text("body")
        for words in ("我们不会索要验证码", "人在国外", "没有工单号？", "任一自有营业厅", "10086"):
            assert words in said, words
        for box in page.get_by_role("checkbox").all():
            expect(box).not_to_be_checked()
        _type(page, number, f" {stop[:5].lower()} {stop[5:]}")
        agree(page)
        record(page, world)
        check = world.desk.way.queue.judge(DARK)
        assert check.reference == b"a photo"
        screen(page, "again")
        assert "今天在这里还可以再试 3 次" in page.inner_text("main")
        page.reload()
        screen(page, "again")
        page.get_by_role("button", name="再试一次").click()
        record(page, world)
        world.desk.way.queue.judge(PASSED)
        screen(page, "passed")
        assert "您的号码已恢复" in page.inner_text("main")
        assert "短信中的链接" not in page.inner_text("main")
    assert world.desk.reading.state(asked).state is State.PASSED
    assert world.desk.reading.state(stop).state is State.RESTORED


def test_what_is_wrong_is_said_where_it_is_and_by_the_next_step(world: World) -> None:
    number, asked, _ = _stopped(world)
    with world.page("/v", locale="en-GB", expected="409") as page:
        screen(page, "unlinked")
        start = page.get_by_role("button", name="Start online")
        for typed, order, field, words in (
            ("12", asked, NUMBER[1], "11 digits"),
            (number, "123456", ORDER[1], "begins with V or R"),
            (number, "", ORDER[1], "Call the hotline or go to a counter"),
        ):
            _type(page, typed, order, english=True)
            start.click()
            wrong = page.get_by_label(field, exact=True)
            expect(wrong).to_be_focused()
            expect(wrong).to_have_attribute("aria-invalid", "true")
            expect(wrong).to_have_accessible_description(f"{_hint(page, field)} {_alert(page, field)}")
            assert words in _alert(page, field)
        _type(page, number, asked, english=True)
        start.click()
        expect(page.get_by_role("alert").last).to_contain_text("tick both")
        agree(page, english=True)
        for left in (3, 2, 1):
            record(page, world, english=True)
            world.desk.way.queue.judge(OTHER)
            screen(page, "again")
            said = page.inner_text("main")
            assert f"{left} more tries here today" in said
            assert "both numbers are those of the message" in said
            page.get_by_role("button", name="Try again").click()
        record(page, world, english=True)
        world.desk.way.queue.judge(OTHER)
        screen(page, "counter")
        page.get_by_role("button", name="Back").click()
        screen(page, "unlinked")
        expect(page.get_by_label(NUMBER[1], exact=True)).to_have_value(number)
        agree(page, english=True)
        expect(page.get_by_role("alert").first).to_contain_text("the link of the message: its own tries")
    assert world.desk.reading.state(asked).state is State.EXPIRED
    assert world.desk.checks.standing(asked, world.desk.clock()).left == 3


def _hint(page: Page, field: str) -> str:
    name = page.get_by_label(field, exact=True).get_attribute("id")
    return page.inner_text(f"#{name}-hint")


def _alert(page: Page, field: str) -> str:
    name = page.get_by_label(field, exact=True).get_attribute("id")
    return page.inner_text(f"#{name}-wrong")


def test_numbers_that_lead_nowhere_look_the_same(world: World) -> None:
    with world.page("/v") as page:
        _type(page, "138 0000 0000", "V0123456789AB")
        agree(page)
        record(page, world)
        check = world.desk.way.queue.judge(PASSED)
        assert check.reference == b""
        screen(page, "again")
        assert "与证件登记的人像不符" in page.inner_text("main")


def test_a_link_that_is_over_leads_here(world: World) -> None:
    with world.page("/v#" + "A" * 44, expected="401") as page:
        screen(page, "ended")
        page.get_by_role("button", name="凭号码和工单号办理").click()
        screen(page, "unlinked")


def test_where_it_is_not_open_the_counter_is_told(world: World) -> None:
    way = world.desk.way.verification
    unlinked, way.unlinked = way.unlinked, None
    try:
        with world.page("/v") as page:
            screen(page, "unlinked")
            assert "目前不能在线办理" in page.inner_text("main")
            assert page.get_by_role("textbox").count() == 0
            assert "任一自有营业厅" in page.inner_text("main")
    finally:
        way.unlinked = unlinked


def test_it_fits_a_narrow_screen_and_a_dark_one(world: World) -> None:
    for size in ({"width": 320, "height": 568}, {"width": 1280, "height": 800}):
        with world.page("/v", viewport=size, color_scheme="dark") as page:
            screen(page, "unlinked")
            for field in page.get_by_role("textbox").all():
                box = field.bounding_box()
                assert box
                assert box["height"] >= 44, "a finger finds it"
