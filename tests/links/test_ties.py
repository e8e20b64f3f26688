"""What the cards of a ring share: groups of two or more, lists joined, contacts of its people."""

from __future__ import annotations

import numpy as np
import polars as pl

from duanka.domain.rings import RingRole
from duanka.links.graph.graph import LinkGraph
from duanka.links.graph.neighbours import Neighbours
from duanka.links.graph.strength import Floats, Ints
from duanka.links.ring.ties import Ties, ties_of

# Cards 0..5; groups: a device of 0, 1 and 5, a batch of 1 and 2, a document of 3 and 4, lists of 0+1, 1+2, 3+4, 2+5.
_GROUPS = [(0, 1, 5), (1, 2), (3, 4), (0, 1), (1, 2), (3, 4), (2, 5)]
_KINDS = ["device", "batch", "holder", "callees", "callees", "callees", "callees"]
_LABELS = ["86900609553922", "S 1 2021-05-03 09:00", "f00d", "3", "4", "5", "6"]


def _neighbours(pairs: list[tuple[int, int, float]], rows: int) -> Neighbours:
    pairs = sorted(pairs)
    many = np.bincount([row for row, *_ in pairs], minlength=rows)
    return Neighbours(
        np.concatenate(([0], np.cumsum(many))).astype(np.int64),
        np.array([other for _, other, _ in pairs], dtype=np.int32),
        np.array([tells for *_, tells in pairs], dtype=np.float32),
    )


def _graph() -> LinkGraph:
    members = [(card, group) for group, cards in enumerate(_GROUPS) for card in cards]
    calls = [(4, 0, 0.5), (4, 1, 7.0), (4, 5, 9.0), (0, 4, 2.0)]
    return LinkGraph(
        pl.DataFrame({"card": range(6), "name": [f"861380000000{row}" for row in range(6)]}),
        pl.Series(_KINDS).cast(pl.Categorical),
        pl.Series(_LABELS),
        _neighbours([(card, group, 0.9) for card, group in members], 6),
        _neighbours([(group, card, 0.9) for card, group in members], len(_GROUPS)),
        _neighbours(calls, 6),
        _neighbours([(other, card, tie) for card, other, tie in calls], 6),
    )


def _ties(cards: Ints, role: list[RingRole]) -> Ties:
    certainty: Floats = np.array([0.97, 0.8, 0.3, 0, 0, 0, 0])
    return ties_of(_graph(), certainty, np.array([0]), cards, pl.Series([str(one) for one in role]))


def test_groups_hold_two_cards_of_the_ring_and_lists_are_joined() -> None:
    ties = _ties(np.array([4, 3, 2, 1, 0]), [RingRole.MINDER, *[RingRole.BOX_CARD] * 4])
    assert ties.groups.rows() == [
        ("device", "86900609553922", "", 0.97, 2, True),
        ("batch", "S 1 2021-05-03 09:00", "S 1", 0.8, 2, False),
        ("holder", "f00d", "", 0.3, 2, False),
        ("callees", "", "", 1.0, 2, False),
        ("callees", "", "", 1.0, 3, False),
    ]
    # cards are numbered as they were given: card 4 of the graph is 0
    assert sorted(ties.links.select("group", "card").rows()) == [
        (0, 3),
        (0, 4),
        (1, 2),
        (1, 3),
        (2, 0),
        (2, 1),
        (3, 0),
        (3, 1),
        (4, 2),
        (4, 3),
        (4, 4),
    ]


def test_contacts_are_those_of_people_within_the_ring() -> None:
    ties = _ties(np.array([4, 3, 2, 1, 0]), [RingRole.MINDER, *[RingRole.BOX_CARD] * 4])
    assert ties.contacts.rows() == [(0, 3, 7), (0, 4, 1)]
    assert _ties(np.array([0, 1]), [RingRole.BOX_CARD] * 2).contacts.is_empty()


def test_a_card_alone_has_no_ties() -> None:
    ties = _ties(np.array([3]), [RingRole.UNKNOWN])
    assert (ties.groups.height, ties.links.height) == (0, 0)
