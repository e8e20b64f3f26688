"""Nights into a store: after each, the hits are those of a scan of everything that was delivered so far."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duanka.domain.rule import Rule
from duanka.domain.store_policy import StorePolicy
from duanka.engine.batch import store_engine
from duanka.engine.batch.changes_since import ChangesSince
from duanka.engine.store.record_store import RecordStore
from support.engine.nights import night, play, so_far
from support.engine.worlds import LIMITS, LISTS, START, World, canonical, scanned


@settings(max_examples=4)
@given(seed=st.integers(0, 10_000))
def test_the_hits_of_each_night_are_those_of_a_scan(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    play(tmp_path_factory.mktemp("nights"), seed, days=5, cards=16)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(40))
def test_the_same_over_a_month(tmp_path: Path, seed: int) -> None:
    assert play(tmp_path, 50_000 + seed, days=24, cards=24)


def test_a_late_call_clears_the_days_after_it(tmp_path: Path) -> None:
    """What a card said on a day counts for the week after it, however late it is delivered."""
    card, other = "8613800000001", "8613800000002"

    def at(day: int, minute: int) -> datetime:
        return START + timedelta(days=day, hours=9, minutes=minute)

    codes = [{"card": card, "peer": f"1069000{n}", "direction": "in", "sent_at": at(5, n)} for n in range(5)]
    quiet = [
        {"card": other, "peer": "8613900000001", "direction": "out", "started_at": at(d, 0)} for d in range(8)
    ]
    volumes = [{"card": card, "day": at(d, 0).date(), "bytes": 1} for d in range(8)]
    spoken = [
        {"card": card, "peer": "8613900000002", "direction": "out", "started_at": at(3, n)} for n in range(50)
    ]
    world = World({}, {}, LISTS)
    nights = [
        {
            "messages": canonical("messages", codes),
            "calls": canonical("calls", quiet),
            "data_days": canonical("data_days", volumes),
        },
        {"calls": canonical("calls", spoken)},
    ]
    together: dict[str, pl.DataFrame] = {}
    flagged = []
    for number, new in enumerate(nights):
        together = so_far(together, new)
        found = night(tmp_path, number, new, world, LIMITS)
        assert found == scanned(World(together, {}, LISTS), tmp_path / f"scan-{number}")
        flagged.append({card for card, rule, *_ in found if rule == "code_receiver"})
    assert flagged == [{card}, set()]


def test_hits_that_rest_on_purged_records_stand_though_their_rollups_are_kept(tmp_path: Path) -> None:
    """A rule that reads records finds nothing on a day whose records were purged."""
    hears, says = "8613800000001", "8613800000002"

    def bridged(day: int) -> dict[str, pl.DataFrame]:
        rows = []
        for n in range(6):
            at = START + timedelta(days=day, hours=9, minutes=10 * n)
            later = at + timedelta(seconds=5)
            rows.append({"card": hears, "direction": "in", "started_at": at, "seconds": 90, "cell": "1"})
            said = {"card": says, "direction": "out", "started_at": later, "seconds": 80, "cell": "1"}
            rows.append({**said, "peer": f"861390000000{n}"})
        return {"calls": canonical("calls", rows)}

    def found(number: int, least: int) -> list[tuple[str, int]]:
        limits = {"bridged_calls": {**LIMITS["bridged_calls"], "min_calls": least}}
        hits = night(tmp_path, number, bridged(number), World({}, {}, LISTS), limits)
        return sorted((card, (seen_at - START).days) for card, _, seen_at, _ in hits)

    assert found(0, 5) == [(hears, 0), (says, 0)]
    assert found(1, 5) == [(hears, 0), (hears, 1), (says, 0), (says, 1)]
    with RecordStore(tmp_path / "store", threads=1).writing(START + timedelta(days=2)) as writer:
        assert writer.purge((START + timedelta(days=2)).date(), StorePolicy(keep_records_days=1))
        writer.commit()
    # with other limits all days are judged anew, those of purged records aside
    assert found(2, 4) == [(card, day) for card in (hears, says) for day in range(3)]
    assert found(3, 7) == [(card, day) for card in (hears, says) for day in range(2)], "a look-back more"


def test_only_cards_in_a_device_that_took_a_new_card_are_judged_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever shares a device that stayed as it was is not: reading all their days is what a night costs."""
    seen: dict[str, ChangesSince | None] = {}

    class Recorded(ChangesSince):
        @classmethod
        def of(cls, rule: Rule, *given: Any) -> ChangesSince | None:
            seen[rule.id] = ChangesSince.of(rule, *given)
            return seen[rule.id]

    monkeypatch.setattr(store_engine, "ChangesSince", Recorded)
    shared, alone = "35693803564380", "35693803564999"

    def calls(days: range, *cards_and_devices: tuple[int, str]) -> dict[str, pl.DataFrame]:
        rows = [
            {
                "card": f"861380000000{card}",
                "peer": "8613900000001",
                "direction": "out",
                "started_at": START + timedelta(days=day, hours=9),
                "imei": imei,
            }
            for day in days
            for card, imei in cards_and_devices
        ]
        return {"calls": canonical("calls", rows)}

    world = World({}, {}, LISTS)
    night(tmp_path, 0, calls(range(5), (1, shared), (2, shared)), world, LIMITS)
    night(tmp_path, 1, calls(range(5, 6), (1, shared), (3, alone)), world, LIMITS)
    assert (changes := seen["sim_box"]) is not None
    assert changes.cards == ""
    night(tmp_path, 2, calls(range(6, 7), (3, shared)), world, LIMITS)
    assert (changes := seen["sim_box"]) is not None
    assert changes.cards
