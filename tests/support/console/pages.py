"""The console in a real browser, against the real API, by somebody who signed in with their password."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from duanka.api.routes.pages.console import FILES, PATH
from duanka.domain.order import Role
from duanka.ledger.db.database import Store
from support import ROOT, browsers
from support.api.desks import Running, TestDesk, desk_on, served
from support.browsers import launched, shown
from support.parts import needed
from support.people import PASSWORD

AXE = ROOT / "console" / "node_modules" / "axe-core" / "axe.min.js"
SCREEN = ViewportSize(width=1440, height=900)


class Console:
    """A desk that is served, and a browser whose pages somebody signs in to."""

    def __init__(self, desk: TestDesk, address: str, browser: Browser) -> None:
        self.desk, self.address, self.browser = desk, address, browser

    @contextmanager
    def page(
        self,
        path: str,
        role: Role = Role.DESK,
        *,
        english: bool = False,
        dark: bool = False,
        expected: str = "/changes",
        **options: Any,
    ) -> Iterator[Page]:
        """A view, signed in. At the end nothing was asked elsewhere, and the browser complained of nothing.

        `expected`: what it may complain of; a page that is left ends its stream of changes.
        """
        usual: dict[str, Any] = {"viewport": SCREEN, "has_touch": False}
        usual["color_scheme"] = "dark" if dark else "light"
        with shown(self.browser, f"{self.address}{PATH}{path}", **usual | options) as found:
            page = found.page
            if english:
                page.get_by_role("button", name="English").click()
            self.sign_in(page, role)
            yield page
            assert [one for one in found.complaints if not re.search(expected, one)] == []
            # a picture in the memory of the page has an address without a host
            assert found.hosts - {""} == {self.address.removeprefix("http://")}
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert page.evaluate(wide) == 0, "no scrolling sideways"

    def sign_in(self, page: Page, role: Role) -> None:
        """As the one person of this role."""
        page.locator("input[name=login]").fill(f"the.{role}")
        page.locator("input[name=password]").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("banner")).to_be_visible()


def serious_faults(page: Page) -> list[str]:
    """What axe-core finds that keeps somebody from using the page."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['html'][:120]}: {node['failureSummary']}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def own_console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console on an order database of its own."""
    needed(browsers.missing())
    needed("" if (FILES / "index.html").exists() else "the console is not built: run `make console`")
    with console_in(tmp_path_factory.mktemp("console")) as console:
        yield console


@contextmanager
def console_in(folder: Path) -> Iterator[Console]:
    """A console on a new order database in `folder`; for benchmarks too."""
    store = Store(f"sqlite:///{folder}/orders.sqlite")
    desk = desk_on(store, clock=Running())
    for role in (Role.DESK, Role.SUPERVISOR, Role.REGULATOR, Role.POLICE):
        desk.people.password(f"the.{role}")
    with served(desk.api()) as address, sync_playwright() as playwright:
        browser = launched(playwright)
        try:
            yield Console(desk, address, browser)
        finally:
            browser.close()
    store.close()
