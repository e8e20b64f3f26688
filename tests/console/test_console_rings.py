"""Rings, outlets and devices in the console: looked up with a reason, opened, limited, grown, and told as a table."""

from __future__ import annotations

import re
from dataclasses import replace

import polars as pl
import pytest
from playwright.sync_api import Page, expect

from duanka.domain.order import Role
from duanka.domain.ring_lookups import SeedName
from duanka.links.answers import FoundRing
from support.console.pages import Console, own_console, serious_faults
from support.links.invented_ring import PERIOD, Size, invented

console = pytest.fixture(own_console, scope="module")
SIZE = Size(used=300, stock=100, boxes=4, people=3)
CARDS = SIZE.things + 3 * SIZE.people
# opened when they are first used: seven hours after one another, those in the drawer at a time that is not known
FIRST_DAY = 3 * SIZE.people + SIZE.stock + sum(7 * number % 690 < 24 for number in range(SIZE.used))
LIKELY = SIZE.used + 3 * SIZE.people  # the drawer is less certain


@pytest.fixture(scope="module", autouse=True)
def asked(console: Console) -> list[SeedName]:
    """What the graph was asked; behind everything lies an invented ring."""
    ring = invented(SIZE)
    facts: dict[str, pl.Expr] = {"organisation": pl.lit(False), "calls_in": pl.lit(0), "calls_out": pl.lit(9)}
    facts["opened_at"] = pl.col("first_used")
    found = FoundRing(replace(ring, cards=ring.cards.with_columns(**facts)), PERIOD)
    names = list[SeedName]()

    def around(named: SeedName) -> FoundRing:
        names.append(named)
        return found

    console.desk.graph.around = around  # type: ignore[method-assign, assignment]
    return names


def look_up(page: Page) -> None:
    page.get_by_label("理由（必填").fill("举报线索核查")
    page.get_by_role("textbox", name="案件编号").fill("7")
    page.keyboard.press("Enter")
    expect(page.locator("canvas[data-took]")).to_be_visible()


def counted(page: Page, text: str) -> None:
    expect(page.get_by_role("status").filter(has_text=text)).to_be_visible()


def pixels(page: Page) -> int:
    """How many different colours the picture has just now: one of a blank picture."""
    script = """() => {
        const canvas = document.querySelector('main canvas');
        const copy = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
        [copy.canvas.width, copy.canvas.height] = [canvas.width, canvas.height];
        copy.drawImage(canvas, 0, 0);
        const {data} = copy.getImageData(0, 0, canvas.width, canvas.height);
        const seen = new Set();
        for (let at = 0; at < data.length; at += 4) seen.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
        return seen.size;
    }"""
    return int(page.evaluate(script))


def test_the_list_leads_to_a_ring_that_is_looked_up_with_a_reason_once(
    console: Console, asked: list[SeedName]
) -> None:
    with console.page("/rings") as page:
        expect(page.locator("main [role=status]").first).to_contain_text("共 3 个，已显示 3 个")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"/console/rings/R00002$"))
        before = len(asked)
        look_up(page)
        assert asked[before:] == [SeedName("ring", "R00002")], "one lookup in the trail, however it is drawn"
        counted(page, f"{CARDS} 张卡全部计入")
        page.go_back()
        page.get_by_role("link", name="R00003").click()
        expect(page.locator("canvas[data-took]")).to_be_visible()
        assert asked[before + 1 :] == [SeedName("ring", "R00003")], (
            "the reason is kept, and asked for no more"
        )
        assert "7" not in page.url.partition("R00003")[2]


def test_what_is_hidden_is_told_and_the_table_says_what_the_picture_says(console: Console) -> None:
    with console.page("/rings/R00001") as page:
        look_up(page)
        page.get_by_role("slider", name="确定度不低于").fill("0.5")
        counted(page, f"计入 {LIKELY} 张，共 {CARDS} 张")
        drawer = page.get_by_role("row", name="库存：从未使用")
        expect(drawer.get_by_role("cell").first).to_have_text("0")
        page.get_by_role("slider", name="确定度不低于").fill("0")
        page.get_by_role("slider", name="截至日期").fill("0")
        counted(page, f"计入 {FIRST_DAY} 张，共 {CARDS} 张")
        page.get_by_role("slider", name="截至日期").fill("29")
        page.get_by_role("checkbox", name="库存卡").uncheck()
        counted(page, f"计入 {CARDS - SIZE.stock} 张，共 {CARDS} 张")


def test_a_group_is_opened_and_closed_and_its_cards_are_listed(console: Console) -> None:
    with console.page("/rings/R00001") as page:
        look_up(page)
        first = page.get_by_role("button", name=re.compile("展开或收起地点")).first
        expect(first).to_have_attribute("aria-expanded", "false")
        first.focus()
        page.keyboard.press("Enter")
        expect(first).to_have_attribute("aria-expanded", "true")
        page.get_by_role("button", name=re.compile("^终端 869006")).first.click()
        expect(page.get_by_role("heading", name=re.compile("^终端 869006"))).to_be_visible()
        page.keyboard.press("e")
        expect(first).to_have_attribute("aria-expanded", "false")
        numbers = page.locator("main .scroll td.mono").all_inner_texts()
        assert numbers
        assert all(re.fullmatch(r"\+86 1\d\d\*{4}\d{4}", number) for number in numbers), "masked"


def test_it_is_never_blank_while_it_is_dragged_and_zoomed(console: Console) -> None:
    with console.page("/rings/R00001") as page:
        look_up(page)
        page.keyboard.press("E")
        canvas = page.locator("main canvas")
        box = canvas.bounding_box()
        assert box
        page.mouse.move(box["x"] + 300, box["y"] + 300)
        page.mouse.down()
        for step in range(1, 12):
            page.mouse.move(box["x"] + 300, box["y"] + 300 - 40 * step)
            assert pixels(page) > 8
        page.mouse.up()
        canvas.focus()
        for key in ("-", "-", "-", "+", "+", "0"):
            page.keyboard.press(key)
            assert pixels(page) > 8


def test_from_a_card_of_the_ring_the_next_one_grows_without_its_number(
    console: Console, asked: list[SeedName]
) -> None:
    with console.page("/rings/R00001") as page:
        look_up(page)
        before = len(asked)
        page.get_by_role("button", name="扩展", exact=True).nth(1).click()
        expect(page).to_have_url(re.compile(r"/rings/R00001\?at=c1$"))
        expect(page.get_by_role("button", name="返回上一团伙")).to_be_visible()
        assert [named.kind for named in asked[before:]] == ["ring", "card"]
        page.get_by_role("button", name="返回上一团伙").click()
        expect(page).to_have_url(re.compile(r"/rings/R00001$"))


def test_a_stop_says_what_speaks_against_it_and_waits_for_a_second_person(console: Console) -> None:
    with console.page("/rings/R00001", Role.SUPERVISOR) as page:
        look_up(page)
        page.keyboard.press("s")
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("其中没有规则命中、也未确认涉案：9 张")
        expect(dialog).to_contain_text(f"确定度不高于下限，不会列入：{SIZE.stock} 张")
        dialog.get_by_label("理由（记入审计）").fill("团伙停机")
        dialog.get_by_role("button", name="提出，交第二人批准").click()
        expect(dialog.get_by_role("status")).to_contain_text(f"{LIKELY} 张卡，等待第二人批准")


def test_the_picture_is_saved_as_a_file(console: Console) -> None:
    with console.page("/rings/R00001") as page:
        look_up(page)
        with page.expect_download() as download:
            page.keyboard.press("x")
        assert download.value.suggested_filename == "R00001-ring.html"
        text = download.value.path().read_text(encoding="utf-8")
        assert text.startswith("<!DOCTYPE html>")
        assert "****" in text


def test_a_regulator_reads_the_lists_and_is_told_that_a_ring_is_not_for_them(console: Console) -> None:
    with console.page("/outlets", Role.REGULATOR) as page:
        expect(page.get_by_role("row", name=re.compile("S-1"))).to_contain_text("≥ 14.1×")
        page.get_by_role("link", name="终端").click()
        expect(page.get_by_role("row", name=re.compile("猫池设备"))).to_contain_text("86012304****001")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("path", ["/rings", "/outlets", "/devices"])
def test_lists_have_no_serious_fault(console: Console, path: str, dark: bool) -> None:
    with console.page(path, english=dark, dark=dark) as page:
        expect(page.locator("tbody tr").first).to_be_visible()
        assert serious_faults(page) == []


@pytest.mark.parametrize("dark", [False, True])
def test_a_ring_has_no_serious_fault(console: Console, dark: bool) -> None:
    with console.page("/rings/R00001", dark=dark) as page:
        look_up(page)
        page.keyboard.press("E")
        assert serious_faults(page) == []
        page.keyboard.press("s")
        assert serious_faults(page) == []
