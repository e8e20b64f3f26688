"""Published cases of wrongful stops, from their records to what is asked: nobody is stopped, and nobody asked twice."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import pytest

from duanka.domain.order import Kind
from support import ROOT
from support.casebook.office import STOPPED, Office, at_six, opened_office
from support.casebook.stories import STORIES
from support.casebook.world import (
    UNSEEN,
    Judged,
    Night,
    followed,
    made_world,
    national,
    scanned_nights,
)
from support.databases import sqlite_order_database

Nights = list[Night]
Live = tuple[Path, Mapping[str, Judged]]

# What all six weeks say under `national`: the action, and the rules behind it, heaviest first.
EXPECTED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "sichuan_lawyer": ("", ()),
    "shanghai_woman": ("verify", ("code_receiver", "repeat_alerts")),
    "sichuan_customer": ("verify", ("shared_device", "device_hopping")),
    "nepal_traveller": ("verify", ("fraud_prone_abroad",)),
    "childs_watch": ("", ()),
    "childs_new_watch": ("watch", ("new_card_unused", "silent_card")),
    "intern": ("verify", ("one_way_calls",)),
    "class_teacher": ("verify_at_counter", ("fan_out", "one_way_calls", "repeat_alerts")),
    "restaurant_owner": ("", ()),
    "yunnan_woman": ("watch", ("sleeping_card",)),
    "harbin_man": ("watch", ("sleeping_card",)),
    "shanghai_man": ("", ()),
    "not_mine": ("verify", ("code_receiver", "repeat_alerts")),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cases among ordinary cards: six weeks of records."""
    return made_world(tmp_path_factory.mktemp("casebook"))


@pytest.fixture(scope="module")
def nights(world: Path) -> Nights:
    return scanned_nights(world, date(2021, 5, 25), date(2021, 6, 12), step=3)


@pytest.fixture(scope="module")
def live(world: Path) -> Live:
    """The same records through a live run: its output, and what it decides."""
    out = world.parent / "live"
    return out, followed(world, out, national())


@pytest.fixture
def office(new_sqlite_order_database: Path, tmp_path: Path) -> Iterator[Office]:
    with opened_office(sqlite_order_database(new_sqlite_order_database, tmp_path / "orders.sqlite")) as found:
        yield found


def test_the_records_are_those_that_the_stories_tell() -> None:
    check = [sys.executable, str(ROOT / "scripts/casebook_records.py"), "--check"]
    assert subprocess.run(check, check=False).returncode == 0


@pytest.mark.parametrize("case", STORIES)
def test_a_case_trips_this_and_no_more(nights: Nights, case: str) -> None:
    judged = nights[-1].cases[case]
    assert (judged.action, tuple(judged.rules)) == EXPECTED[case]


def test_nobody_is_stopped_outright_on_any_night(nights: Nights) -> None:
    actions = {judged.action for night in nights for judged in night.cases.values()}
    assert actions == {"", "watch", "verify", "verify_at_counter"}


def test_a_live_run_decides_as_the_scan(nights: Nights, live: Live) -> None:
    by_live, by_scan = (
        {case: (one.action, one.rules.keys()) for case, one in found.items() if one != UNSEEN}
        for found in (live[1], nights[-1].cases)
    )
    assert by_live == by_scan


@pytest.mark.parametrize("answer", [True, False], ids=["the_holder_passes", "nobody_answers"])
def test_each_is_asked_at_most_once_in_three_weeks_of_scans(
    nights: Nights, live: Live, office: Office, answer: bool
) -> None:
    cards = {story.card: name for name, story in STORIES.items()}
    office.every_morning(nights, cards, answer=answer)
    office.takes(live[0], at_six(date(2021, 6, 15)))
    asked = {name: office.asked(card) for card, name in cards.items()}
    assert {name for name, times in asked.items() if times} == {
        name for name, (action, _) in EXPECTED.items() if action.startswith("verify")
    }
    assert set(asked.values()) == {0, 1}
    if answer:
        restrictions = [office.open(card, Kind.RESTRICTION) for card in cards]
        assert not [one for one in restrictions if one and one.state in STOPPED]
