"""The register of rings: communities with ids that stay from night to night, ranked by how much speaks against them."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from duanka.links.graph.graph import LinkGraph
from duanka.links.graph.strength import Ints, binomial_bits

KEEPS_ID = 0.5  # of the smaller of two communities that are the same ring from one night to the next
WORTH_A_LOOK = 10.0  # bits: at most one community in a thousand has so many cards at risk by chance

MEMBERS = {"card": pl.Int64, "ring": pl.String, "since": pl.Date}


def named_rings(graph: LinkGraph, of_card: Ints, before: pl.DataFrame, today: date) -> pl.DataFrame:
    """card, ring, since: the members of each community, under the id that it had in `before` (the same columns).

    A community keeps the id of the earlier one with which it shares most cards, if that is half of the smaller one.
    """
    inside = np.flatnonzero(of_card >= 0)
    now = pl.DataFrame(
        {"card": graph.cards["card"].gather(inside), "community": pl.Series(of_card[inside], dtype=pl.Int64)}
    )
    ids = _ids(now, before)
    found = now.with_columns(pl.col("community").replace_strict(ids, return_dtype=pl.String).alias("ring"))
    found = found.join(before, on=["card", "ring"], how="left", maintain_order="left")
    return found.select("card", "ring", pl.col("since").fill_null(today)).sort("ring", "card")


def _ids(now: pl.DataFrame, before: pl.DataFrame) -> dict[int, str]:
    sizes = dict(now.group_by("community").len().iter_rows())
    earlier = dict(before.group_by("ring").len().iter_rows())
    shared = now.join(before, on="card").group_by("community", "ring").len()
    ids = dict[int, str]()
    for community, ring, many in shared.sort(
        ["len", "community", "ring"], descending=[True, False, False]
    ).iter_rows():
        if (
            community not in ids
            and ring in earlier
            and many >= KEEPS_ID * min(sizes[community], earlier[ring])
        ):
            ids[community] = ring
            del earlier[ring]
    free = max((int(ring[1:]) for ring in before["ring"].unique()), default=0)
    for community in sorted(sizes.keys() - ids.keys()):
        free += 1
        ids[community] = f"R{free:05}"
    return ids


def ranked(graph: LinkGraph, members: pl.DataFrame) -> pl.DataFrame:
    """ring, cards, confirmed, at_risk, expected, surprise (bits), city, since: what is worth a look first.

    `expected`: cards at risk in as many of the province; `surprise`: of so many. Confirmed cards come first.
    """
    facts = members.join(graph.cards.select("card", "confirmed", "at_risk", "city"), on="card", how="left")
    share = float(graph.cards["at_risk"].mean() or 0.0)  # type: ignore[arg-type]
    found = facts.group_by("ring").agg(
        pl.len().cast(pl.Int64).alias("cards"),
        pl.col("confirmed").sum().cast(pl.Int64),
        pl.col("at_risk").sum().cast(pl.Int64),
        pl.col("city").drop_nulls().mode().sort().first().fill_null("").alias("city"),
        pl.col("since").min(),
    )
    bits = binomial_bits(found["at_risk"].to_numpy(), found["cards"].to_numpy(), max(share, 1e-6))
    found = found.with_columns(
        expected=(pl.col("cards") * share).round(1), surprise=pl.Series(bits).round(1)
    ).filter((pl.col("surprise") >= WORTH_A_LOOK) | (pl.col("confirmed") > 0))
    return found.sort(["surprise", "cards", "ring"], descending=[True, True, False]).select(
        "ring", "cards", "confirmed", "at_risk", "expected", "surprise", "city", "since"
    )
