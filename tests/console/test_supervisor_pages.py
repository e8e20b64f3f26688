"""What supervisors and regulators do in the console: assessment, listings, audit, settings, rules."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from duanka.domain.assessment import UnitKind
from duanka.domain.order import Person, Role
from duanka.ledger.db.tables import audit
from duanka.rules import RULES
from support.console.pages import Console, own_console, serious_faults
from support.console.supervised import UNITS, WORST, counted, troubled

console = pytest.fixture(own_console, scope="module")
OUTLETS = len(UNITS[UnitKind.OUTLET])


@pytest.fixture(scope="module")
def run(console: Console) -> str:
    troubled(console.desk)
    return counted(console.desk)


def ready(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator(".skeleton")).to_have_count(0)


# first of all: what the others are shown was written past the trail
def test_whether_the_trail_holds_is_said_and_a_change_is_named(console: Console) -> None:
    with console.page("/audit", Role.REGULATOR) as page:
        expect(page.get_by_role("heading", level=2)).to_contain_text("审计链完整")
        with console.desk.store.writing() as connection:
            (why,) = connection.execute(audit.select().where(audit.c.seq == 3)).mappings()
            connection.execute(audit.update().where(audit.c.seq == 3).values(who="somebody"))
        page.keyboard.press("r")
        expect(page.get_by_role("heading", level=2)).to_contain_text("审计链不完整")
        expect(page.get_by_role("row", name=re.compile("^3 "))).to_contain_text("changed")
        with console.desk.store.writing() as connection:
            connection.execute(audit.update().where(audit.c.seq == 3).values(who=why["who"]))
        page.keyboard.press("r")
        expect(page.get_by_role("heading", level=2)).to_contain_text("审计链完整")


def test_each_role_is_led_to_pages_that_it_may_use(console: Console, run: str) -> None:
    del run
    offered = {
        Role.SUPERVISOR: ["today", "queue", "assessment", "rules", "audit", "settings"],
        Role.DESK: ["today", "queue", "assessment", "rules", "settings"],
    }
    for role, pages in offered.items():
        with console.page("/settings", role, viewport={"width": 1900, "height": 900}) as page:
            links = page.get_by_role("navigation", name="主导航").get_by_role("link")
            expect(links.first).to_be_visible()
            there = [(link.get_attribute("href") or "").split("/")[2] for link in links.all()]
            assert [one for one in there if one in offered[Role.SUPERVISOR]] == pages
    with console.page("/audit", Role.DESK) as page:
        expect(page).to_have_url(re.compile(r"/console/today$"))


def test_links_that_find_no_room_are_in_a_menu(console: Console, run: str) -> None:
    del run
    with console.page(
        "/audit", Role.SUPERVISOR, english=True, viewport={"width": 1280, "height": 900}
    ) as page:
        ready(page)
        page.set_viewport_size({"width": 900, "height": 900})
        links = page.get_by_role("navigation", name="Main")
        links.get_by_text("More").click()
        links.get_by_role("link", name="Settings").click()
        expect(page).to_have_url(re.compile(r"/console/settings$"))
        expect(links.get_by_role("link", name="Settings")).to_be_hidden()
        page.set_viewport_size({"width": 1280, "height": 900})


def test_a_run_says_who_meets_the_criterion_and_compares_all_with_chance(console: Console, run: str) -> None:
    with console.page("/assessment?by=outlet", Role.REGULATOR) as page:
        meets = page.get_by_role("region", name=re.compile("符合挂牌条件"))
        expect(meets.get_by_role("heading", level=3)).to_have_text(f"网点 {WORST} · 涉案率")
        expect(meets).to_contain_text("64 件，基数 24,000")
        expect(meets).to_contain_text("9.60 件，同样卡龄的号码预期 10.4 件")
        expect(
            page.get_by_role("region", name="未作判定的单位").get_by_role("listitem").first
        ).to_contain_text("未判定")
        expect(page.get_by_role("img", name=re.compile(f"漏斗图.*{WORST}"))).to_be_visible()
        shown = page.get_by_role("status").filter(has_text="个单位")
        expect(shown).to_contain_text(f"显示 50 个，共 {OUTLETS} 个单位")
        row = page.get_by_role("row", name=re.compile(WORST))
        expect(row).to_contain_text("符合挂牌条件")
        page.get_by_role("button", name="继续读取").click()
        expect(shown).to_contain_text(f"显示 {OUTLETS} 个，共 {OUTLETS} 个单位")
        (found,) = [
            one
            for one in console.desk.assessment.runs.figures(
                console.desk.assessment.runs.get(run, _regulator(console)),
                _regulator(console),
                UnitKind.OUTLET,
            )
            if one.figure.unit == WORST and one.measure == "confirmed"
        ]
        assert found.bounds
        expect(row).to_contain_text(f"{found.bounds[0]:.1f} – {found.bounds[1]:.1f}")
        for name in ("报告（PDF）", "报告（Excel）"):
            assert f"/assessment-runs/{run}/report?file=" in (
                page.get_by_role("link", name=name).get_attribute("href") or ""
            )
        page.get_by_role("combobox", name=re.compile("^按")).select_option("platform")
        expect(page.get_by_text("已知的单位不足 5 个，不作比较", exact=True)).to_be_visible()


def test_a_unit_goes_on_the_list_and_off_it_by_keyboard(console: Console, run: str) -> None:
    del run
    with console.page("/assessment", Role.REGULATOR) as page:
        page.get_by_role("button", name="提出挂牌").click()
        page.get_by_label(re.compile("理由")).fill("连续两期")
        page.get_by_role("dialog").get_by_role("button", name="提出挂牌").click()
        expect(page).to_have_url(re.compile(r"/assessment/listings/Z[0-9A-Z]{12}$"))
        listing = page.url.rsplit("/", 1)[-1]
        expect(page.get_by_role("button", name="批准挂牌")).to_have_count(0)
    state = page_state(console, listing)
    assert state == "proposed"
    for role, key, text, then in (
        (Role.SUPERVISOR, "a", "属实", "listed"),
        (Role.DESK, "e", "已关停 12 张卡", "evidence_filed"),
        (Role.REGULATOR, "m", "抽查合格", "mended"),
        (Role.SUPERVISOR, "l", "同意", "delisted"),
    ):
        with console.page(f"/assessment/listings/{listing}", role) as page:
            ready(page)
            page.keyboard.press(key)
            page.keyboard.type(text)
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            expect(page.get_by_role("status").filter(has_text="完成")).to_be_visible()
            assert page_state(console, listing) == then
    with console.page("/assessment/listings", Role.DESK) as page:
        expect(page.get_by_text("没有挂牌的单位")).to_be_visible()
        page.get_by_label("含已结束的").check()
        page.get_by_role("link", name=listing).click()
        expect(page.get_by_role("listitem").filter(has_text="已关停 12 张卡")).to_be_visible()


def page_state(console: Console, listing: str) -> str:
    """The state of a listing in the database."""
    return str(console.desk.assessment.listings.get(listing, _regulator(console))[0].state)


def _regulator(console: Console) -> Person:
    return console.desk.people.who("the.regulator")


def test_settings_say_who_i_am_and_a_supervisor_clears_an_alarm(console: Console, run: str) -> None:
    del run
    with console.page("/settings", Role.DESK) as page:
        expect(page.get_by_role("region", name="我的身份")).to_contain_text("the.desk")
        expect(page.get_by_role("region", name="告警")).to_contain_text("2 条未解除，已解除的未显示")
        expect(page.get_by_role("region", name="网元状态不一致")).to_contain_text("双停")
        expect(page.get_by_role("button", name="解除")).to_have_count(0)
    with console.page("/settings", Role.SUPERVISOR) as page:
        page.get_by_role("button", name="解除 call_proxy").click()
        page.get_by_role("dialog").get_by_label(re.compile("理由")).fill("线路已修复")
        page.get_by_role("dialog").get_by_role("button", name="解除").click()
        alarms = page.get_by_role("region", name="告警")
        expect(alarms).to_contain_text("1 条未解除")
        expect(alarms.get_by_role("listitem")).to_contain_text(["message_proxy"])
        alarms.get_by_label("含已解除的").check()
        expect(alarms.get_by_role("listitem")).to_have_count(3)


def test_every_rule_is_read_with_its_limits(console: Console, run: str) -> None:
    del run
    with console.page("/rules", Role.REGULATOR, english=True) as page:
        expect(page.get_by_role("article")).to_have_count(len(RULES))
        page.get_by_label("Find a rule").fill("fan_out")
        expect(page.get_by_text(f"1 of {len(RULES)} rules shown")).to_be_visible()
        page.get_by_role("link", name="Fan-out of calls").click()
        rule = page.get_by_role("article")
        expect(rule).to_have_count(1)
        for words in ("Couriers and drivers", "share answered, at most", "40%", "K: common knowledge (ours)"):
            expect(rule).to_contain_text(words)
        expect(page.get_by_text("duanka rules backtest")).to_be_visible()


@pytest.mark.parametrize("dark", [False, True])
def test_pages_fit_and_everybody_can_use_them(console: Console, run: str, dark: bool) -> None:
    del run
    views = ("/assessment?by=outlet", "/assessment/listings?all", "/audit", "/settings", "/rules")
    screen = ViewportSize(width=1280, height=900)
    with console.page("/settings", Role.SUPERVISOR, dark=dark, english=dark, viewport=screen) as page:
        for view in views:
            page.goto(f"{console.address}/console{view}")
            ready(page)
            assert serious_faults(page) == [], view
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert page.evaluate(wide) == 0, view
        page.set_viewport_size({"width": 2560, "height": 1200})
