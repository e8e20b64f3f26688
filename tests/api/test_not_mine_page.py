"""This number is not mine, on the holder's page in a real browser: said, taken back, and confirmed by face."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from duanka.domain.order import Kind, State
from support.api.desks import card
from support.api.holder_pages import World, own_served_world, own_world, record, screen
from support.api.verifications import PASSED

served_world = pytest.fixture(scope="module")(own_served_world)
world = pytest.fixture(own_world)


def test_said_taken_back_and_confirmed_by_face(world: World) -> None:
    with world.link(expected="401") as (page, order, number):
        reading = world.desk.reading
        page.get_by_role("button", name="这个号码不是我办的").click()
        screen(page, "notMine")
        said = page.inner_text("main")
        for words in ("只有号码登记人本人可以确认", "7 天后销户", "这不是处罚", "本人声明", "不需要带手机卡"):
            assert words in said, words
        for box in page.get_by_role("checkbox").all():
            expect(box).not_to_be_checked()
        page.get_by_role("button", name="先说明，我会到营业厅").click()
        expect(page.get_by_role("button", name="撤回：这个号码是我的")).to_be_visible()
        claimed = reading.last(card(number), Kind.DISAVOWAL)
        assert claimed
        assert claimed.id in page.inner_text("main")
        assert (claimed.state, reading.last(card(number), Kind.RESTRICTION)) == (State.CLAIMED, None)
        page.get_by_role("button", name="撤回：这个号码是我的").click()
        screen(page, "start")
        assert reading.state(claimed.id).state is State.WITHDRAWN
        page.get_by_role("button", name="English").click()
        page.get_by_role("button", name="This number is not mine").click()
        screen(page, "notMine")
        confirm = page.get_by_role("button", name="Confirm, and ask to stop and cancel it")
        confirm.click()
        expect(page.get_by_role("alert").last).to_contain_text("tick both")
        page.get_by_role("checkbox", name="I agree to face data").check()
        page.get_by_role("checkbox", name="I declare that this number is not mine").check()
        confirm.click()
        record(page, world, english=True)
        world.desk.way.queue.judge(PASSED)
        screen(page, "disowned")
        assert "no penalty" in page.inner_text("main")
        assert page.get_by_role("button", name="I object").count() == 0
        assert reading.state(order).state is State.DISOWNED
        stop = reading.last(card(number), Kind.RESTRICTION)
        assert stop
        assert stop.state is State.STOPPED_AT_REQUEST
