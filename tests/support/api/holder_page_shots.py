"""Pictures of every screen of the holder's page for docs/holder-page: an invented card, and a camera that shows nobody.

python tests/support/api/holder_page_shots.py docs/holder-page
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from duanka.domain.identity import Gesture, Step, Verdict
from duanka.domain.order import SYSTEM, Event
from duanka.ledger.db.database import Store
from support.api.desks import Running, TestDesk, desk_on, served
from support.api.verifications import DARK, OTHER, PASSED, UNSURE
from support.browsers import SLOW_LINE, launched, shown

STEPS = (
    Step(Gesture.TURN_LEFT, 1.0, 2.5),
    Step(Gesture.CLOSE_EYES, 2.5, 4.0),
    Step(Gesture.OPEN_MOUTH, 4.0, 5.0),
)
WORDS = {
    "zh-CN": ("我同意采集人脸信息", "我已阅读法律责任告知", "开始在线核验", "准备好了，开始", "我有异议"),
    "en-GB": (
        "I agree to face data",
        "I have read the legal notice",
        "Start online",
        "I am ready",
        "I object",
    ),
}


def main(into: Path) -> None:
    """Draw them all, in Chinese; the first ones also in English."""
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        store = Store(f"sqlite:///{folder}/orders.sqlite")
        desk = desk_on(store, clock=Running())
        desk.way.judge.steps, desk.way.judge.name = STEPS, "embedded"
        browser = launched(playwright)
        with served(desk.api()) as address:
            for locale, mark in (("zh-CN", ""), ("en-GB", "-en")):
                story(browser, desk, address, into, locale, mark)
                refusal(browser, desk, address, into, locale, mark)
                slow_line(browser, desk, address, into, locale, mark)
                without_a_link(browser, address, into, locale, mark)
        browser.close()
        store.close()


def story(browser: Browser, desk: TestDesk, address: str, into: Path, locale: str, mark: str) -> None:
    """One holder who fails twice and is sent to a person; another who passes; a third who goes to the counter."""
    face, law, start, ready, object_ = WORDS[locale]

    def until_camera(page: Page) -> None:
        page.get_by_role("checkbox", name=face).check()
        page.get_by_role("checkbox", name=law).check()
        page.get_by_role("button", name=start).click()
        expect(page.get_by_role("button", name=ready)).to_be_enabled()

    def record(page: Page, verdict: Verdict, screen: str) -> None:
        page.get_by_role("button", name=ready).click()
        expect(page.locator("main")).to_have_attribute("data-screen", "waiting")
        desk.way.queue.judge(verdict)
        expect(page.locator("main")).to_have_attribute("data-screen", screen)

    number = 100 if mark else 0
    ends = ((PASSED, "passed", "passed"), (UNSURE, "review", "review"), (OTHER, "again", "other-person"))
    for at, (verdict, screen, name) in enumerate(ends):
        order, token = desk.asked(number + at)
        desk.orders.apply(
            order.id, Event.DELIVERED, SYSTEM, "receipt", desk.clock(), delivered_at=desk.clock()
        )
        with shown(browser, f"{address}/v#{token}", locale=locale, device_scale_factor=1) as found:
            page = found.page
            expect(page.get_by_role("checkbox", name=face)).to_be_visible()
            if at == 0:
                shot(page, into / f"start{mark}.png")
            until_camera(page)
            if at == 0:
                shot(page, into / f"ready{mark}.png")
                page.get_by_role("button", name=ready).click()
                page.wait_for_timeout(2_200 + 1_700)
                shot(page, into / f"gesture{mark}.png")
                expect(page.locator("main")).to_have_attribute("data-screen", "waiting")
                page.wait_for_timeout(300)
                shot(page, into / f"waiting{mark}.png")
                desk.way.queue.judge(DARK)
                expect(page.locator("main")).to_have_attribute("data-screen", "again")
                shot(page, into / f"again{mark}.png")
                page.locator("main button").first.click()
                expect(page.get_by_role("button", name=ready)).to_be_enabled()
            record(page, verdict, screen)
            shot(page, into / f"{name}{mark}.png")
            if at == 2:
                page.get_by_role("button", name=object_).click()
                shot(page, into / f"objection{mark}.png")
                page.get_by_role("textbox").fill("我在卖车" if not mark else "I was selling my car")
                page.locator("main button").first.click()
                expect(page.locator("main")).to_have_attribute("data-screen", "objected")
                shot(page, into / f"objected{mark}.png")


def refusal(browser: Browser, desk: TestDesk, address: str, into: Path, locale: str, mark: str) -> None:
    """A holder who does not agree."""
    _, token = desk.asked(103 if mark else 3)
    with shown(browser, f"{address}/v#{token}", locale=locale) as found:
        refuse = "I do not agree" if mark else "我不同意"
        found.page.get_by_role("button", name=refuse).click()
        expect(found.page.locator("main")).to_have_attribute("data-screen", "counter")
        shot(found.page, into / f"counter{mark}.png")


def slow_line(browser: Browser, desk: TestDesk, address: str, into: Path, locale: str, mark: str) -> None:
    """A holder on a slow line, whose connection breaks for a while."""
    face, law, start, ready, _ = WORDS[locale]
    _, token = desk.asked(104 if mark else 4)
    with shown(browser, f"{address}/v#{token}", SLOW_LINE, locale=locale) as found:
        page = found.page
        page.get_by_role("checkbox", name=face).check()
        page.get_by_role("checkbox", name=law).check()
        page.get_by_role("button", name=start).click()
        expect(page.get_by_role("button", name=ready)).to_be_enabled()
        shot(page, into / f"ready-slow{mark}.png")
        page.get_by_role("button", name=ready).click()
        expect(page.locator("main")).to_have_attribute("data-screen", "sending")
        shot(page, into / f"sending{mark}.png")
        page.route("**/holder/check/**", lambda route: route.abort())
        expect(page.locator("main")).to_have_attribute("data-screen", "net")
        shot(page, into / f"net{mark}.png")


def without_a_link(browser: Browser, address: str, into: Path, locale: str, mark: str) -> None:
    """A holder abroad, who types the two numbers."""
    with shown(browser, f"{address}/v", locale=locale) as found:
        expect(found.page.locator("main")).to_have_attribute("data-screen", "unlinked")
        shot(found.page, into / f"unlinked{mark}.png")


def shot(page: Page, path: Path) -> None:
    """64 colours are enough, and a third of the bytes."""
    page.screenshot(path=path, full_page=True)
    with Image.open(path) as taken:
        taken.convert("RGB").quantize(64).save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
