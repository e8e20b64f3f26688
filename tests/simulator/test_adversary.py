"""Careful gangs: each level does what its knobs say, and leaves what survives them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest

from duanka.domain.errors import DuankaError
from duanka.simulator import RingOptions, World, simulate
from duanka.simulator.chance import generator
from duanka.simulator.limits import NO_LIMIT, Limits
from duanka.simulator.rings.knobs import CARELESS, LEVELS, Knobs, draw_care
from support.simulator.pinned import digest
from support.simulator.simulated import number, read

DAYS, SEED = 8, 5


class Level(NamedTuple):
    """A world of one level, with the tables that the tests ask for."""

    world: World
    cards: pl.DataFrame
    calls: pl.DataFrame  # of cards in boxes

    def per_day(self) -> pl.DataFrame:
        """Outgoing calls of each card and day."""
        out = self.calls.filter(direction="out")
        return out.group_by("gang", "card", day=pl.col("started_at").dt.date()).agg(
            calls=pl.len(), unanswered=(~pl.col("answered")).sum(), connected=pl.col("answered").sum()
        )


@pytest.fixture(scope="module")
def level(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Level]:
    """Return a function that makes the world of a level, once."""
    made: dict[int, Level] = {}

    def one(which: int) -> Level:
        if which not in made:
            rings = RingOptions(adversary=which, careful_gangs=2, careful_cards=150, bridged=0.3)
            folder = tmp_path_factory.mktemp("world") / str(which)
            world = simulate(folder, cards=3_000, days=DAYS, seed=SEED, fraud_share=0.0, rings=rings)
            truth = read(world, "truth")
            boxed = truth.filter(role="box_card")
            calls = read(world, "calls").join(boxed, on="card")
            made[which] = Level(world, read(world, "cards").join(truth, on="card"), calls)
        return made[which]

    return one


@pytest.mark.parametrize("which", LEVELS)
def test_gangs_have_the_size_asked_for_and_their_cards_are_seen(
    level: Callable[[int], Level], which: int
) -> None:
    found = level(which)
    gangs = found.cards.filter("fraud").group_by("gang").agg(pl.len(), pl.col("role").unique()).sort("gang")
    assert gangs["gang"].to_list() == [f"L{which}-01", f"L{which}-02"]
    assert gangs["len"].to_list() == [150, 150]
    assert set(gangs["role"][0]) == {"box_card", "stock", "operator", "minder", "supplier"}
    boxed = found.cards.filter(role="box_card")
    assert found.calls["card"].n_unique() > 0.95 * boxed.height
    devices = read(found.world, "truth_devices")
    assert found.calls["imei"].is_in(devices["imei"].implode()).all()
    assert set(devices["kind"]) == ({"card"} if which >= 4 else {"port"})


def test_counters_leave_a_spike_and_none_is_passed(level: Callable[[int], Level]) -> None:
    def top(which: int, column: str) -> tuple[float, int]:
        first = level(which).per_day().filter(gang=f"L{which}-01")[column]
        counts = first.value_counts(sort=True)["count"]
        return number(counts[0]) / len(first), int(number(first.max()))

    def spike(which: int) -> float:
        return max(top(which, column)[0] for column in ("calls", "unanswered", "connected"))

    assert spike(1) < 0.1
    assert spike(2) > 0.2
    assert spike(3) > 0.2
    assert top(1, "calls")[1] > 150
    assert top(2, "calls")[1] <= 90


def test_from_level_three_cards_go_from_city_to_city_and_call_one_another(
    level: Callable[[int], Level],
) -> None:
    def cities(which: int) -> float:
        known = level(which).calls.drop_nulls("city").group_by("card").agg(pl.col("city").n_unique())
        return number((known["city"] > 1).mean())

    def among(which: int) -> pl.DataFrame:
        calls = level(which).calls
        own = calls.select(peer="card", peer_gang="gang").unique()
        return calls.filter(direction="out").join(own, on="peer").filter(gang=pl.col("peer_gang"))

    assert cities(2) == 0.0
    assert cities(3) > 0.5
    assert among(3).height > 3 * among(2).height
    answered = among(3).filter("answered", gang="L3-01")["seconds"]
    assert number(answered.quantile(0.9)) - number(answered.quantile(0.1)) < 90  # between two close bounds
    texts = read(level(3).world, "messages").join(level(3).cards.filter(role="box_card"), on="card")
    assert texts.filter(direction="out").height > 0


def test_levels_three_and_below_keep_the_ports_imei_and_four_changes_it_with_the_card(
    level: Callable[[int], Level],
) -> None:
    def sharing(which: int) -> float:
        return number(level(which).calls.group_by("imei").agg(pl.col("card").n_unique())["card"].max())

    assert sharing(3) > 2
    assert sharing(4) == 1


def test_level_five_looks_like_people_and_shares_no_batch(level: Callable[[int], Level]) -> None:
    four, five = level(4), level(5)
    assert number((five.calls["direction"] == "in").mean()) > 3 * number(
        (four.calls["direction"] == "in").mean()
    )
    assert number(five.per_day()["calls"].median()) < 20
    held = five.cards.drop_nulls("batch").filter(gang="L5-01")
    assert held["batch"].is_unique().all()
    assert held["outlet"].n_unique() > 20
    gaps = held.sort("opened_at")["opened_at"].diff().dt.total_minutes()
    assert number(gaps.median()) > 60
    assert number(held.group_by("holder").len()["len"].max()) >= 2
    assert read(five.world, "truth_outlets").is_empty()
    assert read(four.world, "truth_outlets").height > 0


def test_cards_of_one_box_attach_within_the_same_minute(level: Callable[[int], Level]) -> None:
    found = level(5)  # whose boxes are switched on once a day
    seen = read(found.world, "sightings").join(found.cards.filter(role="box_card"), on="card")
    day = pl.col("seen_at").dt.date().alias("day")
    minutes = seen.group_by("box", day, pl.col("seen_at").dt.truncate("1m")).agg(pl.col("card").n_unique())
    busiest = minutes.group_by("box", "day").agg(pl.col("card").max())
    whole = seen.group_by("box", day).agg(cards=pl.col("card").n_unique())
    share = busiest.join(whole, on=["box", "day"]).select(pl.col("card") / pl.col("cards")).to_series()
    assert number(share.median()) > 0.4


def test_a_port_holds_one_card_at_a_time_while_its_cards_travel(level: Callable[[int], Level]) -> None:
    for which in (2, 3):
        dialled = level(which).calls.filter(direction="out").sort("imei", "started_at")
        runs = dialled.group_by("imei", pl.col("started_at").dt.date()).agg(
            runs=(pl.col("card") != pl.col("card").shift(1)).sum() + 1, cards=pl.col("card").n_unique()
        )
        assert (runs["runs"] == runs["cards"]).all()
        assert number(runs["cards"].max()) > 1


def test_bridges_are_what_the_truth_says(level: Callable[[int], Level]) -> None:
    found = level(4)
    gang = found.cards.filter("fraud")
    bridged = gang.drop_nulls("bridge")
    assert 0.2 < bridged.height / gang.height < 0.4
    assert set(bridged["bridge"]) == {"document", "friend", "device"}
    honest = found.cards.filter(~pl.col("fraud"))
    documents = bridged.filter(bridge="document")
    assert documents["holder"].is_in(honest["holder"].implode()).all()
    lent = bridged.filter(bridge="device")
    seen = read(found.world, "sightings").join(honest.select("card"), on="card")
    imeis = found.calls.filter(pl.col("card").is_in(lent["card"].implode()))["imei"].unique()
    assert seen.filter(pl.col("imei").is_in(imeis.implode())).height > 0.5 * lent.height
    friends = found.calls.join(bridged.filter(bridge="friend").select("card"), on="card")
    assert friends.filter(pl.col("peer").is_in(honest["card"].implode())).height > 0


def test_levels_draw_knobs_from_none_to_all() -> None:
    care = {which: draw_care(which, generator(1, which)) for which in LEVELS}
    assert care[1] == CARELESS
    assert CARELESS.knobs == Knobs()
    for which in LEVELS[1:]:
        knobs = care[which].knobs
        counters = (
            "calls",
            "connected",
            "minutes",
            "short_calls",
            "unanswered",
            "failed",
            "messages",
            "online",
        )
        assert sum(getattr(knobs, name) is not None for name in counters) == 3
        assert bool(knobs.rotate) == bool(knobs.own_calls) == (which >= 3)
        assert knobs.new_imei == (which >= 4)
        assert care[which].people_like == (which >= 5)


def test_each_counter_ends_a_cards_day_when_it_is_reached() -> None:
    card = np.array([0, 0, 0, 0, 0, 1, 1])
    out = np.ones(7, dtype=np.bool_)
    seconds = np.array([0, 0, 8, 0, 60, 0, 5])
    answered = seconds > 0
    none = np.array([NO_LIMIT])

    def kept(**limit: int) -> list[bool]:
        rows = dict.fromkeys(("calls", "connected", "seconds", "short", "unanswered", "in_a_row"), none)
        rows |= {name: np.array([value]) for name, value in limit.items()}
        limits = Limits(np.array([0, -1]), **rows, short_seconds=10)
        return list(limits.allowed(card, out, seconds, answered))

    unlimited = [True, True]  # card 1 has no counter
    assert kept() == [True] * 7
    assert kept(calls=3) == [True, True, True, False, False, *unlimited]
    assert kept(connected=1) == [True, True, True, False, False, *unlimited]
    assert kept(seconds=8) == [True, True, True, False, False, *unlimited]
    assert kept(seconds=9) == [True] * 7
    assert kept(short=1) == [True, True, True, False, False, *unlimited]
    assert kept(unanswered=3) == [True, True, True, True, False, *unlimited]
    assert kept(in_a_row=2) == [True, True, False, False, False, *unlimited]
    assert kept(in_a_row=3) == [True] * 7


def test_one_knob_can_be_turned_by_itself(tmp_path: Path) -> None:
    def boxed(name: str, knobs: Knobs) -> tuple[World, pl.DataFrame]:
        rings = RingOptions(adversary=2, careful_gangs=1, careful_cards=60, knobs=knobs)
        world = simulate(tmp_path / name, cards=2_000, days=3, seed=3, fraud_share=0.0, rings=rings)
        return world, read(world, "truth").filter(role="box_card")

    world, cards = boxed("messages", Knobs(messages_first=9.0, messages=4))
    texts = read(world, "messages").filter(direction="out").join(cards, on="card")
    assert texts.group_by("card", pl.col("sent_at").dt.date()).len()["len"].max() == 4
    first = read(world, "calls").filter(direction="out").join(cards, on="card")
    begun = first.group_by("card", day=pl.col("started_at").dt.date()).agg(pl.col("started_at").min())
    both = begun.join(texts.with_columns(day=pl.col("sent_at").dt.date()), on=["card", "day"])
    assert number((both["sent_at"] < both["started_at"]).mean()) > 0.9

    world, cards = boxed("online", Knobs(online=40))
    used = read(world, "calls").filter(direction="out").join(cards, on="card")
    spans = used.group_by("card", pl.col("started_at").dt.date()).agg(
        minutes=(pl.col("started_at").max() - pl.col("started_at").min()).dt.total_minutes()
    )
    assert 30 < number(spans["minutes"].max()) <= 40

    world, cards = boxed("imei", Knobs(new_imei=True))
    assert set(read(world, "truth_devices")["kind"]) == {"card"}


def test_careful_worlds_repeat(tmp_path: Path) -> None:
    rings = RingOptions(adversary=5, careful_gangs=1, careful_cards=60, bridged=0.5)
    worlds = [simulate(tmp_path / name, cards=2_000, days=2, seed=3, rings=rings) for name in "ab"]
    assert digest(worlds[0]) == digest(worlds[1])


@pytest.mark.parametrize(
    ("rings", "says"),
    [
        (RingOptions(adversary=6), "1 to 5"),
        (RingOptions(adversary=1, bridged=1.5), "0 to 1"),
        (RingOptions(adversary=1, careful_cards=59), "60 cards"),
        (RingOptions(adversary=1, careful_gangs=0), "1 gang"),
        (RingOptions(adversary=1, careful_gangs=20), "too many in a world of 2000"),
    ],
)
def test_wrong_options_are_refused(tmp_path: Path, rings: RingOptions, says: str) -> None:
    with pytest.raises(DuankaError, match=says):
        simulate(tmp_path / "world", cards=2_000, days=1, seed=1, rings=rings)
    assert not (tmp_path / "world").exists()
