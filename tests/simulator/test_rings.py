"""The gang of the R11 case: its size, boxes, sites, batches, people and stalls, and that it repeats."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from duanka.domain.errors import DuankaError
from duanka.simulator import RingOptions, World, simulate
from duanka.simulator.rings.options import r11_size
from support.simulator.pinned import digest
from support.simulator.simulated import number, read

R11 = RingOptions(gangs="r11", imei_per="port")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return simulate(tmp_path_factory.mktemp("world") / "r11", cards=10_000, days=8, seed=7, rings=R11)


@pytest.fixture(scope="module")
def cards(world: World) -> pl.DataFrame:
    """The register with what is true of its cards."""
    return read(world, "cards").join(read(world, "truth"), on="card")


@pytest.fixture(scope="module")
def calls(world: World) -> pl.DataFrame:
    return read(world, "calls").join(read(world, "truth"), on="card")


def test_a_standard_world_is_what_it_was(tmp_path: Path) -> None:
    world = simulate(tmp_path / "a", cards=1_500, days=3, seed=3)
    assert digest(world) == "ea919fbf750bdd62a5d41a660451b8da8106ed2e527e670ec182f5a8dacf5653"
    assert not (world.out / "truth_devices.parquet").exists()


def test_the_gang_has_the_size_of_the_case_in_a_large_world_and_its_share_in_a_small_one() -> None:
    full, larger, small = r11_size(1_000_000), r11_size(3_000_000), r11_size(50_000)
    assert full == larger
    assert len(full.site_of_box) == 15
    assert full.used[0] + full.stock[0] == 5_800
    assert sum(full.used) + sum(full.stock) == 13_000
    assert 24 <= full.people <= 60
    assert sum(small.used) + sum(small.stock) == 650
    assert len(small.site_of_box) >= 5
    assert len(full.racks) == len(small.racks) == 2


def test_the_truth_says_who_is_what_and_where(world: World, cards: pl.DataFrame) -> None:
    size = r11_size(10_000)
    gang = cards.filter(gang="R11")
    found = dict(gang.group_by("role").len().iter_rows())
    assert found == {
        "box_card": sum(size.used),
        "stock": sum(size.stock),
        "operator": size.operators,
        "minder": size.minders,
        "supplier": size.suppliers,
    }
    assert gang["fraud"].all()
    held = gang.filter(pl.col("role").is_in(["box_card", "stock"]))
    assert dict(held.group_by("site").len().iter_rows()) == {
        "R11-A": size.used[0] + size.stock[0],
        "R11-B": size.used[1] + size.stock[1],
    }
    assert held["batch"].null_count() == 0
    devices = read(world, "truth_devices")
    assert devices["box"].n_unique() == len(size.site_of_box)
    assert set(devices["kind"]) == {"port"}
    assert devices["imei"].n_unique() == devices.height
    stalls = read(world, "truth_outlets").filter(gang="R11")
    assert set(held["outlet"]) == set(stalls["outlet"])
    assert stalls["cards"].sum() == held.height


def test_every_card_in_use_is_seen_and_the_drawer_never(world: World, cards: pl.DataFrame) -> None:
    known = pl.concat([read(world, table).select("card") for table in ("calls", "messages", "sightings")])
    seen = cards.filter(gang="R11").with_columns(seen=pl.col("card").is_in(known["card"].unique().implode()))
    assert number(seen.filter(role="box_card")["seen"].mean()) > 0.97
    assert not seen.filter(role="stock")["seen"].any()
    assert not read(world, "cases").join(seen.filter(role="stock"), on="card").height


def test_a_port_holds_one_card_at_a_time(world: World, calls: pl.DataFrame) -> None:
    boxed = calls.filter(role="box_card")
    devices = read(world, "truth_devices")
    assert boxed["imei"].is_in(devices["imei"].implode()).all()
    dialled = boxed.filter(pl.col("direction") == "out").sort("imei", "started_at")
    end = pl.col("started_at") + pl.duration(seconds="seconds")
    before = dialled.with_columns(
        card_before=pl.col("card").shift(1).over("imei"), end_before=end.shift(1).over("imei")
    ).filter(pl.col("card") != pl.col("card_before"))
    assert before.height > 100
    assert before.filter(pl.col("started_at") < pl.col("end_before")).is_empty()
    turns = dialled.group_by("imei", pl.col("started_at").dt.date()).agg(
        runs=(pl.col("card") != pl.col("card").shift(1)).sum() + 1, cards=pl.col("card").n_unique()
    )
    assert (turns["runs"] == turns["cards"]).all()
    assert number(dialled.group_by("imei").agg(pl.col("card").n_unique())["card"].max()) >= 4


def test_the_ports_of_a_box_have_consecutive_numbers_and_stand_at_their_site(
    world: World, calls: pl.DataFrame
) -> None:
    devices = read(world, "truth_devices").with_columns(serial=pl.col("imei").str.slice(0, 14).cast(pl.Int64))
    steps = devices.sort("serial").group_by("box").agg(pl.col("serial").diff().drop_nulls().unique())
    assert all(step.to_list() == [1] for step in steps["serial"])
    boxed = calls.filter(role="box_card").drop_nulls("city").join(devices, on="imei", suffix="_box")
    assert (boxed["city"] == boxed["city_box"]).all()
    at_work = calls.filter(role="minder", city=boxed["city"].unique()[0]).drop_nulls("cell")
    assert at_work["cell"].is_in(devices["cell"].implode()).any()


def test_one_imei_may_stand_for_a_box(tmp_path: Path) -> None:
    rings = RingOptions(gangs="r11")
    world = simulate(tmp_path / "world", cards=2_000, days=2, seed=4, rings=rings)
    devices = read(world, "truth_devices")
    assert devices.height == devices["box"].n_unique() == len(r11_size(2_000).site_of_box)
    boxed = read(world, "calls").join(read(world, "truth").filter(role="box_card"), on="card")
    assert set(boxed["imei"]) == set(devices["imei"])


def test_batches_are_opened_within_minutes_in_other_peoples_names_with_neighbouring_serials(
    cards: pl.DataFrame,
) -> None:
    held = cards.drop_nulls("batch").sort("batch", "opened_at")
    serial = pl.col("iccid").str.slice(0, 19).cast(pl.Int64)
    batches = held.group_by("batch").agg(
        cards=pl.len(),
        minutes=(pl.col("opened_at").max() - pl.col("opened_at").min()).dt.total_minutes(),
        outlets=pl.col("outlet").n_unique(),
        operators=pl.col("operator").n_unique(),
        roles=pl.col("role").n_unique(),
        near=(serial.diff().abs() <= 3).mean(),
    )
    assert (batches["outlets"] == 1).all()
    assert (batches["operators"] == 1).all()
    assert number(batches["minutes"].max()) < 160
    assert number(batches["cards"].max()) <= 60
    whole = batches.filter(pl.col("cards") >= 10)
    assert number(whole["near"].mean()) > 0.8  # a new delivery begins within some batches
    assert set(whole["roles"]) == {1, 2}  # batches of the drawer alone, and shared with cards in use
    registrants = cards.filter(role="registered_holder")
    assert not registrants["fraud"].any()
    named = held["holder"].is_in(registrants["holder"].implode())
    assert 0.4 < number(named.mean()) < 0.8
    assert number(held.group_by("holder").len()["len"].max()) >= 5


def test_serials_of_an_outlet_rise_with_the_day_of_opening_for_everybody(cards: pl.DataFrame) -> None:
    assert cards["iccid"].n_unique() == cards.height
    assert cards["iccid"].str.contains(r"^8986\d{16}$").all()
    order = cards.filter(kind="voice").sort("operator", "outlet", "opened_at")
    parts = order.with_columns(place=pl.col("iccid").str.slice(9, 10).cast(pl.Int64))
    same = (pl.col("outlet") == pl.col("outlet").shift(1)) & (
        pl.col("operator") == pl.col("operator").shift(1)
    )
    rising = parts.select((pl.col("place") > pl.col("place").shift(1)).filter(same)).to_series()
    assert number(rising.mean()) > 0.97
    neighbours = parts.filter(fraud=False).select((pl.col("place").diff() == 1).filter(same)).to_series()
    assert number(neighbours.mean()) > 0.2  # honest cards have neighbours too


def test_minders_call_the_boxes_and_operators_the_minders(calls: pl.DataFrame, cards: pl.DataFrame) -> None:
    number_of = {
        role: cards.filter(gang="R11", role=role)["card"].implode()
        for role in ("box_card", "minder", "operator", "supplier")
    }

    def called(who: str, whom: str) -> pl.DataFrame:
        theirs = calls.filter(gang="R11", role=who, direction="out")
        return theirs.filter(pl.col("peer").is_in(number_of[whom]))

    tests = called("minder", "box_card")
    assert number(tests["seconds"].max()) <= 12
    assert tests["peer"].n_unique() > 0.3 * len(number_of["box_card"][0])
    assert called("operator", "minder").height > 10
    assert called("operator", "supplier").height + called("supplier", "operator").height > 5
    assert called("operator", "box_card").is_empty()
    sites = set(calls.filter(role="box_card").drop_nulls("cell")["cell"])
    there = calls.filter(gang="R11").drop_nulls("cell").with_columns(on_site=pl.col("cell").is_in(sites))
    share = dict(there.group_by("role").agg(pl.col("on_site").mean()).iter_rows())
    assert share["minder"] > 0.25 > share["operator"]


def test_equal_arguments_give_equal_worlds(tmp_path: Path) -> None:
    def world(name: str, seed: int) -> str:
        return digest(simulate(tmp_path / name, cards=2_000, days=2, seed=seed, rings=R11))

    assert world("a", 3) == world("b", 3) != world("c", 4)


@pytest.mark.parametrize(
    ("cards", "rings", "says"),
    [
        (1_999, R11, "at least 2000"),
        (2_000, RingOptions(gangs="r12"), "standard, r11"),  # type: ignore[arg-type]
        (2_000, RingOptions(gangs="r11", imei_per="card"), "box, port"),  # type: ignore[arg-type]
    ],
)
def test_wrong_options_are_refused(tmp_path: Path, cards: int, rings: RingOptions, says: str) -> None:
    with pytest.raises(DuankaError, match=says):
        simulate(tmp_path / "world", cards=cards, days=1, seed=1, rings=rings)
    assert not (tmp_path / "world").exists()
