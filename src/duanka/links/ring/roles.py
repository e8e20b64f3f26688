"""Who is who in a ring, and where it works: roles by what a card does, sites by where its boxes stand."""

from __future__ import annotations

import numpy as np
import polars as pl

from duanka.domain.rings import LinkKind, RingRole
from duanka.links.graph.graph import LinkGraph
from duanka.links.graph.strength import Ints
from duanka.links.ring.growth import Flags, Growth
from duanka.links.ring.stock import unused

MIN_BOX_CARDS = 4  # cards of a device, from which on it is a box rather than a phone
MIN_CODES = 10
MINDED = 2  # box cards that a minder calls, at least
FEW_CALLS = 0.1  # calls per code of a card that only receives codes

DIRECTS = 0.5  # share of an operator's calls within the ring that are to minders

BOXED = (RingRole.BOX_CARD.value, RingRole.CALLER.value, RingRole.CODE_RECEIVER.value, RingRole.STOCK.value)


def roles(graph: LinkGraph, growth: Growth, cards: Ints) -> pl.Series:
    """The role of each of `cards` (rows of the graph)."""
    facts = graph.cards[cards.tolist()]
    fresh = unused(graph.cards)[cards]
    in_box = _in_a_box(graph, growth)[cards]
    calls, codes = facts["calls_out"].to_numpy(), facts["codes_in"].to_numpy()
    receives = (codes >= MIN_CODES) & (calls <= FEW_CALLS * codes)
    by_circle = (growth.by_group[cards] < 0) & (growth.round[cards] > 0)
    things = np.select(
        [fresh, receives, in_box & (calls > 0), calls > 0],
        [RingRole.STOCK.value, RingRole.CODE_RECEIVER.value, RingRole.BOX_CARD.value, RingRole.CALLER.value],
        RingRole.UNKNOWN.value,
    )
    return _people(graph, growth, cards, pl.Series(things), by_circle)


def _in_a_box(graph: LinkGraph, growth: Growth) -> Flags:
    """Per card of the graph: whether it sat in a device that took MIN_BOX_CARDS cards of the ring."""
    devices = np.flatnonzero((graph.kind == LinkKind.DEVICE.value).to_numpy())
    entry, owner = graph.cards_of.entries(devices)
    card = graph.cards_of.other[entry].astype(np.int64)
    member = growth.round[card] >= 0
    many = np.bincount(owner, weights=member, minlength=len(devices)) >= MIN_BOX_CARDS
    found = np.zeros(graph.cards.height, dtype=np.bool_)
    found[card[many[owner]]] = True
    return found


def _people(graph: LinkGraph, growth: Growth, cards: Ints, things: pl.Series, by_circle: Flags) -> pl.Series:
    """Roles of those who came by their circle: minders call the boxes' cards, operators mostly minders.

    Who is in touch with these people, and does neither, supplies them.
    """
    whole = np.full(graph.cards.height, RingRole.UNKNOWN.value, dtype=object)
    whole[cards] = things.to_numpy()
    people = cards[np.flatnonzero(by_circle)]
    whole[people] = RingRole.UNKNOWN.value
    entry, owner = graph.contacts.entries(people)
    other, calls = graph.contacts.other[entry].astype(np.int64), graph.contacts.strength[entry]
    minds = np.bincount(owner, weights=np.isin(whole[other], BOXED), minlength=len(people)) >= MINDED
    whole[people[minds]] = RingRole.MINDER.value
    within = calls * (growth.round[other] >= 0)
    minder = whole[other] == RingRole.MINDER.value
    to_all, to_minders = (
        np.bincount(owner, weights=weights, minlength=len(people)) for weights in (within, within * minder)
    )
    directs = ~minds & (to_minders >= DIRECTS * to_all) & (to_minders > 0)
    whole[people[directs]] = RingRole.OPERATOR.value
    deals = np.bincount(owner, weights=np.isin(other, people), minlength=len(people)) > 0
    whole[people[~minds & ~directs & deals]] = RingRole.SUPPLIER.value
    return pl.Series("role", whole[cards].astype(str))


def sites(graph: LinkGraph, growth: Growth, cards: Ints, role: pl.Series) -> pl.Series:
    """Where each of `cards` works: the name of a site, "" where it has none.

    Cells of one city that cards of one device use are one site; it is named by its city and its busiest cell.
    """
    facts = graph.cards.select("city", "cell").with_row_index("row")[cards.tolist()].with_columns(role=role)
    placed = facts.filter(pl.col("cell").is_not_null() & (pl.col("role") == RingRole.BOX_CARD.value))
    cells = placed.group_by("city", "cell").len().sort("len", "cell", descending=[True, False])
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

    devices = np.flatnonzero((graph.kind == LinkKind.DEVICE.value).to_numpy())
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
