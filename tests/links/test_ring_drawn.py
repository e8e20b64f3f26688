"""The picture of a ring as data: the same marks as the page has, and a place for every card."""

from __future__ import annotations

from typing import Any

import pytest

from duanka.domain.ring_lookups import NotLinked, SeedName
from duanka.links.answers import FoundRing
from duanka.links.page.drawn import drawn
from duanka.links.page.opened import DOT
from support.links.invented_ring import OUTLETS, PERIOD, R11, Size, invented


def _drawn(size: Size) -> dict[str, Any]:
    return dict(drawn(invented(size), PERIOD))


def test_the_same_ring_gives_the_same_picture_of_300_marks_at_most() -> None:
    one = _drawn(R11)
    assert one == _drawn(R11)
    assert one["marks"] <= 300
    assert one["marks"] == len(one["nodes"]) + len(one["clusters"])


def test_every_card_stands_once_in_each_column_and_no_two_at_one_place() -> None:
    size = Size(used=900, stock=300, boxes=6, people=3)
    cards, clusters = _drawn(size)["cards"], {one["id"]: one for one in _drawn(size)["clusters"]}
    for column in ("supply", "place"):
        places = set()
        for row in range(len(cards["phone_numbers"])):
            where, x, y = cards[column][row], cards[f"{column}_x"][row], cards[f"{column}_y"][row]
            assert (where == "") == (x is None) == (y is None), "people stand in neither"
            if where:
                frame = clusters[where]
                assert DOT / 2 <= x <= frame["width"] - DOT / 2
                assert y <= frame["open_height"] - DOT / 2
                places.add((where, x, y))
        assert len(places) == size.things


def test_blocks_hold_every_card_of_their_cluster_once() -> None:
    for cluster in _drawn(R11)["clusters"]:
        assert sum(block["cards"] for block in cluster["blocks"]) == cluster["cards"]
        tops = [block["y"] for block in cluster["blocks"]]
        assert tops == sorted(tops)


def test_merged_marks_name_their_cards_too() -> None:
    picture = _drawn(R11)
    assert any(node["merged"] for node in picture["nodes"])
    for node in picture["nodes"]:
        assert len(node["members"]) == node["cards"]
    assert {len(column) for name, column in picture["cards"].items() if name != "reasons"} == {
        len(picture["cards"]["phone_numbers"])
    }


def test_days_count_from_the_first_of_the_records() -> None:
    cards = _drawn(Size())["cards"]
    assert min(cards["opened"]) < 0, "opened before the records begin"
    assert cards["first_used"][0] == 0
    assert None in cards["first_used"], "never used"


def test_of_a_masked_ring_no_number_is_whole() -> None:
    ring = invented()
    told = str(FoundRing(ring, PERIOD).masked().drawn())
    assert not [card for card in ring.cards["card"] if card[2:] in told]
    assert not [imei for imei in ring.devices["imei"] if imei in told]


def test_a_mark_leads_to_a_card_a_device_or_the_outlet_of_a_batch() -> None:
    ring = invented()
    found = FoundRing(ring, PERIOD)
    assert found.seed_at("c3") == SeedName("card", ring.cards["card"][3])
    assert found.seed_at("g0") == SeedName("device", ring.devices.sort("imei")["imei"][0])
    batch = ring.ties.groups["kind"].to_list().index("batch")
    assert found.seed_at(f"g{batch}").kind == "outlet"
    assert found.seed_at(f"g{batch}").text in OUTLETS


@pytest.mark.parametrize("mark", ["c99999", "g99999", "o0", "c", "g", "m1", "c²"])
def test_a_mark_that_is_none_of_these_leads_nowhere(mark: str) -> None:
    with pytest.raises(NotLinked):
        FoundRing(invented(), PERIOD).seed_at(mark)


def test_a_document_is_no_place_to_begin() -> None:
    ring = invented()
    holder = ring.ties.groups["kind"].to_list().index("holder")
    with pytest.raises(NotLinked):
        FoundRing(ring, PERIOD).seed_at(f"g{holder}")
