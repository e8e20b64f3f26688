"""Cards opened in bulk: more within minutes than a shop opens by chance.

The openings of a shop are a Poisson process with its usual rate: the median of its hours, or the mean outside of
crowded windows if that is more; times as much as all other shops have more in that hour (a holiday, a campaign, noon).
A window with k openings is in bulk if P(Poisson >= k) = P(k, usual), the regularized lower incomplete gamma
function, is at most level / windows, and k is at least `fewest`: a family opens its cards in one visit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import gammainc

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_SHARE_OF_OPENINGS = 0.95  # opening hours are the busiest hours that hold this share of all openings


class BulkLimits(NamedTuple):
    """`minutes`: length of a window; `fewest`: cards in it; `level`: windows in bulk by chance, at most, in all."""

    minutes: int = 30
    fewest: int = 10
    level: float = 0.05


def bulk_openings(openings: pl.DataFrame, limits: BulkLimits) -> pl.DataFrame:
    """Return the shops with cards opened in bulk.

    `openings`: one row a card, `outlet`, `opened_at`, `holder` (null: unknown). Result: `outlet`; `bulk_cards`: cards
    opened in bulk; `bulk_times`: how often, windows that overlap being one; `bulk_holders`: distinct holders of these
    cards, null if none is known; `bulk_most`: cards in the fullest window; `bulk_usual`: cards usual in that window.
    """
    cards = (
        openings.select("outlet", "opened_at", "holder").drop_nulls("opened_at").sort("outlet", "opened_at")
    )
    cards = cards.with_columns(in_window=_in_window(cards, limits.minutes))
    # every card of a window that is full enough; only these are left out of the shop's usual rate
    crowded = _covered(cards, cards["in_window"].to_numpy() >= limits.fewest, limits.minutes)
    cards = cards.with_columns(crowded=pl.Series(crowded))
    if not crowded.any():
        cards = cards.with_columns(usual=pl.lit(0.0))
    else:
        cards = cards.with_columns(usual=_usual(cards, limits.minutes))
    rare = gammainc(cards["in_window"].to_numpy(), cards["usual"].to_numpy()) <= limits.level / max(
        1, len(cards)
    )
    begins = rare & (cards["in_window"].to_numpy() >= limits.fewest)
    covered = _covered(cards, begins, limits.minutes)
    minutes = pl.duration(minutes=limits.minutes)
    return (
        cards.with_columns(begins=pl.Series(begins))
        .filter(pl.Series(covered))
        .with_columns(apart=(pl.col("opened_at").diff() > minutes).over("outlet").fill_null(value=True))
        .group_by("outlet", maintain_order=True)
        .agg(
            bulk_cards=pl.len(),
            bulk_times=pl.col("apart").sum(),
            bulk_holders=pl.when(pl.col("holder").count() > 0).then(pl.col("holder").drop_nulls().n_unique()),
            bulk_most=pl.col("in_window").max(),
            bulk_usual=pl.col("usual").get(pl.col("in_window").arg_max()),
        )
    )


def _keys(cards: pl.DataFrame) -> Ints:
    """Return a number for each card that grows by seconds within a shop; shops are far apart."""
    seconds: Ints = cards["opened_at"].dt.epoch("s").to_numpy()
    shop: Ints = cards["outlet"].rle_id().to_numpy().astype(np.int64)
    return shop * (1 << 40) + seconds


def _in_window(cards: pl.DataFrame, minutes: int) -> pl.Series:
    """Return how many cards the shop opened within `minutes` from each opening on, itself included."""
    key = _keys(cards)
    return pl.Series(np.searchsorted(key, key + minutes * 60) - np.arange(len(key)))


def _covered(cards: pl.DataFrame, begins: Flags, minutes: int) -> Flags:
    """Return the cards within `minutes` from an opening that is one of `begins`."""
    key = _keys(cards)
    starts = key[begins]
    before = np.searchsorted(starts, key, side="right") - 1
    covered: Flags = np.zeros(len(key), dtype=np.bool_)
    some = before >= 0
    covered[some] = key[some] - starts[before[some]] < minutes * 60
    return covered


def _usual(cards: pl.DataFrame, minutes: int) -> pl.Series:
    """Return the number of cards that the shop usually opens in the window of each opening."""
    openings = cards.select("outlet", "crowded", *_hour(pl.col("opened_at")))
    hours = _Hours(openings)
    shops = openings.group_by("outlet").agg(calm=(~pl.col("crowded")).sum())
    middle = (
        hours.busy(hours.counted.select("outlet", "day", "hour"))
        .group_by("outlet")
        # hours without openings count too
        .agg(
            median=(pl.col("n") / pl.col("busy"))
            .sort(descending=True)
            .get(hours.number // 2, null_on_oob=True)
            .fill_null(0)
        )
    )
    rate = pl.max_horizontal("median", (pl.col("calm") + 1) / hours.number)
    joined = openings.join(shops, on="outlet", how="left", maintain_order="left").join(
        middle, on="outlet", how="left", maintain_order="left"
    )
    # a window may begin in one hour and end in a busier one
    ends = cards.select("outlet", *_hour(pl.col("opened_at") + pl.duration(minutes=minutes)))
    joined = joined.with_columns(first=hours.busy(openings)["busy"], last=hours.busy(ends)["busy"])
    busy = pl.max_horizontal("first", "last", pl.lit(1.0))
    return joined.select(usual=rate * busy * minutes / 60)["usual"]


def _hour(at: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    return at.dt.date().alias("day"), at.dt.hour().alias("hour")


class _Hours:
    """The openings of all shops by hour. `number`: opening hours in the period."""

    def __init__(self, openings: pl.DataFrame) -> None:
        by_hour = openings.group_by("hour").len().sort("len", "hour", descending=True)
        sooner = by_hour["len"].cum_sum().shift(1, fill_value=0)
        days = openings.select((pl.col("day").max() - pl.col("day").min()).dt.total_days()).item() + 1
        self.number: int = int((sooner < _SHARE_OF_OPENINGS * len(openings)).sum()) * days
        self.counted = openings.group_by("outlet", "day", "hour").agg(n=pl.len())
        self._everybody = openings.group_by("day", "hour").agg(everywhere=pl.len())
        self._shops = openings.group_by("outlet").agg(total=pl.len())
        self._cards = len(openings)

    def busy(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Add to shops and hours `n`, the openings, and how many times as many as usual all others had then."""
        joined = (
            rows.join(self.counted, on=["outlet", "day", "hour"], how="left", maintain_order="left")
            .join(self._everybody, on=["day", "hour"], how="left", maintain_order="left")
            .join(self._shops, on="outlet", how="left", maintain_order="left")
            .with_columns(pl.col("n", "everywhere").fill_null(0))
        )
        # one opening is added to both, so that an hour of few openings is not taken for a busy one
        others = pl.col("everywhere") - pl.col("n") + 1
        return joined.with_columns(busy=others / ((self._cards - pl.col("total")) / self.number + 1))
