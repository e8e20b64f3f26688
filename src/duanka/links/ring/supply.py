"""Which shops supply a ring: those whose new cards are the ring's far more often than their peers' are."""

from __future__ import annotations

import polars as pl

from duanka.domain.text import BilingualText
from duanka.links.outlets import outlet_reasons, rank_outlets
from duanka.links.ring.growth import Growth
from duanka.links.ring.stock import Stock

_SHARE = BilingualText(
    "同期开户的 {cards} 张卡中 {ring} 张属于团伙，按同城同规模网点应为 {expected} 张，至少为同行的 {bound} 倍",
    "{ring} of the {cards} cards that it opened in those weeks are the ring's, {expected} by its peers of the city and"
    " size: at least {bound} times its peers",
)


def supplying_outlets(cards: pl.DataFrame, growth: Growth, stock: Stock) -> pl.DataFrame:
    """outlet, cards (of the ring), expected, lift, lower_bound, reason_zh, reason_en, the most certain first.

    All cards opened between the ring's first and last are compared, shop by shop, by `rank_outlets`.
    """
    certainty = pl.Series(growth.certainty * (growth.round >= 0)).scatter(stock.cards, stock.certainty)
    new = cards.select(
        "outlet",
        pl.col("outlet_city").alias("city"),
        "opened_at",
        pl.col("first_used").alias("first_used_at"),
        pl.col("city").alias("first_city"),
        "holder",
        pl.when(pl.col("organisation"))
        .then(pl.lit("organisation"))
        .otherwise(pl.lit("person"))
        .alias("holder_kind"),
        certainty.alias("at_risk"),
    ).filter(pl.col("outlet").is_not_null() & pl.col("opened_at").is_not_null())
    reach = new.filter(pl.col("at_risk") > 0)["opened_at"]
    if reach.is_empty():
        return _rows([])
    new = new.filter(pl.col("opened_at").is_between(reach.quantile(0.01, "lower"), reach.max()))
    shops = rank_outlets(new).filter("named")
    return _rows([_row(shop) for shop in shops.iter_rows(named=True)])


def _row(shop: dict[str, object]) -> dict[str, object]:
    words = [_SHARE, *outlet_reasons(shop)[1:]]
    values = {
        "cards": f"{shop['cards']:,}",
        "ring": f"{shop['at_risk']:,.0f}",
        "expected": f"{shop['expected']:.1f}",
        "bound": f"{shop['lift_bound']:.1f}",
    }
    return {
        "outlet": shop["outlet"],
        "cards": round(float(str(shop["at_risk"]))),
        "expected": round(float(str(shop["expected"])), 2),
        "lift": round(float(str(shop["lift"])), 1),
        "lower_bound": round(float(str(shop["lift_bound"])), 1),
        "reason_zh": "；".join(word.zh.format_map(values) if word is _SHARE else word.zh for word in words),
        "reason_en": "; ".join(word.en.format_map(values) if word is _SHARE else word.en for word in words),
    }


def _rows(rows: list[dict[str, object]]) -> pl.DataFrame:
    schema = {
        "outlet": pl.String,
        "cards": pl.Int64,
        "expected": pl.Float64,
        "lift": pl.Float64,
        "lower_bound": pl.Float64,
        "reason_zh": pl.String,
        "reason_en": pl.String,
    }
    return pl.DataFrame(rows, schema=schema)
