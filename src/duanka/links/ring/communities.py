"""Communities: sets of cards that things tie together more closely than to all others.

What is left of the graph after pruning falls into components; most are a community each. A large one may hold several
rings that a few links bridge: Leiden divides it (V. A. Traag, L. Waltman, N. J. van Eck, "From Louvain to Leiden",
2019), with the component's own weight as its scale, so that what is found in it does not depend on the province around
it. Parts that more than LOOSE of their own ties bind to others are put together again, for one ring with many boxes is
one ring. Of all resolutions the one counts whose division most others give too. One thread and a fixed seed: the same
graph gives the same communities. A component that is as it was the night before is not divided again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import networkit
import numpy as np
from scipy.sparse import coo_array

from duanka.links.graph.graph import LinkGraph
from duanka.links.graph.neighbours import components
from duanka.links.graph.stored import Divisions
from duanka.links.graph.strength import Floats, Ints

PRUNED = 0.3  # memberships below are left out: a bridge, not a tie
MIN_CARDS = 4  # of a community worth a look
DIVIDED_FROM = 30  # cards of a component, from which on it may hold several rings
LOOSE = 0.1  # share of a part's ties that may bind it to others, if it is a ring of its own
RESOLUTIONS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
SAME = 0.99  # agreement of two divisions that are taken for one
_SEED = 7
_ITERATIONS = 5
_METHOD = (
    f"1 {networkit.__version__} {_SEED} {_ITERATIONS} {LOOSE}"  # raise it when the same ties divide otherwise
)


@dataclass(frozen=True)
class Communities:
    """Per card: its community, -1 if none; `resolution`: what divided large components.

    `stability`: resolution -> share of all resolutions whose division is the same; {} if there was nothing to divide.
    `divisions`: of all large components, for the next night.
    """

    of_card: Ints
    resolution: float
    stability: dict[float, float]
    divisions: Divisions


@dataclass(frozen=True)
class _Ties:
    """Strong memberships: card, group, weight, and the component of each."""

    card: Ints
    group: Ints
    weight: Floats
    component: Ints


class _Component:
    """A component of DIVIDED_FROM cards or more, its cards and groups numbered from 0, groups after cards.

    `cards`: rows in the graph. `mark`: equal for components that are divided alike.
    """

    def __init__(self, card: Ints, group: Ints, weight: Floats) -> None:
        self.cards, self.one = np.unique(card, return_inverse=True)
        groups, other = np.unique(group, return_inverse=True)
        self.other, self.weight = other + len(self.cards), weight
        self.nodes = len(self.cards) + len(groups)
        mark = blake2b(_METHOD.encode(), digest_size=16)
        for ends in (self.one, self.other, weight):
            mark.update(np.ascontiguousarray(ends).data)
        self.mark = mark.digest()


class _Divided:
    """Components, each divided at most once at a resolution; `before`: what is known of the night before."""

    def __init__(self, components: Sequence[_Component], before: Divisions) -> None:
        self._components, self._before = components, before
        self.known = dict[tuple[bytes, float], Ints]()

    def at(self, resolution: float, of_card: Ints) -> Ints:
        """`of_card` with the cards of each component divided at `resolution`."""
        found = of_card.copy()
        free = int(of_card.max(initial=-1)) + 1
        for one in self._components:
            key = one.mark, resolution
            part = self.known.get(key)
            if part is None:
                part = self._before.get(key)
            if part is None:
                part = _leiden(one, resolution)
            self.known[key] = part
            found[one.cards] = free + part
            free += int(part.max(initial=-1)) + 1
        return found

    def cards(self) -> Ints:
        """Rows of all cards of the components."""
        return np.concatenate([np.empty(0, dtype=np.int64), *(one.cards for one in self._components)])


def communities(
    graph: LinkGraph, resolution: float | None = None, before: Divisions | None = None
) -> Communities:
    """Divide the cards; `resolution` None: the one at which the division is most stable.

    `before`: divisions of an earlier graph; a component that is as it was there is not divided again.
    """
    ties = _ties(graph)
    cards = graph.cards.height
    alone = np.full(cards, -1, dtype=np.int64)
    alone[ties.card] = ties.component
    divided = _Divided(_large(ties, alone), before or {})
    stability = dict[float, float]()
    if resolution is None:
        resolution, stability = _most_stable(divided, cards)
    of_card = _numbered(divided.at(resolution, alone))
    return Communities(of_card, resolution, stability, divided.known)


def _ties(graph: LinkGraph) -> _Ties:
    card, group = graph.groups_of.rows(), graph.groups_of.other.astype(np.int64)
    keep = graph.groups_of.strength >= PRUNED
    card, group, weight = card[keep], group[keep], graph.groups_of.strength[keep].astype(np.float64)
    return _Ties(card, group, weight, components(card, group))


def _large(ties: _Ties, component_of: Ints) -> list[_Component]:
    """Components of DIVIDED_FROM cards or more; `component_of`: of each card, -1 if none."""
    many = np.bincount(component_of[component_of >= 0])
    inside = (
        np.flatnonzero((many >= DIVIDED_FROM)[ties.component]) if len(many) else np.empty(0, dtype=np.int64)
    )
    order = inside[np.argsort(ties.component[inside], kind="stable")]
    begins = np.flatnonzero(np.diff(ties.component[order])) + 1
    return [
        _Component(ties.card[at], ties.group[at], ties.weight[at])
        for at in np.split(order, begins)
        if len(at)
    ]


def _leiden(component: _Component, resolution: float) -> Ints:
    """The part that each card of a component is in."""
    one, other, weight = component.one, component.other, component.weight
    networkit.setNumberOfThreads(1)
    networkit.setSeed(_SEED, useThreadId=False)
    ends = (one.astype(np.uint64), other.astype(np.uint64))
    whole = networkit.GraphFromCoo((weight, ends), n=component.nodes, weighted=True)
    found = networkit.community.ParallelLeiden(
        whole, iterations=_ITERATIONS, randomize=False, gamma=resolution
    )
    found.run()
    part = np.unique(np.asarray(found.getPartition().getVector()), return_inverse=True)[1].astype(np.int64)
    return _held_together(part, one, other, weight)[: len(component.cards)]


def _held_together(part: Ints, one: Ints, other: Ints, weight: Floats) -> Ints:
    """`part` of each node, with parts put together that too many of their ties (one, other, weight) bind to others."""
    many = int(part.max(initial=-1)) + 1
    ends = np.concatenate([part[one], part[other]]), np.concatenate([part[other], part[one]])
    between = coo_array((np.tile(weight, 2), ends), shape=(many, many)).tolil()
    inside, now = between.diagonal() / 2.0, np.arange(many)
    ties = [
        {int(b): float(w) for b, w in zip(row, data, strict=True) if b != a}
        for a, (row, data) in enumerate(zip(between.rows, between.data, strict=True))
    ]
    loose = sorted(range(many), key=lambda a: -_looseness(ties[a], inside[a]))
    while loose:
        a = loose.pop(0)
        if now[a] != a or not ties[a] or _looseness(ties[a], inside[a]) <= LOOSE:
            continue
        b = max(ties[a], key=lambda to: (ties[a][to], -to))
        inside[b] += inside[a] + ties[a].pop(b)
        del ties[b][a]
        for to, tie in ties[a].items():
            ties[b][to] = ties[b].get(to, 0.0) + tie
            ties[to][b] = ties[to].get(b, 0.0) + tie
            del ties[to][a]
        now[now == a] = b
        loose.append(b)
    return np.unique(now[part], return_inverse=True)[1].astype(np.int64)


def _looseness(ties: dict[int, float], inside: float) -> float:
    """Share of a part's ties that bind it to others."""
    out = sum(ties.values())
    return out / (out + inside) if out else 0.0


def _most_stable(divided: _Divided, cards: int) -> tuple[float, dict[float, float]]:
    """The resolution whose division most others give too, of equals the lowest; and the share that each has."""
    rows = divided.cards()
    if not len(rows):
        return RESOLUTIONS[0], {}
    none = np.full(cards, -1, dtype=np.int64)
    parts = [divided.at(resolution, none)[rows] for resolution in RESOLUTIONS]
    same = {
        resolution: round(float(np.mean([_agreement(one, other) >= SAME for other in parts])), 2)
        for resolution, one in zip(RESOLUTIONS, parts, strict=True)
    }
    return max(same, key=lambda resolution: (same[resolution], -resolution)), same


def _agreement(one: Ints, other: Ints) -> float:
    """Rand index of two divisions, adjusted for chance (L. Hubert, P. Arabie, 1985): 1 if they are the same."""
    pairs, sizes_one, sizes_other = (
        _pairs_within(np.unique(labels, return_counts=True)[1])
        for labels in (one * (int(other.max(initial=0)) + 1) + other, one, other)
    )
    all_pairs = len(one) * (len(one) - 1) / 2.0
    by_chance = sizes_one * sizes_other / max(all_pairs, 1.0)
    most = (sizes_one + sizes_other) / 2.0
    return 1.0 if most == by_chance else (pairs - by_chance) / (most - by_chance)


def _pairs_within(sizes: Sequence[int] | Ints) -> float:
    counts = np.asarray(sizes, dtype=np.float64)
    return float((counts * (counts - 1.0) / 2.0).sum())


def _numbered(of_card: Ints) -> Ints:
    """Number the communities of MIN_CARDS or more from 0, in order of their first card; the others are none."""
    labels, first, inverse, many = np.unique(
        of_card, return_index=True, return_inverse=True, return_counts=True
    )
    kept = np.flatnonzero((labels >= 0) & (many >= MIN_CARDS))
    number = np.full(len(labels), -1, dtype=np.int64)
    number[kept[np.argsort(first[kept])]] = np.arange(len(kept))
    return np.asarray(number[inverse], dtype=np.int64)
