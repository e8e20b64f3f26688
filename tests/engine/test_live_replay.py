"""Replay = live: whatever the batches, the order within what is allowed and the restarts, the hits of a scan."""

from __future__ import annotations

import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duanka.domain.streaming import Change, HitChange
from duanka.engine.live import engine
from duanka.engine.live import evaluator as judge
from duanka.engine.live.engine import PACK_ROWS
from duanka.rules import RULES
from support.engine.streams import Cut, Played, differences, plain, standing
from support.engine.worlds import LISTS, START, World, canonical, invented, scanned

_SEEDS = st.integers(0, 1_000_000)
_PATIENT = {"deadline": None, "suppress_health_check": list(HealthCheck), "print_blob": True}
_GROWING = frozenset(rule.id for rule in RULES if rule.monotone)


def _cuts(*most: int) -> st.SearchStrategy[Cut]:
    return st.builds(
        Cut,
        seed=_SEEDS,
        most=st.sampled_from(most),
        settle=st.sampled_from([1.0, 0.5]),
        restart=st.sampled_from([0.0, 0.2]),
        crash=st.sampled_from([0.0, 1.0]),
        pack_rows=st.sampled_from([PACK_ROWS, 1, 20]),
        history=st.sampled_from([0, 0, 2]),
        sources=st.sampled_from([1, 2]),
    )


_CUTS = _cuts(12, 40, 400)
_COARSE = _cuts(24, 60, 400)  # each batch takes a third of a second


def _played_as_scanned(world: World, cut: Cut, *, at_once: int = judge.AT_ONCE) -> list[list[HitChange]]:
    """Play `world` as `cut` says; the hits must be those of a scan, and the changes must lead to them."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        if at_once < judge.AT_ONCE:  # an evaluation takes turns with batches
            patched.setattr(judge, "AT_ONCE", at_once)
            patched.setattr(engine, "CARDS_A_BATCH", at_once)
            patched.setattr(judge, "MANY", at_once)
        played = Played(world, Path(folder) / "state", cut)
        with played.live:
            hits, changes = played.hits(), played.changes()
        assert not differences(hits, scanned(world, Path(folder) / "scan"))
    assert standing(changes) == plain(hits)
    for taken in played.taken:
        assert taken.records == taken.used + taken.aside + taken.late + taken.repeated + taken.ahead
    counted: Counter[tuple[str, Change]] = Counter()
    for taken in played.taken:
        counted.update(taken.changes)
    if not cut.restart:  # what a crash took back was counted too
        assert counted == Counter((change.hit.rule, change.kind) for change in changes)
    return played.turns


@settings(max_examples=5, **_PATIENT)  # type: ignore[arg-type]
@given(seed=_SEEDS, cut=_COARSE, at_once=st.sampled_from([judge.AT_ONCE, 3]))
def test_any_cut_of_any_world_ends_as_a_scan(seed: int, cut: Cut, at_once: int) -> None:
    _played_as_scanned(invented(seed, cards=14), cut, at_once=at_once)


@pytest.mark.long
@settings(max_examples=60, **_PATIENT)  # type: ignore[arg-type]
@given(seed=_SEEDS, cut=_CUTS, at_once=st.sampled_from([judge.AT_ONCE, 7, 1]))
def test_many_cuts_of_many_worlds(seed: int, cut: Cut, at_once: int) -> None:
    _played_as_scanned(invented(seed, cards=24), cut, at_once=at_once)


@pytest.mark.long
@settings(max_examples=8, **_PATIENT)  # type: ignore[arg-type]
@given(seed=_SEEDS, cut=_CUTS.map(lambda cut: Cut(cut.seed, most=2, pack_rows=1, restart=0.05, crash=1.0)))
def test_records_that_come_one_by_one(seed: int, cut: Cut) -> None:
    _played_as_scanned(invented(seed), cut)


# Each of these once ended otherwise than a scan.
_ONCE_WRONG = {
    "two descriptions of a card in one batch": (6, Cut(6, most=60, pack_rows=5)),
    "a card goes to another holder": (5, Cut(5, most=60, settle=0.5)),
    "cards of which only sightings are known": (32, Cut(32, most=30, history=3)),
}


@pytest.mark.parametrize(("seed", "cut"), _ONCE_WRONG.values(), ids=_ONCE_WRONG)
def test_what_was_wrong_once(seed: int, cut: Cut) -> None:
    _played_as_scanned(invented(seed), cut)


def test_a_register_newer_than_the_records() -> None:
    """It names a last use that lies behind the gap which the records show."""
    slept, other = "8613800000001", "8613800000002"
    call = {"peer": "8613900000000", "direction": "out", "seconds": 61, "answered": True}
    hours = [{"card": other, "started_at": START + timedelta(hours=3 * h), **call} for h in range(64)]
    card = {
        "card": slept,
        "opened_at": START + timedelta(days=5.8),
        "last_used_at": START + timedelta(days=6.5),
    }
    days = [{"card": other, "day": (START + timedelta(days=d)).date(), "bytes": 1} for d in range(8)]
    frames = {
        "cards": canonical("cards", [card]),
        "calls": canonical(
            "calls", [*hours, {"card": slept, "started_at": START + timedelta(days=3.5), **call}]
        ),
        "data_days": canonical("data_days", days),
    }
    _played_as_scanned(World(frames, {}, LISTS), Cut(1, most=6, registers_first=True))


def test_cards_judged_in_slices() -> None:
    _played_as_scanned(invented(3, cards=14), Cut(3, most=100), at_once=5)


def _known_from_the_start(world: World) -> World:
    """The same world with registers that say nothing of a time to come."""
    later = [
        pl.when(pl.col(c) < START).then(pl.col(c)).otherwise(START - timedelta(hours=1)).alias(c)
        for c in ("opened_at", "last_used_at", "verified_at")
    ]
    frames = {**world.frames, "cards": world.frames["cards"].with_columns(later)}
    return World(frames, {}, world.lists)


@settings(max_examples=3, **_PATIENT)  # type: ignore[arg-type]
@given(seed=_SEEDS, cut=_CUTS)
def test_more_records_take_no_card_from_a_rule_that_only_grows(seed: int, cut: Cut) -> None:
    world = _known_from_the_start(invented(seed, cards=14))
    cut = Cut(cut.seed, most=60, settle=cut.settle, pack_rows=cut.pack_rows, registers_first=True)
    for turn in _played_as_scanned(world, cut):
        came = {(c.hit.card, c.hit.rule) for c in turn if c.kind is not Change.REVOKED}
        gone = {(c.hit.card, c.hit.rule) for c in turn if c.kind is Change.REVOKED and c.hit.rule in _GROWING}
        assert gone <= came  # only its moment may move, when an earlier record comes later
