"""The table of rings is a register like any other: scan, nights of a store and live say the same of it, and states and
stores of before know nothing of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from duanka.domain.streaming import Batch, Change
from duanka.engine.live.engine import Live
from duanka.ingest.storage.key_columns import BatchTexts
from support.engine.nights import night, so_far
from support.engine.streams import NOW, hits_of, opened, piece, plain, standing
from support.engine.worlds import LIMITS, LISTS, START, Hits, World, canonical, scanned

MEMBER, OTHER, NOBODY, AHEAD = (f"861380000000{n}" for n in range(1, 5))
FOUND = START + timedelta(days=2)


def calls(days: range) -> pl.DataFrame:
    """A call a day of two cards; NOBODY's card lies in a drawer."""
    rows = [
        {
            "card": card,
            "peer": "8613900000001",
            "direction": "out",
            "started_at": START + timedelta(days=day, hours=9),
        }
        for day in days
        for card in (MEMBER, OTHER)
    ]
    return canonical("calls", rows)


def rings(*rows: tuple[str, str, int], since: datetime = FOUND) -> pl.DataFrame:
    """Rows (card, ring, certainty) as `duanka links build --deliver` writes them."""
    return canonical("rings", [{"card": c, "ring": r, "certainty": n, "since": since} for c, r, n in rows])


def linked(hits: Hits) -> list[tuple[str, str]]:
    """The cards that in_ring hit, and the evidence."""
    return [(card, evidence) for card, rule, _, evidence in hits if rule == "in_ring"]


class Mornings:
    """A live engine over deliveries that come one after another; after each, what a scan of all would say."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.number = folder, 0
        self.world = World({}, {}, LISTS)

    def take(self, live: Live, **frames: pl.DataFrame) -> list[tuple[Change, str]]:
        """Deliver; returns how hits of in_ring changed. All hits must be those of a scan of everything so far."""
        self.number += 1
        self.world = replace(self.world, frames=so_far(self.world.frames, frames))
        texts = BatchTexts()
        parts = tuple(piece(table, frame, texts=texts) for table, frame in frames.items())
        before = live.seq
        records = sum(frame.height for frame in frames.values())
        live.take(Batch(parts, positions={"x": self.number}, records=records, texts=texts.pairs()), NOW)
        live.finish(NOW)
        hits = hits_of(live, self.folder)
        assert plain(hits) == plain(scanned(self.world, self.folder / f"scan-{self.number}"))
        assert standing(list(live.answers.changes(0))) == plain(hits)
        told = live.answers.changes(before)
        return [(change.kind, change.hit.card) for change in told if change.hit.rule == "in_ring"]


def test_live_a_changed_row_judges_its_card_again(tmp_path: Path) -> None:
    mornings = Mornings(tmp_path)
    with opened(tmp_path / "state", mornings.world) as live:
        ahead = rings((AHEAD, "R9", 99), since=START + timedelta(days=4, hours=9))
        assert mornings.take(live, calls=calls(range(4)), rings=ahead) == []
        first = rings((MEMBER, "R1", 90), (OTHER, "R1", 50), (NOBODY, "R1", 80))
        assert mornings.take(live, rings=first) == [(Change.RAISED, MEMBER), (Change.RAISED, NOBODY)]
        assert mornings.take(live, rings=first) == [], "the same again says nothing new"
        again = rings((MEMBER, "R1", 0), (OTHER, "R2", 51), (NOBODY, "R2", 80))
        assert sorted(mornings.take(live, rings=again)) == [
            (Change.RAISED, OTHER),
            (Change.REVISED, NOBODY),
            (Change.REVOKED, MEMBER),
        ]
        later = rings((MEMBER, "R3", 99), since=START + timedelta(days=4, hours=9))
        assert mornings.take(live, rings=later) == [], "found later than the records tell of"
        then = mornings.take(live, calls=calls(range(4, 6)))
        assert then == [(Change.RAISED, MEMBER), (Change.RAISED, AHEAD)]


def test_a_live_state_of_before_takes_rings(tmp_path: Path) -> None:
    """It has no table for them."""
    mornings = Mornings(tmp_path)
    limits = {rule: one for rule, one in LIMITS.items() if rule != "in_ring"}
    with opened(tmp_path / "state", mornings.world, limits=limits) as live:
        live.take(Batch((piece("calls", calls(range(4))),), positions={"x": 0}, records=8), NOW)
        live.finish(NOW)
    with duckdb.connect(str(tmp_path / "state" / "live" / "live.duckdb")) as state:
        state.execute("DROP TABLE state.rings")
    mornings.world = replace(mornings.world, frames={"calls": calls(range(4))})
    with opened(tmp_path / "state", mornings.world) as live:
        assert mornings.take(live, rings=rings((MEMBER, "R1", 90), (NOBODY, "R1", 60))) == [
            (Change.RAISED, MEMBER),
            (Change.RAISED, NOBODY),
        ]


def test_nights_that_deliver_rings_alone(tmp_path: Path) -> None:
    """Into a store that never had any; a card that left its ring is left alone the next night."""
    deliveries: Sequence[dict[str, Any]] = (
        {"calls": calls(range(4))},
        {"rings": rings((MEMBER, "R1", 90), (OTHER, "R1", 50), (NOBODY, "R1", 80))},
        {"rings": rings((MEMBER, "R1", 0), (OTHER, "R2", 51))},
        {"calls": calls(range(4, 5))},
    )
    together: dict[str, pl.DataFrame] = {}
    found = []
    for number, new in enumerate(deliveries):
        together = so_far(together, new)
        hits = night(tmp_path, number, new, World({}, {}, LISTS), LIMITS)
        assert hits == scanned(World(together, {}, LISTS), tmp_path / f"scan-{number}")
        found.append([card for card, _ in linked(hits)])
    assert found == [[], [MEMBER, NOBODY], [OTHER, NOBODY], [OTHER, NOBODY]]
