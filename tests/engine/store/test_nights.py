"""Nights into a store: after each, the hits are those of a scan of everything that was delivered so far."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duanka.domain.ports import Silent
from duanka.domain.schema import TABLES
from duanka.engine.batch.embedded_store import EmbeddedStore
from duanka.engine.store.record_store import RecordStore
from duanka.ingest.storage.key_columns import KnownTexts, with_keys
from duanka.rules import RULES
from support.engine.worlds import LIMITS, LISTS, START, Hits, Limits, World, canonical, invented, scanned

Frames = Mapping[str, pl.DataFrame]
_LATEST_NIGHTS = 3


def _deliveries(world: World, chance: random.Random) -> list[dict[str, pl.DataFrame]]:
    """What arrives each night: the records of its day, late ones, some once more, and changed registers."""
    nights: list[dict[str, list[pl.DataFrame]]] = []
    for table, frame in world.frames.items():
        moment = TABLES[table].time
        if TABLES[table].record and moment:
            day = (frame[moment].cast(pl.Datetime("us")) - START).dt.total_days().to_list()
            due = [d + (chance.randint(1, _LATEST_NIGHTS) if chance.random() < 0.15 else 0) for d in day]
            again = [d + chance.randint(1, _LATEST_NIGHTS) if chance.random() < 0.1 else None for d in due]
        else:
            due = [chance.randint(0, 6) if chance.random() < 0.5 else 0 for _ in range(frame.height)]
            again = [None] * frame.height
        first = world.before.get(table)
        for night in range(max([0, *due, *(a for a in again if a is not None)]) + 1):
            while len(nights) <= night:
                nights.append({})
            rows = [r for r in range(frame.height) if due[r] == night or again[r] == night]
            if rows:
                nights[night].setdefault(table, []).append(frame[rows])
            if first is not None and night == 0 and first.height:
                later = {frame["card"][r] for r in range(frame.height) if due[r] > 0}
                old = first.filter(pl.col("card").is_in(list(later)))
                if old.height:
                    nights[night].setdefault(table, []).append(old)
    return [{table: pl.concat(parts) for table, parts in night.items()} for night in nights]


def _so_far(before: Frames, new: Frames) -> dict[str, pl.DataFrame]:
    """All that came, each record once, of each card and outlet the last row."""
    together = dict(before)
    for table, frame in new.items():
        rows = pl.concat([together[table], frame]) if table in together else frame
        key = {"cards": ["card"], "outlets": ["outlet"]}.get(table)
        together[table] = rows.unique(key, keep="last", maintain_order=True)
    return together


def _night(folder: Path, number: int, new: Frames, world: World, limits: Limits) -> Hits:
    """Take one delivery into the store and judge it."""
    work = folder / f"night-{number}"
    work.mkdir(parents=True)
    parts: dict[str, Sequence[Path]] = {}
    texts = KnownTexts(work / "texts.parquet")
    for table, frame in new.items():
        parts[table] = [work / f"{table}.parquet"]
        once = frame.unique(
            {"cards": ["card"], "outlets": ["outlet"]}.get(table), keep="last", maintain_order=True
        )
        with_keys(table, once, texts).write_parquet(parts[table][0])
    filled = {t: {s.name for s in f if s.null_count() < len(s)} for t, f in new.items()}
    at = START + timedelta(days=number + 1, hours=3)
    with RecordStore(folder / "store", threads=1).writing(at) as writer:
        before = writer.manifest.model_copy(deep=True)
        writer.add(parts, filled, (), texts.close())
        writer.merge_life()
        with EmbeddedStore(work / "engine", threads=1).open_store(writer.draft, before) as engine:
            engine.load({}, {}, world.lists, None)
            chosen = [(rule, limits[rule.id]) for rule in RULES if rule.id in limits]
            engine.build(chosen, Silent())
            for rule, its in chosen:
                engine.run(rule, its)
            engine.write_hits(work / "hits.parquet")
            engine.keep_judgement()
        writer.compact()
        writer.commit()
    return pl.read_parquet(work / "hits.parquet").rows()


def _play(folder: Path, seed: int, days: int, cards: int) -> int:
    chance = random.Random(seed)
    world = invented(seed, cards=cards, days=days)
    together: dict[str, pl.DataFrame] = {}
    waiting: Frames = {}
    compared = 0
    for number, delivered in enumerate(_deliveries(world, chance)):
        together = _so_far(together, delivered)
        new = _so_far(waiting, delivered)
        if not any(TABLES[table].record for table in together):
            waiting = new  # registers alone begin no store
            continue
        waiting = {}
        limits = LIMITS if chance.random() < 0.9 else _other_limits()
        found = _night(folder, number, new, world, limits)
        expected = scanned(World(together, {}, world.lists), folder / f"scan-{number}", limits)
        assert found == expected, f"seed {seed}, night {number}"
        compared += len(found)
    return compared


def _other_limits() -> Limits:
    """Limits of a policy that somebody changed for a day."""
    return {**LIMITS, "fan_out": {**LIMITS["fan_out"], "min_peers": 3}}


@settings(max_examples=4)
@given(seed=st.integers(0, 10_000))
def test_the_hits_of_each_night_are_those_of_a_scan(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    _play(tmp_path_factory.mktemp("nights"), seed, days=5, cards=16)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(40))
def test_the_same_over_a_month(tmp_path: Path, seed: int) -> None:
    assert _play(tmp_path, 50_000 + seed, days=24, cards=24)


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
        together = _so_far(together, new)
        found = _night(tmp_path, number, new, world, LIMITS)
        assert found == scanned(World(together, {}, LISTS), tmp_path / f"scan-{number}")
        flagged.append({card for card, rule, *_ in found if rule == "code_receiver"})
    assert flagged == [{card}, set()]
