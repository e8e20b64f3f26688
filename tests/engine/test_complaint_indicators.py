"""Complaints name indicators: stores and live states of before have no such columns, and go on."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import duckdb
import polars as pl

from duanka.domain.streaming import Batch
from duanka.engine.store.manifest import FileKind, read_manifest
from support.engine.nights import night
from support.engine.streams import NOW, hits_of, opened, piece
from support.engine.worlds import LIMITS, LISTS, START, World, canonical

CARD = "8613800000001"
CALLS = canonical(
    "calls",
    [
        {"card": CARD, "peer": "8613900000001", "direction": "out", "started_at": START + timedelta(days=day)}
        for day in range(9)
    ],
)


def complaints(count: int, **indicator: str) -> pl.DataFrame:
    """Complaints a day apart; `indicator`: what each names."""
    rows = [
        {"card": CARD, "reported_at": START + timedelta(days=day), "channel": "12321", **indicator}
        for day in range(count)
    ]
    return canonical("complaints", rows)


NAMING = {"indicator_kind": "host", "indicator": "lottery.example"}


def test_a_store_of_before_takes_indicators(tmp_path: Path) -> None:
    """A complaint that comes again, with what it names, is no second complaint: one stays one."""
    world = World({}, {}, LISTS)
    assert night(tmp_path, 0, {"calls": CALLS, "complaints": complaints(1)}, world, LIMITS) == []
    store = tmp_path / "store"
    (path,) = read_manifest(store).paths(FileKind.REGISTERS, "complaints")
    before = pl.read_parquet(store / path).drop("indicator_kind", "indicator")
    before.write_parquet(store / path)
    said = json.loads((store / "store.json").read_text())
    said["files"][path]["bytes"] = (store / path).stat().st_size
    (store / "store.json").write_text(json.dumps(said))
    assert night(tmp_path, 1, {"complaints": complaints(1, **NAMING)}, world, LIMITS) == []
    (path,) = read_manifest(store).paths(FileKind.REGISTERS, "complaints")
    assert pl.read_parquet(store / path).sort("indicator")["indicator"].to_list() == [None, "lottery.example"]
    hits = night(tmp_path, 2, {"complaints": complaints(2, **NAMING)}, world, LIMITS)
    assert [(rule, evidence) for _, rule, _, evidence in hits] == [("complained", '{"complaints":2}')]


def test_a_live_state_of_before_takes_indicators(tmp_path: Path) -> None:
    world = World({"calls": CALLS}, {}, LISTS)
    with opened(tmp_path / "state", world) as live:
        live.take(Batch((piece("calls", CALLS),), positions={"x": 0}, records=CALLS.height), NOW)
        live.finish(NOW)
    with duckdb.connect(str(tmp_path / "state" / "live" / "live.duckdb")) as state:
        state.execute("ALTER TABLE state.complaints DROP COLUMN indicator_kind")
        state.execute("ALTER TABLE state.complaints DROP COLUMN indicator")
    with opened(tmp_path / "state", world) as live:
        for found in (complaints(1), complaints(1, **NAMING), complaints(2, **NAMING)):
            live.take(Batch((piece("complaints", found),), positions={"x": 1}, records=found.height), NOW)
            live.finish(NOW)
        hits = hits_of(live, tmp_path)
    assert [(rule, evidence) for _, rule, _, evidence in hits] == [("complained", '{"complaints":2}')]
