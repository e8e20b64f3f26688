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
    outlets = ring_outlets(graph.cards, growth)
    tells = dict(zip(outlets["outlet"], outlets["tells"], strict=True))
    fresh = unused(graph.cards) & ~graph.cards["organisation"].fill_null(value=False).to_numpy()
    batches = np.flatnonzero((graph.kind == LinkKind.BATCH.value).to_numpy())
    entry, owner = graph.cards_of.entries(batches)
    card = graph.cards_of.other[entry].astype(np.int64)
    size = np.maximum(np.bincount(owner, minlength=len(batches)), 1)
    idle = np.bincount(owner, weights=fresh[card], minlength=len(batches)) / size
    at = graph.cards["outlet"].gather(card)
    shop = at.replace_strict(tells, default=0.0, return_dtype=pl.Float64).to_numpy()
    # a batch of which most is used is somebody's crew, with a spare card among them
    certainty = shop * graph.cards_of.strength[entry] * idle[owner]
    joins = fresh[card] & (growth.round[card] < 0) & (certainty >= JOINS)
    return Stock(card[joins], certainty[joins], batches[owner[joins]])


def ring_outlets(cards: pl.DataFrame, growth: Growth) -> pl.DataFrame:
    """outlet, ring (its cards in the ring), opened (of the same weeks), tells: strength of the outlet's link.

    Only cards opened between the ring's first and last at that outlet count.
    """
    rows = cards.select("outlet", "opened_at").with_columns(member=pl.Series(growth.round >= 0))
    rows = rows.filter(pl.col("outlet").is_not_null() & pl.col("opened_at").is_not_null())
    opened = pl.col("opened_at")
    reach = (
        rows.filter("member").group_by("outlet").agg(opened.min().alias("first"), opened.max().alias("last"))
    )
    found = (
        rows.join(reach, on="outlet")
        .filter(opened.is_between("first", "last"))
        .group_by("outlet")
        .agg(pl.col("member").sum().cast(pl.Int64).alias("ring"), pl.len().cast(pl.Int64).alias("opened"))
        .filter(pl.col("ring") >= 2)
        .sort("ring", "outlet", descending=[True, False])
    )
    bits = binomial_bits(found["ring"].to_numpy(), found["opened"].to_numpy(), CALLED_SHARE)
    return found.with_columns(tells=pl.Series(strength(_KIND, bits)))
