"""Published cases of wrongful stops, from their records to what is asked: nobody is stopped, and nobody asked twice."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from duanka.domain.order import Kind
from support import ROOT
from support.casebook.office import STOPPED, Office, opened_office
from support.casebook.stories import STORIES
from support.casebook.world import ALL, EVERY_FOURTH, LIVE, NIGHTS, SECOND_EVENING, STRICTER, UNSEEN, decided
from support.databases import sqlite_order_database

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


@pytest.fixture
def office(new_sqlite_order_database: Path, tmp_path: Path) -> Iterator[Office]:
    with opened_office(sqlite_order_database(new_sqlite_order_database, tmp_path / "orders.sqlite")) as found:
        yield found


def test_the_records_are_those_that_the_stories_tell() -> None:
    check = [sys.executable, str(ROOT / "scripts/casebook_records.py"), "--check"]
    assert subprocess.run(check, check=False).returncode == 0


@pytest.mark.parametrize("case", STORIES)
def test_a_case_trips_this_and_no_more(casebook: Path, case: str) -> None:
    judged = decided(casebook / ALL.name)[case]
    assert (judged.action, tuple(judged.rules)) == EXPECTED[case]


@pytest.mark.requirement("R1")
def test_nobody_is_stopped_outright_on_any_night(casebook: Path) -> None:
    actions = {one.action for night in NIGHTS for one in decided(casebook / night.name).values()}
    assert actions == {"", "watch", "verify", "verify_at_counter"}


def test_a_live_run_decides_as_the_scan(casebook: Path) -> None:
    by_live, by_scan = (
        {
            case: (one.action, one.rules.keys())
            for case, one in decided(casebook / run.name).items()
            if one != UNSEEN
        }
        for run in (LIVE, ALL)
    )
    assert by_live == by_scan


@pytest.mark.requirement("R5")
@pytest.mark.parametrize("answer", [True, False], ids=["the_holder_passes", "nobody_answers"])
def test_each_is_asked_at_most_once_in_three_weeks_of_scans(
    casebook: Path, office: Office, answer: bool
) -> None:
    cards = {story.card: name for name, story in STORIES.items()}
    mornings = [EVERY_FOURTH[0], SECOND_EVENING, *EVERY_FOURTH[1:], ALL, LIVE]
    office.every_morning(casebook, mornings, cards, answer=answer)
    asked = {name: office.asked(card) for card, name in cards.items()}
    assert {name for name, times in asked.items() if times} == {
        name for name, (action, _) in EXPECTED.items() if action.startswith("verify")
    }
    assert set(asked.values()) == {0, 1}
    if answer:
        restrictions = [office.open(card, Kind.RESTRICTION) for card in cards]
        assert not [one for one in restrictions if one and one.state in STOPPED]


def test_who_answered_under_one_policy_is_not_asked_again_by_a_stricter_one(
    casebook: Path, office: Office
) -> None:
    cards = {story.card: name for name, story in STORIES.items()}
    office.every_morning(casebook, [ALL, STRICTER], cards, answer=True)
    assert {office.asked(card) for card in cards} == {0, 1}
