"""Look-alikes and gangs behave as their roles say."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from duanka.simulator import ROLES, World, simulate
from support.simulator.simulated import number, read

LOOK_ALIKES = set(ROLES[: ROLES.index("new_customer") + 1]) - {"person"}


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


def _of(frame: pl.DataFrame, role: str) -> pl.DataFrame:
    return frame.filter(pl.col("role") == role)


def _rate(frame: pl.DataFrame, *, out: bool) -> float:
    return number(frame.filter(pl.col("direction") == ("out" if out else "in"))["answered"].mean())


def test_every_role_is_present(truth: pl.DataFrame) -> None:
    assert set(truth["role"]) == set(ROLES)
    honest = truth.filter(~pl.col("fraud"))
    assert set(honest["role"]) >= LOOK_ALIKES
    assert set(honest["strategy"]) == {"honest"}
    assert honest["gang"].null_count() == honest.height
    assert _of(truth, "person").height > 0.6 * truth.height
    assert "honest" not in truth.filter("fraud")["strategy"]


def test_couriers_and_call_centres_are_answered_and_called_back(calls: pl.DataFrame) -> None:
    for role in ("courier", "driver", "call_centre"):
        rows = _of(calls, role)
        assert _rate(rows, out=True) > 0.5
        assert rows.filter(pl.col("direction") == "in").height > 0.1 * rows.height
        dialled = rows.filter(pl.col("direction") == "out").select("card", "peer")
        back = rows.filter(pl.col("direction") == "in").join(dialled, on=["card", "peer"], how="semi")
        assert back.height > 0.03 * rows.height
    hotline = _of(calls, "hotline")
    assert hotline.filter(pl.col("direction") == "in").height > 0.6 * hotline.height
    assert hotline.group_by("card").agg(pl.col("cell").n_unique())["cell"].max() == 1


def test_sim_boxes_dial_strangers_from_shared_devices(calls: pl.DataFrame) -> None:
    box = _of(calls, "sim_box")
    assert box.filter(pl.col("direction") == "out").height > 0.95 * box.height
    assert _rate(box, out=True) < 0.45
    busy = box.group_by("card").agg(pl.len(), pl.col("cell").n_unique()).filter(pl.col("len") > 50)
    assert number(busy["cell"].max()) <= 2
    sharing = box.group_by("imei").agg(pl.col("card").n_unique())["card"]
    assert number(sharing.max()) >= 4
    gaps = (
        box.filter(pl.col("direction") == "out")
        .sort("card", "started_at")
        .select(
            gap=(pl.col("started_at") - pl.col("started_at").shift(1).over("card")).dt.total_seconds()
            - pl.col("seconds").shift(1).over("card")
        )
    )["gap"]
    assert number(gaps.median()) < 60


def test_two_cards_never_sit_in_one_slot_at_once(calls: pl.DataFrame) -> None:
    box = _of(calls, "sim_box").filter(pl.col("direction") == "out").sort("imei", "started_at")
    changes = box.group_by("imei", day=pl.col("started_at").dt.date(), maintain_order=True).agg(
        runs=(pl.col("card") != pl.col("card").shift(1)).sum() + 1, cards=pl.col("card").n_unique()
    )
    assert number((changes["runs"] == changes["cards"]).mean()) > 0.97


def test_evasive_callers_change_phones_and_cells_and_talk_to_one_another(calls: pl.DataFrame) -> None:
    evasive = _of(calls, "evasive_caller")
    among = evasive.filter(pl.col("peer").is_in(calls.filter("fraud")["card"].unique().implode()))
    assert among.filter(pl.col("direction") == "in").height > 20
    per_day = evasive.group_by("card", pl.col("started_at").dt.date()).len()["len"]
    assert number(per_day.median()) < 60
    assert number(evasive.group_by("card").agg(pl.col("cell").n_unique())["cell"].max()) > 3


def test_bridge_phones_are_on_two_calls_side_by_side(calls: pl.DataFrame) -> None:
    bridge = _of(calls, "bridge_phone").with_columns(
        until=pl.col("started_at") + pl.duration(seconds="seconds")
    )
    said = bridge.filter((pl.col("direction") == "out") & pl.col("answered"))
    heard = bridge.filter(pl.col("direction") == "in")
    pairs = said.join(heard, on="gang", suffix="_ear").filter(
        (pl.col("card") != pl.col("card_ear"))
        & (pl.col("started_at_ear") <= pl.col("started_at"))
        & (pl.col("until_ear") >= pl.col("until"))
        & pl.col("cell").eq_missing(pl.col("cell_ear"))
    )
    assert pairs.select("card", "started_at").n_unique() > 0.8 * said.height > 0


def test_code_receivers_hear_many_platforms_and_say_nothing(
    small_world: World, truth: pl.DataFrame, calls: pl.DataFrame
) -> None:
    messages = read(small_world, "messages").join(truth, on="card")
    received = _of(messages, "code_receiver").filter(pl.col("strategy") == "naive")
    assert set(received["direction"]) == {"in"}
    assert number(received.group_by("card").agg(pl.col("peer").n_unique())["peer"].max()) > 15
    assert received.filter(pl.col("peer").str.starts_with("1069")).height > 0.9 * received.height
    assert _of(calls, "code_receiver").filter(pl.col("strategy") == "naive").is_empty()
    # Shoppers receive many codes too, and live.
    assert _of(messages, "shopper").filter(pl.col("peer").str.starts_with("1069")).height > 1_000
    assert _of(calls, "shopper").height > 1_000


def test_mules_and_border_traders_are_seen_abroad(small_world: World, truth: pl.DataFrame) -> None:
    sightings = read(small_world, "sightings").join(truth, on="card")
    assert number(_of(sightings, "mule_abroad")["city"].is_in(["980101", "980102", "980301"]).mean()) > 0.5
    assert _of(sightings, "border_trader")["city"].str.starts_with("98").any()
    visited = sightings.filter(pl.col("city").is_in(["990201", "990705"]) & ~pl.col("fraud"))
    assert visited.height > 20


def test_machines_honest_and_misused(small_world: World, truth: pl.DataFrame, calls: pl.DataFrame) -> None:
    cards = read(small_world, "cards").join(truth, on="card")
    machines = cards.filter(kind="iot")
    assert set(machines["role"]) == {"honest_iot", "iot_misuse"}
    assert machines["bound_imei"].null_count() == 0
    assert _of(calls, "honest_iot").is_empty()
    assert _of(calls, "iot_misuse").height > 50
    seen = read(small_world, "sightings").join(machines, on="card")
    same = seen.group_by("role").agg((pl.col("imei") == pl.col("bound_imei")).mean())
    shares = dict(same.iter_rows())
    assert shares["honest_iot"] > 0.99
    assert shares["iot_misuse"] == 0.0


def test_sleepers(small_world: World, truth: pl.DataFrame, calls: pl.DataFrame) -> None:
    cards = read(small_world, "cards").join(truth, on="card")
    woken = _of(cards, "resold_dormant").drop_nulls("last_used_at")
    assert woken.height > 0
    assert woken.filter(pl.col("last_used_at") > pl.date(2021, 2, 1)).is_empty()
    assert _of(calls, "resold_dormant").height > 100
    assert _of(calls, "spare_card").is_empty()
    assert _of(calls, "unused_stock").is_empty()


def test_stalls_open_the_gangs_cards(small_world: World, truth: pl.DataFrame) -> None:
    cards = read(small_world, "cards").join(truth, on="card")
    few = _of(cards, "sim_box").group_by("outlet").len()
    assert few.height <= 12
    assert cards.filter(~pl.col("fraud"))["outlet"].is_in(few["outlet"].implode()).any()


@pytest.mark.parametrize("start", [date(2020, 12, 31)])
def test_new_year_brings_new_phones(tmp_path: Path, start: date) -> None:
    def phones(first: date) -> int:
        world = simulate(tmp_path / first.isoformat(), cards=4_000, days=6, seed=9, start=first)
        seen = pl.scan_parquet(world.out / "sightings" / "*.parquet").join(
            pl.scan_parquet(world.out / "truth.parquet").filter(pl.col("role") == "person"), on="card"
        )
        many = seen.group_by("card").agg(pl.col("imei").n_unique().alias("imeis"))
        return int(many.filter(pl.col("imeis") > 1).collect().height)

    assert phones(start) > 2 * phones(date(2021, 5, 3))
