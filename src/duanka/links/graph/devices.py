"""What is known of the devices that several cards sat in: what their cards did, where, and whose they are."""

from __future__ import annotations

import polars as pl

from duanka.links.graph.evidence import LinkEvidence

_COUNTS = ("cards", "at_risk", "confirmed", "bridged", "pairs", "calls", "codes", "busy_days")
_SHARES = ("stay", "one_place", "at_site", "out", "strangers", "steady", "spike", "organisation", "weekend")
_RATES = ("a_day", "an_hour", "dialled")
DEVICES = {
    "device": pl.String,
    "site": pl.String,
    **dict.fromkeys(_COUNTS, pl.Int64),
    **dict.fromkeys(_SHARES + _RATES, pl.Float64),
}
_FORGIVEN = 1.0  # days of a card on which it is switched with others by chance
_SITE = pl.col("site").filter(pl.col("site") != "").mode().sort().first()


def device_facts(evidence: LinkEvidence) -> pl.DataFrame:
    """One row a device of `evidence.use`, with the columns of DEVICES.

    Shares from 0 to 1; `site`: city and cell where most of its cards are, "" unknown; `steady`: of the days of its
    cards that begin or end in one minute with others'; `strangers`: of the numbers that its cards call; `weekend`: null
    where unknown.
    """
    of_cards = (
        evidence.sat.join(_cards(evidence), on="card")
        .group_by("imei")
        .agg(
            pl.col("at_risk", "confirmed").sum(),
            _SITE.fill_null(""),
            (pl.col("site") == _SITE).sum().truediv(pl.len()).alias("at_site"),
            pl.col("organisation").fill_null(value=False).mean(),
            (pl.col("shared").sum() / (2.0 * pl.col("days").sum() + _FORGIVEN * pl.len())).alias("steady"),
            (pl.col("strangers").sum() / pl.max_horizontal(pl.col("callees").sum(), 1)).alias("strangers"),
        )
    )
    calls = pl.col("calls_out") + pl.col("calls_in")
    facts = evidence.use.join(of_cards, on="imei", how="left", maintain_order="left").join(
        evidence.agreement, on="imei", how="left", maintain_order="left"
    )
    pairs, together = (pl.col(name).fill_null(0) for name in ("pairs", "together"))
    facts = facts.with_columns(
        calls=calls,
        out=pl.col("calls_out") / pl.max_horizontal(calls, 1),
        one_place=(together + 1.0) / (pairs + 1.0),
        pairs=pairs,
    ).select(pl.col(name).cast(kind) for name, kind in DEVICES.items())
    return facts.with_columns(pl.exclude("weekend", "device").fill_null(strategy="zero"))


def _cards(evidence: LinkEvidence) -> pl.DataFrame:
    """card, site, organisation, shared (first or last minutes that it has with others), days, and their calls."""
    sat = evidence.sat.select("card")  # of a province few sat in such devices
    shared = evidence.switched.join(sat, on="card", how="semi").group_by("card").len("shared")
    cards = evidence.cards.join(sat, on="card", how="semi").join(
        shared, on="card", how="left", maintain_order="left"
    )
    return cards.select(
        "card",
        pl.concat_str("city", pl.col("cell").cast(pl.String), separator="/").fill_null("").alias("site"),
        "organisation",
        pl.min_horizontal(pl.col("shared").fill_null(0), 2 * pl.col("days")).alias("shared"),
        *("days", "strangers", "callees", "at_risk", "confirmed"),
    )
