"""Who is who in a ring, and where it works: roles by what a card does, sites by where its boxes stand."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from duanka.domain.rings import LinkKind, RingRole
from duanka.links.graph.graph import LinkGraph
from duanka.links.graph.strength import Ints
from duanka.links.ring.growth import JOINS, Flags, Growth
from duanka.links.ring.stock import unused

MIN_BOX_CARDS = 4  # cards of a device, from which on it is a box rather than a phone
MIN_CODES = 10
MINDED = 2  # box cards that a minder calls, at least
FEW_CALLS = 0.1  # calls per code of a card that only receives codes

DIRECTS = 0.5  # share of an operator's calls within the ring that are to minders

Codes = NDArray[np.int8]
_CODES = {role: np.int8(code) for code, role in enumerate(RingRole)}
_BOXED = [
    _CODES[role] for role in (RingRole.BOX_CARD, RingRole.CALLER, RingRole.CODE_RECEIVER, RingRole.STOCK)
]


def roles(graph: LinkGraph, growth: Growth, cards: Ints) -> pl.Series:
    """The role of each of `cards` (rows of the graph)."""
    facts = graph.cards.select("calls_out", "codes_in", "last_used")[cards.tolist()]
    fresh, in_box = unused(facts), _in_a_box(graph, growth)[cards]
    calls, codes = facts["calls_out"].to_numpy(), facts["codes_in"].to_numpy()
    receives = (codes >= MIN_CODES) & (calls <= FEW_CALLS * codes)
    by_circle = (growth.by_group[cards] < 0) & (growth.round[cards] > 0)
    things = np.select(
        [fresh, receives, in_box & (calls > 0), calls > 0],
        [
            _CODES[role]
            for role in (RingRole.STOCK, RingRole.CODE_RECEIVER, RingRole.BOX_CARD, RingRole.CALLER)
        ],
        _CODES[RingRole.UNKNOWN],
    )
    found = _with_people(graph, growth, cards, things.astype(np.int8), cards[by_circle])
    return pl.Series("role", [role.value for role in RingRole]).gather(found)


def devices_of(graph: LinkGraph, growth: Growth) -> Ints:
    """The devices (groups) that are the ring's."""
    devices = graph.groups_with(growth.members, LinkKind.DEVICE)
    return np.asarray(devices[growth.group_certainty[devices] >= JOINS], dtype=np.int64)


def _in_a_box(graph: LinkGraph, growth: Growth) -> Flags:
    """Per card of the graph: whether it sat in a device of the ring that took MIN_BOX_CARDS of its cards."""
    devices = devices_of(graph, growth)
    entry, owner = graph.cards_of.entries(devices)
    card = graph.cards_of.other[entry].astype(np.int64)
    member = growth.round[card] >= 0
    many = np.bincount(owner, weights=member, minlength=len(devices)) >= MIN_BOX_CARDS
    found = np.zeros(graph.cards.height, dtype=np.bool_)
    found[card[many[owner]]] = True
    return found


def _with_people(graph: LinkGraph, growth: Growth, cards: Ints, things: Codes, people: Ints) -> Codes:
    """`things`, the roles of `cards` by what they do, with those of the `people` among them, who came by their circle.

    Minders call the boxes' cards, operators mostly minders. Who is in touch with these people, and does neither,
    supplies them.
    """
    role = np.full(1, _CODES[RingRole.UNKNOWN]).repeat(graph.cards.height)
    role[cards] = things
    role[people] = _CODES[RingRole.UNKNOWN]
    entry, owner = graph.contacts.entries(people)
    other, calls = graph.contacts.other[entry].astype(np.int64), graph.contacts.strength[entry]
    minds = np.bincount(owner, weights=np.isin(role[other], _BOXED), minlength=len(people)) >= MINDED
    role[people[minds]] = _CODES[RingRole.MINDER]
    within = calls * (growth.round[other] >= 0)
    minder = role[other] == _CODES[RingRole.MINDER]
    to_all, to_minders = (
        np.bincount(owner, weights=weights, minlength=len(people)) for weights in (within, within * minder)
    )
    directs = ~minds & (to_minders >= DIRECTS * to_all) & (to_minders > 0)
    role[people[directs]] = _CODES[RingRole.OPERATOR]
    deals = np.bincount(owner, weights=np.isin(other, people), minlength=len(people)) > 0
    role[people[~minds & ~directs & deals]] = _CODES[RingRole.SUPPLIER]
    return role[cards]


def sites(graph: LinkGraph, growth: Growth, cards: Ints, role: pl.Series) -> pl.Series:
    """Where each of `cards` works: the name of a site, "" where it has none.

    Cells of one city that cards of one device use are one site; it is named by its city and its busiest cell. The
    city of a card whose records name none is that of the others at its cell.
    """
    facts = graph.cards.select("city", "cell").with_row_index("row")[cards.tolist()].with_columns(role=role)
    facts = facts.with_columns(
        pl.col("city").fill_null(pl.col("city").drop_nulls().mode().sort().first().over("cell")).fill_null("")
    )
    placed = facts.filter(pl.col("cell").is_not_null() & (pl.col("role") == RingRole.BOX_CARD.value))
    cells = placed.group_by("city", "cell").len().sort("len", "cell", "city", descending=[True, False, False])
    if not cells.height:
        return pl.Series("site", [""] * len(cards))
    site_of = _joined_cells(graph, placed, cells)
    at = zip(facts["city"], facts["cell"], strict=True)
    return pl.Series("site", [site_of.get((city, cell), "") for city, cell in at], dtype=pl.String)


def _joined_cells(graph: LinkGraph, placed: pl.DataFrame, cells: pl.DataFrame) -> dict[tuple[str, int], str]:
    names = list(zip(cells["city"], cells["cell"], strict=True))
    rank = {name: place for place, name in enumerate(names)}
    top = list(range(len(names)))

    def find(place: int) -> int:
        while top[place] != place:
            top[place] = top[top[place]]
            place = top[place]
        return place

    devices = graph.groups_with(placed["row"].cast(pl.Int64).to_numpy(), LinkKind.DEVICE)
    entry, owner = graph.cards_of.entries(devices)
    sat = pl.DataFrame({"row": graph.cards_of.other[entry].astype(np.uint32), "device": owner})
    used = placed.join(sat, on="row").group_by("device", "city", "cell").len()
    for _, of_device in used.group_by("device", "city"):
        most = int(of_device["len"].max())  # type: ignore[arg-type]
        near = [
            rank[c, k] for c, k, n in of_device.select("city", "cell", "len").iter_rows() if 4 * n >= most
        ]
        for place in near[1:]:
            one, other = sorted((find(near[0]), find(place)))
            top[other] = one
    return {name: "/".join(map(str, names[find(place)])) for name, place in rank.items()}
