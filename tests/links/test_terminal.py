"""Tables of links in a terminal of 80 columns: ids and dates stay whole, and counts have their grammar."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import date, datetime, timedelta
from io import StringIO

import polars as pl
import pytest
from rich.console import Console, RenderableType

from duanka.cli.links.tables import outlets_page, ring_page, rings_page
from duanka.cli.shell import language as cli_language
from duanka.domain.text import BilingualText, Many
from duanka.links.ring.supply import judged_outlets
from support.links.invented_ring import PERIOD, SITES, invented

SINCE = date(2021, 5, 16)


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_language, "_found", ContextVar("found", default="en"))


def _printed(page: RenderableType) -> str:
    told = StringIO()
    Console(width=80, file=told).print(page)
    return told.getvalue()


def test_dates_and_ids_of_rings_are_whole_in_eighty_columns() -> None:
    row = ("R00001", 1_036, 12, 1_035, 112.9, 60.0, "990103", SINCE, True)
    columns = ("ring", "cards", "confirmed", "at_risk", "expected", "bits", "city", "since", "firm")
    printed = _printed(rings_page(pl.DataFrame([row], schema=columns, orient="row"), 20)).split()
    assert {"R00001", "990103", "2021-05-16"} <= {*printed}


def test_devices_sites_and_outlets_of_a_ring_are_whole_in_eighty_columns() -> None:
    ring = invented()
    printed = _printed(ring_page(ring, PERIOD)).split()
    assert {*SITES, *ring.outlets["outlet"], *ring.devices["imei"].head(3)} <= {*printed}


def test_a_shop_takes_a_line_and_beside_it_is_told_what_its_numbers_do_not_say() -> None:
    opened = [datetime(2021, 5, 20, 9) + timedelta(minutes=i) for i in range(40)]
    honest = [datetime(2021, 5, 17, 9) + timedelta(minutes=i * 97) for i in range(240)]
    outlets = ["GANG"] * 40 + [f"H{i % 12:02}" for i in range(240)]
    cards = pl.DataFrame(
        {
            "outlet": outlets,
            "outlet_name": [None] * 280,
            "outlet_city": ["990100"] * 280,
            "opened_at": opened + honest,
            "first_used": opened + honest,
            "city": ["990100"] * 280,
            "holder": [f"h{i}" for i in range(280)],
            "organisation": [False] * 280,
            "at_risk": [True] * 40 + [False] * 240,
            "disowned": [False] * 280,
        },
        schema_overrides={"outlet_name": pl.String},
    )
    printed = _printed(outlets_page(judged_outlets(cards, SINCE), 20, SINCE))
    (line,) = (line for line in printed.splitlines() if line.startswith("GANG  "))
    assert line.split()[:3] == ["GANG", "40", "40"]
    assert "GANG: 40 cards opened in bulk, 1 time, registered to 40 holders" in printed
    assert "new cards are at risk" not in printed, "the columns say it"


def test_one_is_called_one() -> None:
    words = BilingualText("{n} 张", "{n:card is|cards are} linked")
    assert [words.filled(n=Many(n)).en for n in (0, 1, 2_300)] == [
        "0 cards are linked",
        "1 card is linked",
        "2,300 cards are linked",
    ]
    assert words.filled(n=Many(2_300)).zh == "2,300 张"
