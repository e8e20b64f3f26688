"""Numbers in a row: a box of cards that was opened here and there, and devices that were shipped together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from duanka.domain.record_keys import key_of
from duanka.domain.rings import LinkKind
from duanka.engine.links.device_runs import device_runs
from duanka.engine.links.source import LinkSource
from duanka.links.graph.contacts import all_contacts
from duanka.links.graph.graph import LinkGraph, build_graph
from duanka.links.graph.groups import Groups, all_groups
from duanka.links.graph.numbering import serial_runs
from support.engine.filled_store import fill
from support.engine.store_deliveries import Row
from support.link_worlds import LIVED, UNUSED, FactWorld
from support.links.rings_from import from_card, joined

DAY = datetime(2021, 4, 20, 9)
Serial = Callable[[int], str]
Facts = Mapping[str, object]
NONE: Facts = {}


def checked(number: int) -> str:
    """An ICCID of 20 digits, the last a check digit."""
    digits = f"8986011999{number:09}"
    total = sum(sum(divmod(int(one) * (2 - place % 2), 10)) for place, one in enumerate(reversed(digits)))
    return f"{digits}{-total % 10}"


def unchecked(number: int) -> str:
    return f"8986011999{number:010}"


def padded(number: int) -> str:
    return f"8986011999{number:09}F"


def stocked(serial: Serial = checked, shops: int = 20, each: int = 40) -> FactWorld:
    """Shops that sell their deliveries in turn, a card a day; every 13th card was replaced by one of another shop's."""
    world = FactWorld()
    for shop in range(shops):
        cards = world.cards(10_000 + 100 * shop, each, **LIVED)
        for place, card in enumerate(cards):
            world.opened([card], f"S{shop}", DAY - timedelta(days=each - place), 0)
            elsewhere = place % 13 == 5
            number = ((shop + 7) % shops if elsewhere else shop) * 100 + place + (each if elsewhere else 0)
            world._cards[card]["iccid"] = serial(number)
    return world


def boxed(world: FactWorld, serial: Serial = checked, facts: Facts = NONE) -> list[int]:
    """A box of serials in a row, opened one by one at six shops in three weeks."""
    cards = world.cards(500, 24, **facts)
    for place, card in enumerate(cards):
        world.opened([card], f"S{place * 5 % 6}", DAY - timedelta(days=place * 7 % 21, hours=place), 0)
        world._cards[card]["iccid"] = serial(900_000 + place)
    return cards


def of_kind(world: FactWorld, kind: LinkKind) -> Groups:
    return next(
        groups
        for groups in all_groups(world.evidence(), all_contacts(world.evidence()))
        if groups.kind is kind
    )


@pytest.mark.parametrize("serial", [checked, unchecked, padded])
def test_a_box_opened_here_and_there_is_one_group_and_cards_sold_in_turn_are_none(serial: Serial) -> None:
    world = stocked(serial)
    box = boxed(world, serial)
    rows = world.evidence().cards["card"]
    groups = of_kind(world, LinkKind.SERIALS)
    assert set(rows.gather(groups.card)) == set(box)
    assert len(groups.label) == 1
    assert groups.strength.min() > 0.6


def test_from_one_card_to_the_drawer_with_the_rest_of_its_box() -> None:
    world = stocked()
    box = boxed(world, facts=UNUSED)
    world._cards[box[3]] |= {"calls_out": 100, "last_used": DAY, "first_used": DAY}
    assert joined(from_card(build_graph(world.evidence()), box[3])) == set(box)


def test_people_of_a_campus_who_were_sold_a_box_at_its_stalls_are_no_ring() -> None:
    world = stocked()
    box = boxed(world, facts=LIVED)
    assert joined(from_card(build_graph(world.evidence()), box[3])) == {box[3]}


def test_serials_say_nothing_where_cards_are_sold_in_no_order() -> None:
    world = FactWorld()
    cards = world.cards(10_000, 900)
    for place, card in enumerate(cards):
        world.opened([card], f"S{place * 7919 % 40}", DAY - timedelta(hours=place * 104729 % 9000), 0)
        world._cards[card]["iccid"] = checked(place)
    runs = serial_runs(world.evidence().cards)
    assert runs.bits.max(initial=0.0) < 6.0


def test_cards_that_were_replaced_here_and_there_make_no_box_however_many_there_are() -> None:
    world = stocked(shops=60, each=80)
    rng = np.random.default_rng(3)
    for card in world._cards:
        if rng.random() < 0.3:
            world._cards[card]["outlet"] = f"S{rng.integers(60)}"
    assert of_kind(world, LinkKind.SERIALS).strength.max(initial=0.0) < 0.05


def test_meters_and_cards_of_unknown_shops_or_serials_are_left_out() -> None:
    world = stocked()
    boxed(world, facts={"iot": True})
    strange = world.cards(700, 30)
    for place, card in enumerate(strange):
        world.opened([card], f"S{place % 6}", DAY - timedelta(days=place * 7 % 21), 0)
        world._cards[card]["iccid"] = f"SIM{place}"
    assert not len(of_kind(world, LinkKind.SERIALS).label)
    assert not len(serial_runs(world.evidence().cards.clear()).label)


POOL = 86_900_000_000_100


def pooled(of_type: int, around: int = 0, *, apart: bool = False, facts: Facts = NONE) -> LinkGraph:
    world = FactWorld()
    world.phones(200)
    cards = world.cards(100, 12, **facts)
    world.run(POOL, cards, of_type=of_type, around=around, apart=apart)
    return build_graph(world.evidence())


def test_devices_with_consecutive_numbers_in_one_place_lead_to_each_other() -> None:
    graph = pooled(of_type=12)
    assert joined(from_card(graph, 100)) == set(range(100, 112))
    label = graph.label.filter(graph.kind == LinkKind.DEVICE_RUN.value)
    assert label.to_list() == ["86900000 x12"]


@pytest.mark.parametrize(
    ("why", "graph"),
    [
        ("a model that every second person has", pooled(of_type=500_000)),
        ("a lot that was sold here", pooled(of_type=900, around=800)),
        ("telephones in many places", pooled(of_type=12, apart=True)),
        ("people with a life of their own", pooled(of_type=12, facts=LIVED)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_consecutive_numbers_that_lead_nowhere(why: str, graph: LinkGraph) -> None:
    assert joined(from_card(graph, 100)) == {100}, why


def test_runs_of_devices_are_read_from_a_store(tmp_path: Path) -> None:
    pool = [str(8613700000001 + port) for port in range(8)]
    meters = [str(8614400000001 + meter) for meter in range(8)]
    twin = [str(8613800000001 + slot) for slot in range(2)]
    calls = [
        *_seen(pool, (86_901_234_000_100 + 2 * port for port in range(8)), "46000123"),
        *_seen(meters, range(86_905_678_000_100, 86_905_678_000_108), "46000124"),
        *_seen(twin, range(86_901_234_000_200, 86_901_234_000_202), "46000125"),
    ]
    register = [{"card": card, "kind": "iot"} for card in meters]
    with fill(tmp_path / "store", {"calls": calls, "cards": register}).writing(DAY) as writer:
        writer.merge_life()
        writer.commit()
    source = LinkSource(tmp_path / "store", tmp_path / "work", memory="512MB")
    runs = pl.DataFrame(device_runs(source))
    source.close()
    assert runs["card"].to_list() == [key_of(card) for card in pool]
    told = runs.select("run", "last", "type", "devices", "of_type", "around", "events", "pairs", "together")
    first = 86_901_234_000_100
    assert set(told.rows()) == {(first, first + 14, "86901234", 8, 10, 2, 3, 28, 28)}


def _seen(cards: Iterable[str], imeis: Iterable[int], cell: str) -> list[Row]:
    fixed = {"peer": "8615900000001", "direction": "out", "seconds": 9, "answered": True, "city": "130100"}
    return [
        {"card": card, "imei": str(imei), "cell": cell, "started_at": DAY + timedelta(hours=call), **fixed}
        for card, imei in zip(cards, imeis, strict=True)
        for call in range(3)
    ]
