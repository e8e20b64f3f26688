"""Cards in the drawer: never used, opened in bulk where the ring gets its cards.

Nothing but the shop links them to the ring, so they join last, and none that was ever used is among them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from duanka.domain.rings import LinkKind
from duanka.links.graph.graph import LinkGraph
from duanka.links.graph.strength import Floats, Ints, binomial_bits, strength
from duanka.links.ring.growth import CALLED_SHARE, JOINS, Flags, Growth

_KIND = LinkKind.OUTLET


@dataclass(frozen=True)
class Stock:
    """Rows of unused cards with their certainty, and the batch (group) that each was opened in."""

    cards: Ints
    certainty: Floats
    batch: Ints


def unused(cards: pl.DataFrame) -> Flags:
    """Per card: whether nobody ever called, texted or surfed with it."""
    return cards["last_used"].is_null().to_numpy()


def stock_of(graph: LinkGraph, growth: Growth) -> Stock:
    """Unused cards opened in bulk at outlets that gave so many cards to the ring that chance does not explain it.

    An organisation may well lay cards in a drawer: its cards need another link.
    """
    at_shops = _cards_of_shops(graph.cards, growth)
    tells = ring_outlets(at_shops)
    drawer = at_shops.filter(pl.col("fresh") & ~pl.col("member")).join(tells, on="outlet")
    batches = graph.groups_with(drawer["row"].cast(pl.Int64).to_numpy(), LinkKind.BATCH)
    entry, owner = graph.cards_of.entries(batches)
    card = graph.cards_of.other[entry].astype(np.int64)
    fresh = np.zeros(graph.cards.height, dtype=np.bool_)
    fresh[at_shops.filter("fresh")["row"].to_numpy()] = True
    shop = np.zeros(graph.cards.height)
    shop[drawer["row"].to_numpy()] = drawer["tells"].to_numpy()
    size = np.maximum(np.bincount(owner, minlength=len(batches)), 1)
    idle = np.bincount(owner, weights=fresh[card], minlength=len(batches)) / size
    # a batch of which most is used is somebody's crew, with a spare card among them
    certainty = shop[card] * graph.cards_of.strength[entry] * idle[owner]
    joins = certainty >= JOINS
    return Stock(card[joins], certainty[joins], batches[owner[joins]])


def _cards_of_shops(cards: pl.DataFrame, growth: Growth) -> pl.DataFrame:
    """row, outlet, opened_at, member, fresh: of all cards of the shops that opened any of the ring."""
    shops = cards["outlet"].gather(growth.members).drop_nulls().unique()
    rows = cards.select("outlet", "opened_at", "last_used", "organisation").with_row_index("row")
    rows = rows.filter(pl.col("outlet").is_in(shops.implode()) & pl.col("opened_at").is_not_null())
    member = pl.Series(growth.round[rows["row"].to_numpy()] >= 0)
    fresh = pl.col("last_used").is_null() & ~pl.col("organisation").fill_null(value=False)
    return rows.select("row", "outlet", "opened_at", member.alias("member"), fresh.alias("fresh"))


def ring_outlets(at_shops: pl.DataFrame) -> pl.DataFrame:
    """outlet, tells: strength of the link of each shop that gave cards to the ring.

    Only cards opened between the ring's first and last at that shop count.
    """
    opened = pl.col("opened_at")
    reach = (
        at_shops.filter("member")
        .group_by("outlet")
        .agg(opened.min().alias("first"), opened.max().alias("last"))
    )
    found = (
        at_shops.join(reach, on="outlet")
        .filter(opened.is_between("first", "last"))
        .group_by("outlet")
        .agg(pl.col("member").sum().cast(pl.Int64).alias("ring"), pl.len().cast(pl.Int64).alias("opened"))
        .filter(pl.col("ring") >= 2)
        .sort("outlet")
    )
    bits = binomial_bits(found["ring"].to_numpy(), found["opened"].to_numpy(), CALLED_SHARE)
    return found.select("outlet", pl.Series("tells", strength(_KIND, bits)))
