"""Names of outlets, beside the codes that the register of cards has."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl


def outlet_names(cards: pl.DataFrame) -> Mapping[str, str]:
    """Outlet -> its name, of those that have one; `cards`: with outlet and outlet_name."""
    named = cards.select("outlet", "outlet_name").filter(pl.col("outlet_name").fill_null("") != "")
    return dict(named.drop_nulls("outlet").unique("outlet", keep="first", maintain_order=True).iter_rows())


def spelled_outlet(outlet: str, name: str) -> str:
    """Code and name, as people read them."""
    return f"{outlet} {name}" if name and name != outlet else outlet
