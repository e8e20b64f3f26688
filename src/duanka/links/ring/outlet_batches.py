"""Cards that were opened in a batch at an outlet that stands out, and lie in a drawer since or have hardly begun.

Which shops stand out is judged by what became of the cards that they opened (`links.outlets`). Of the cards of such a
shop those of a batch are named, if it went wrong or has not begun: no card of it is used, or most that are used are at
risk. A crew that was opened there in one afternoon and calls its families is not.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from duanka.domain.rings import LinkKind
from duanka.links.graph.graph import LinkGraph
from duanka.links.ring.growth import JOINS, KnownCards
from duanka.links.ring.supply import judged_outlets

BEGUN_DAYS = 2  # with use, up to which a card has hardly begun
MIN_IDLE = 2  # cards of a batch that lie idle: one is somebody's spare
WENT_WRONG = 0.5  # share of the used cards of a batch that are at risk, at least
TABLE = {"card": pl.String, "outlet": pl.String, "lift": pl.Int64, "together": pl.Int64, "since": pl.Date}


def outlet_batches(
    graph: LinkGraph, known: KnownCards, first: date, today: date, before: pl.DataFrame
) -> pl.DataFrame:
    """The table `outlet_batches`: card (its text), outlet, lift (lower bound, whole), together, since.

    `first`, `today`: of the records. Cards of `before` (this table as it was delivered) that are in it no more have
    lift 0.
    """
    shops = judged_outlets(graph.cards, first).filter("named")
    found = _idle(graph, known, first, shops["outlet"])
    lifts = shops.select("outlet", pl.col("lower_bound").floor().cast(pl.Int64).alias("lift"))
    now = found.join(lifts, on="outlet", how="left", maintain_order="left")
    earlier = before.filter(pl.col("lift") > 0).select("card", "outlet", "since")
    now = now.join(earlier, on=["card", "outlet"], how="left", maintain_order="left")
    now = now.with_columns(pl.col("since").fill_null(today)).select(*TABLE)
    left = before.join(now, on="card", how="anti").with_columns(lift=pl.lit(0))
    return pl.concat([now, left.select(now.columns).cast(now.schema)]).sort("card")


def _idle(graph: LinkGraph, known: KnownCards, first: date, outlets: pl.Series) -> pl.DataFrame:
    """card, outlet, together: of batches of `outlets` the cards that are not used, or hardly."""
    batches = np.flatnonzero((graph.kind == LinkKind.BATCH.value).to_numpy())
    entry, owner = graph.cards_of.entries(batches)
    sure = graph.cards_of.strength[entry] >= JOINS
    row = graph.cards_of.other[entry][sure].astype(np.int64)
    cleared = np.zeros(graph.cards.height, dtype=np.bool_)
    cleared[known.passed] = True
    cleared[known.upheld] = True
    facts = graph.cards.select(
        pl.col("name").alias("card"),
        "outlet",
        idle=(pl.col("last_used").is_null() | (pl.col("days") <= BEGUN_DAYS)) & (pl.col("regular") == 0),
        wrong="at_risk",
        new=pl.col("opened_at") >= first,
        own=~pl.col("organisation").fill_null(value=False) & ~pl.Series(cleared),
    )
    of_batch = facts[row].with_columns(batch=pl.Series(owner[sure])).filter("new", "own")
    of_batch = of_batch.filter(pl.col("outlet").is_in(outlets.implode()))
    used = (~pl.col("idle")).sum().over("batch")
    went_wrong = (~pl.col("idle") & pl.col("wrong")).sum().over("batch") >= WENT_WRONG * used
    return (
        of_batch.with_columns(together=pl.len().over("batch").cast(pl.Int64))
        .filter("idle", went_wrong & (pl.col("idle").sum().over("batch") >= MIN_IDLE))
        .unique("card", keep="first", maintain_order=True)
        .select("card", "outlet", "together")
    )
