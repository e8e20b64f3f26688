"""Calls among themselves: cards at risk that call each other lead from one to the other; others' calls do not."""

from __future__ import annotations

from duanka.domain.rings import LinkKind
from duanka.links.graph.graph import build_graph
from duanka.links.ring.communities import communities
from support.link_worlds import FactWorld
from support.links.rings_from import from_card, joined


def province(world: FactWorld) -> list[int]:
    """Three hundred people who talk to six others each; one in twenty is at risk by chance."""
    people = world.cards(1_000, 300, regular=6, peers=9)
    for place, card in enumerate(people):
        world.talks(card, (people[(place + step) % 300] for step in (1, 7, 50)))
        world._cards[card]["at_risk"] = place % 20 == 0
    return people


def test_cards_at_risk_that_call_each_other_are_one_ring() -> None:
    world = FactWorld()
    province(world)
    gang = world.cards(100, 12, regular=3, peers=200, at_risk=True)
    for place, card in enumerate(gang):
        world.talks(card, (gang[(place + step) % 12] for step in (1, 3)))
    graph = build_graph(world.evidence())
    assert joined(from_card(graph, gang[0])) == set(gang)
    found = communities(graph).of_card
    assert set(found[graph.rows_of(gang)]) == {0}
    assert found.max() == 0


def test_people_at_risk_who_know_each_other_by_chance_are_none() -> None:
    world = FactWorld()
    people = province(world)
    world.talks(people[0], [people[20]])
    graph = build_graph(world.evidence())
    assert LinkKind.CLIQUE.value not in graph.kind.unique()
    assert joined(from_card(graph, people[0])) == {people[0]}


def test_whom_cards_at_risk_call_without_an_answer_is_not_one_of_them() -> None:
    world = FactWorld()
    province(world)
    gang = world.cards(100, 12, regular=3, peers=200, at_risk=True)
    for card in gang:
        for other in gang:
            if card < other:
                world._contacts.append((card, other, 5))
    assert LinkKind.CLIQUE.value not in build_graph(world.evidence()).kind.unique()
