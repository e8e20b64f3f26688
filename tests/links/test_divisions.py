"""Components that are as they were the night before are not divided again, and it makes no difference."""

from __future__ import annotations

from pathlib import Path
from random import Random

import networkit
import numpy as np
import polars as pl
import pytest

from duanka.links.graph.graph import LinkGraph, build_graph
from duanka.links.graph.stored import KeptRings, begun, load_rings, save
from duanka.links.ring.communities import RESOLUTIONS, communities
from duanka.links.ring.register import MEMBERS, TABLE
from support.link_worlds import FactWorld
from support.links.invented_ring import PERIOD


def graph_of(gangs: dict[int, int], events: int = 50) -> LinkGraph:
    """Gangs of 40 cards each in boxes through which they pass at random; gang -> seed of the boxes."""
    world = FactWorld()
    world.phones(300)
    for gang, seed in gangs.items():
        chance = Random(seed)
        cards = world.cards(1_000 * (gang + 1), 40)
        for box in range(6):
            world.device(86_900_000_000_000 + 10 * gang + box, chance.sample(cards, 12), events)
    return build_graph(world.evidence())


@pytest.mark.parametrize("seed", range(6))
def test_what_is_kept_of_the_night_before_changes_no_community(seed: int) -> None:
    chance = Random(seed)
    before = {gang: chance.randrange(100) for gang in range(5)}
    now = {gang: kept if chance.random() < 0.5 else chance.randrange(100) for gang, kept in before.items()}
    now |= {5: 1}
    del now[chance.randrange(5)]
    graph = graph_of(now)
    anew = communities(graph)
    added = communities(graph, before=communities(graph_of(before)).divisions)
    assert np.array_equal(added.of_card, anew.of_card)
    assert (added.resolution, added.stability) == (anew.resolution, anew.stability)
    assert added.divisions.keys() == anew.divisions.keys()


def test_only_what_changed_is_divided_and_a_folder_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gangs = {gang: gang for gang in range(5)}
    graph = graph_of(gangs)
    empty = pl.DataFrame(schema=MEMBERS), pl.DataFrame(schema=TABLE)
    with begun(tmp_path / "links") as new:
        save(graph, KeptRings(*empty, communities(graph).divisions), PERIOD, new)
    kept = load_rings(tmp_path / "links").divisions
    divided = list[int]()

    leiden = networkit.community.ParallelLeiden

    def counted(*given: object, **how: object) -> object:
        divided.append(1)
        return leiden(*given, **how)

    monkeypatch.setattr(networkit.community, "ParallelLeiden", counted)
    communities(graph, before=kept)
    assert not divided
    communities(graph_of({**gangs, 2: 77}), before=kept)
    assert len(divided) == len(RESOLUTIONS)
    communities(graph_of(gangs, events=5), before=kept)  # the same ties, weaker
    assert len(divided) == 6 * len(RESOLUTIONS)
