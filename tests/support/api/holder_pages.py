"""The holder's page in a real browser, against the real API: what its tests share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from duanka.domain.identity import Gesture, Step
from duanka.ledger.db.database import Store
from support import browsers
from support.api.desks import Running, TestDesk, card, desk_on, served
from support.browsers import Shown, launched, shown
from support.parts import needed
from support.waiting import until

SHORT = (
    Step(Gesture.TURN_LEFT, 0.3, 0.9),
    Step(Gesture.CLOSE_EYES, 0.9, 1.6),
    Step(Gesture.OPEN_MOUTH, 1.6, 2.2),
)
numbers = iter(range(1000))


class World:
    """A desk that is served, a browser, and a new card for every test."""

    def __init__(self, desk: TestDesk, address: str, browser: Browser) -> None:
        self.desk, self.address, self.browser = desk, address, browser

    @contextmanager
    def link(
        self, *, english: bool = False, expected: str = "", **options: Any
    ) -> Iterator[tuple[Page, str, int]]:
        """The page by a link of a new order, the order's id and the card; at the end nothing was asked elsewhere."""
        number = next(numbers)
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


def own_world(served_world: World) -> World:
    """Nothing waits from another test."""
    queue = served_world.desk.way.queue
    queue.waiting.clear()
    queue.busy, queue.before = False, 2
    return served_world


def own_served_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
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


_KEEP_STATUS = """() => {
  window.shown = [];
  const keep = () => {
    for (const one of document.querySelectorAll('[role=status]'))
      if (one.textContent && window.shown.at(-1) !== one.textContent) window.shown.push(one.textContent);
  };
  new MutationObserver(keep).observe(document.body, {childList: true, characterData: true, subtree: true});
}"""


def record(page: Page, world: World, *, english: bool = False) -> None:
    """From the ready camera to the pictures that wait."""
    screen(page, "ready")
    page.evaluate(_KEEP_STATUS)  # a step is shown for about a second, in which nobody may look
    page.get_by_role("button", name="I am ready" if english else "准备好了，开始").click()
    until(lambda: _pumped(page) and world.desk.way.queue.waiting)
    said = "\n".join(page.evaluate("window.shown"))
    first, second = ("Turn your head", "Open your mouth") if english else ("请把头向左转", "请张大嘴巴")
    assert 0 <= said.find(first) < said.find(second), said


def _pumped(page: Page) -> bool:
    page.wait_for_timeout(20)  # events of the page, as routes, are served while it waits
    return True
