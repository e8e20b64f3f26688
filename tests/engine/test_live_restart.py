"""A state that goes on: under another policy, after it came to an end, with other sources; and one that cannot."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from duanka.domain.tables import TABLES
from streams import NOW, arrivals, batch_of, cut_up, differences, hits_of, opened, plain, standing
from worlds import LIMITS, LISTS, Hits, Limits, invented, scanned


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


@pytest.mark.parametrize("seed", [4])
@pytest.mark.parametrize("name", _POLICIES)
def test_another_policy_ends_as_a_scan_under_it(name: str, seed: int, tmp_path: Path) -> None:
    limits, lists, limits_then, lists_then = _POLICIES[name]
    world = replace(invented(seed), lists={**LISTS, **lists})
    later = replace(world, lists={**LISTS, **lists_then})
    chance = random.Random(seed)
    coming = arrivals(world, chance)
    batches = [*cut_up(coming[:-5], chance, 80), coming[-5:]]
    sources = {t: t for t in world.frames if TABLES[t].record}
    with opened(tmp_path / "state", world, limits=limits) as live:
        live.expect(sources, NOW)
        for batch in batches[:-1]:
            live.take(batch_of(world, batch), NOW)
    with opened(tmp_path / "state", later, limits=limits_then) as live:
        live.take(batch_of(world, batches[-1]), NOW)
        live.finish(NOW)
        hits = hits_of(live, tmp_path)
        assert standing(list(live.answers.changes(0))) == plain(hits)
    assert not differences(hits, scanned(later, tmp_path / "scan", limits_then))


def test_a_rule_in_shadow_counts_for_no_other_rule(tmp_path: Path) -> None:
    """Whether before or behind a restart, as if the rule over hits had never seen it."""
    world = invented(4)
    found: dict[bool, Hits] = {}
    for always in (True, False):
        folder = tmp_path / str(always)
        shadows = frozenset({"new_card_unused", "sleeping_card", "sim_box", "complained"})
        chance = random.Random(1)
        coming = arrivals(world, chance)
        batches = [*cut_up(coming[:-5], chance, 80), coming[-5:]]
        with opened(folder, world, shadows=shadows if always else frozenset()) as live:
            for batch in batches[:-1]:
                live.take(batch_of(world, batch), NOW)
        with opened(folder, world, shadows=shadows) as live:
            live.take(batch_of(world, batches[-1]), NOW)
            live.finish(NOW)
            found[always] = [hit for hit in hits_of(live, tmp_path) if hit[1] == "repeat_alerts"]
    assert not differences(found[False], found[True])
