"""Where everything of the picture stands: supply left, places in the middle, people right, other ties below.

Computed, not simulated: the same ring gives the same picture, and what a column means is known before it is read.
All in units of the drawing, which is WIDTH wide.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from duanka.domain.rings import LinkKind
from duanka.links.page.picture import OTHER_TIES, ClusterKind, Node, NodeCluster, Picture, Tie

WIDTH = 1040
LEFT, SUPPLY_WIDTH = 6, 270
PLACES_LEFT, PLACES_WIDTH = 440, 262
PEOPLE_LEFT, PEOPLE_WIDTH = 818, 132
TOP = 30  # for the headings of the columns
HEAD = 52  # of a cluster, for its name
PERSON = 25  # height of a person
HEADING = 22  # of a role
_GAP = 16
_LARGEST = 15.0  # half the size of a node
_PAD = 10
_LABELLED = 54  # cell of a device with its name
_SMALL = 24
_ROOMY, _DENSE = 30, 21  # cells of batches
_MANY = 45  # batches, from which on they stand close
_MANY_DEVICES = 24
_TIE_CELL = 22
_TIE_HEAD = 44
_MOST_FLOW = 190  # height of all flows together
_LEAST_FLOW = 1.5


@dataclass(frozen=True)
class Rectangle:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """Its height's middle."""
        return self.y + self.height / 2


@dataclass(frozen=True)
class Spot:
    """The middle of a node, and half of its size; `named`: there is room for its name."""

    x: float
    y: float
    size: float
    named: bool = False


@dataclass(frozen=True)
class Flow:
    """A band of cards from `start` (x, y of its middle) to `end`."""

    tie: Tie
    start: tuple[float, float]
    end: tuple[float, float]
    height: float


@dataclass(frozen=True)
class PictureLayout:
    """Frames of clusters and of other ties (by kind), spots of nodes, bands; `height`: of the whole."""

    frames: Mapping[str, Rectangle]
    spots: Mapping[str, Spot]
    flows: Sequence[Flow]
    headings: Mapping[str, float]  # of roles: the middle of each
    upper: float  # where the columns end, and other ties begin
    height: float


def laid_out(picture: Picture) -> PictureLayout:
    """Give everything in `picture` its place."""
    cells = _cells(picture)
    columns = [
        _column(picture.supply, LEFT, SUPPLY_WIDTH, cells),
        _column(picture.places, PLACES_LEFT, PLACES_WIDTH, cells),
    ]
    tall = [_height(column.values()) for column in columns] + [_people_height(picture.people)]
    upper = TOP + max(tall)
    frames = {
        name: Rectangle(frame.x, frame.y + TOP + (upper - TOP - height) / 2, frame.width, frame.height)
        for column, height in zip(columns, tall, strict=False)
        for name, frame in column.items()
    }
    spots = dict[str, Spot]()
    for cluster in (*picture.supply, *picture.places):
        spots |= _inside(cluster, frames[cluster.id], cells)
    headings = _stand_people(picture.people, TOP + (upper - TOP - tall[2]) / 2, spots)
    bottom = _stand_ties(picture.others, upper + _GAP, frames, spots)
    return PictureLayout(frames, spots, _flows(picture, frames), headings, upper, bottom)


@dataclass(frozen=True)
class _Cells:
    batch: float
    device: float
    largest: Mapping[str, int]  # cards of the largest node of a kind


def _cells(picture: Picture) -> _Cells:
    batches = sum(len(cluster.nodes) for cluster in picture.supply)
    devices = max((len(cluster.nodes) for cluster in picture.places), default=0)
    largest = dict[str, int]()
    for node in picture.nodes:
        largest[node.kind] = max(largest.get(node.kind, 1), 1 if node.merged else node.cards)
    return _Cells(
        _ROOMY if batches <= _MANY else _DENSE, _LABELLED if devices <= _MANY_DEVICES else _SMALL, largest
    )


def _cell(cluster: NodeCluster, cells: _Cells) -> float:
    return cells.batch if cluster.kind in (ClusterKind.OUTLET, ClusterKind.OTHER_OUTLETS) else cells.device


def _rows(cluster: NodeCluster, width: float, cell: float) -> int:
    return math.ceil(len(cluster.nodes) / max(int((width - 2 * _PAD) // cell), 1))


def _column(
    clusters: Iterable[NodeCluster], left: float, width: float, cells: _Cells
) -> dict[str, Rectangle]:
    frames, y = dict[str, Rectangle](), 0.0
    for cluster in clusters:
        cell = _cell(cluster, cells)
        rows = _rows(cluster, width, cell)
        height = HEAD + (rows * cell + _PAD if rows else -6)
        frames[cluster.id] = Rectangle(left, y, width, height)
        y += height + _GAP
    return frames


def _height(frames: Iterable[Rectangle]) -> float:
    return max((frame.y + frame.height for frame in frames), default=0.0)


def _inside(cluster: NodeCluster, frame: Rectangle, cells: _Cells) -> dict[str, Spot]:
    cell = _cell(cluster, cells)
    across = max(int((frame.width - 2 * _PAD) // cell), 1)
    spots = dict[str, Spot]()
    for number, node in enumerate(cluster.nodes):
        x = frame.x + _PAD + (number % across + 0.5) * cell
        y = frame.y + HEAD + (number // across + 0.5) * cell
        named = node.kind == LinkKind.DEVICE.value and cell == _LABELLED
        most = min(cell / 2 - 2, _LARGEST)
        spots[node.id] = Spot(x, y - (8 if named else 0), _size(node, cells.largest[node.kind], most), named)
    return spots


def _size(node: Node, largest: int, most: float) -> float:
    """Half the size of a node: its area grows with its cards."""
    if node.merged:
        return most
    return max(most * math.sqrt(min(node.cards / largest, 1.0)), 3.5)


def _people_height(people: Sequence[Node]) -> float:
    return len(people) * PERSON + len({node.kind for node in people}) * HEADING


def _stand_people(people: Sequence[Node], top: float, spots: dict[str, Spot]) -> dict[str, float]:
    headings, y = dict[str, float](), top
    for node in people:
        if node.kind not in headings:
            headings[node.kind] = y + HEADING - 7
            y += HEADING
        spots[node.id] = Spot(PEOPLE_LEFT + 11, y + PERSON / 2, 9.5, named=True)
        y += PERSON
    return headings


def _stand_ties(
    others: Sequence[Node], top: float, frames: dict[str, Rectangle], spots: dict[str, Spot]
) -> float:
    """Blocks of other ties side by side; returns where they end."""
    kinds = [kind.value for kind in OTHER_TIES if any(node.kind == kind.value for node in others)]
    if not kinds:
        return top
    width = (WIDTH - 2 * LEFT - _GAP * (len(kinds) - 1)) / len(kinds)
    across = max(int((width - 2 * _PAD) // _TIE_CELL), 1)
    deepest = 0.0
    for place, kind in enumerate(kinds):
        left = LEFT + place * (width + _GAP)
        block = [node for node in others if node.kind == kind]
        largest = max((node.cards for node in block if not node.merged), default=1)
        for number, node in enumerate(block):
            x = left + _PAD + (number % across + 0.5) * _TIE_CELL
            y = top + _TIE_HEAD + (number // across + 0.5) * _TIE_CELL
            spots[node.id] = Spot(x, y, _size(node, largest, _TIE_CELL / 2 - 2))
            deepest = max(deepest, y + _TIE_CELL / 2)
    for place, kind in enumerate(kinds):
        left = LEFT + place * (width + _GAP)
        frames[kind] = Rectangle(left, top, width, deepest + _PAD - top)
    return deepest + _PAD + 2


def _flows(picture: Picture, frames: Mapping[str, Rectangle]) -> list[Flow]:
    """Bands from outlets to places; their heights are in one scale, and fit into every frame."""
    if not picture.flows:
        return []
    all_cards = sum(tie.cards for tie in picture.flows)
    scale = _MOST_FLOW / all_cards
    for cluster in (*picture.supply, *picture.places):
        scale = min(scale, (frames[cluster.id].height - 6) / max(cluster.cards, 1))
    supply = {cluster.id: number for number, cluster in enumerate(picture.supply)}
    places = {cluster.id: number for number, cluster in enumerate(picture.places)}
    flows = sorted(picture.flows, key=lambda tie: (supply[tie.one], places[tie.other]))
    starts = _ports(flows, [tie.one for tie in flows], frames, scale)
    by_place = sorted(flows, key=lambda tie: (places[tie.other], supply[tie.one]))
    ends = dict(zip(by_place, _ports(by_place, [tie.other for tie in by_place], frames, scale), strict=True))
    return [
        Flow(
            tie,
            (LEFT + SUPPLY_WIDTH, start),
            (PLACES_LEFT, ends[tie]),
            max(tie.cards * scale, _LEAST_FLOW),
        )
        for tie, start in zip(flows, starts, strict=True)
    ]


def _ports(
    flows: Sequence[Tie], at: Sequence[str], frames: Mapping[str, Rectangle], scale: float
) -> list[float]:
    """The middle of each band at its frame: bands of one frame lie one below the other, around its middle."""
    whole = dict[str, float]()
    for tie, name in zip(flows, at, strict=True):
        whole[name] = whole.get(name, 0.0) + tie.cards * scale
    next_y = {name: frames[name].middle - height / 2 for name, height in whole.items()}
    ports = list[float]()
    for tie, name in zip(flows, at, strict=True):
        height = tie.cards * scale
        ports.append(next_y[name] + height / 2)
        next_y[name] += height
    return ports
