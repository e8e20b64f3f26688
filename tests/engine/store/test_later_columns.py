"""A store, and a live state, that an older release wrote: columns that came later are empty there, and fill."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import duckdb
import polars as pl

from duanka.domain.streaming import Batch
from duanka.engine.links.source import LinkSource
from duanka.engine.shared.duckdb_database import parquet
from duanka.engine.store.columns import whole_register
from duanka.engine.store.manifest import FileKind, read_manifest, write_manifest
from duanka.ingest.storage.key_columns import BatchTexts
from support.engine.nights import night
from support.engine.streams import NOW, opened, piece
from support.engine.worlds import LIMITS, LISTS, START, World, canonical

ONE, TWO = "8613800000001", "8613800000002"
LATER = {"cards": "age_band", "cases": "fraud_kind"}


def _cards(*bands: str | None) -> pl.DataFrame:
    rows = [
        {"card": card, "operator": "A", "age_band": band}
        for card, band in zip((ONE, TWO), bands, strict=False)
    ]
    return canonical("cards", rows)


def _cases(card: str, kind: str | None) -> pl.DataFrame:
    at = START + timedelta(days=1)
    return canonical("cases", [{"card": card, "case_id": "A1", "confirmed_at": at, "fraud_kind": kind}])


def _calls(day: int) -> pl.DataFrame:
    at = START + timedelta(days=day, hours=9)
    rows = [
        {"card": card, "peer": "8613900000001", "direction": "out", "started_at": at} for card in (ONE, TWO)
    ]
    return canonical("calls", rows)


def _age(store: Path) -> None:
    """Rewrite the registers without the later columns, as an older release left them."""
    manifest = read_manifest(store)
    for table, column in LATER.items():
        for path in manifest.paths(FileKind.REGISTERS, table):
            frame = pl.read_parquet(store / path)
            assert column in frame.columns
            frame.drop(column).write_parquet(store / path)
            manifest.files[path].bytes = (store / path).stat().st_size
    write_manifest(store, manifest)


def _rows(store: Path, table: str) -> list[tuple[object, ...]]:
    files = [store / path for path in read_manifest(store).paths(FileKind.REGISTERS, table)]
    wanted = f"card % 10, {LATER[table]}"
    return duckdb.execute(
        f"SELECT {wanted} FROM {whole_register(table, parquet(files))} ORDER BY ALL"
    ).fetchall()


def test_an_older_store_is_judged_and_fills_its_later_columns(tmp_path: Path) -> None:
    world, store = World({}, {}, LISTS), tmp_path / "store"
    night(
        tmp_path,
        0,
        {"calls": _calls(0), "cards": _cards(None, None), "cases": _cases(ONE, None)},
        world,
        LIMITS,
    )
    _age(store)
    assert _rows(store, "cards") == [(1, None), (2, None)]
    night(tmp_path, 1, {"calls": _calls(1)}, world, LIMITS)  # judged with the registers as they were
    told = {"calls": _calls(2), "cards": _cards("60+"), "cases": _cases(TWO, "loan")}
    night(tmp_path, 2, told, world, LIMITS)
    assert _rows(store, "cards") == [(1, "60+"), (2, None)]
    assert _rows(store, "cases") == [(1, None), (2, "loan")]


def test_links_read_an_older_store(tmp_path: Path) -> None:
    told = {"calls": _calls(0), "cards": _cards("18-29", "60+"), "cases": _cases(ONE, "loan")}
    night(tmp_path, 0, told, World({}, {}, LISTS), LIMITS)
    _age(tmp_path / "store")
    source = LinkSource(tmp_path / "store", tmp_path / "work", memory="200MB", threads=1)
    assert source.run("SELECT age_band, operator FROM cards") == [(None, "A"), (None, "A")]
    assert source.run("SELECT fraud_kind, case_id FROM cases") == [(None, "A1")]
    source.close()


def test_live_takes_an_older_store_over_and_goes_on_with_an_older_state(tmp_path: Path) -> None:
    told = {"calls": _calls(0), "cards": _cards(None, None), "cases": _cases(ONE, None)}
    night(tmp_path, 0, told, World({}, {}, LISTS), LIMITS)
    _age(tmp_path / "store")
    world = World({}, {}, LISTS)
    with opened(tmp_path / "store", world) as live:
        live.finish(NOW)
    with duckdb.connect(str(tmp_path / "store" / "live" / "live.duckdb")) as state:
        for table, column in LATER.items():
            assert state.execute(f"SELECT {column} FROM state.{table}").fetchall()
            state.execute(f"ALTER TABLE state.{table} DROP COLUMN {column}")
    with opened(tmp_path / "store", world) as live:
        texts = BatchTexts()
        parts = tuple(
            piece(table, frame, texts=texts)
            for table, frame in (("cards", _cards("45-59")), ("cases", _cases(TWO, "romance")))
        )
        live.take(Batch(parts, positions={"x": 1}, records=2, texts=texts.pairs()), NOW)
        live.finish(NOW)
    with duckdb.connect(str(tmp_path / "store" / "live" / "live.duckdb"), read_only=True) as state:
        bands = state.execute("SELECT age_band FROM state.cards ORDER BY card").fetchall()
        kinds = state.execute("SELECT fraud_kind FROM state.cases ORDER BY card").fetchall()
    assert bands == [("45-59",), (None,)]
    assert kinds == [(None,), ("romance",)]
