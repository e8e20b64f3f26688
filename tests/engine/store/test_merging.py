"""Sorted files are merged slice by slice into what the declarations of the rollups say."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from duanka.domain.errors import DuankaError
from duanka.domain.rollups import (
    CARD_DAYS,
    CARD_DEVICES,
    CARD_LIFE,
    CARD_PLACES,
    ROLLUPS,
    MergeOperation,
    Rollup,
)
from duanka.domain.schema import TABLES
from duanka.engine.shared.duckdb_database import arrow_schema, parquet
from duanka.engine.sql.rollup_sql import merged_rows
from duanka.engine.store.days import merging, sorted_files
from duanka.engine.store.days.merging import merge_records, merge_rollup
from duanka.engine.store.days.rollup_partials import rollup_schema
from duanka.engine.store.parquet_files import ParquetFile

DAY = date(2026, 3, 9)
_BEGIN = datetime(2026, 3, 9)
_CARDS = (-(1 << 61), -7, 5, 8613800000001, 8613800000002, 8613800000003, (1 << 60) + 1)
_KEYS = {
    "peer": (-(1 << 62) - 7, -9, 110, 8613900000001, 8613900000002),
    "imei": (None, -3, 86000000000001, 86000000000002),
    "cell": (None, 46001, 46002, -4),
    "city": (None, "", "990100", "990200", "香港"),
}


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorted_files, "SLICE_ROWS", 40)
    monkeypatch.setattr(sorted_files, "LEAST_ROWS", 5)


def _key(chance: random.Random, name: str) -> object:
    if name == "day":
        return DAY
    if name == "hour":
        return _BEGIN + timedelta(hours=chance.randrange(3))
    return chance.choice(_KEYS[name])


def _row(chance: random.Random, rollup: Rollup, card: int) -> dict[str, object]:
    row: dict[str, object] = {name: _key(chance, name) for name in rollup.keys if name != "card"}
    for a in rollup.aggregates:
        if a.how is MergeOperation.SUM:
            row[a.name] = chance.choice((0, 1, chance.randrange(1 << 40)))
        else:
            at = _BEGIN + timedelta(microseconds=chance.randrange(86_400_000_000))
            row[a.name] = None if chance.random() < 0.4 else at
    return {"card": card, **row}


def _partials(folder: Path, chance: random.Random, rollup: Rollup, sizes: Sequence[int]) -> list[str]:
    """Sorted files in which keys may stand twice; the first card has most of the rows."""
    paths, schema = [], rollup_schema(rollup)
    for number, size in enumerate(sizes):
        known = (*_CARDS, *(chance.randrange(1 << 40) for _ in range(size // 4)))
        weights = [len(known), *[1] * (len(known) - 1)]
        cards = sorted(chance.choices(known, weights, k=size))
        rows = [_row(chance, rollup, card) for card in cards]
        with ParquetFile(folder / f"{number}.parquet", schema) as file:
            file.add(pa.Table.from_pylist(rows, schema=schema))
        paths.append(f"{number}.parquet")
    return paths


def _all(select: str) -> list[tuple[object, ...]]:
    return duckdb.execute(f"SELECT * FROM ({select}) ORDER BY ALL").fetchall()


@pytest.mark.parametrize("rollup", ROLLUPS.values(), ids=ROLLUPS)
@pytest.mark.parametrize("sizes", [(30,), (4, 300, 1, 90), (60,) * 9], ids=str)
def test_partials_are_merged_as_the_database_merges_them(
    rollup: Rollup, sizes: tuple[int, ...], tmp_path: Path
) -> None:
    partial = CARD_DAYS if rollup is CARD_LIFE else rollup
    paths = _partials(tmp_path, random.Random(str(sizes)), partial, sizes)
    into = tmp_path / "merged.parquet"
    rows = merge_rollup(tmp_path, paths, rollup, into, day=DAY)
    assert _all(f"FROM {parquet([into])}") == _all(
        merged_rows(rollup, parquet(tmp_path / path for path in paths))
    )
    found = pq.read_table(into)
    assert found.schema.equals(rollup_schema(rollup))
    assert found.num_rows == rows
    cards = found["card"].to_numpy()
    assert (np.diff(cards) >= 0).all()


def test_what_was_last_seen_before_is_left_out(tmp_path: Path) -> None:
    paths = _partials(tmp_path, random.Random(3), CARD_DEVICES, (80, 80))
    later = DAY + timedelta(1)
    schema = rollup_schema(CARD_DEVICES)
    seen = {"card": 5, "imei": 1, "first_seen": _BEGIN, "last_seen": _BEGIN + timedelta(1), "events": 1}
    with ParquetFile(tmp_path / "new.parquet", schema) as file:
        file.add(pa.Table.from_pylist([seen], schema=schema))
    into = tmp_path / "merged.parquet"
    merge_rollup(tmp_path, [*paths, "new.parquet"], CARD_DEVICES, into, last_seen_from=later)
    found = pq.read_table(into).to_pylist()
    assert seen in found, "of the first moment that is kept"
    assert {row["last_seen"] for row in found} == {None, seen["last_seen"]}, "when it was seen may be unknown"
    assert not merge_rollup(tmp_path, [], CARD_DEVICES, tmp_path / "none.parquet")


def _calls(chance: random.Random, size: int) -> pa.Table:
    def row(card: int) -> dict[str, object]:
        at = _BEGIN + timedelta(seconds=chance.randrange(86_400))
        choices: dict[str, Sequence[object]] = {
            "peer": (None, *_KEYS["peer"]),
            "direction": ("in", "out"),
            "seconds": (None, 0, 61),
            "answered": (None, True, False),
            "forwarded_from": (None, 8613900000001),
        }
        more = {name: chance.choice(values) for name, values in {**_KEYS, **choices}.items()}
        return {"card": card, "started_at": at, **more}

    schema = arrow_schema(TABLES["calls"])
    rows = [row(chance.choice(_CARDS)) for _ in range(size)]
    rows.sort(key=lambda one: (one["card"], one["started_at"]))
    return pa.Table.from_pylist(
        [{name: one.get(name) for name in schema.names} for one in rows], schema=schema
    )


def test_records_stay_what_they_are_sorted_with_pages_and_full_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "GROUP_ROWS", 64)
    chance, paths = random.Random(7), []
    for number, size in enumerate((200, 3, 90)):
        paths.append(f"{number}.parquet")
        table = _calls(chance, size)
        if number == 1:
            table = table.select(table.schema.names[::-1])  # columns are known by name
        pq.write_table(table, tmp_path / paths[-1])
    into = tmp_path / "merged.parquet"
    assert merge_records(tmp_path, paths, "calls", into) == 293
    names = ", ".join(arrow_schema(TABLES["calls"]).names)
    before = f"SELECT {names} FROM read_parquet({[str(tmp_path / p) for p in paths]}, union_by_name = true)"
    assert _all(f"FROM {parquet([into])}") == _all(before)
    found = pq.ParquetFile(into)
    assert found.schema_arrow.equals(arrow_schema(TABLES["calls"]))
    order = [(row["card"], row["started_at"]) for row in found.read().to_pylist()]
    assert order == sorted(order)
    groups = [found.metadata.row_group(n) for n in range(found.num_row_groups)]
    assert all(group.num_rows % 64 == 0 for group in groups[:-1])
    columns = {c.path_in_schema: c for c in (groups[0].column(n) for n in range(len(found.schema.names)))}
    assert all(column.has_offset_index for column in columns.values())
    assert "DELTA_BINARY_PACKED" in columns["card"].encodings
    assert "RLE_DICTIONARY" in columns["city"].encodings


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    paths = _partials(tmp_path, random.Random(1), CARD_PLACES, (40, 40))
    whole = (tmp_path / paths[1]).read_bytes()
    for content in (whole[:-9], b"\0" * 300 + whole[300:], b""):
        (tmp_path / paths[1]).write_bytes(content)
        with pytest.raises(DuankaError, match=r"is damaged \(1\.parquet\)"):
            merge_rollup(tmp_path, paths, CARD_PLACES, tmp_path / "merged.parquet", day=DAY)
        (tmp_path / "merged.parquet").unlink(missing_ok=True)


def test_files_that_differ_in_what_they_say_of_nulls_are_merged(tmp_path: Path) -> None:
    """The database writes `card` as never NULL, where the store's own files leave it open."""
    schema = rollup_schema(CARD_DEVICES)
    rows = [{"card": 5, "imei": 7, "first_seen": _BEGIN, "last_seen": _BEGIN, "events": 2}]
    strict = schema.set(0, schema.field("card").with_nullable(False))
    for name, kind in (("one", schema), ("other", strict)):
        pq.write_table(pa.Table.from_pylist(rows, kind), tmp_path / f"{name}.parquet")
    merge_rollup(tmp_path, ["one.parquet", "other.parquet"], CARD_DEVICES, tmp_path / "both.parquet")
    assert pq.read_table(tmp_path / "both.parquet").to_pylist() == [{**rows[0], "events": 4}]
