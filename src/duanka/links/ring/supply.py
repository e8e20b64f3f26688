"""Which shops supply a ring: those whose new cards are the ring's far more often than their peers' are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from duanka.domain.text import BilingualText
from duanka.links.outlet_names import outlet_names
from duanka.links.outlets import outlet_reasons, rank_outlets
from duanka.links.ring.growth import Growth
from duanka.links.ring.stock import Stock

MIN_PEERS = 100  # shops of the ring's cities, below which all shops are compared
_SHARE = BilingualText(
    "同期开户的 {cards} 张卡中 {ring} 张属于团伙，按同城同规模网点应为 {expected} 张，至少为同行的 {bound} 倍",
    "{ring} of the {cards} cards that it opened in those weeks are the ring's, {expected} by its peers of the city and"
    " size: at least {bound} times its peers",
)


def supplying_outlets(cards: pl.DataFrame, growth: Growth, stock: Stock) -> pl.DataFrame:
    """outlet, name, cards (of the ring), expected, lift, lower_bound, reason_zh, reason_en, the most certain first;
    new (cards that it opened and that count), beside_zh, beside_en: the reasons without those numbers.

    All cards opened between the ring's first and last are compared, shop by shop, by `rank_outlets`: those of the
    cities whose shops the ring's cards are from, or of all where these have too few shops to be peers.
    """
    certainty = np.where(growth.round >= 0, growth.certainty, 0.0)
    certainty[stock.cards] = stock.certainty
    ring = cards.select("outlet_city", "opened_at")[np.flatnonzero(certainty).tolist()].drop_nulls(
        "opened_at"
    )
    if ring.is_empty():
        return _rows([])
    reach = pl.col("opened_at").is_between(ring["opened_at"].quantile(0.01, "lower"), ring["opened_at"].max())
    near = reach & pl.col("outlet_city").is_in(ring["outlet_city"].unique().implode())
    new = new_cards(cards, pl.Series(certainty), near)
    if new["outlet"].n_unique() < MIN_PEERS:
        new = new_cards(cards, pl.Series(certainty), reach)
    shops = rank_outlets(new).filter("named")
    names = outlet_names(cards)
    said = ((shop, [_SHARE, *outlet_reasons(shop)[1:]]) for shop in shops.iter_rows(named=True))
    return _rows([_row(shop, names, words) for shop, words in said])


def judged_outlets(cards: pl.DataFrame, since: date) -> pl.DataFrame:
    """The same columns, of all shops that opened cards since then, by those at risk or disowned; `named`: stands out.

    `since`: first day of the records, for of cards opened before it is not known what became of all of them.
    """
    new = new_cards(
        cards, (cards["at_risk"] | cards["disowned"]).cast(pl.Float64), pl.col("opened_at") >= since
    )
    if new.is_empty():
        return _rows([]).with_columns(named=pl.lit(value=False))
    shops = rank_outlets(new)
    names = outlet_names(cards)
    rows = _rows([_row(shop, names, outlet_reasons(shop)) for shop in shops.iter_rows(named=True)])
    return rows.with_columns(shops["named"])


def new_cards(cards: pl.DataFrame, at_risk: pl.Series, which: pl.Expr) -> pl.DataFrame:
    """The input of `rank_outlets`: one row a card of a known shop and time of opening; `at_risk`: 0..1 per card.

    `which`: condition on the cards.
    """
    kind = pl.when(pl.col("organisation")).then(pl.lit("organisation")).otherwise(pl.lit("person"))
    rows = cards.lazy().with_columns(at_risk=at_risk).filter(which)
    found = rows.select(
        "outlet",
        pl.col("outlet_city").alias("city"),
        "opened_at",
        pl.col("first_used").alias("first_used_at"),
        pl.col("city").alias("first_city"),
        "holder",
        kind.alias("holder_kind"),
        "at_risk",
    )
    return found.filter(pl.col("outlet").is_not_null() & pl.col("opened_at").is_not_null()).collect()


def _row(shop: dict[str, Any], names: Mapping[str, str], words: Sequence[BilingualText]) -> dict[str, object]:
    values = {
        "cards": f"{shop['cards']:,}",
        "ring": f"{shop['at_risk']:,.0f}",
        "expected": f"{shop['expected']:.2g}",
        "bound": f"{shop['lift_bound']:.1f}",
    }
    said = [word.filled(**values) if word is _SHARE else word for word in words]
    beside = said[1:] if shop["named"] else said  # the first reason of a shop that is named says its numbers
    return {
        "outlet": shop["outlet"],
        "name": names.get(shop["outlet"], ""),
        "cards": round(shop["at_risk"]),
        "expected": round(shop["expected"], 2),
        "lift": round(shop["lift"], 1),
        "lower_bound": round(shop["lift_bound"], 1),
        "reason_zh": "；".join(word.zh for word in said),
        "reason_en": "; ".join(word.en for word in said),
        "new": shop["cards"],
        "beside_zh": "；".join(word.zh for word in beside),
        "beside_en": "; ".join(word.en for word in beside),
    }


def _rows(rows: list[dict[str, object]]) -> pl.DataFrame:
    schema = {
        "outlet": pl.String,
        "name": pl.String,
        "cards": pl.Int64,
        "expected": pl.Float64,
        "lift": pl.Float64,
        "lower_bound": pl.Float64,
        "reason_zh": pl.String,
        "reason_en": pl.String,
        "new": pl.Int64,
        "beside_zh": pl.String,
        "beside_en": pl.String,
    }
    return pl.DataFrame(rows, schema=schema)
