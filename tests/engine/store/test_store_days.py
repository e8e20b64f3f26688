"""Records and partial rollups of a store, however many deliveries brought them and in whichever order."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np
import pytest

from duanka.domain.rollups import MergeOperation
from duanka.domain.schema import RECORD_TABLES
from duanka.engine.store.columns import time_of
from duanka.engine.store.days import record_days, rollup_partials
from duanka.engine.store.days.grouping import NOTHING, Grouped, grouped, merged
from duanka.engine.store.days.rollup_partials import PARTIALS
from duanka.engine.store.manifest import FileKind
from duanka.engine.store.record_store import RecordStore
from support.engine.store_deliveries import NOW, Row, call, day_of, filled, invented, parts
from support.engine.store_reading import declared, records, rollups


def delivered(store: RecordStore, folder: Path, tables: dict[str, list[Row]]) -> dict[str, tuple[int, int]]:
    """Add `tables` as one intake; table -> records added, repeated."""
    with store.writing(NOW) as writer:
        added = writer.add(parts(folder, tables), filled(tables))
        writer.commit()
    return {table: (one.new, one.repeated) for table, one in added.items()}


def sliced(tables: dict[str, list[Row]], chance: random.Random) -> list[dict[str, list[Row]]]:
    """Deliveries that overlap and together hold all of `tables`, in any order."""
    count = chance.randint(1, 4)
    deliveries: list[dict[str, list[Row]]] = [{} for _ in range(count)]
    for table, rows in tables.items():
        for row in rows:
            for number in {chance.randrange(count), chance.randrange(count)}:
                deliveries[number].setdefault(table, []).append(row)
    for one in deliveries:
        for rows in one.values():
            chance.shuffle(rows)
    return deliveries


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(n, marks=pytest.mark.long) for n in range(2, 40))])
def test_any_deliveries_give_the_records_and_rollups_of_one(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(rollup_partials, "SLICE_ROWS", chance.choice([1, 10, 1000]))
    monkeypatch.setattr(record_days, "SLICE_ROWS", [1, 12, 60, 1000][seed % 4])
    tables = invented(chance)
    whole, pieced = RecordStore(tmp_path / "whole"), RecordStore(tmp_path / "pieced")
    assert delivered(whole, tmp_path / "in", tables) == {t: (len(rows), 0) for t, rows in tables.items()}
    sizes = {
        table: sum(new for new, _ in given)
        for table, given in _by_table(
            [delivered(pieced, tmp_path / f"in{n}", one) for n, one in enumerate(sliced(tables, chance))]
        ).items()
    }
    assert sizes == {table: len(rows) for table, rows in tables.items()}
    for table in RECORD_TABLES:
        assert records(pieced, table) == records(whole, table)
    said = declared(whole)
    assert rollups(pieced) == rollups(whole) == {rollup.name: said[rollup.name] for rollup in PARTIALS}
    assert pieced.manifest().days == whole.manifest().days
    assert pieced.manifest().filled == whole.manifest().filled


def _by_table(given: Sequence[dict[str, tuple[int, int]]]) -> dict[str, list[tuple[int, int]]]:
    return {table: [one[table] for one in given if table in one] for table in RECORD_TABLES}


def test_records_that_differ_in_one_column_are_two(tmp_path: Path) -> None:
    at = datetime(2026, 3, 8, 9)
    store = RecordStore(tmp_path / "store")
    first: dict[str, list[Row]] = {
        "calls": [call(1, at), call(1, at, seconds=0), call(1, at, answered=False)]
    }
    assert delivered(store, tmp_path / "a", first) == {"calls": (3, 0)}
    again: dict[str, list[Row]] = {
        "calls": [
            *first["calls"],
            call(1, at, seconds=0, answered=False),
            call(1, at, forwarded_from=2),
            call(2, at),
        ]
    }
    assert delivered(store, tmp_path / "b", again) == {"calls": (3, 3)}
    assert store.manifest().not_added["calls"].repeated == 3
    assert store.manifest().days["calls"] == {day_of(at): (6, at)}


def test_every_file_is_sorted_by_card_and_of_its_day(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "store")
    delivered(store, tmp_path / "in", invented(random.Random(1), rows=400))
    for path, file in store.manifest().files.items():
        read = f"read_parquet('{store.folder / path}')"
        cards = [card for (card,) in duckdb.execute(f"SELECT card FROM {read}").fetchall()]
        assert cards == sorted(cards), path
        assert len(cards) == file.rows
        if file.kind is FileKind.RECORDS:
            days = duckdb.execute(
                f"SELECT DISTINCT CAST({time_of(file.name)} AS DATE) FROM {read}"
            ).fetchall()
            assert days == [(file.day,)]


def test_keys_whose_hashes_are_equal_stay_apart_and_each_is_one_group() -> None:
    keys = {"card": np.array([1, 1, 1, 1, 2]), "peer": np.array([7, 7, 8, 7, 7])}
    how = {"calls": MergeOperation.SUM, "first": MergeOperation.MIN, "last": MergeOperation.MAX}
    values = {name: np.array([1, 2, 4, 8, 16]) for name in how}
    found = grouped(np.array([5, 5, 5, 5, 0]), keys, values, how)
    assert found.keys["card"].tolist() == [2, 1, 1]
    assert found.keys["peer"].tolist() == [7, 7, 8]
    assert [column.tolist() for column in found.values.values()] == [[16, 11, 4], [16, 1, 4], [16, 8, 4]]


def test_groups_of_two_sources_are_merged_though_keys_share_a_hash() -> None:
    how = {"calls": MergeOperation.SUM, "sent": MergeOperation.SUM, "first": MergeOperation.MIN}
    one = grouped(
        np.zeros(3, np.int64),
        {"peer": np.array([7, 8, 7])},
        {"calls": np.array([1, 2, 4]), "first": np.array([9, 5, 3])},
        {name: how[name] for name in ("calls", "first")},
    )
    other = Grouped(np.array([0, 1]), {"peer": np.array([7, 9])}, {"sent": np.array([16, 32])})
    found = merged([one, other], how)
    nothing = NOTHING[MergeOperation.MIN]
    assert found.keys["peer"].tolist() == [7, 8, 9]
    assert [column.tolist() for column in found.values.values()] == [[5, 2, 0], [16, 0, 32], [3, 5, nothing]]
