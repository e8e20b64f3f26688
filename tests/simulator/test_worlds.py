"""A world is whole, repeatable, and in the native format."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import get_args

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from duanka.domain.errors import DuankaError
from duanka.domain.schema import TABLES, ColumnKind
from duanka.simulator import ROLES, Strategy, World, simulate
from support.simulator.simulated import number, read

TYPES: dict[ColumnKind, tuple[pl.DataType, ...]] = {
    ColumnKind.TIME: (pl.Datetime("us"),),
    ColumnKind.DAY: (pl.Date(),),
    ColumnKind.COUNT: (pl.Int64(), pl.Int32()),
    ColumnKind.FLAG: (pl.Boolean(),),
}


@pytest.fixture(scope="module")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return simulate(
        tmp_path_factory.mktemp("world") / "small", cards=8_000, days=5, seed=11, fraud_share=0.05
    )


@pytest.fixture(scope="module")
def truth(small_world: World) -> pl.DataFrame:
    return read(small_world, "truth")


@pytest.fixture(scope="module")
def calls(small_world: World, truth: pl.DataFrame) -> pl.DataFrame:
    """All calls with what is true of their cards."""
    return read(small_world, "calls").join(truth, on="card", how="left")


@pytest.mark.parametrize(
    "table", sorted(TABLES.keys() - {"rings", "outlet_batches"})
)  # made by `duanka links`
def test_tables_have_the_canonical_columns_and_types(small_world: World, table: str) -> None:
    frame = read(small_world, table)
    only_with_victims = {("cards", "age_band"), ("cases", "fraud_kind")}
    only_with_victims |= {("complaints", name) for name in ("indicator_kind", "indicator")}
    not_simulated = {("cases", "signed_by"), *only_with_victims}
    columns = [column for column in TABLES[table].columns if (table, column.name) not in not_simulated]
    assert frame.columns == [column.name for column in columns]
    assert frame.height == small_world.rows[table] > 0
    for column in columns:
        assert frame.schema[column.name] in TYPES.get(column.kind, (pl.String(),))
        if column.required:
            assert frame[column.name].null_count() == 0
        if column.choices:
            assert set(frame[column.name].drop_nulls().unique()) <= set(column.choices)
        assert "" not in frame[column.name].cast(pl.String)
        assert "NaN" not in frame[column.name].cast(pl.String)


def test_numbers_identities_and_devices_are_well_formed(small_world: World) -> None:
    cards = read(small_world, "cards")
    assert cards["card"].n_unique() == cards["imsi"].n_unique() == cards["iccid"].n_unique() == cards.height
    assert cards["card"].str.contains(r"^861\d{10}$").all()
    resale = cards.filter("virtual_operator")["card"].str.slice(2, 3)
    assert set(resale) <= {"162", "165", "167", "170", "171"}
    assert cards["holder"].str.contains(r"^[0-9a-f]{32}$").all()
    calls = read(small_world, "calls")
    assert calls["imei"].str.contains(r"^\d{15}$").all()
    assert calls["peer"].str.contains(r"^\d{3,15}$").all()
    assert calls["city"].drop_nulls().str.contains(r"^\d{6}$").all()
    assert all(_luhn(imei) for imei in calls["imei"].unique().sort()[:200])


def _luhn(imei: str) -> bool:
    digits = [int(digit) for digit in imei]
    doubled = [sum(divmod(2 * digit, 10)) if place % 2 else digit for place, digit in enumerate(digits)]
    return sum(doubled) % 10 == 0


def test_equal_arguments_give_equal_worlds_and_another_seed_another(tmp_path: Path) -> None:
    def world(name: str, seed: int) -> World:
        return simulate(tmp_path / name, cards=1_500, days=3, seed=seed, fraud_share=0.3)

    first, again, other = world("a", 3), world("b", 3), world("c", 4)
    assert first.rows == again.rows
    for table in first.rows:
        assert_frame_equal(read(first, table), read(again, table))
        if table != "outlets":  # shops stand where the number of cards puts them
            assert not read(first, table).equals(read(other, table))
    assert (first.out / "world.toml").read_bytes() == (again.out / "world.toml").read_bytes()


def test_both_sides_of_a_call_between_own_cards_stand_in_the_records(calls: pl.DataFrame) -> None:
    own = calls.filter(pl.col("peer").is_in(calls["card"].unique().implode()))
    same = ["started_at", "seconds", "answered"]
    seen = own.select("card", "peer", "direction", *same)
    other = own.select(
        pl.col("peer").alias("card"),
        pl.col("card").alias("peer"),
        pl.col("direction").replace({"out": "in", "in": "out"}),
        *same,
    )
    assert seen.height > 2_000
    assert_frame_equal(seen, other, check_row_order=False)


def test_no_peer_is_an_own_number_without_its_row(small_world: World, calls: pl.DataFrame) -> None:
    cards = read(small_world, "cards")["card"]
    with_row = set(calls.select("card", "peer").iter_rows())
    own = calls.filter(pl.col("peer").is_in(cards.implode())).select("peer", "card")
    assert set(own.iter_rows()) <= with_row


def test_calls_lie_within_the_window_and_after_the_card_was_opened(
    small_world: World, calls: pl.DataFrame
) -> None:
    opened = read(small_world, "cards").select("card", "opened_at")
    assert calls.join(opened, on="card").filter(pl.col("started_at") < pl.col("opened_at")).is_empty()
    assert calls["started_at"].dt.date().is_between(date(2021, 5, 2), date(2021, 5, 7)).all()
    assert calls.filter(~pl.col("answered"))["seconds"].max() == 0


def test_a_card_dials_one_call_at_a_time(calls: pl.DataFrame) -> None:
    dialled = calls.filter(pl.col("direction") == "out").sort("card", "started_at")
    end = (pl.col("started_at") + pl.duration(seconds="seconds")).shift(1).over("card")
    overlapping = dialled.filter(pl.col("started_at") < end).height
    assert overlapping < 0.002 * dialled.height  # mirrored calls may still overlap now and then


def test_registers_before_the_window(small_world: World, truth: pl.DataFrame) -> None:
    cards = read(small_world, "cards").join(truth, on="card")
    start = pl.datetime(2021, 5, 3)
    inside = cards.filter(pl.col("opened_at") >= start)
    assert inside["last_used_at"].null_count() == inside.height > 0
    before = cards.filter(pl.col("opened_at") < start)
    assert before["last_used_at"].null_count() < 0.03 * before.height
    assert before.filter(
        (pl.col("last_used_at") < pl.col("opened_at")) | (pl.col("last_used_at") >= start)
    ).is_empty()
    unused = before.filter(pl.col("role") == "unused_stock").drop_nulls("last_used_at")
    assert (unused["last_used_at"] == unused["opened_at"]).all()
    assert cards["verified_at"].null_count() < 0.12 * cards.height
    outlets = read(small_world, "outlets")["outlet"]
    assert cards["outlet"].is_in(outlets.implode()).all()


def test_only_cards_of_gangs_are_confirmed_by_the_police(small_world: World, truth: pl.DataFrame) -> None:
    cases = read(small_world, "cases").join(truth, on="card", how="left")
    assert cases["fraud"].all()
    assert 0.02 < cases["card"].n_unique() / truth["fraud"].sum() < 0.07
    complaints = read(small_world, "complaints").join(truth, on="card", how="left")
    assert number(complaints["fraud"].mean()) > 0.6


@pytest.mark.parametrize(
    ("strategy", "kinds"), [("naive", {"naive"}), ("evasive", {"evasive"}), ("mixed", None)]
)
def test_strategies(tmp_path: Path, strategy: Strategy, kinds: set[str] | None) -> None:
    world = simulate(tmp_path / "world", cards=5_000, days=1, seed=1, strategy=strategy)
    gangs = read(world, "truth").filter("fraud")
    assert set(gangs["strategy"]) == (kinds or {"naive", "evasive"})
    assert gangs["gang"].null_count() == 0
    assert gangs.height == 100
    assert world.rows["truth"] == 5_000


@pytest.mark.parametrize(("cards", "days"), [(100, 1), (500, 3), (777, 2)])
@pytest.mark.parametrize("strategy", get_args(Strategy))
def test_tiny_worlds(tmp_path: Path, cards: int, days: int, strategy: Strategy) -> None:
    world = simulate(tmp_path / "world", cards=cards, days=days, seed=2, strategy=strategy)
    assert world.rows["cards"] == world.rows["truth"] == cards
    assert world.rows["calls"] > cards
    assert set(read(world, "truth")["role"]) <= set(ROLES)
    assert len(list((world.out / "calls").iterdir())) == days


def test_a_world_without_fraud(tmp_path: Path) -> None:
    world = simulate(tmp_path / "world", cards=400, days=2, seed=2, fraud_share=0.0)
    assert not read(world, "truth")["fraud"].any()
    assert world.rows["cases"] == 0


def test_world_file_brings_arguments_and_area_lists(small_world: World) -> None:
    world = tomllib.loads((small_world.out / "world.toml").read_text(encoding="utf-8"))
    assert (world["seed"], world["cards"], world["days"], world["start"]) == (11, 8_000, 5, date(2021, 5, 3))
    for name in ("high_risk_areas", "fraud_prone_places"):
        for area in world["lists"][name]:
            assert set(area) == {"city", "title", "authority", "since", "until"}
            assert area["since"] <= world["start"] <= area["until"]
            assert "Invented" in area["authority"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"cards": 99}, "at least 100"),
        ({"cards": 10**8}, "at most"),
        ({"days": 0}, "at least 1"),
        ({"strategy": "clever"}, "naive, evasive, mixed"),
        ({"fraud_share": 0.9}, "0 to 0.5"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(tmp_path: Path, wrong: dict[str, object], says: str) -> None:
    arguments: dict[str, object] = {"cards": 200, "days": 1, "seed": 1} | wrong
    with pytest.raises(DuankaError, match=says) as refused:
        simulate(tmp_path / "world", **arguments)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "world").exists()


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(DuankaError, match="empty"):
        simulate(tmp_path, cards=200, days=1, seed=1)


def test_progress_is_told(tmp_path: Path) -> None:
    class Told:
        def __init__(self) -> None:
            self.steps: list[tuple[str, float, float | None]] = []

        def step(self, what: str, done: float, total: float | None = None) -> None:
            self.steps.append((what, done, total))

    told = Told()
    simulate(tmp_path / "world", cards=200, days=2, seed=1, progress=told)
    assert [step for step in told.steps if step[0] == "inventing calls"] == [
        ("inventing calls", day, 2) for day in (0, 1, 2)
    ]
