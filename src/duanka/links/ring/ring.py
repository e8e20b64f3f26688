"""A ring: the cards behind a seed, each with role, place, certainty and the reasons that brought it in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from duanka.domain.rings import DeviceRole
from duanka.domain.text import BilingualText
from duanka.links.devices import REASONS, judged_devices
from duanka.links.graph.graph import LinkGraph
from duanka.links.graph.strength import Floats, Ints
from duanka.links.ring.growth import JOINS, Growth, KnownCards, grow, grow_around
from duanka.links.ring.reasons import Reasons
from duanka.links.ring.roles import MIN_BOX_CARDS, devices_of, roles, sites
from duanka.links.ring.stock import stock_of
from duanka.links.ring.supply import supplying_outlets
from duanka.links.ring.ties import Ties, ties_of

BOX = DeviceRole.BOX.value
_TOOK = BilingualText("先后使用团伙的 {cards} 张卡", "took {cards} cards of the ring")
MOST_RINGS_TRIED = 5
_JUDGED = ("role", *REASONS)
_FACTS = (
    *("city", "outlet", "outlet_city", "opened_at", "first_used", "last_used", "at_risk", "confirmed"),
    *("organisation", "calls_in", "calls_out"),
)


@dataclass(frozen=True)
class Seed:
    """Where a search begins: rows of cards, and groups such as a seized device. `name`: as a person gave it.

    `supposed`: nobody named these cards; they are a community, and each is as sure as the others of the ring make it.
    """

    name: str
    cards: Ints
    groups: Ints
    supposed: bool = False


@dataclass(frozen=True)
class Ring:
    """The ring behind a seed; frames sorted for reading.

    cards    card, role, site, certainty (0..1), joined, reason_zh, reason_en; seed, by (the card that brought it in,
             "" of none), city (where it is used), outlet, outlet_city, opened_at, first_used, last_used, at_risk,
             confirmed, organisation, calls_in, calls_out
    devices  imei, cards (of the ring), site, role (DeviceRole), reason_zh, reason_en
    outlets  outlet, name, cards (of the ring), expected, lift, lower_bound, reason_zh, reason_en: those that stand out
    ties     what its cards share, and whom its people are in contact with
    """

    seed: Seed
    cards: pl.DataFrame
    devices: pl.DataFrame
    outlets: pl.DataFrame
    ties: Ties

    @property
    def joined(self) -> pl.DataFrame:
        """The cards that the evidence carries; the others are named for a person to look at."""
        return self.cards.filter("joined")

    @property
    def links_hold(self) -> bool:
        """Whether it is a ring at all; a card that a search begins at is none in itself."""
        return self.joined.height >= 2


def ring_around(graph: LinkGraph, seed: Seed, known: KnownCards) -> Ring:
    """Grow the ring of `seed`, and say who is who in it."""
    growth = grow(graph, seed.cards, seed.groups, known)
    if seed.supposed:
        growth = _as_the_others_say(graph, growth, known)
    return _described(graph, seed, growth, known)


def ring_taking_in(graph: LinkGraph, seed: Seed, known: KnownCards, rings: pl.DataFrame) -> Ring | None:
    """Of `rings` (card, its key, and ring) the one that would take in the card `seed`, with the greatest certainty.

    A single card may share too little with each other one to lead on, and enough with all of them together. None: no
    ring next to it would take it in.
    """
    (card,) = seed.cards.tolist()
    found = [
        growth
        for core in _rings_next_to(graph, card, rings)
        if (growth := grow_around(graph, card, core, known))
    ]
    best = max(found, key=lambda growth: float(growth.of_seeds[0]), default=None)
    return _described(graph, seed, best, known) if best else None


def _rings_next_to(graph: LinkGraph, card: int, rings: pl.DataFrame) -> list[Ints]:
    """Rows of the members of the rings that most cards are of which share something with `card`."""
    entry, _ = graph.groups_of.entries(np.array([card]))
    entry, _ = graph.cards_of.entries(graph.groups_of.other[entry].astype(np.int64))
    near = graph.cards["card"].gather(np.unique(graph.cards_of.other[entry]))
    closest = rings.filter(pl.col("card").is_in(near.implode())).group_by("ring").len()
    closest = closest.sort(["len", "ring"], descending=[True, False]).head(MOST_RINGS_TRIED)
    return [graph.rows_of(rings.filter(ring=ring)["card"].to_list()) for ring in closest["ring"]]


def _described(graph: LinkGraph, seed: Seed, growth: Growth, known: KnownCards) -> Ring:
    stock = stock_of(graph, growth)
    cards = np.concatenate([growth.listed, stock.cards])
    sure = growth.certainty.copy()
    sure[growth.seeds] = _of_seeds(growth, known)
    certainty = np.concatenate([sure[growth.listed], stock.certainty])
    joined = np.concatenate([growth.round[growth.listed] >= 0, np.ones(len(stock.cards), dtype=np.bool_)])
    role = roles(graph, growth, cards)
    site = sites(graph, growth, cards, role)
    words = Reasons(graph, growth, stock, known.passed).of(cards)
    by = pl.Series(growth.from_card[cards])
    frame = pl.DataFrame(
        {
            "row": cards,
            "card": graph.cards["name"].gather(cards),
            "role": role,
            "site": site,
            "certainty": pl.Series(certainty).round(3),
            "joined": joined,
            "reason_zh": [text.zh for text in words],
            "reason_en": [text.en for text in words],
            "seed": growth.round[cards] == 0,
            "by": graph.cards["name"].gather(by.clip(0)).set(by < 0, ""),
        }
    )
    frame = pl.concat([frame, graph.cards.select(_FACTS)[cards.tolist()]], how="horizontal")
    frame = frame.sort("joined", "certainty", "card", descending=[True, True, False])
    return Ring(
        seed,
        frame.drop("row"),
        _devices(graph, growth, pl.DataFrame({"row": cards, "site": site})),
        supplying_outlets(graph.cards, growth, stock),
        ties_of(graph, growth.group_certainty, seed.groups, frame["row"].to_numpy(), frame["role"]),
    )


def _of_seeds(growth: Growth, known: KnownCards) -> Floats:
    """How sure it is that the seeds are the ring's: its others or the police say so, not who named them."""
    return np.where(np.isin(growth.seeds, known.confirmed), 1.0, growth.of_seeds)


def _as_the_others_say(graph: LinkGraph, growth: Growth, known: KnownCards) -> Growth:
    """The same, with seeds that nobody named: the others of the ring, or the police, say whether they are in it."""
    seeds, certainty, joined = growth.seeds, growth.certainty.copy(), growth.round.copy()
    certainty[seeds] = _of_seeds(growth, known)
    joined[seeds] = np.where(certainty[seeds] >= JOINS, 1, -1)
    entry, owner = graph.groups_of.entries(seeds)
    group = graph.groups_of.other[entry].astype(np.int64)
    says = graph.groups_of.strength[entry] * growth.group_certainty[group]
    by_group, order = growth.by_group.copy(), np.lexsort((group, says, owner))
    by_group[seeds[owner[order]]] = group[order]  # of each the last, which says most
    return replace(growth, certainty=certainty, round=joined, by_group=by_group)


def _devices(graph: LinkGraph, growth: Growth, placed: pl.DataFrame) -> pl.DataFrame:
    """Devices that are the ring's, by the cards of the ring that sat in them."""
    devices = devices_of(graph, growth)
    entry, owner = graph.cards_of.entries(devices)
    card = graph.cards_of.other[entry].astype(np.int64)
    member = growth.round[card] >= 0
    sat = pl.DataFrame({"imei": graph.label.gather(devices[owner[member]]), "row": card[member]})
    by_device = (
        sat.join(placed, on="row", how="left")
        .group_by("imei")
        .agg(
            pl.len().alias("cards"),
            pl.col("site").filter(pl.col("site") != "").mode().sort().first().fill_null(""),
        )
    )
    known = graph.devices.filter(pl.col("device").is_in(by_device["imei"].implode()))
    judged = judged_devices(known)
    return (
        by_device.join(judged.select(pl.col("device").alias("imei"), *_JUDGED), on="imei", how="left")
        .with_columns(_in_the_ring())
        .sort(["cards", "imei"], descending=[True, False])
    )


def _in_the_ring() -> Sequence[pl.Expr]:
    """Role and reasons of a device of the ring: a box is also one that took many of its cards."""
    plain = pl.col("role").fill_null(DeviceRole.PHONE.value) == DeviceRole.PHONE.value
    box = plain & (pl.col("cards") >= MIN_BOX_CARDS)
    took = {
        f"reason_{language}": pl.format(text.replace("{cards}", "{}"), "cards")
        for language, text in (("zh", _TOOK.zh), ("en", _TOOK.en))
    }
    return [
        pl.when(box).then(pl.lit(BOX)).otherwise("role").fill_null(DeviceRole.PHONE.value).alias("role"),
        *(
            pl.when(box | pl.col(name).is_null()).then(text).otherwise(name).alias(name)
            for name, text in took.items()
        ),
    ]
