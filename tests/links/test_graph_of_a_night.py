"""The contacts of a night, put into the graph of the night before, make the graph of all evidence."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import polars as pl
import pytest

from duanka.links.graph.evidence import LinkEvidence
from duanka.links.graph.graph import LinkGraph, build_graph
from support.link_worlds import FactWorld

CONTACTS = {
    "card": pl.Int64,
    "peer": pl.Int64,
    "days": pl.Int64,
    "out": pl.Int64,
    "inward": pl.Int64,
    "regular": pl.Boolean,
}
Pairs = dict[tuple[int, int], tuple[int, bool]]


def evidence(cards: set[int], contacts: Pairs) -> LinkEvidence:
    world = FactWorld()
    for card in cards:
        world.cards(card, 1)
    for box in range(3):
        world.device(86_900_000_000_000 + box, sorted(cards)[box::5])
    rows = [(*pair, 3, out, 0, regular) for pair, (out, regular) in sorted(contacts.items())]
    return replace(world.evidence(), contacts=pl.DataFrame(rows, schema=CONTACTS, orient="row"))


def night(chance: Random, cards: set[int], contacts: Pairs) -> tuple[set[int], Pairs]:
    """Cards and contacts as of the next night: some come, some go, some are called more often."""
    left = {card for card in cards if chance.random() < 0.9} | {chance.randrange(1, 100) for _ in range(6)}
    kept = {pair: told for pair, told in contacts.items() if chance.random() < 0.7 and left.issuperset(pair)}
    for _ in range(30):
        one, other = chance.sample(sorted(left), 2)
        kept[one, other] = chance.randrange(1, 9), chance.random() < 0.7
    return left, kept


def same(one: LinkGraph, other: LinkGraph) -> bool:
    sides = ("groups_of", "cards_of", "contacts", "contacted_by")
    parts = ("start", "other", "strength")
    arrays = [(getattr(getattr(one, s), p), getattr(getattr(other, s), p)) for s in sides for p in parts]
    return (
        one.cards.equals(other.cards)
        and one.label.equals(other.label)
        and all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in arrays)
    )


@pytest.mark.parametrize("seed", range(8))
def test_a_night_added_is_a_graph_of_all(seed: int) -> None:
    chance = Random(seed)
    cards, before = night(chance, set(range(1, 40)), {})
    graph = build_graph(evidence(cards, before))
    for _ in range(3):
        cards, now = night(chance, cards, before)
        changes = {pair: told for pair, told in now.items() if before.get(pair) != told}
        changes |= dict.fromkeys(before.keys() - now.keys(), (0, True))
        graph = build_graph(evidence(cards, changes), onto=graph)
        assert same(graph, build_graph(evidence(cards, now)))
        before = now


def test_a_night_without_contacts_and_a_night_after_none() -> None:
    cards, contacts = night(Random(3), set(range(1, 40)), {})
    graph = build_graph(evidence(cards, contacts))
    assert same(build_graph(evidence(cards, {}), onto=graph), graph)
    none = build_graph(evidence(cards, {}))
    assert same(build_graph(evidence(cards, contacts), onto=none), graph)
    gone = dict.fromkeys(contacts, (0, True))
    assert same(build_graph(evidence(cards, gone), onto=graph), none)
    empty = build_graph(evidence(set(), {}))
    assert same(build_graph(evidence(cards, contacts), onto=empty), graph)
