"""Cards in the drawer: never used, opened in bulk where the ring gets its cards.

Nothing but the shop links them to the ring, so they join last, and none that was ever used is among them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from duanka.domain.rings import LinkKind
from duanka.links.graph.graph import LinkGraph
from duanka.links.graph.strength import Floats, Ints, binomial_bits, poisson_bits, strength
from duanka.links.ring.growth import CALLED_SHARE, JOINS, Flags, Growth

_KIND = LinkKind.OUTLET
_WEEK = "week"
_FEW = 50.0  # cards of a week, whose share of unused ones is as much its own as that of all weeks


@dataclass(frozen=True)
class Stock:
    """Rows of unused cards with their certainty, and the outlet and day (a date) that each was opened at."""

    cards: Ints
    certainty: Floats
    outlet: pl.Series
    day: pl.Series


def unused(cards: pl.DataFrame) -> Flags:
    """Per card: whether nobody ever called, texted or surfed with it."""
    return cards["last_used"].is_null().to_numpy()


def stock_of(graph: LinkGraph, growth: Growth) -> Stock:
    """Unused cards, opened at outlets that gave so many cards to the ring that chance does not explain it, on days that
    left more cards unused there than others do.

    An organisation may well lay cards in a drawer: its cards need another link.
    """
    at_shops = _cards_of_shops(graph.cards, growth)
    drawer = at_shops.join(ring_outlets(at_shops), on="outlet").with_columns(
        day=pl.col("opened_at").dt.date()
    )
    drawer = drawer.filter(~pl.col("member") & pl.col("person"))
    days = _idle_days(drawer.join(_usually_unused(graph.cards, at_shops), on=_WEEK, how="left"))
    found = drawer.filter("fresh").join(days, on=["outlet", "day"])
    found = found.filter(pl.col("certainty") >= JOINS).sort("row")
    rows = found["row"].cast(pl.Int64).to_numpy()
    return Stock(rows, found["certainty"].to_numpy(), found["outlet"], found["day"])


def _idle_days(drawer: pl.DataFrame) -> pl.DataFrame:
    """outlet, day, certainty: of the unused cards of each outlet and day; `usual`: chance of each card to be unused."""
    days = drawer.group_by("outlet", "day").agg(
        pl.col("fresh").sum().cast(pl.Int64), pl.col("usual").sum(), pl.col("tells").first()
    )
    days = days.filter(pl.col("fresh") > 0).sort("outlet", "day")
    fresh, usual = days["fresh"].to_numpy(), days["usual"].to_numpy()
    more = np.maximum(1.0 - usual / fresh, 0.0)  # share of them that ordinary customers do not explain
    certainty = days["tells"].to_numpy() * strength(_KIND, poisson_bits(fresh, usual)) * more
    return days.select("outlet", "day", certainty=pl.Series(certainty))


def _usually_unused(cards: pl.DataFrame, at_shops: pl.DataFrame) -> pl.DataFrame:
    """week, usual: share of the cards that other outlets opened in it which nobody has used yet."""
    known = cards.select("outlet", "opened_at", "last_used", "organisation")
    known = known.filter(pl.col("opened_at").is_not_null() & ~pl.col("organisation").fill_null(value=False))
    others = known.join(at_shops.select("outlet").unique(), on="outlet", how="anti")
    week = others.group_by(_week()).agg(pl.col("last_used").is_null().sum().alias("idle"), pl.len())
    # a week of few cards is taken for one of the year's
    all_weeks = (float(week["idle"].sum()) + 1.0) / (float(week["len"].sum()) + 2.0)
    usual = (pl.col("idle") + _FEW * all_weeks) / (pl.col("len") + _FEW)
    known_weeks = at_shops.select(_week()).unique().join(week, on=_WEEK, how="left")
    return known_weeks.select(_WEEK, usual.fill_null(all_weeks).alias("usual"))


def _week() -> pl.Expr:
    return pl.col("opened_at").dt.truncate("1w").alias(_WEEK)


def _cards_of_shops(cards: pl.DataFrame, growth: Growth) -> pl.DataFrame:
    """row, outlet, opened_at, week, member, person, fresh: of all cards of the shops that opened any of the ring."""
    shops = cards["outlet"].gather(growth.members).drop_nulls().unique()
    rows = cards.select("outlet", "opened_at", "last_used", "organisation").with_row_index("row")
    rows = rows.filter(pl.col("outlet").is_in(shops.implode()) & pl.col("opened_at").is_not_null())
    member = pl.Series(growth.round[rows["row"].to_numpy()] >= 0)
    person = ~pl.col("organisation").fill_null(value=False)
    fresh = pl.col("last_used").is_null() & person
    return rows.select(
        "row",
        "outlet",
        "opened_at",
        _week(),
        member.alias("member"),
        person.alias("person"),
        fresh.alias("fresh"),
    )


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
