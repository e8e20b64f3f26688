"""Rollups: what they count, that partial ones merge, and that narrow or little memory change no hit."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duanka.domain.ports import Silent
from duanka.domain.rollups import CARD_DAYS, ROLLUPS
from duanka.domain.rule import Rule
from duanka.domain.rule_examples import Row, at, calls, data, messages, sighting
from duanka.domain.schema import TABLES
from duanka.engine.batch.duckdb_engine import DuckDBEngine
from duanka.engine.shared.duckdb_database import arrow_rows
from duanka.engine.sql.rollup_sql import merge_sql, rollup_sql, rollups_for
from duanka.rules import RULES

AS_OF = at("2021-05-18 00:00")
DEFAULTS = [(rule, {name: limit.value for name, limit in rule.limits.items()}) for rule in RULES]


def _tables(rows: Sequence[Row]) -> dict[str, list[Row]]:
    tables: dict[str, list[Row]] = {}
    for row in rows:
        tables.setdefault(str(row["table"]), []).append({k: v for k, v in row.items() if k != "table"})
    return tables


def test_card_days_counts_every_kind_of_use(tmp_path: Path) -> None:
    rows = [
        *calls(3, "2021-05-17 09:00", answered=1, seconds=60),
        *calls(2, "2021-05-17 20:00", direction="in", answered=0),
        *messages(2, "2021-05-17 10:00", peers=["95588", "8613900000000"]),
        *messages(1, "2021-05-17 11:00", direction="out"),
        data("2021-05-17", 5),
        sighting("2021-05-17 08:00"),
    ]
    with DuckDBEngine(tmp_path) as engine:
        engine.load_rows(_tables(rows), {}, AS_OF)
        engine._run(
            f"CREATE TABLE d AS {rollup_sql(CARD_DAYS, ('calls', 'messages', 'data_days', 'sightings'))}"
        )
        ((day),) = engine._run("SELECT * FROM d")
    row = dict(zip(CARD_DAYS.columns, day, strict=True))
    counted = {k: row[k] for k in ("calls_out", "calls_in", "answered_out", "unanswered_out", "seconds_out")}
    assert counted == {
        "calls_out": 3,
        "calls_in": 2,
        "answered_out": 1,
        "unanswered_out": 2,
        "seconds_out": 60,
    }
    assert (row["messages_in"], row["codes_in"], row["messages_out"]) == (2, 1, 1)
    assert (row["bytes"], row["sightings"]) == (5_000_000, 1)
    # to be rung in vain is no use, to be sent a message neither
    assert row["last_call"] == at("2021-05-17 09:01")
    assert row["first_message"] == row["last_message"] == at("2021-05-17 11:00")
    assert row["first_data"] == at("2021-05-17 00:00")


@given(
    cuts=st.lists(st.integers(0, 60), max_size=4),
    seed=st.integers(0, 3),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_partial_rollups_of_any_slices_merge(tmp_path: Path, cuts: list[int], seed: int) -> None:
    rows = [
        *calls(30, "2021-05-16 20:00", every=600 + 60 * seed, peers=4, answered=11),
        *messages(20, "2021-05-17 06:00", every=900, peers=["95588", "8613900000000"], direction="out"),
        *calls(11, "2021-05-17 01:00", every=3000, direction="in", answered=5),
    ]
    bounds = [0, *sorted(min(c, len(rows)) for c in cuts), len(rows)]
    with DuckDBEngine(tmp_path, threads=1) as engine:
        of_records = [rollup for rollup in ROLLUPS.values() if rollup.parts[0].source not in ROLLUPS]
        engine.load_rows(_tables(rows), {}, AS_OF)
        whole = {
            rollup.name: engine._run(
                f"SELECT * FROM ({rollup_sql(rollup, ('calls', 'messages'))}) ORDER BY ALL"
            )
            for rollup in of_records
        }
        slices = [(i, rows[a:b]) for i, (a, b) in enumerate(itertools.pairwise(bounds)) if a < b]
        for i, some in slices:
            tables = _tables(some)
            engine.load_rows(tables, {}, AS_OF)
            for rollup in of_records:
                engine._run(f"CREATE TABLE {rollup.name}_{i} AS {rollup_sql(rollup, tuple(tables))}")
        for rollup in of_records:
            partials = [f"SELECT * FROM {rollup.name}_{i}" for i, _ in slices]
            merged = engine._run(f"SELECT * FROM ({merge_sql(rollup, partials)}) ORDER BY ALL")
            assert merged == whole[rollup.name], rollup.name


def _write(tmp_path: Path, rows: Sequence[Row]) -> dict[str, list[Path]]:
    paths: dict[str, list[Path]] = {}
    for name, of_table in _tables(rows).items():
        path = tmp_path / f"{name}.parquet"
        pq.write_table(arrow_rows(TABLES[name], of_table), path)
        paths[name] = [path]
    return paths


def _hits(
    tmp_path: Path, paths: dict[str, list[Path]], *, memory: str, narrowed: bool
) -> list[tuple[object, ...]]:
    columns = {name: frozenset(c.name for c in TABLES[name].columns) for name in paths}
    with DuckDBEngine(tmp_path / "work", memory=memory) as engine:
        engine.load(paths, columns, {}, AS_OF)
        engine.build(DEFAULTS, Silent(), narrowed=narrowed)
        for rule, limits in DEFAULTS:
            engine.run(rule, limits)
        return engine._run("SELECT * FROM hits ORDER BY ALL")


@pytest.fixture(scope="module")
def examples() -> list[Row]:
    """The record examples of all rules in one world, each card under a number of its own."""
    rows: list[Row] = []
    for i, example in enumerate(e for rule in RULES for e in rule.flags + rule.spares):
        for name, of_table in example.tables.items():
            rows += [{"table": name, **row, "card": f"{i:04}{row['card']}"} for row in of_table]
    return rows


def test_narrowed_or_whole_the_hits_are_the_same(tmp_path: Path, examples: list[Row]) -> None:
    paths = _write(tmp_path, examples)
    narrowed = _hits(tmp_path, paths, memory="500MB", narrowed=True)
    assert narrowed == _hits(tmp_path, paths, memory="500MB", narrowed=False)
    assert len({rule for _, rule, *_ in narrowed}) >= 15


def test_little_memory_changes_no_hit(tmp_path: Path) -> None:
    paths = _write(tmp_path, calls(90, "2021-05-17 09:00", every=30, peers=90, answered=4))
    many = """
        SELECT 8613800000000 + i % 30011 AS card, 8613900000000 + (i * 7919) % 90001 AS peer,
               if(i % 3 > 0, 'out', 'in') AS direction,
               TIMESTAMP '2021-05-10' + to_microseconds(i * 1700000) AS started_at, i % 90 AS seconds,
               i % 4 = 0 AS answered, 35000000000000 + i % 20011 AS imei, i % 501 AS cell,
               '990100' AS city
        FROM range(300_000) AS t(i)
    """
    with duckdb.connect() as db:
        few = f"FROM read_parquet('{paths['calls'][0]}')"
        db.execute(f"COPY ({few} UNION ALL BY NAME {many}) TO '{tmp_path / 'many.parquet'}'")
    paths = {"calls": [tmp_path / "many.parquet"]}
    assert _hits(tmp_path, paths, memory="60MB", narrowed=True) == _hits(
        tmp_path, paths, memory="1GB", narrowed=True
    )


def test_only_what_is_read_is_built() -> None:
    lean = {r.name: [a.name for a in r.aggregates] for r in rollups_for([_rule("over_frequency")])}
    assert lean == {"card_days": ["calls_out"], "card_hours": ["calls_out", "answered_out"]}
    assert [p.source for r in rollups_for([_rule("over_frequency")]) for p in r.parts] == ["calls", "calls"]


def _rule(rule_id: str) -> Rule:
    return next(rule for rule in RULES if rule.id == rule_id)
