"""Outlets: shops whose new cards end up at risk more often than those of their peers.

A shop is named if that is not by chance, many shops being judged; small shops are not. Shops are ranked by the lower
bound of their lift, not by the share itself. `duanka.links.peers` states the model and its sources, `bulk_openings`
that of cards opened in bulk. Bulk openings, and cards that are used elsewhere, are told of a shop; they name none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from duanka.domain.errors import DuankaError
from duanka.domain.text import BilingualText
from duanka.links.bulk_openings import BulkLimits, bulk_openings
from duanka.links.peers import AgainstPeers, compare_with_peers

SIZES = (10, 100, 1000)  # new cards in the period from which a shop is of the next size class

_COLUMNS = ("outlet", "city", "opened_at", "first_used_at", "first_city", "at_risk", "holder")


class OutletDataError(DuankaError):
    """The table of new cards cannot be judged; the message names the column."""


@dataclass(frozen=True)
class OutletLimits:
    """`level`: honest shops named by chance, at most, in expectation; so for bulk openings and use elsewhere."""

    level: float = 0.05
    bulk_minutes: int = 30
    bulk_fewest: int = 10

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise OutletDataError(f"a level of {self.level} says nothing; give a number above 0 and below 1")


def rank_outlets(new_cards: pl.DataFrame, limits: OutletLimits = OutletLimits()) -> pl.DataFrame:
    """Return one row per shop, the shops that are named first, then by the lower bound of lift.

    `new_cards`: one row per card opened in the period, with `outlet`, `city` (of the shop), `opened_at`,
    `first_used_at` (null: not used), `first_city` (null: unknown), `at_risk` (true or false, or a certainty from 0
    to 1), `holder` (null: unknown); if known also `seen_in_city` (the card was seen in the shop's city; null: seen
    nowhere; otherwise the place of first use counts), `size` (class of the shop, a whole number from 0; otherwise by
    its new cards, at 10, 100 and 1000), `holder_kind` (`person` or `organisation`).

    Cards without a shop are left out; shops without a city are each other's peers. The cards that an organisation
    opened in a shop are one contract: they count as one card, of their mean certainty, and are no bulk opening. So a
    firm's gateway does not accuse the shop.

    Columns: `outlet, city, size, named, opened` (all cards), `cards` (those that count), `at_risk` (sum of their
    certainties), `expected` (at risk, from its peers), `lift` (at risk / expected), `lift_bound` (lower bound at
    level / shops), `chance` (that an honest peer has as many), `unused` (cards without a first use), `used` (cards
    seen somewhere), `elsewhere` (of them never seen in the shop's city), `elsewhere_expected`, `elsewhere_bound`,
    `elsewhere_named`, and of cards opened in bulk `bulk_cards, bulk_times, bulk_holders, bulk_most, bulk_usual`.
    Raises OutletDataError.
    """
    cards = _checked(new_cards)
    shops = _counted(_folded(cards)).join(
        cards.group_by("outlet").agg(opened=pl.len().cast(pl.Int64)), on="outlet"
    )
    city = shops["city"].fill_null("").rank("dense").to_numpy().astype(np.int64) - 1
    size = shops["size"].to_numpy().astype(np.int64)

    def compared(trait: str, among: str) -> AgainstPeers:
        return compare_with_peers(shops[trait].to_numpy(), shops[among].to_numpy(), city, size, limits.level)

    risk, elsewhere = compared("at_risk", "cards"), compared("elsewhere", "used")
    own = cards.filter(pl.col("holder_kind").ne_missing("organisation"))
    bulk = bulk_openings(own, BulkLimits(limits.bulk_minutes, limits.bulk_fewest, limits.level))
    return (
        shops.with_columns(
            named=pl.Series(risk.stands_out),
            expected=pl.Series(risk.rate) * pl.col("cards"),
            lift=pl.Series(risk.lift),
            lift_bound=pl.Series(risk.bound),
            chance=pl.Series(risk.chance),
            elsewhere_expected=pl.Series(elsewhere.rate) * pl.col("used"),
            elsewhere_bound=pl.Series(elsewhere.bound),
            elsewhere_named=pl.Series(elsewhere.stands_out),
        )
        .join(bulk, on="outlet", how="left")
        .with_columns(pl.col("bulk_cards", "bulk_times", "bulk_most").fill_null(0))
        .sort(["named", "lift_bound", "lift", "outlet"], descending=[True, True, True, False])
        .select(_RESULT)
    )


_RESULT = (
    *("outlet", "city", "size", "named", "opened", "cards"),
    *("at_risk", "expected", "lift", "lift_bound", "chance", "unused", "used"),
    *("elsewhere", "elsewhere_expected", "elsewhere_bound", "elsewhere_named"),
    *("bulk_cards", "bulk_times", "bulk_holders", "bulk_most", "bulk_usual"),
)


def outlet_reasons(
    shop: Mapping[str, Any], limits: OutletLimits = OutletLimits()
) -> tuple[BilingualText, ...]:
    """Return in words what is told of a shop, a row of `rank_outlets`; the first reason is that of being named."""
    reasons = []
    if shop["named"]:
        risk, expected, bound = (_figure(shop[name]) for name in ("at_risk", "expected", "lift_bound"))
        reasons.append(
            BilingualText(
                f"{shop['cards']} 张新卡中 {risk} 张有风险，按同城同规模网点应为 {expected} 张；至少是同行的 {bound} 倍"
                f"（全部网点合计，误列的正常网点期望不超过 {limits.level} 家）",
                f"{risk} of {shop['cards']} new cards are at risk, {expected} by its peers of the city and size; at "
                f"least {bound} times its peers (of all outlets at most {limits.level} honest ones expected by chance)",
            )
        )
    if shop["bulk_cards"]:
        reasons.append(_bulk_reason(shop, limits.bulk_minutes))
    if shop["elsewhere_named"]:
        expected = _figure(shop["elsewhere_expected"])
        reasons.append(
            BilingualText(
                f"已使用的 {shop['used']} 张新卡中 {shop['elsewhere']} 张从未在网点所在城市出现，"
                f"按同行应为 {expected} 张",
                f"{shop['elsewhere']} of {shop['used']} new cards in use were never seen in the outlet's city, "
                f"{expected} by its peers",
            )
        )
    return tuple(reasons)


def _bulk_reason(shop: Mapping[str, Any], minutes: int) -> BilingualText:
    holders, times = shop["bulk_holders"], shop["bulk_times"]
    return BilingualText(
        f"{times} 次集中开卡，共 {shop['bulk_cards']} 张"
        + (f"，登记在 {holders} 人名下" if holders is not None else "")
        + f"；最多一次 {minutes} 分钟内 {shop['bulk_most']} 张，平时 {_figure(shop['bulk_usual'])} 张",
        f"{shop['bulk_cards']} cards opened in bulk, {times} {'time' if times == 1 else 'times'}"
        + (
            f", registered to {holders} {'holder' if holders == 1 else 'holders'}"
            if holders is not None
            else ""
        )
        + f"; at most {shop['bulk_most']} within {minutes} minutes, where {_figure(shop['bulk_usual'])} are usual",
    )


def _figure(value: float) -> str:
    """Return a count or factor with about two digits: 0.4, 6.1, 25."""
    if value >= 10 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 0.1 else f"{value:.2g}"


def _checked(new_cards: pl.DataFrame) -> pl.DataFrame:
    """Return the cards that have a shop, with all columns; raise OutletDataError for what cannot be judged."""
    for column in _COLUMNS:
        if column not in new_cards.columns:
            raise OutletDataError(f"the new cards have no column {column}; add it")
    cards = new_cards.filter(pl.col("outlet").is_not_null())
    risk = cards["at_risk"]
    if not (risk.dtype == pl.Boolean or risk.dtype.is_numeric()):
        raise OutletDataError(
            f"at_risk of the new cards is {risk.dtype}; give true or false, or a certainty from 0 to 1"
        )
    certainty = risk.cast(pl.Float64)
    # a NaN is not between 0 and 1 either
    if (wrong := int((~certainty.is_between(0, 1).fill_null(value=False) | certainty.is_nan()).sum())) > 0:
        raise OutletDataError(f"at_risk of {wrong} new cards is not a certainty from 0 to 1; correct them")
    if (unknown := cards["opened_at"].null_count()) > 0:
        raise OutletDataError(
            f"opened_at of {unknown} new cards is empty; leave out cards of an unknown opening time"
        )
    if "seen_in_city" not in cards.columns:
        cards = cards.with_columns(seen_in_city=pl.col("first_city") == pl.col("city"))
    if "holder_kind" not in cards.columns:
        cards = cards.with_columns(holder_kind=pl.lit(None, dtype=pl.String))
    return cards.with_columns(at_risk=certainty)


def _folded(cards: pl.DataFrame) -> pl.DataFrame:
    """Return the cards, those that an organisation opened in a shop as one."""
    contract = (pl.col("holder_kind").eq_missing("organisation") & pl.col("holder").is_not_null()).alias(
        "contract"
    )
    cards = cards.with_columns(contract)
    one_each = (
        cards.filter("contract")
        .group_by("outlet", "holder", maintain_order=True)
        .agg(
            pl.col("at_risk").mean(),
            pl.col("seen_in_city").max(),  # where one of them was
            pl.col("first_used_at").min(),
            pl.exclude("outlet", "holder", "at_risk", "seen_in_city", "first_used_at").first(),
        )
    )
    return pl.concat([cards.filter(~pl.col("contract")), one_each.select(cards.columns)])


def _counted(cards: pl.DataFrame) -> pl.DataFrame:
    """Return the counts of each shop; its city is that of most of its rows."""
    by_count = sum((pl.col("cards") >= least).cast(pl.Int64) for least in SIZES)
    given = "size" in cards.columns
    shops = cards.group_by("outlet").agg(
        city=pl.col("city").mode().sort().first(),
        cards=pl.len().cast(pl.Int64),
        at_risk=pl.col("at_risk").sum(),
        unused=pl.col("first_used_at").null_count().cast(pl.Int64),
        used=pl.col("seen_in_city").count().cast(pl.Int64),
        elsewhere=(~pl.col("seen_in_city")).sum().cast(pl.Int64),
        **({"size": pl.col("size").max().cast(pl.Int64)} if given else {}),
    )
    shops = shops.with_columns(size=pl.col("size").fill_null(0) if given else by_count).sort("outlet")
    if given and (shops["size"].min() or 0) < 0:  # type: ignore[operator]
        raise OutletDataError("size of a shop is below 0; give classes from 0")
    return shops
