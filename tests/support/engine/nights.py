"""Nights into a store: what is delivered each night of an invented world, and the hits after it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import reduce
from pathlib import Path

import polars as pl

from duanka.domain.ports import Silent
from duanka.domain.schema import REGISTER_KEYS, TABLES
from duanka.engine.batch.embedded_store import EmbeddedStore
from duanka.engine.batch.spark_store import ClusterStore
from duanka.engine.batch.store_engine import StoreEngine
from duanka.engine.store.record_store import RecordStore
from duanka.ingest.storage.key_columns import KnownTexts, with_keys
from duanka.rules import RULES
from support.engine.worlds import LIMITS, START, Hits, Limits, World, invented, scanned

Frames = Mapping[str, pl.DataFrame]
_LATEST_NIGHTS = 3
_KEYS = {table: [key] for table, key in REGISTER_KEYS.items()}


def deliveries(world: World, chance: random.Random) -> list[dict[str, pl.DataFrame]]:
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


def so_far(before: Frames, new: Frames) -> dict[str, pl.DataFrame]:
    """All that came, each record once, of each card and outlet the last row of a register."""
    together = dict(before)
    for table, frame in new.items():
        rows = pl.concat([together[table], frame]) if table in together else frame
        together[table] = rows.unique(_KEYS.get(table), keep="last", maintain_order=True)
    return together


def engine_of(work: Path, remote: str | None) -> StoreEngine:
    """The engine that judges a store."""
    return ClusterStore(work, remote, threads=1) if remote else EmbeddedStore(work, threads=1)


def night(
    folder: Path, number: int, new: Frames, world: World, limits: Limits, remote: str | None = None
) -> Hits:
    """Take one delivery into the store and judge it, embedded or on the cluster at `remote`."""
    work = folder / f"night-{number}"
    work.mkdir(parents=True)
    parts: dict[str, Sequence[Path]] = {}
    texts = KnownTexts(work / "texts.parquet")
    for table, frame in new.items():
        parts[table] = [work / f"{table}.parquet"]
        once = frame.unique(_KEYS.get(table), keep="last", maintain_order=True)
        with_keys(table, once, texts).write_parquet(parts[table][0])
    filled = {t: {s.name for s in f if s.null_count() < len(s)} for t, f in new.items()}
    at = START + timedelta(days=number + 1, hours=3)
    with RecordStore(folder / "store", threads=1).writing(at) as writer:
        before = writer.manifest.copied()
        writer.add(parts, filled, (), texts.close())
        writer.merge_life()
        with engine_of(work / "engine", remote).open_store(writer.draft, before) as engine:
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


def play(
    folder: Path,
    seed: int,
    days: int,
    cards: int,
    engines: Sequence[str | None] = (None,),
    first: int = 1,
    nights: int | None = None,
) -> int:
    """Deliver a world night by night; return how many hits were those of a scan of all so far.

    `engines`: those that judge in turn, see `night`. `first`: so many deliveries come in the first night. `nights`:
    play the first ones only.
    """
    chance = random.Random(seed)
    world = invented(seed, cards=cards, days=days)
    delivered = deliveries(world, chance)
    delivered[:first] = [reduce(so_far, delivered[:first])]
    together: dict[str, pl.DataFrame] = {}
    waiting: Frames = {}
    compared = 0
    for number, new in enumerate(delivered[:nights]):
        together = so_far(together, new)
        waiting = so_far(waiting, new)
        if not any(TABLES[table].record for table in together):
            continue  # registers alone begin no store
        limits = LIMITS if chance.random() < 0.9 else _other_limits()
        found = night(folder, number, waiting, world, limits, engines[number % len(engines)])
        expected = scanned(World(together, {}, world.lists), folder / f"scan-{number}", limits)
        assert found == expected, f"seed {seed}, night {number}"
        compared += len(found)
        waiting = {}
    return compared


def _other_limits() -> Limits:
    """Limits of a policy that somebody changed for a day."""
    return {**LIMITS, "fan_out": {**LIMITS["fan_out"], "min_peers": 3}}
