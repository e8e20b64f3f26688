"""The traveller in Nepal, in a real browser over Wi-Fi: number, order number, face, and the card works again."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from duanka.domain.order import Kind, State
from support import browsers
from support.api.desks import Running, served
from support.api.holder_pages import SHORT, World, agree, record, screen
from support.api.verifications import PASSED
from support.browsers import launched
from support.casebook.journey import Journey
from support.casebook.office import at_six, opened_office
from support.casebook.world import FIRST_EVENING, national
from support.databases import sqlite_order_database
from support.parts import needed


@pytest.mark.requirement("R1.5")
def test_the_traveller_restores_the_number_on_the_page_without_the_telephone(
    casebook: Path, new_sqlite_order_database: Path, tmp_path: Path
) -> None:
    needed(browsers.missing())
    url = sqlite_order_database(new_sqlite_order_database, tmp_path / "orders.sqlite")
    with (
        opened_office(url, national(), Running()) as office,
        served(office.desk.api()) as address,
        sync_playwright() as playwright,
    ):
        desk, six = office.desk, at_six(FIRST_EVENING.morning)
        desk.way.judge.steps = SHORT
        office.takes(casebook / FIRST_EVENING.name, six)
        journey = Journey(
            "nepal_traveller", office, lambda key: pytest.fail(f"no HTTP but the page's: {key}"), six
        )
        office.delivered(journey.card, six)
        journey.read_notices()
        journey.later(hours=25)
        assert journey.stopped().state is State.OUTGOING_BARRED
        browser = launched(playwright)
        try:
            world = World(desk, address, browser)
            with world.page("/v", locale="en-GB", timezone_id="Asia/Kathmandu") as page:
                screen(page, "unlinked")
                own = journey.card.removeprefix("86")
                page.get_by_label("Your number", exact=True).fill(f"{own[:3]} {own[3:7]} {own[7:]}")
                page.get_by_label("Order number", exact=True).fill(journey.order_number().lower())
                agree(page, english=True)
                record(page, world, english=True)
                desk.way.queue.judge(PASSED)
                screen(page, "passed")
                assert "is restored and works at once" in page.inner_text("main")
        finally:
            browser.close()
        assert (journey.restriction(), journey.network()) == (None, "active")
        assert journey.last(Kind.VERIFICATION).state is State.PASSED
        assert office.asked(journey.card) == 1
