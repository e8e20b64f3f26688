"""A world with victims: what its truth says is in its records, and a world without them is what it was."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from duanka.domain.age_band import age_band_of
from duanka.domain.fraud_kind import FraudKind, fraud_kind_of
from duanka.domain.schema import TABLES
from duanka.simulator import RingOptions, World, simulate
from duanka.simulator.calls import CallRows, WorkedCalls
from duanka.simulator.chance import generator
from duanka.simulator.victims.kinds import SCRIPTS, hours_to_pay
from support.simulator.simulated import read

DAYS = 4
_CODES = pl.col("peer").str.contains(r"^(95\d{3}|1069\d*)$")


def _made(folder: Path, seed: int, **more: object) -> World:
    rings = RingOptions(adversary=2, careful_gangs=1, careful_cards=100)
    return simulate(folder, cards=4_000, days=DAYS, seed=seed, fraud_share=0.06, rings=rings, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return _made(tmp_path_factory.mktemp("victims") / "w", 3, victims=True)


@pytest.fixture(scope="module")
def victims(world: World) -> pl.DataFrame:
    return read(world, "truth_victims")


@pytest.fixture(scope="module")
def contacts(world: World, victims: pl.DataFrame) -> pl.DataFrame:
    """Calls between victims and the gang's cards, as the gang's cards have them."""
    pairs = victims.explode("fraud_cards").rename({"fraud_cards": "card", "victim": "peer"})
    return read(world, "calls").join(pairs, on=["card", "peer"])


def test_the_same_arguments_give_the_same_victims_and_others_give_others(
    world: World, victims: pl.DataFrame, tmp_path: Path
) -> None:
    again = _made(tmp_path / "again", 3, victims=True)
    for table in ("truth_victims", "truth_contacts", "calls", "messages", "cards", "cases", "complaints"):
        assert_frame_equal(read(world, table), read(again, table))
    assert len(victims) > 30
    without = _made(tmp_path / "without", 3)
    assert not (without.out / "truth_victims.parquet").exists()
    assert read(without, "truth").equals(read(world, "truth"))
    for table in ("sightings", "data_days"):
        assert_frame_equal(read(without, table), read(world, table))
    assert read(without, "cards").columns == [c for c in read(world, "cards").columns if c != "age_band"]


def test_every_victim_was_called_by_each_card_that_the_truth_names(
    victims: pl.DataFrame, contacts: pl.DataFrame
) -> None:
    named = victims.explode("fraud_cards").select("victim", card="fraud_cards")
    met = contacts.select("card", victim="peer").unique()
    assert named.join(met, on=["card", "victim"], how="anti").is_empty()
    assert named.height == met.height, "no card twice"


def test_work_begins_with_an_answered_call_of_a_gangs_card(
    victims: pl.DataFrame, contacts: pl.DataFrame
) -> None:
    begun = contacts.filter(
        (pl.col("started_at") == pl.col("worked_on_at")) & pl.col("answered") & (pl.col("direction") == "out")
    )
    assert sorted(begun["peer"]) == sorted(victims["victim"])
    gangs = begun.group_by("peer").agg(pl.col("gang").n_unique())
    assert gangs["gang"].max() == 1


def test_victims_are_honest_persons_of_the_province_or_from_elsewhere(
    world: World, victims: pl.DataFrame
) -> None:
    truth = read(world, "truth").join(victims, left_on="card", right_on="victim")
    assert not truth["fraud"].any()
    assert sorted(truth["card"]) == sorted(victims.filter("ours")["victim"])
    assert victims["victim"].n_unique() == victims.height
    gang = read(world, "truth").select("card", true_gang="gang")
    cards = victims.explode("fraud_cards").join(gang, left_on="fraud_cards", right_on="card")
    assert (cards["gang"] == cards["true_gang"]).all()


def test_who_pays_does_so_after_the_work_began_and_the_others_never(victims: pl.DataFrame) -> None:
    pays = victims.filter(pl.col("how") == "pays")
    assert (pays["would_pay_at"] > pays["worked_on_at"]).all()
    assert (
        victims.filter(pl.col("how") != "pays")["would_pay_at"].null_count() == victims.height - pays.height
    )
    assert set(victims["how"]) == {"pays", "doubts", "family"}


def test_codes_come_to_those_of_the_province_who_pay(world: World, victims: pl.DataFrame) -> None:
    last = read(world, "calls")["started_at"].max()
    assert last is not None
    pays = victims.filter(pl.col("ours") & (pl.col("would_pay_at") < last - timedelta(hours=1)))  # type: ignore[operator]
    codes = read(world, "messages").filter(_CODES & (pl.col("direction") == "in"))
    near = pays.join(codes, left_on="victim", right_on="card").filter(
        (pl.col("sent_at") - pl.col("would_pay_at")).abs() < timedelta(minutes=41)
    )
    share = near["victim"].n_unique() / pays.height
    assert 0.5 < share < 0.95, "most, not all: some pay with what no message announces"


def test_a_message_before_the_call_says_nothing_of_who_will_be_talked_round(
    world: World, victims: pl.DataFrame
) -> None:
    """A gang texts the same share of all whom it dials."""
    callers = read(world, "truth").filter("fraud").select("card", gang_name="gang")
    texted = read(world, "messages").filter(direction="out").select("card", "peer").unique()
    dialled = read(world, "calls").filter(direction="out").join(callers, on="card")
    dialled = dialled.filter(pl.col("peer").str.len_chars() > 10).unique(["card", "peer"])
    by_gang = (
        dialled.join(texted.with_columns(texted=True), on=["card", "peer"], how="left")
        .group_by(gang="gang_name")
        .agg(pl.col("texted").fill_null(value=False).mean())
    )
    shares = by_gang.join(victims.select("gang", "fraud_kind").unique(), on="gang")
    expected = [SCRIPTS[FraudKind(kind)].text_first for kind in shares["fraud_kind"]]
    assert shares["texted"].to_list() == pytest.approx(expected, abs=0.12)
    assert max(expected) > 0.05


def test_two_cards_never_talk_to_one_victim_at_a_time(contacts: pl.DataFrame) -> None:
    worked = contacts.filter("answered").sort("peer", "started_at")
    end = pl.col("started_at") + pl.duration(seconds=pl.col("seconds"))
    same = pl.col("peer") == pl.col("peer").shift(-1)
    assert worked.filter(same & (end > pl.col("started_at").shift(-1))).is_empty()


def test_a_gangs_card_has_no_other_call_while_it_works_on_somebody(
    world: World, contacts: pl.DataFrame
) -> None:
    end = pl.col("started_at") + pl.duration(seconds=pl.col("seconds"))
    worked = contacts.filter("answered").select("card", "peer", begun="started_at", end=end)
    others = read(world, "calls").filter("answered").select("card", "started_at", last=end, who="peer")
    both = worked.join(others, on="card").filter(
        (pl.col("started_at") <= pl.col("end")) & (pl.col("last") >= pl.col("begun"))
    )
    assert both.height >= worked.height, "each meets itself"
    assert both.filter(pl.col("who") != pl.col("peer")).is_empty()


def test_honest_contacts_of_a_gangs_card_are_told_and_are_no_victims(
    world: World, victims: pl.DataFrame
) -> None:
    others = read(world, "truth_contacts")
    assert set(others["why"]) == {"dropped_out", "patient", "called_back", "family", "former_friend"}
    assert not set(others["card"]) & set(victims["victim"])
    calls = read(world, "calls").select("card", fraud_card="peer").unique()
    assert others.join(calls, on=["card", "fraud_card"], how="anti").is_empty()


@pytest.mark.parametrize("table", ["cards", "cases", "complaints"])
def test_registers_have_all_columns_with_values_that_are_known(world: World, table: str) -> None:
    frame = read(world, table)
    there = [column.name for column in TABLES[table].columns if column.name != "signed_by"]
    assert frame.columns == there
    for name, known in (("age_band", age_band_of), ("fraud_kind", fraud_kind_of)):
        if name in there:
            assert frame[name].null_count() < frame.height
            assert all(known(text) for text in frame[name].drop_nulls())
    if table == "complaints":
        assert set(frame["indicator_kind"].drop_nulls()) == {"host", "number", "account"}
        assert (frame["indicator"].is_null() == frame["indicator_kind"].is_null()).all()


def test_a_gang_works_one_kind_of_fraud_and_its_cases_say_no_other(
    world: World, victims: pl.DataFrame
) -> None:
    kinds = victims.group_by("gang").agg(pl.col("fraud_kind").unique())
    assert kinds["fraud_kind"].list.len().max() == 1
    cases = read(world, "cases").join(read(world, "truth"), on="card").drop_nulls("fraud_kind")
    both = cases.join(kinds.explode("fraud_kind"), on="gang", suffix="_true")
    assert both.height
    assert (both["fraud_kind"] == both["fraud_kind_true"]).all()


@pytest.mark.parametrize("level", [1, 3, 5])
def test_gangs_of_every_level_of_care_work_on_people(level: int, tmp_path: Path) -> None:
    rings = RingOptions(adversary=level, careful_gangs=1, careful_cards=200)
    made = simulate(tmp_path / "w", cards=3_000, days=3, seed=9, fraud_share=0, rings=rings, victims=True)
    victims = read(made, "truth_victims")
    assert victims.height >= 5
    assert set(victims["gang"]) == {f"L{level}-01"}
    named = victims.explode("fraud_cards").select("victim", card="fraud_cards")
    calls = read(made, "calls").filter(pl.col("direction") == "out").select("card", victim="peer").unique()
    assert named.join(calls, on=["card", "victim"], how="anti").is_empty()


def test_half_would_pay_within_four_hours_and_nine_of_ten_within_two_days() -> None:
    hours = hours_to_pay(20_000, generator(1, 2))
    assert abs(float(np.quantile(hours, 0.5)) - 4) < 0.3
    assert abs(float(np.quantile(hours, 0.9)) - 48) < 4


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 90), st.integers(0, 9)), max_size=12),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=3, unique_by=lambda span: span[1]),
)
@settings(max_examples=60, deadline=None)
def test_what_makes_room_overlaps_no_planned_call(
    rows: list[tuple[int, int, int]], spans: list[tuple[int, int]]
) -> None:
    """Planned calls of 20 seconds at 0, 25, 50, 75; rows are calls of cards 0 to 3."""
    busy = np.array([(card, at * 25, at * 25 + 20) for card, at in spans], dtype=np.int64).reshape(-1, 3).T
    busy = busy[:, np.lexsort((busy[1], busy[0]))]
    card, at, seconds = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    none = np.zeros(len(card), dtype=np.int64)
    out = np.ones(len(card), dtype=np.bool_)
    calls = CallRows(card, none, out, at, seconds, seconds > 0, none)
    no_rows = calls.where(none > 0)
    worked = WorkedCalls(no_rows, np.arange(0), busy, np.zeros((3, 0), dtype=np.int64))
    kept, _ = worked.make_room(calls, none - 1)
    expected = [
        (c, a, s)
        for c, a, s in rows
        if not any(c == own and a <= hi and lo <= a + s for own, lo, hi in busy.T)
    ]
    assert list(zip(kept.card, kept.at, kept.seconds, strict=True)) == expected
