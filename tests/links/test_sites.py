"""Where a ring works: one site for cells of one device, and none of its own for cards whose city is not recorded."""

from __future__ import annotations

import numpy as np

from duanka.domain.rings import LinkKind
from duanka.links.graph.graph import build_graph
from duanka.links.ring.growth import KnownCards
from duanka.links.ring.ring import Ring, Seed, ring_around
from support.link_worlds import FactWorld

_IMEI = 86_900_609_553_922


def _ring(world: FactWorld) -> Ring:
    world.phones(300)
    graph = build_graph(world.evidence())
    device = graph.groups_labelled(LinkKind.DEVICE, f"{_IMEI}")
    return ring_around(graph, Seed("box", np.empty(0, dtype=np.int64), device), KnownCards())


def _sites(ring: Ring) -> dict[str, int]:
    return dict(ring.cards.group_by("site").len().iter_rows())


def test_cells_of_one_box_are_one_site_named_by_the_busiest() -> None:
    world = FactWorld()
    box = world.cards(1, 6, cell=7, city="990104") + world.cards(7, 4, cell=8, city="990104")
    world.device(_IMEI, box)
    ring = _ring(world)
    assert _sites(ring) == {"990104/7": 10}
    assert ring.devices.select("imei", "cards", "site", "role").rows() == [
        (f"{_IMEI}", 10, "990104/7", "box")
    ]


def test_a_card_whose_city_is_not_recorded_works_where_the_others_of_its_cell_do() -> None:
    world = FactWorld()
    world.device(_IMEI, [*world.cards(1, 6, cell=7, city="990104"), *world.cards(7, 2, cell=7, city=None)])
    assert _sites(_ring(world)) == {"990104/7": 8}


def test_without_any_city_the_cell_is_the_site() -> None:
    world = FactWorld()
    world.device(_IMEI, world.cards(1, 6, cell=7, city=None))
    assert _sites(_ring(world)) == {"/7": 6}
