"""The register of rings: communities with ids that stay from night to night, ranked by how much speaks against them."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from duanka.links.graph.graph import LinkGraph
from duanka.links.graph.strength import Floats, Ints, binomial_bits
from duanka.links.ring.growth import KnownCards, grow
from duanka.links.ring.stock import stock_of

KEEPS_ID = 0.5  # of the smaller of two communities that are the same ring from one night to the next
WORTH_A_LOOK = 10.0  # bits: at most one community in a thousand has so many cards at risk by chance

FIRM_SHARE = 0.8  # cards of a firm's gateway that an organisation holds, at least
CALLED_BACK_SHARE = (
    0.05  # incoming among its calls, at least: who is called by a fraud room rarely calls back
)
_OWNED = pl.col("organisation").fill_null(value=False).mean() >= FIRM_SHARE
_CALLED_BACK = pl.col("calls_in").sum() >= CALLED_BACK_SHARE * (
    pl.col("calls_in").sum() + pl.col("calls_out").sum()
)
FIRM = _OWNED & _CALLED_BACK & ~pl.col("confirmed").any()
MEMBERS = {"card": pl.Int64, "ring": pl.String, "since": pl.Date}
TABLE = {"card": pl.String, "ring": pl.String, "certainty": pl.Int64, "since": pl.Date}


def named_rings(graph: LinkGraph, of_card: Ints, before: pl.DataFrame, today: date) -> pl.DataFrame:
    """card, ring, since: the members of each community, under the id that it had in `before` (the same columns).

    A community keeps the id of the earlier one with which it shares most cards, if that is half of the smaller one.
    """
    inside = np.flatnonzero(of_card >= 0)
    now = pl.DataFrame(
        {"card": graph.cards["card"].gather(inside), "community": pl.Series(of_card[inside], dtype=pl.Int64)}
    )
    ids = _ids(now, before)
    if not ids:
        return pl.DataFrame(schema=MEMBERS)
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
    """ring, cards, confirmed, at_risk, expected, surprise (bits), city, since, firm: what is worth a look first.

    `expected`: cards at risk in as many of the province; `surprise`: of so many, 60 at most. `firm`: the cards are an
    organisation's and are called back: its gateway or its desks, not a gang's box; none of them is confirmed.
    """
    wanted = ("card", "confirmed", "at_risk", "city", "organisation", "calls_in", "calls_out")
    facts = members.join(graph.cards.select(wanted), on="card", how="left")
    share = float(graph.cards["at_risk"].mean() or 0.0)  # type: ignore[arg-type]
    found = facts.group_by("ring").agg(
        pl.len().cast(pl.Int64).alias("cards"),
        pl.col("confirmed").sum().cast(pl.Int64),
        pl.col("at_risk").sum().cast(pl.Int64),
        pl.col("city").drop_nulls().mode().sort().first().fill_null("").alias("city"),
        pl.col("since").min(),
        FIRM.alias("firm"),
    )
    bits = binomial_bits(found["at_risk"].to_numpy(), found["cards"].to_numpy(), max(share, 1e-6))
    found = found.with_columns(
        expected=(pl.col("cards") * share).round(1), surprise=pl.Series(bits).round(1)
    ).filter((pl.col("surprise") >= WORTH_A_LOOK) | (pl.col("confirmed") > 0))
    return found.sort(["surprise", "cards", "ring"], descending=[True, True, False]).select(
        "ring", "cards", "confirmed", "at_risk", "expected", "surprise", "city", "since", "firm"
    )


def ring_table(
    graph: LinkGraph, known: KnownCards, rings: pl.DataFrame, members: pl.DataFrame, before: pl.DataFrame
) -> pl.DataFrame:
    """The table `rings` of a delivery: card (its text), ring, certainty (whole per cent), since.

    Each of `rings` (as `ranked` has them) but firms' is grown from its `members` (card, ring, since), so that stock and
    people are in it. A ring whose members an earlier one has taken in is the same ring. Cards of `before` (this table
    as it was built or delivered) that are in none any more have certainty 0, each time: a delivery may have been
    missed.
    """
    cards, ring_of, certainty = (np.empty(0, dtype=kind) for kind in (np.int64, object, np.float64))
    taken = np.zeros(graph.cards.height, dtype=np.bool_)
    core = {ring: part["card"].to_list() for (ring,), part in members.group_by("ring")}
    for ring in rings.filter(~pl.col("firm"))["ring"]:
        seeds = graph.rows_of(core[ring])
        if taken[seeds].mean() >= KEEPS_ID:
            continue
        found, sure = _grown(graph, known, seeds)
        new = ~taken[found]
        taken[found] = True
        cards, certainty = np.concatenate([cards, found[new]]), np.concatenate([certainty, sure[new]])
        ring_of = np.concatenate([ring_of, np.full(int(new.sum()), ring, dtype=object)])
    first = members.group_by("ring").agg(pl.col("since").min())
    now = pl.DataFrame(
        {
            "card": graph.cards["name"].gather(cards),
            "ring": pl.Series(ring_of.tolist(), dtype=pl.String),
            "certainty": pl.Series(np.rint(100 * certainty), dtype=pl.Int64),
        }
    ).join(first, on="ring", how="left", maintain_order="left")
    left = before.join(now, on="card", how="anti").with_columns(certainty=pl.lit(0))
    return pl.concat([now, left.select(now.columns).cast(now.schema)]).sort("card")


def _grown(graph: LinkGraph, known: KnownCards, seeds: Ints) -> tuple[Ints, Floats]:
    """Cards of the ring of `seeds`, stock included, and the certainty of each.

    That of a seed is what the others of the ring say of it, for it was not named by anybody.
    """
    growth = grow(graph, seeds, np.empty(0, dtype=np.int64), known)
    stock = stock_of(graph, growth)
    members = growth.members
    certainty = growth.certainty.copy()
    certainty[growth.seeds] = growth.of_seeds
    certainty = certainty[members]
    return np.concatenate([members, stock.cards]), np.concatenate([certainty, stock.certainty])
