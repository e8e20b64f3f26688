"""Communities, their ids from night to night, the table of rings, and the folder of a graph."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from duanka.domain.errors import DuankaError
from duanka.links.graph.graph import LinkGraph, build_graph
from duanka.links.graph.stored import (
    GraphPeriod,
    KeptRings,
    begun,
    holds_graph,
    load,
    load_rings,
    period_of,
    save,
)
from duanka.links.ring.communities import communities
from duanka.links.ring.growth import KnownCards
from duanka.links.ring.register import MEMBERS, TABLE, named_rings, ranked, ring_table
from duanka.links.ring.supply import judged_outlets
from support.disk import room_for
from support.link_worlds import LIVED, FactWorld

NOBODY = pl.DataFrame(schema=MEMBERS)
FIRST, NEXT = date(2021, 5, 16), date(2021, 5, 17)
PERIOD = GraphPeriod(date(2021, 5, 3), FIRST, 7, "Asia/Shanghai")


def gangs(many: int, size: int = 20, bridged: int = 0) -> tuple[LinkGraph, dict[int, int]]:
    """Gangs of one box each, of which `bridged` members share a phone and a document with an honest card."""
    world = FactWorld()
    world.phones(300)
    gang_of = dict[int, int]()
    for gang in range(many):
        cards = world.cards(1_000 * (gang + 1), size, at_risk=True)
        gang_of |= dict.fromkeys(cards, gang)
        world.device(86_900_000_000_000 + gang, cards)
        for place, card in enumerate(cards[:bridged]):
            friend = world.cards(500_000 + 1_000 * gang + place, 1, **LIVED, holder=f"h{card}")
            world._cards[card]["holder"] = f"h{card}"
            world.device(86_800_000_000_000 + card, [card, *friend])
    return build_graph(world.evidence()), gang_of


def by_ring(members: pl.DataFrame) -> dict[str, set[int]]:
    return {ring: set(part["card"]) for (ring,), part in members.group_by("ring")}


def test_gangs_with_bridges_to_honest_cards_are_whole_and_pure() -> None:
    graph, gang_of = gangs(30, bridged=6)
    found = by_ring(named_rings(graph, communities(graph).of_card, NOBODY, FIRST))
    wanted = [{card for card, own in gang_of.items() if own == gang} for gang in range(30)]
    assert sorted(map(sorted, found.values())) == sorted(map(sorted, wanted))


def test_two_large_rings_that_a_few_links_bridge_are_divided() -> None:
    world = FactWorld()
    world.phones(300)
    sides = [world.cards(1_000 * side, 60) for side in (1, 2)]
    for side, cards in enumerate(sides):
        for box in range(3):
            world.device(86_900_000_000_000 + 10 * side + box, cards[20 * box : 20 * box + 20])
        world.device(86_900_000_000_005 + 10 * side, cards[::3])  # a box through which many of them passed
    world.device(86_700_000_000_000, [sides[0][0], sides[0][30], sides[1][0], sides[1][30]])
    graph = build_graph(world.evidence())
    found = communities(graph)
    parts = [set(found.of_card[graph.rows_of(cards)].tolist()) for cards in sides]
    assert not parts[0] & parts[1]
    assert found.stability[found.resolution] == max(found.stability.values())


def test_the_same_graph_gives_the_same_communities() -> None:
    graph, _ = gangs(10, bridged=6)
    first = communities(graph)
    for _ in range(3):
        again = communities(graph)
        assert again.resolution == first.resolution
        assert np.array_equal(again.of_card, first.of_card)


def members(graph: LinkGraph, sets: Iterable[Iterable[int]], before: pl.DataFrame, day: date) -> pl.DataFrame:
    of_card = np.full(graph.cards.height, -1, dtype=np.int64)
    for number, cards in enumerate(sets):
        of_card[graph.rows_of(list(cards))] = number
    return named_rings(graph, of_card, before, day)


def test_ids_stay_from_night_to_night() -> None:
    graph, gang_of = gangs(3)
    one, two, three = ([card for card, own in gang_of.items() if own == gang] for gang in range(3))
    first = members(graph, [one, two[:10]], NOBODY, FIRST)
    ids = {min(cards): ring for ring, cards in by_ring(first).items()}
    grown = members(graph, [three, two, one[:15]], first, NEXT)
    found = by_ring(grown)
    assert found[ids[one[0]]] == set(one[:15])  # lost some
    assert found[ids[two[0]]] == set(two)  # has more
    (new,) = found.keys() - set(ids.values())
    assert found[new] == set(three)
    since = dict(grown.select("card", "since").iter_rows())
    assert since[two[0]] == FIRST
    assert since[two[15]] == since[three[0]] == NEXT


def test_a_ring_that_falls_in_two_leaves_its_id_to_the_larger_part() -> None:
    graph, gang_of = gangs(1)
    cards = list(gang_of)
    (ring,) = by_ring(members(graph, [cards], NOBODY, FIRST))
    found = by_ring(members(graph, [cards[:8], cards[8:]], members(graph, [cards], NOBODY, FIRST), NEXT))
    assert found[ring] == set(cards[8:])
    assert len(found) == 2


def test_worth_a_look_is_what_chance_does_not_explain() -> None:
    world = FactWorld()
    world.phones(300)
    gang = world.cards(1_000, 20, at_risk=True)
    dormitory = world.cards(2_000, 20, **LIVED)
    case = world.cards(3_000, 4)
    world._cards[case[0]]["confirmed"] = True
    for number, cards in enumerate((gang, dormitory, case)):
        world.device(86_900_000_000_000 + number, cards)
    graph = build_graph(world.evidence())
    found = ranked(graph, members(graph, [gang, dormitory, case], NOBODY, FIRST))
    assert found.select("cards", "at_risk", "confirmed").rows() == [(20, 20, 0), (4, 0, 1)]


def test_a_firms_gateway_is_named_as_such_and_not_delivered_unless_one_of_its_cards_is_confirmed() -> None:
    world = FactWorld()
    world.phones(300)
    firm = world.cards(1_000, 20, at_risk=True, organisation=True, calls_in=20)
    shell = world.cards(2_000, 20, at_risk=True, organisation=True)
    case = world.cards(3_000, 20, at_risk=True, organisation=True, calls_in=20)
    world._cards[case[0]]["confirmed"] = True
    for number, cards in enumerate((firm, shell, case)):
        world.device(86_900_000_000_000 + number, cards)
    graph = build_graph(world.evidence())
    kept = members(graph, [firm, shell, case], NOBODY, FIRST)
    found = ranked(graph, kept)
    assert found["firm"].sum() == 1
    table = ring_table(graph, KnownCards(), found, kept, pl.DataFrame(schema=TABLE))
    assert set(table["card"]) == set(map(str, [*shell, *case]))


def test_the_table_of_rings_and_who_has_left() -> None:
    graph, gang_of = gangs(2)
    found = named_rings(graph, communities(graph).of_card, NOBODY, FIRST)
    before = pl.DataFrame(
        [("999", "R00009", 80, FIRST), (str(min(gang_of)), "R00009", 80, FIRST)], schema=TABLE, orient="row"
    )
    table = ring_table(graph, KnownCards(), ranked(graph, found), found, before)
    assert table.columns == list(TABLE)
    assert set(table.filter(pl.col("certainty") > 50)["card"]) == set(map(str, gang_of))
    assert table.filter(pl.col("card") == "999").rows() == [("999", "R00009", 0, FIRST)]
    assert table["card"].is_duplicated().sum() == 0
    again = ring_table(graph, KnownCards(), ranked(graph, found), found, table)
    assert again.equals(table), "who has left is told again: a delivery may have been missed"


def test_a_province_without_a_community_has_no_rings() -> None:
    world = FactWorld()
    world.cards(1, 3)
    graph = build_graph(world.evidence())
    found = named_rings(graph, communities(graph).of_card, NOBODY, FIRST)
    assert found.equals(NOBODY)
    table = ring_table(graph, KnownCards(), ranked(graph, found), found, pl.DataFrame(schema=TABLE))
    assert table.equals(pl.DataFrame(schema=TABLE))


def test_a_shop_whose_cards_their_registrants_disown_stands_out() -> None:
    world = FactWorld()
    for shop in range(40):
        new = world.cards(10_000 + 100 * shop, 30, **LIVED)
        for place, card in enumerate(new):
            world.opened([card], f"S{shop:02}", datetime(2021, 5, 4 + place % 20, 9 + place % 8), 0)
    for card in range(11_300, 11_320):
        world._cards[card]["disowned"] = True
    found = judged_outlets(world.evidence().cards, FIRST.replace(day=3))
    assert found.filter("named")["outlet"].to_list() == ["S13"]
    assert "20 of 30 new cards" in found["reason_en"][0]


def stored(folder: Path) -> LinkGraph:
    graph, _ = gangs(3)
    found = named_rings(graph, communities(graph).of_card, NOBODY, FIRST)
    with begun(folder) as new:
        save(graph, KeptRings(found, pl.DataFrame(schema=TABLE)), PERIOD, new)
    return graph


def test_a_graph_is_read_as_it_was_written(tmp_path: Path) -> None:
    graph = stored(tmp_path / "links")
    again, period = load(tmp_path / "links")
    assert period == PERIOD
    assert again.cards.equals(graph.cards)
    assert again.label.equals(graph.label)
    for side in ("groups_of", "cards_of", "contacts", "contacted_by"):
        for part in ("start", "other", "strength"):
            assert np.array_equal(getattr(getattr(again, side), part), getattr(getattr(graph, side), part))
    assert load_rings(tmp_path / "links").members["ring"].n_unique() == 3


def test_a_second_build_replaces_the_first_and_readers_see_one_of_them(tmp_path: Path) -> None:
    folder = tmp_path / "links"
    stored(folder)
    open_still, _ = load(folder)
    stored(folder)
    assert open_still.cards_of.other.sum() > 0  # still mapped, though its files are gone
    assert len([one for one in folder.iterdir() if one.is_dir()]) == 1
    assert load(folder)[0].cards.height == open_still.cards.height


def test_a_graph_with_one_wrong_bit_or_half_a_file_says_so_whichever_file_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "links"
    stored(folder)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 19
    for path in files:
        written = path.read_bytes()
        middle = len(written) // 2
        wrong = written[:middle] + bytes([written[middle] ^ 1]) + written[middle + 1 :]
        for damaged in (wrong, written[:20], bytes(len(written))):
            path.write_bytes(damaged)
            with pytest.raises(DuankaError, match="damaged: build it anew"):
                load(folder), load_rings(folder)
        path.write_bytes(written)
    load(folder), load_rings(folder)
    told = (folder / "links.json").read_text()
    (folder / "links.json").write_text(told.replace('"last": "20', '"last": "21'))
    with pytest.raises(DuankaError, match="damaged: build it anew"):
        period_of(folder)


def test_a_disk_without_room_is_told_with_its_place_and_leaves_the_graph_of_before(tmp_path: Path) -> None:
    folder = tmp_path / "links"
    graph = stored(folder)
    sizes = sorted(path.stat().st_size for path in (folder / "1").iterdir())
    for size in (1, sizes[-1] - 1):
        with (
            room_for(size),
            pytest.raises(DuankaError, match=rf"cannot be written to {folder}/2 .*make room"),
        ):
            stored(folder)
    assert load(folder)[0].cards.equals(graph.cards)


def test_a_first_build_that_was_killed_stands_in_no_ones_way(tmp_path: Path) -> None:
    folder = tmp_path / "links"
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "cards.parquet").write_bytes(b"half")
    graph = stored(folder)
    assert load(folder)[0].cards.equals(graph.cards)


def test_another_version_and_another_folder_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "links"
    stored(folder)
    told = json.loads((folder / "links.json").read_text())
    (folder / "links.json").write_text(json.dumps({**told, "version": 99}))
    with pytest.raises(DuankaError, match="version 99"):
        load(folder)
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").write_text("mine")
    with pytest.raises(DuankaError, match="holds no graph; choose another folder"):
        stored(other)
    assert not holds_graph(other)
    with pytest.raises(DuankaError, match="holds no graph"):
        load(other)
