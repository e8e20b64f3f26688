"""Cuts a world into micro-batches, in an order that arrival could have, and plays it to the live engine."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from duanka.domain.live import Batch, Piece
from duanka.domain.policy import Policy
from duanka.domain.ports import Silent
from duanka.domain.rule import Rule
from duanka.domain.tables import TABLES, Kind
from duanka.engine import Embedded
from duanka.engine.live import Live

NOW = datetime(2030, 1, 1)
Hits = list[tuple[str, str, datetime, str]]


@dataclass(frozen=True)
class World:
    """Canonical frames by table, and the lists that belong to them."""

    frames: Mapping[str, pl.DataFrame]
    lists: Mapping[str, Sequence[Mapping[str, object]]]

    @property
    def sources(self) -> dict[str, str]:
        """What the live engine waits for: one source a table."""
        return {name: name for name in self.frames if TABLES[name].record}


def canonical(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Exactly the canonical columns, typed."""
    kinds = {Kind.TIME: pl.Datetime("us"), Kind.DAY: pl.Date(), Kind.COUNT: pl.Int64(), Kind.FLAG: pl.Boolean()}
    return frame.select(
        (pl.col(c.name) if c.name in frame.columns else pl.lit(None)).cast(kinds.get(c.kind, pl.String()))
        .alias(c.name)
        for c in TABLES[table].columns
    )


def world_of(folder: Path, lists: Mapping[str, Sequence[Mapping[str, object]]]) -> World:
    """The tables of a directory of Parquet files in the native format."""
    frames = {}
    for table in TABLES:
        paths = sorted(folder.glob(f"{table}.parquet")) + sorted(folder.glob(f"{table}/*.parquet"))
        if paths:
            frames[table] = canonical(table, pl.concat([pl.read_parquet(p) for p in paths]))
    return World(frames, lists)


def scanned(world: World, rules: Sequence[Rule], policy: Policy, work: Path) -> Hits:
    """The hits of a scan over the whole world."""
    paths = {}
    for table, frame in world.frames.items():
        paths[table] = [work / f"{table}.parquet"]
        frame.write_parquet(paths[table][0])
    columns = {t: frozenset(s.name for s in f if s.null_count() < len(s)) for t, f in world.frames.items()}
    with Embedded(work / "engine", threads=1) as engine:
        engine.load(paths, columns, world.lists, None)
        chosen = [(r, policy.limits(r)) for r in rules if r.id in policy.rules]
        engine.build(chosen, Silent())
        for rule, limits in chosen:
            engine.run(rule, limits)
        engine.write_hits(work / "hits.parquet")
    return pl.read_parquet(work / "hits.parquet").rows()


def batches(world: World, size: int, jitter: timedelta, seed: int) -> Iterator[Batch]:
    """Registers anywhere, records by event time disturbed by up to `jitter`, `size` rows a batch."""
    chance = random.Random(seed)
    rows: list[tuple[datetime, str, int]] = []
    for table, frame in world.frames.items():
        moment = TABLES[table].time if TABLES[table].record else None
        times = frame[moment].cast(pl.Datetime("us")).to_list() if moment else [None] * frame.height
        known = [t for t in times if t is not None] or [NOW]
        for row, time in enumerate(times):
            at = time if time is not None else datetime(2021, 1, 1)
            if moment is None:
                at = chance.choice([at, _start(world) + timedelta(days=chance.random() * 8)])
            rows.append((at + jitter * chance.random(), table, row))
        del known
    rows.sort()
    for number, begin in enumerate(range(0, len(rows), size)):
        yield _batch(world, rows[begin : begin + size], number)


def _start(world: World) -> datetime:
    return min(f[str(TABLES[t].time)].cast(pl.Datetime("us")).min() for t, f in world.frames.items() if TABLES[t].record)  # type: ignore[type-var, return-value]


def _batch(world: World, rows: Sequence[tuple[datetime, str, int]], number: int) -> Batch:
    pieces = []
    for table in world.frames:
        mine = [row for _, name, row in rows if name == table]
        if mine:
            frame = world.frames[table][mine]
            frame = frame.with_columns(line=pl.Series(mine, dtype=pl.Int64), same=frame.hash_rows())
            pieces.append(Piece(table, table, table, frame))
    return Batch(tuple(pieces), positions={"played": number + 1}, records=len(rows))


def played(
    world: World, rules: Sequence[Rule], policy: Policy, work: Path, batches: Iterator[Batch], *, judge_every: int = 1,
    history: bool = False, seal_rows: int | None = None,
) -> tuple[Hits, Live]:
    """The hits of the live engine once everything is played and the records have come to their end."""
    live = Live(
        work / "state", rules, {r.id: policy.limits(r) for r in rules if r.id in policy.rules}, world.lists,
        history=history, threads=1, seal_rows=seal_rows,
    )
    live.expect(world.sources, NOW)
    for number, batch in enumerate(batches):
        taken = live.take(batch, NOW, settle=(number + 1) % judge_every == 0)
        assert taken.late == 0, taken
    live.finish(NOW)
    live.answers.write_hits(work / "live.parquet")
    return pl.read_parquet(work / "live.parquet").rows(), live
