"""Growth from a seed: what joins, by what, and what stays out."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from duanka.domain.rings import LinkKind, RingRole
from duanka.links.graph.graph import LinkGraph, build_graph
from duanka.links.ring.files import outlets_csv
from duanka.links.ring.growth import JOINS, KnownCards
from duanka.links.ring.ring import Ring, Seed, ring_around
from support.link_worlds import LIVED, UNUSED, FactWorld

NONE = np.empty(0, dtype=np.int64)
BOX, OTHER_BOX = 86_900_000_000_001, 86_900_000_000_002
SHOP = "S7"
DAY = datetime(2021, 4, 20, 14)


def seized(graph: LinkGraph, imei: int, known: KnownCards = KnownCards()) -> Ring:  # noqa: B008  # frozen
    device = graph.groups_labelled(LinkKind.DEVICE, f"{imei:014}")
    return ring_around(graph, Seed(str(imei), NONE, device), known)


def from_card(graph: LinkGraph, card: int, known: KnownCards = KnownCards()) -> Ring:  # noqa: B008  # frozen
    return ring_around(graph, Seed(str(card), graph.rows_of([card]), NONE), known)


def joined(ring: Ring) -> set[int]:
    return set(map(int, ring.joined["card"]))


def boxes() -> tuple[FactWorld, list[int]]:
    """Two boxes of twelve cards that one batch at a quiet shop joins, with half a dozen in the drawer."""
    world = FactWorld()
    world.phones(200)
    world.shop(SHOP, 5_000, 60)
    cards = world.cards(100, 24, cell=1)
    drawer = world.cards(200, 6, **UNUSED)
    world.device(BOX, cards[:12])
    world.device(OTHER_BOX, cards[12:])
    world.opened([*cards, *drawer], SHOP, DAY, 3)
    return world, [*cards, *drawer]


def test_from_one_device_to_all_boxes_and_the_drawer() -> None:
    world, ring = boxes()
    found = seized(build_graph(world.evidence()), BOX)
    assert joined(found) == set(ring)
    assert found.devices["imei"].to_list() == [f"{BOX:014}", f"{OTHER_BOX:014}"]
    assert found.devices["role"].to_list() == ["box", "box"]
    roles = dict(found.joined.group_by("role").len().iter_rows())
    assert roles == {RingRole.BOX_CARD: 24, RingRole.STOCK: 6}


def test_the_ring_is_the_same_from_any_of_its_cards() -> None:
    world, ring = boxes()
    graph = build_graph(world.evidence())
    assert all(joined(from_card(graph, card)) == set(ring) for card in (ring[0], ring[20], ring[-1]))


def test_without_the_batch_the_boxes_are_two_rings() -> None:
    world = FactWorld()
    world.phones(200)
    cards = world.cards(100, 24)
    world.device(BOX, cards[:12])
    world.device(OTHER_BOX, cards[12:])
    assert joined(seized(build_graph(world.evidence()), BOX)) == set(cards[:12])


@pytest.mark.parametrize("facts", [{}, LIVED], ids=["used little", "lived in"])
def test_a_used_card_never_joins_by_its_shop_alone(facts: dict[str, object]) -> None:
    world, ring = boxes()
    alone = world.cards(300, 1, **facts)
    world.opened(alone, SHOP, datetime(2021, 4, 22, 11), 0)
    found = seized(build_graph(world.evidence()), BOX)
    assert set(map(int, found.cards["card"])) == set(ring)


def test_an_unused_card_opened_by_itself_is_no_stock() -> None:
    world, ring = boxes()
    spare = world.cards(300, 1, **UNUSED)
    world.opened(spare, SHOP, datetime(2021, 4, 22, 11), 0)
    assert joined(seized(build_graph(world.evidence()), BOX)) == set(ring)


def test_a_batch_of_unused_cards_at_the_rings_shop_is_stock_unless_an_organisation_holds_it() -> None:
    world, ring = boxes()
    drawer = world.cards(300, 10, **UNUSED)
    firm = world.cards(400, 10, **UNUSED, organisation=True)
    elsewhere = world.cards(500, 10, **UNUSED)
    world.shop("S8", 7_000, 60, 5)
    world.opened(drawer, SHOP, datetime(2021, 4, 20, 9), 3)
    world.opened(firm, SHOP, datetime(2021, 4, 20, 12), 3)
    world.opened(elsewhere, "S8", datetime(2021, 4, 20, 9), 3)
    world.opened(ring[:6], SHOP, datetime(2021, 4, 19, 9), 3)  # so that the ring's weeks cover these batches
    assert joined(seized(build_graph(world.evidence()), BOX)) == {*ring, *drawer}


def test_a_few_unused_cards_of_one_day_are_stock_and_not_where_new_cards_are_often_unused() -> None:
    world, ring = boxes()
    world.shop("S8", 7_000, 60, 5)
    few = world.cards(300, 5, **UNUSED)
    world.opened(few, SHOP, datetime(2021, 4, 20, 9), 70)  # no batch: a card an hour
    assert joined(seized(build_graph(world.evidence()), BOX)) == {*ring, *few}
    world.opened(world.cards(600, 100, **UNUSED), "S9", datetime(2021, 4, 20, 9), 3)
    assert joined(seized(build_graph(world.evidence()), BOX)) == set(ring)


def test_a_crew_opened_in_bulk_at_the_rings_shop_is_not_in_it() -> None:
    world, ring = boxes()
    crew = world.cards(300, 20, **LIVED)
    world.opened(crew, SHOP, datetime(2021, 4, 21, 14), 3)
    assert joined(seized(build_graph(world.evidence()), BOX)) == set(ring)


CALLS_LITTLE: dict[str, object] = {"calls_out": 6, "calls_in": 4, "regular": 1, "peers": 9, "days": 2}
SURFS: dict[str, object] = {"calls_out": 0, "peers": 2, "callees": 0, "days": 22}


@pytest.mark.parametrize("begun", [CALLS_LITTLE, SURFS], ids=["calls little", "has data only"])
def test_a_new_customer_amid_the_batch_who_has_begun_to_use_the_card_has_half_at_most(
    begun: dict[str, object],
) -> None:
    world, ring = boxes()
    customer = world.cards(300, 1, **begun)
    used_as_boxes_do = world.cards(400, 1, **begun, at_risk=True)
    world.opened([*ring[:10], *customer, *used_as_boxes_do, *ring[10:]], SHOP, DAY, 3)
    found = seized(build_graph(world.evidence()), BOX)
    certainty = dict(found.cards.select("card", "certainty").iter_rows())
    assert certainty.get("300", 0.0) <= 0.5
    assert all(certainty[str(card)] > 0.5 for card in [*ring, *used_as_boxes_do])


def test_an_honest_customer_amid_the_batch_is_not_in_it() -> None:
    world, ring = boxes()
    customer = world.cards(300, 1, **LIVED)
    world.opened([*ring[:10], *customer, *ring[10:]], SHOP, DAY, 3)
    found = seized(build_graph(world.evidence()), BOX)
    assert joined(found) == set(ring)


def test_a_family_phone_a_document_and_a_repair_shop_bridge_nothing() -> None:
    world, ring = boxes()
    family = world.cards(300, 2, **LIVED, holder="f")
    world.device(86_900_000_000_009, [ring[0], *family])
    for card in ring[:5]:
        world._cards[card]["holder"] = "f"  # cards of the ring in this family's name
    tried = world.cards(400, 30, **LIVED)
    world.device(86_900_000_000_008, [*ring[:3], *tried], events=1)
    assert joined(seized(build_graph(world.evidence()), BOX)) == set(ring)


def test_an_imei_that_many_phones_bear_bridges_nothing() -> None:
    world, ring = boxes()
    bearers = world.cards(1_000, 300, calls_out=10, callees=10, peers=10)
    world.device(86_900_000_000_007, [*ring[:10], *bearers], apart=True)
    assert joined(seized(build_graph(world.evidence()), BOX)) == set(ring)


def test_victims_are_no_members_and_minders_and_operators_are() -> None:
    world, ring = boxes()
    boxed = ring[:24]
    victims = world.cards(600, 40, **LIVED)
    for card in boxed:
        world.calls(card, victims)
    minder, operator, mother = (world.cards(key, 1, **LIVED)[0] for key in (700, 701, 702))
    world.calls(minder, boxed[::2])
    other_minder = world.cards(703, 1, **LIVED)[0]
    world.calls(other_minder, boxed[1::2])
    world.talks(operator, [minder, other_minder], calls=20)
    friends = world.cards(710, 9, **LIVED)
    world.talks(operator, [mother, *friends])
    for card in (operator, minder):
        world._cards[card] |= {"regular": 4, "peers": 16}
    found = seized(build_graph(world.evidence()), BOX)
    assert joined(found) == {*ring, minder, other_minder, operator}
    roles = dict(found.cards.select("card", "role").iter_rows())
    assert roles[str(minder)] == roles[str(other_minder)] == RingRole.MINDER
    assert roles[str(operator)] == RingRole.OPERATOR


def test_people_of_the_ring_lead_on_by_their_circle_alone() -> None:
    world, ring = boxes()
    minder = world.cards(700, 1, **LIVED, strangers=60)[0]
    world.calls(minder, ring[:24:2])
    neighbours = world.cards(710, 5, **LIVED, strangers=60)
    for card in (minder, *neighbours):
        world.dials(card, range(1, 31))  # the same restaurants
    family = world.cards(720, 8)
    world.device(86_900_000_000_005, [minder, *family])
    found = seized(build_graph(world.evidence()), BOX)
    assert joined(found) == {*ring, minder}


def test_a_verification_weighs_against_and_an_upheld_objection_ends_it() -> None:
    world, ring = boxes()
    graph = build_graph(world.evidence())
    passed, upheld = graph.rows_of([ring[1]]), graph.rows_of([ring[2]])
    found = seized(graph, BOX, KnownCards(passed=passed, upheld=upheld))
    assert joined(found) == set(ring) - {ring[1], ring[2]}
    found = seized(graph, BOX, KnownCards(passed=passed, confirmed=passed))
    assert ring[1] in joined(found)


def test_of_a_seed_the_others_say_how_sure_it_is_and_a_verification_is_named() -> None:
    world, ring = boxes()
    graph = build_graph(world.evidence())
    row = graph.rows_of([ring[1]])

    def told(known: KnownCards) -> tuple[float, str]:
        seed = from_card(graph, ring[1], known).cards.filter("seed")
        (sure, why), *_ = seed.select("certainty", "reason_en").rows()
        return sure, why

    sure, why = told(KnownCards())
    assert 0.5 < sure < 1, "that somebody named it is no sign"
    assert why == "the search began here"
    sure, why = told(KnownCards(passed=row))
    assert (sure <= 0.1, why) == (True, "the search began here; its holder passed a verification")
    assert told(KnownCards(confirmed=row))[0] == 1


def test_who_was_found_right_leads_to_nobody_as_a_seed() -> None:
    world = FactWorld()
    world.phones(200)
    cards = world.cards(100, 12, cell=1)
    world.device(BOX, cards)
    graph = build_graph(world.evidence())
    row = graph.rows_of(cards[:1])
    assert len(joined(from_card(graph, cards[0]))) == 12
    assert not joined(from_card(graph, cards[0], KnownCards(upheld=row)))
    assert len(joined(from_card(graph, cards[0], KnownCards(upheld=row, confirmed=row)))) == 12


def test_cards_switched_on_together_day_after_day_and_not_once() -> None:
    world = FactWorld()
    world.phones(200)
    cards, neighbour = world.cards(100, 8, days=10), world.cards(200, 1, days=10)
    for day in range(10):
        world.switched_on([*cards, *(neighbour if day == 3 else [])], 540 + 1440 * day)
        world.switched_on([*cards], 1_000 + 1440 * day, place=8)
    assert joined(from_card(build_graph(world.evidence()), 100)) == set(cards)


def test_boxes_are_told_by_the_minute_they_are_switched_on_in_whatever_their_cards_do_by_day() -> None:
    world = FactWorld()
    cards = world.cards(100, 6, **{**LIVED, "days": 8})
    for day in range(8):
        world.switched_on(cards, 540 + 1440 * day, present=40)
    assert joined(from_card(build_graph(world.evidence()), 100)) == set(cards)


def test_a_cell_that_is_started_again_each_night_links_none_of_its_people() -> None:
    world = FactWorld()
    people = world.cards(100, 80, days=10)
    for day in range(10):
        world.switched_on(people, 180 + 1440 * day, present=84)
    assert joined(from_card(build_graph(world.evidence()), 100)) == {100}


def test_cards_that_dial_one_list() -> None:
    world = FactWorld()
    cards = world.cards(100, 4, strangers=100)
    others = world.cards(200, 200, strangers=100)
    for card in cards:
        world.dials(card, range(1, 41))
    world.dials(others[0], range(1, 3))  # two numbers in common are chance
    assert joined(from_card(build_graph(world.evidence()), 100)) == set(cards)


def test_a_card_of_its_own_has_no_ring() -> None:
    world, _ = boxes()
    alone = world.cards(300, 1, **LIVED)
    assert joined(from_card(build_graph(world.evidence()), alone[0])) == set(alone)


def test_every_card_but_the_seed_says_by_which_card_it_came() -> None:
    world, ring = boxes()
    found = from_card(build_graph(world.evidence()), ring[0])
    reasons = dict(found.cards.select("card", "reason_en").iter_rows())
    assert reasons[str(ring[0])] == "the search began here"
    assert all("by way of" in reasons[str(card)] for card in ring[1:])
    assert found.cards["certainty"].min() >= JOINS  # type: ignore[operator]


def test_outlets_are_named_by_code_and_name() -> None:
    world, ring = boxes()
    for other in range(30):
        world.shop(f"H{other}", 20_000 + 100 * other, 60)
    world.opened(ring[:6], SHOP, datetime(2021, 4, 10, 9), 3)
    for card in world._cards.values():
        card["outlet_name"] = "解放路手机店" if card.get("outlet") == SHOP else None
    found = seized(build_graph(world.evidence()), BOX)
    shops = found.outlets.select("outlet", "name").rows()
    assert shops == [(SHOP, "解放路手机店")]
    reasons = dict(found.cards.select("card", "reason_en").iter_rows())
    assert f"({SHOP} 解放路手机店 2021-04-20 14:18)" in reasons[str(ring[-1])]
    head, shop = outlets_csv(found, "zh").splitlines()
    assert head == "\ufeffoutlet,cards,expected,lift,lower_bound,reasons,name"
    assert (shop.split(",")[0], shop.split(",")[-1]) == (SHOP, "解放路手机店")
