"""Where each card of a cluster stands when the cluster is opened: one block of dots for each of its nodes.

Places are relative to the frame of the cluster, so that whoever draws can move frames without asking again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from duanka.links.page.layout import HEAD, PLACES_WIDTH, SUPPLY_WIDTH
from duanka.links.page.picture import NodeCluster, Picture
from duanka.links.ring.ties import Ties

DOT = 7.0  # cell of a card
_PAD = 10
_TITLE = 18.0  # above a block, for the name of its node
_GAP = 6.0


@dataclass(frozen=True)
class CardBlock:
    """Cards of one node, or with `node` empty those of none. `y`: where its name stands, from the frame's top."""

    node: str
    y: float
    cards: int


@dataclass(frozen=True)
class OpenedCluster:
    """A cluster with its cards: how high it is then, and its blocks."""

    height: float
    blocks: Sequence[CardBlock]


@dataclass(frozen=True)
class CardSpots:
    """Per card of the ring its middle (x, y) within the frame of its cluster; None: it stands in none."""

    x: Sequence[float | None]
    y: Sequence[float | None]


def opened(
    clusters: Sequence[NodeCluster], of_card: pl.Series, ties: Ties
) -> tuple[Mapping[str, OpenedCluster], CardSpots]:
    """`clusters` as they are when opened, and where each card stands. `of_card`: per card the id of its cluster."""
    groups_of = _groups_of(ties, len(of_card))
    x: list[float | None] = [None] * len(of_card)
    y: list[float | None] = [None] * len(of_card)
    found = dict[str, OpenedCluster]()
    for cluster in clusters:
        rows = (of_card == cluster.id).arg_true().to_list()
        width = SUPPLY_WIDTH if cluster.id.startswith("o") else PLACES_WIDTH
        across = int((width - 2 * _PAD) // DOT)
        blocks, top = list[CardBlock](), float(HEAD)
        for node, cards in _blocks(cluster, rows, groups_of):
            blocks.append(CardBlock(node, top, len(cards)))
            first = top + _TITLE
            for number, row in enumerate(cards):
                x[row] = _PAD + (number % across + 0.5) * DOT
                y[row] = first + (number // across + 0.5) * DOT
            top = first + -(-len(cards) // across) * DOT + _GAP
        found[cluster.id] = OpenedCluster(top + _PAD - _GAP, blocks)
    return found, CardSpots(x, y)


def members(picture: Picture, ties: Ties) -> dict[str, list[int]]:
    """Per node the rows of its cards, each once."""
    cards_of = dict(ties.links.group_by("group").agg(pl.col("card").unique().sort()).iter_rows())
    found = dict[str, list[int]]()
    for node in picture.nodes:
        rows = set(node.people)
        for group in node.groups:
            rows.update(cards_of.get(group, ()))
        found[node.id] = sorted(int(row) for row in rows)
    return found


def _groups_of(ties: Ties, cards: int) -> list[Sequence[int]]:
    found: list[Sequence[int]] = [()] * cards
    for card, groups in ties.links.group_by("card").agg(pl.col("group").sort()).iter_rows():
        found[card] = groups
    return found


def _blocks(
    cluster: NodeCluster, rows: Sequence[int], groups_of: Sequence[Sequence[int]]
) -> Iterator[tuple[str, list[int]]]:
    """Its nodes in their order, each with the cards that no node before it has; then the cards of no node."""
    place = {group: number for number, node in enumerate(cluster.nodes) for group in node.groups}
    of_node = [list[int]() for _ in range(len(cluster.nodes) + 1)]
    for row in rows:
        at = min((place[group] for group in groups_of[row] if group in place), default=len(cluster.nodes))
        of_node[at].append(row)
    for node, cards in zip((*(node.id for node in cluster.nodes), ""), of_node, strict=True):
        if cards:
            yield node, cards
