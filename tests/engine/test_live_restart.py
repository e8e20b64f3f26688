"""A state that goes on: under another policy, after it came to an end, with other sources; and one that cannot."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from duanka.domain.errors import DuankaError
from duanka.domain.schema import TABLES
from duanka.domain.streaming import Batch
from duanka.ingest.storage.key_columns import BatchTexts
from support.engine.streams import (
    NOW,
    Arrival,
    arrivals,
    batch_of,
    cut_up,
    differences,
    hits_of,
    opened,
    piece,
    plain,
    standing,
)
from support.engine.worlds import LIMITS, LISTS, START, Hits, Limits, World, invented, scanned


def _limits(**changed: dict[str, Any]) -> Limits:
    return {rule: {**limits, **changed.get(rule, {})} for rule, limits in LIMITS.items()}


def _without(*rules: str) -> Limits:
    return {rule: limits for rule, limits in LIMITS.items() if rule not in rules}


_AREAS = ({"city": "1302", "authority": "x", "since": date(2021, 5, 1), "until": date(2021, 5, 12)},)
# name -> limits and lists before, limits and lists behind
_POLICIES: dict[str, tuple[Limits, dict[str, Any], Limits, dict[str, Any]]] = {
    "another limit": (LIMITS, {}, _limits(over_frequency={"max_calls": 8}, silent_card={"days": 1}), {}),
    "limits of rules whose days close": (
        LIMITS,
        {},
        _limits(fan_out={"min_peers": 6}, sim_box={"min_signs": 4}, outgoing_only={"min_calls": 5}),
        {},
    ),
    "rules added": (_without("fan_out", "complained", "sleeping_card"), {}, LIMITS, {}),
    "rules taken away": (LIMITS, {}, _without("fan_out", "complained", "shared_device"), {}),
    "the rule over hits added": (_without("repeat_alerts"), {}, LIMITS, {}),
    "the rule over hits changed": (LIMITS, {}, _limits(repeat_alerts={"min_alerts": 3}), {}),
    "another area listed": (LIMITS, {}, LIMITS, {"high_risk_areas": _AREAS}),
    "a list is gone": (LIMITS, {}, LIMITS, {"fraud_prone_places": ()}),
    "a list comes": (LIMITS, {"resale_prefixes": (), "bank_hotlines": ()}, LIMITS, {}),
}


_LAST = 5  # arrivals that come under the other policy


def _arrived(lists: dict[str, Any]) -> tuple[World, list[Arrival], random.Random]:
    world, chance = replace(invented(4, cards=14), lists={**LISTS, **lists}), random.Random(4)
    return world, arrivals(world, chance), chance


def _begun(folder: Path, limits: Limits, lists: dict[str, Any]) -> Path:
    """A state to which all but the last arrivals have come."""
    world, coming, chance = _arrived(lists)
    with opened(folder, world, limits=limits) as live:
        live.expect({t: t for t in world.frames if TABLES[t].record}, NOW)
        for batch in cut_up(coming[:-_LAST], chance, 150):
            live.take(batch_of(world, batch), NOW)
    return folder


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Such a state under the policy with which most begin, for copying."""
    return _begun(tmp_path_factory.mktemp("begun") / "state", LIMITS, {})


@pytest.mark.parametrize("name", _POLICIES)
def test_another_policy_ends_as_a_scan_under_it(name: str, begun: Path, tmp_path: Path) -> None:
    limits, lists, limits_then, lists_then = _POLICIES[name]
    world, coming, _ = _arrived(lists)
    later = replace(world, lists={**LISTS, **lists_then})
    if limits is LIMITS and not lists:
        shutil.copytree(begun, tmp_path / "state")
    else:
        _begun(tmp_path / "state", limits, lists)
    with opened(tmp_path / "state", later, limits=limits_then) as live:
        live.take(batch_of(world, coming[-_LAST:]), NOW)
        live.finish(NOW)
        hits = hits_of(live, tmp_path)
        assert standing(list(live.answers.changes(0))) == plain(hits)
    assert not differences(hits, scanned(later, tmp_path / "scan", limits_then))


@pytest.mark.parametrize(
    ("begin", "bytes_kept"), [(0, None), (4096, None), (12288, None), (0, 0), (0, 12288)]
)
def test_a_damaged_state_is_called_so(
    begin: int, bytes_kept: int | None, begun: Path, tmp_path: Path
) -> None:
    """Overwritten from `begin` on, or cut off: it is no lack of room, and the store is not to blame."""
    shutil.copytree(begun, tmp_path / "state")
    state = tmp_path / "state" / "live" / "live.duckdb"
    if bytes_kept is None:
        state.write_bytes(state.read_bytes()[:begin] + bytes([7]) * 8192 + state.read_bytes()[begin + 8192 :])
    else:
        state.write_bytes(state.read_bytes()[:bytes_kept])
    with pytest.raises(
        DuankaError, match=r"the state of duanka live is damaged \(.*live\.duckdb\): move this file"
    ):
        opened(tmp_path / "state", _arrived({})[0])


def test_a_rule_in_shadow_counts_for_no_other_rule(tmp_path: Path) -> None:
    """Whether before or behind a restart, as if the rule over hits had never seen it."""
    world = invented(4)
    found: dict[bool, Hits] = {}
    for always in (True, False):
        folder = tmp_path / str(always)
        shadows = frozenset({"new_card_unused", "sleeping_card", "sim_box", "complained"})
        chance = random.Random(1)
        coming = arrivals(world, chance)
        batches = [*cut_up(coming[:-5], chance, 150), coming[-5:]]
        with opened(folder, world, shadows=shadows if always else frozenset()) as live:
            for batch in batches[:-1]:
                live.take(batch_of(world, batch), NOW)
        with opened(folder, world, shadows=shadows) as live:
            live.take(batch_of(world, batches[-1]), NOW)
            live.finish(NOW)
            found[always] = [hit for hit in hits_of(live, tmp_path) if hit[1] == "repeat_alerts"]
    assert not differences(found[False], found[True])


def _by_and_by(world: World) -> list[World]:
    """The records of each part of a day by themselves; registers come with the last but one."""
    days = []
    for day in range(10):
        begin, end = START + timedelta(days=day * 0.7), START + timedelta(days=(day + 1) * 0.7)
        frames = {}
        for table, frame in world.frames.items():
            moment = TABLES[table].time
            if TABLES[table].record and moment:
                event = pl.col(moment).cast(pl.Datetime("us"))
                frames[table] = frame.filter(event.is_between(begin, end, closed="left"))
            elif day == 4:
                frames[table] = frame
        days.append(replace(world, frames=frames))
    return days


@pytest.mark.parametrize("seed", [2, pytest.param(9, marks=pytest.mark.long)])
def test_many_ends_end_as_one(seed: int, tmp_path: Path) -> None:
    """Now and then all is read that is there and judged to its end, as somebody who runs it from cron does."""
    world = invented(seed)
    days = _by_and_by(world)
    cut = replace(
        world, frames={t: pl.concat([d.frames[t] for d in days if t in d.frames]) for t in world.frames}
    )
    for day in days:
        with opened(tmp_path / "state", world) as live:
            if any(frame.height for frame in day.frames.values()):
                assert live.take(_whole(day), NOW).late == 0
            live.finish(NOW)
            hits = hits_of(live, tmp_path)
            assert standing(list(live.answers.changes(0))) == plain(hits)
    assert not differences(hits, scanned(cut, tmp_path / "scan"))


def _whole(world: World) -> Batch:
    texts = BatchTexts()
    pieces = tuple(piece(table, frame, texts=texts) for table, frame in world.frames.items())
    records = sum(frame.height for frame in world.frames.values())
    return Batch(pieces, records=records, texts=texts.pairs())


@pytest.mark.parametrize("seed", [1, 8])
def test_registers_that_come_after_the_end(seed: int, tmp_path: Path) -> None:
    world = invented(seed)
    records = {t: f for t, f in world.frames.items() if TABLES[t].record}
    registers = {t: f for t, f in world.frames.items() if not TABLES[t].record}
    with opened(tmp_path / "state", world) as live:
        live.take(_whole(replace(world, frames={**records, "cards": world.before["cards"]})), NOW)
        live.finish(NOW)
        live.take(_whole(replace(world, frames=registers)), NOW)
        live.finish(NOW)
        live.take(_whole(replace(world, frames=registers)), NOW)  # says nothing new
        assert live.finish(NOW).changes == {}
        hits = hits_of(live, tmp_path)
    assert not differences(hits, scanned(world, tmp_path / "scan"))


def test_a_source_that_is_expected_later_turns_no_time_back(tmp_path: Path) -> None:
    """What happens while nothing has come from it yet is judged all the same."""
    world = invented(4)
    chance = random.Random(4)
    coming = arrivals(world, chance)
    with opened(tmp_path / "state", world) as live:
        live.expect({t: t for t in world.frames if TABLES[t].record}, NOW)
        live.take(batch_of(world, coming[:-20]), NOW)
        live.expect({"another/calls": "calls"}, NOW)
        for one in coming[-20:]:
            live.take(batch_of(world, [one]), NOW)
        live.finish(NOW)
        hits = hits_of(live, tmp_path)
    assert not differences(hits, scanned(world, tmp_path / "scan"))
