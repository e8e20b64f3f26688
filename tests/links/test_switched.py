"""Cards that are switched on in one minute: what a store tells of it, and the card that only a whole ring takes in."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from duanka.domain.ports import Silent
from duanka.domain.record_keys import key_of
from duanka.engine.links.gathered_days import GatheredDays
from duanka.engine.links.shared_things import switched
from duanka.engine.links.source import LinkSource
from duanka.links.graph.graph import LinkGraph, build_graph
from duanka.links.ring.communities import communities
from duanka.links.ring.growth import JOINS, KnownCards
from duanka.links.ring.ring import Ring, Seed, ring_around, ring_taking_in
from support.engine.filled_store import fill
from support.engine.store_deliveries import Row
from support.link_worlds import FactWorld
from support.links.rings_from import from_card, joined

DAY = datetime(2021, 4, 20)
BOX = "46000123"
NONE = FactWorld().evidence().cards["card"].to_numpy()


def seen(card: str, at: timedelta, cell: str) -> Row:
    return {"card": card, "seen_at": DAY + at, "cell": cell, "city": "130100"}


def called(card: str, at: timedelta, cell: str) -> Row:
    fixed = {"peer": "8615900000001", "direction": "out", "seconds": 9, "answered": True, "city": "130100"}
    return {"card": card, "started_at": DAY + at, "cell": cell, **fixed}


def told(folder: Path, calls: Iterable[Row], sightings: Iterable[Row]) -> pl.DataFrame:
    """What a store with these records says of cards that are switched on together."""
    with fill(folder / "store", {"calls": [*calls], "sightings": [*sightings]}).writing(DAY) as writer:
        writer.merge_life()
        writer.commit()
    source = LinkSource(folder / "store", folder / "work", memory="512MB")
    kept = GatheredDays(source, folder / "kept")
    found = pl.DataFrame(switched(source, kept, Silent()))
    source.close()
    return found.filter("switched_on").sort("card")


def test_the_cards_of_a_box_attach_in_one_minute_after_a_night_of_calls(tmp_path: Path) -> None:
    box = [f"86137000000{card:02}" for card in range(6)]
    neighbours = [f"86138000000{card:02}" for card in range(20)]
    calls = [
        called(card, timedelta(hours=6, minutes=3 * k), BOX) for k, card in enumerate([*box, *neighbours])
    ]
    attach = timedelta(hours=8, minutes=53)
    found = told(
        tmp_path, calls, [seen(card, attach + timedelta(seconds=k), BOX) for k, card in enumerate(box)]
    )
    assert found["card"].to_list() == [key_of(card) for card in box]
    minute = int((DAY + attach - datetime(1970, 1, 1)).total_seconds()) // 60
    assert set(found.select("minute", "cards", "usual", "present", "moments").rows()) == {
        (minute, 6, 0.0, 26, 2)
    }


def test_without_sightings_the_first_sign_of_life_of_a_day_is_what_there_is(tmp_path: Path) -> None:
    box = [f"86137000000{card:02}" for card in range(6)]
    calls = [called(card, timedelta(hours=8, seconds=9 * k), BOX) for k, card in enumerate(box)]
    assert told(tmp_path, calls, [])["card"].to_list() == [key_of(card) for card in box]


def meters_and_a_box() -> tuple[LinkGraph, range, range]:
    """A box of thirty cards at the cell of twenty meters, which report at one minute of the day.

    Each card of the box happens to be seen at that minute, on one day or another.
    """
    world = FactWorld()
    box, meters = world.cards(100, 30, days=10), world.cards(500, 20, days=10)
    for day in range(10):
        world.switched_on(box, 540 + 1440 * day, present=300)
        world.switched_on([*meters, *box[3 * day : 3 * day + 3]], 965 + 1440 * day, present=300)
    return build_graph(world.evidence()), range(100, 130), range(500, 520)


def test_whom_chance_puts_into_a_minute_that_is_others_habit_leads_to_none_of_them() -> None:
    graph, box, meters = meters_and_a_box()
    assert joined(from_card(graph, 100)) == set(box)
    assert joined(from_card(graph, 500)) == set(meters)


def test_passengers_of_a_train_are_not_switched_on_together_for_they_are_others_each_day() -> None:
    world, chance = FactWorld(), random.Random(3)
    people = world.cards(100, 400, days=20)
    for day in range(20):
        world.switched_on(chance.sample(people, 60), 510 + 1440 * day, present=5_000)
    graph = build_graph(world.evidence())
    assert joined(from_card(graph, people[0])) == {people[0]}
    assert communities(graph).of_card.max() == -1


def test_cards_that_are_parted_day_by_day_are_known_by_their_crew() -> None:
    world, chance = FactWorld(), random.Random(3)
    crew = world.cards(100, 40, days=8)
    core, moved = crew[:20], crew[20:]
    for day in range(8):
        world.switched_on(core, 540 + 1440 * day, present=100)
        for place in range(5):
            few = [*core[4 * place : 4 * place + 4], *moved[place::5]]
            world.switched_on(few, 541 + 1440 * day, place=8 + place, present=100)
        chance.shuffle(moved)
    assert joined(from_card(build_graph(world.evidence()), moved[0])) == set(crew)


def one_of_many() -> LinkGraph:
    """A box of twelve, and card 100, which was there on three days, with a third of them each day."""
    world = FactWorld()
    cards = world.cards(200, 12, days=10)
    world.cards(100, 1, days=3)
    for day in range(10):
        world.switched_on(cards, 600 + 1440 * day, place=8)
    for day in range(3):
        world.switched_on([100, *cards[4 * day : 4 * day + 4]], 540 + 1440 * day, present=16)
    return build_graph(world.evidence())


def around(graph: LinkGraph, card: int) -> Seed:
    return Seed(str(card), graph.rows_of([card]), NONE)


def rings(cards: Iterable[int]) -> pl.DataFrame:
    return pl.DataFrame(
        [(card, "R00001") for card in cards], schema={"card": pl.Int64, "ring": pl.String}, orient="row"
    )


def certainty(ring: Ring) -> dict[str, float]:
    return dict(ring.joined.select("card", "certainty").iter_rows())


def test_a_card_that_leads_to_nobody_is_found_in_the_ring_that_takes_it_in() -> None:
    graph, ring = one_of_many(), range(200, 212)
    assert ring_around(graph, around(graph, 100), KnownCards()).joined.height == 1
    found = ring_taking_in(graph, around(graph, 100), KnownCards(), rings(ring))
    assert found is not None
    sure = certainty(found)
    assert sure.keys() == {"100", *map(str, ring)}
    assert found.cards.filter("seed")["card"].to_list() == ["100"]
    others = [said for card, said in sure.items() if card != "100"]
    assert JOINS <= min(others) <= max(others) < 0.99  # no surer than that the card is the ring's
    assert set(found.joined.filter(~pl.col("seed"))["by"]) == {"100"}


def test_a_ring_that_would_not_take_the_card_in_is_not_its_ring() -> None:
    world = FactWorld()
    cards = world.cards(200, 12, days=10)
    world.cards(100, 1, days=10)
    for day in range(10):
        world.switched_on([*cards, *([100] if day == 4 else [])], 600 + 1440 * day)
    graph = build_graph(world.evidence())
    assert ring_taking_in(graph, around(graph, 100), KnownCards(), rings(range(200, 212))) is None
    upheld = KnownCards(upheld=graph.rows_of([100]))
    graph = one_of_many()
    assert ring_taking_in(graph, around(graph, 100), upheld, rings(range(200, 212))) is None
    right = KnownCards(upheld=graph.rows_of(range(200, 212)))
    assert ring_taking_in(graph, around(graph, 100), right, rings(range(200, 212))) is None, (
        "they lead to nobody"
    )
