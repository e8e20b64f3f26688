"""Honest look-alikes of links: present in every world with rings, linked like gangs, and honest."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from duanka.simulator import ROLES, RingOptions, World, simulate
from duanka.simulator.look_alikes import LOOK_ALIKE_ROLES
from support.simulator.simulated import number, read

SERIAL = pl.col("iccid").str.slice(0, 19).cast(pl.Int64)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world") / "world"
    return simulate(folder, cards=15_000, days=7, seed=11, fraud_share=0.0, rings=RingOptions(gangs="r11"))


@pytest.fixture(scope="module")
def cards(world: World) -> pl.DataFrame:
    """The register with what is true of its cards."""
    return read(world, "cards").join(read(world, "truth"), on="card")


@pytest.fixture(scope="module")
def calls(world: World) -> pl.DataFrame:
    return read(world, "calls").join(read(world, "truth"), on="card")


@pytest.fixture(scope="module")
def sightings(world: World) -> pl.DataFrame:
    return read(world, "sightings").join(read(world, "truth"), on="card")


def test_every_world_with_rings_has_them_all_and_they_are_honest(tmp_path: Path, cards: pl.DataFrame) -> None:
    small = simulate(tmp_path / "small", cards=2_000, days=1, seed=2, rings=RingOptions(gangs="r11"))
    for known in (read(small, "truth"), cards):
        alike = known.filter(pl.col("role").is_in(LOOK_ALIKE_ROLES))
        assert set(alike["role"]) == set(LOOK_ALIKE_ROLES)
        assert not alike["fraud"].any()
        assert alike["gang"].null_count() == alike["group"].len() == alike.height
        assert alike["group"].null_count() == 0
    assert not set(LOOK_ALIKE_ROLES) & set(ROLES)
    assert number(cards.filter(role="person").height) > 0.6 * cards.height


def test_a_firms_gateway_shares_a_device_and_a_site_and_is_called_back_in_office_hours(
    cards: pl.DataFrame, calls: pl.DataFrame
) -> None:
    gateways = cards.filter(role="firm_gateway")
    assert set(gateways["holder_kind"]) == {"organisation"}
    whole = gateways.group_by("group").agg(pl.len(), pl.col("holder").n_unique(), pl.col("outlet").n_unique())
    assert set(whole["holder"]) == set(whole["outlet"]) == {1}
    assert number(whole["len"].min()) >= 8
    used = calls.filter(role="firm_gateway")
    assert set(used.group_by("group").agg(pl.col("cell").n_unique())["cell"]) == {1}
    incoming = used.filter(direction="in")
    assert 0.2 < incoming.height / used.height < 0.5
    dialled = used.filter(direction="out").select("card", "peer").unique()
    assert incoming.join(dialled, on=["card", "peer"], how="semi").height > 0.2 * incoming.height
    assert number(used["started_at"].dt.hour().is_between(8, 19).mean()) > 0.95
    first = pl.col("imei").str.slice(0, 14).cast(pl.Int64)
    devices = used.group_by("group").agg(
        imeis=pl.col("imei").n_unique(), span=first.max() - first.min(), cards=pl.col("card").n_unique()
    )
    assert devices.filter((pl.col("imeis") > 1) & (pl.col("span") >= pl.col("cards"))).is_empty()
    assert {1} < set(devices["imeis"])  # some boxes show one IMEI, some one for each port


def test_repair_shops_try_many_cards_for_some_minutes(world: World, sightings: pl.DataFrame) -> None:
    phones = read(world, "truth_honest_devices").filter(kind="repair")["imei"]
    tried = sightings.filter(pl.col("imei").is_in(phones.implode()))
    assert not tried["fraud"].any()
    assert number(tried.group_by("imei").agg(pl.col("card").n_unique())["card"].min()) > 5
    stays = tried.group_by("card", "imei", pl.col("seen_at").dt.date()).agg(
        minutes=(pl.col("seen_at").max() - pl.col("seen_at").min()).dt.total_minutes()
    )
    assert number(stays["minutes"].median()) <= 10
    assert number(tried.group_by("imei").agg(pl.col("city").n_unique())["city"].max()) == 1


def test_dormitories_live_in_one_cell_bought_in_autumn_and_call_their_friends(
    cards: pl.DataFrame, calls: pl.DataFrame
) -> None:
    students = cards.filter(role="dormitory")
    homes = students.group_by("group").agg(
        pl.len(), pl.col("outlet").n_unique(), pl.col("home_city").n_unique()
    )
    assert set(homes["outlet"]) == set(homes["home_city"]) == {1}
    assert number(homes["len"].max()) >= 80
    assert set(students["opened_at"].dt.month()) == {9}
    assert set(students["opened_at"].dt.year()) == {2018, 2019, 2020}
    assert students["holder"].n_unique() == students.height
    theirs = calls.filter(role="dormitory")
    assert theirs["imei"].n_unique() >= students.height * 0.9
    night = theirs.filter(pl.col("started_at").dt.hour().is_between(20, 23)).drop_nulls("cell")
    common = (
        night.group_by("group", "cell").len().group_by("group").agg(pl.col("len").max() / pl.col("len").sum())
    )
    assert number(common["len"].min()) > 0.5
    mates = students.select(peer="card", peer_group="group")
    among = theirs.filter(direction="out").join(mates, on="peer").filter(group=pl.col("peer_group"))
    assert among.height > 0.3 * students.height * 7
    back = among.join(among.select(card="peer", peer="card"), on=["card", "peer"], how="semi")
    assert back.height > 0.3 * among.height  # friendship is mutual


def test_crews_are_opened_in_one_afternoon_at_one_stall_and_call_like_anybody(
    cards: pl.DataFrame, calls: pl.DataFrame
) -> None:
    crews = cards.filter(role="crew").sort("group", "opened_at")
    each = crews.group_by("group").agg(
        cards=pl.len(),
        outlets=pl.col("outlet").n_unique(),
        hours=(pl.col("opened_at").max() - pl.col("opened_at").min()).dt.total_hours(),
        near=(SERIAL.diff() <= 2).mean(),
        holders=pl.col("holder").n_unique(),
    )
    assert set(each["outlets"]) == {1}
    assert number(each["cards"].min()) >= 10
    assert number(each["hours"].max()) <= 4
    assert number(each["near"].mean()) > 0.8
    assert (each["holders"] == 1).any()
    assert (each["holders"] == each["cards"]).any()
    share = number((calls.filter(role="crew")["direction"] == "in").mean())
    assert abs(share - number((calls.filter(role="person")["direction"] == "in").mean())) < 0.15


def test_second_hand_phones_pass_from_owner_to_owner_in_turn(world: World, sightings: pl.DataFrame) -> None:
    phones = read(world, "truth_honest_devices").filter(kind="second_hand")["imei"]
    seen = sightings.filter(pl.col("imei").is_in(phones.implode())).sort("imei", "seen_at")
    passed = seen.group_by("imei").agg(
        owners=pl.col("card").n_unique(), runs=(pl.col("card") != pl.col("card").shift(1)).sum() + 1
    )
    assert (passed["owners"] == passed["runs"]).all()
    assert number((passed["owners"] > 1).mean()) > 0.3
    assert number(passed["owners"].max()) <= 4
    assert {"second_hand", "family"} <= set(seen["role"])
    owners = sightings.filter(role="second_hand").group_by("card").agg(pl.col("imei").n_unique())
    assert number((owners["imei"] > 1).mean()) > 0.3  # and have others before and after


def test_meters_have_consecutive_numbers_serials_and_devices_and_report_at_one_minute(
    cards: pl.DataFrame, sightings: pl.DataFrame, calls: pl.DataFrame
) -> None:
    meters = cards.filter(role="meter").sort("card")
    steps = meters.group_by("group").agg(
        card=pl.col("card").cast(pl.Int64).sort().diff().drop_nulls().unique(),
        imei=pl.col("bound_imei").str.slice(0, 14).cast(pl.Int64).sort().diff().drop_nulls().unique(),
        near=(SERIAL.sort().diff() <= 2).mean(),
        hours=(pl.col("opened_at").max() - pl.col("opened_at").min()).dt.total_hours(),
    )
    assert all(step.to_list() == [1] for column in ("card", "imei") for step in steps[column])
    assert number(steps["near"].min()) > 0.95
    assert number(steps["hours"].max()) <= 2
    assert set(meters["kind"]) == {"iot"}
    reports = sightings.filter(role="meter")
    assert reports.height == 7 * meters.height
    moments = reports.group_by("group").agg(pl.col("seen_at").dt.strftime("%H:%M").n_unique())
    assert set(moments["seen_at"]) == {1}
    assert calls.filter(role="meter").is_empty()


def test_cloned_imeis_are_seen_at_once_in_many_cities(world: World, sightings: pl.DataFrame) -> None:
    clones = read(world, "truth_honest_devices").filter(kind="default")["imei"]
    assert clones.len() == 2
    seen = sightings.filter(pl.col("imei").is_in(clones.implode()))
    assert set(seen["role"]) == {"default_imei"}
    at_once = seen.group_by("imei", pl.col("seen_at").dt.truncate("1h")).agg(pl.col("city").n_unique())
    assert number(at_once["city"].max()) >= 3


def test_honest_people_call_numbers_in_common(calls: pl.DataFrame, cards: pl.DataFrame) -> None:
    own = cards["card"].implode()
    dialled = calls.filter(~pl.col("fraud"), direction="out").filter(
        (pl.col("peer").str.len_chars() > 9) & ~pl.col("peer").is_in(own)
    )
    persons = dialled.filter(role="person").unique(["card", "peer"])
    common = persons.filter(pl.len().over("peer") > 1)
    assert 0.2 < common["card"].n_unique() / persons["card"].n_unique() < 0.95
    assert number(common.height / persons.height) < 0.2
    near = common.group_by("peer").agg(pl.len(), pl.col("card").n_unique())
    assert number(near["len"].median()) <= 3  # a neighbourhood's numbers, not hotlines
    for role in ("crew", "dormitory", "firm_gateway"):
        theirs = dialled.filter(role=role).unique(["card", "peer"])
        shared = theirs.filter(pl.len().over("group", "peer") > 1)
        assert shared["card"].n_unique() > 0.6 * theirs["card"].n_unique()


def test_a_cell_that_is_started_again_makes_its_people_attach_within_a_minute(
    sightings: pl.DataFrame,
) -> None:
    night = sightings.filter(pl.col("seen_at").dt.hour().is_between(2, 4) & ~pl.col("fraud"))
    together = night.group_by("cell", pl.col("seen_at").dt.truncate("1m")).agg(
        pl.col("card").n_unique(), people=(pl.col("role") == "person").sum()
    )
    crowd = together.filter(pl.col("card") >= 10)
    assert crowd.height > 0
    assert number(crowd["people"].max()) >= 10


def test_dispatchers_call_their_fleet(calls: pl.DataFrame, cards: pl.DataFrame) -> None:
    drivers = cards.filter(role="fleet").select(peer="card", firm="holder")
    own = cards.filter(role="fleet").select("card", "holder")
    among = calls.filter(role="fleet", direction="out").join(own, on="card").join(drivers, on="peer")
    among = among.filter(pl.col("holder") == pl.col("firm"))
    reach = among.group_by("card").agg(pl.col("peer").n_unique(), pl.col("seconds").max())
    assert number(reach["peer"].max()) >= 15
    assert number(reach.filter(pl.col("peer") >= 15)["seconds"].max()) < 60


def test_students_buy_in_the_autumn_before_the_window(tmp_path: Path) -> None:
    rings = RingOptions(gangs="r11")
    world = simulate(tmp_path / "w", cards=2_000, days=1, seed=2, start=date(2021, 11, 1), rings=rings)
    known = read(world, "cards").join(read(world, "truth"), on="card").filter(role="dormitory")
    assert set(known["opened_at"].dt.year()) <= {2019, 2020, 2021}
    assert known.filter(pl.col("opened_at") >= pl.date(2021, 10, 1)).is_empty()
