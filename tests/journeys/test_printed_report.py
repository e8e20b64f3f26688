"""The report on paper: printed by a real browser, few pages, each with its number."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import sync_playwright

from support import browsers
from support.parts import needed

MOST_PAGES = 12


def test_the_report_is_at_most_twelve_printed_pages(national: Path) -> None:
    needed(browsers.missing())
    with sync_playwright() as playwright:
        browser = browsers.launched(playwright)
        page = browser.new_page()
        page.goto((national / "report.html").as_uri())
        printed = page.pdf(prefer_css_page_size=True, print_background=True)
        links = page.locator("nav.contents a").all()
        targets = [link.get_attribute("href") for link in links]
        assert all(target and page.locator(target).count() == 1 for target in targets)
        browser.close()
    pages = len(re.findall(rb"/Type\s*/Page[^s]", printed))
    assert 3 <= pages <= MOST_PAGES
