"""Who may look up a ring: of a store that belongs to an order database, its people, on a stated basis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import polars as pl

from duanka.bootstrap.links.asking import SeedName
from duanka.bootstrap.orders import OrderDesk, records_in
from duanka.domain.phone_masking import masked_card, masked_device, masked_text
from duanka.domain.rings import LinkKind
from duanka.links.ring.ring import Ring
from duanka.orders.queries.record_queries import LookupContext


def entitled(
    here: OrderDesk, where: Path, named: SeedName, reader: LookupContext, now: datetime
) -> Callable[[int], None]:
    """Check that `reader` may look up the ring behind `named`, and tell the trail; the result tells it its rows.

    LookupRefused: `where` belongs to another order database; PermissionDenied.
    """
    here.attached_store.at(where).check()
    return records_in(here, where).ring(named.kind, named.text, reader, now)


def masked(ring: Ring) -> Ring:
    """The ring with numbers and devices masked, as people see them who do not call them."""
    reasons = [
        pl.col(name).map_elements(masked_text, return_dtype=pl.String) for name in ("reason_zh", "reason_en")
    ]
    card = pl.col("card").map_elements(masked_card, return_dtype=pl.String)
    imei = pl.col("imei").map_elements(masked_device, return_dtype=pl.String)
    seed = replace(ring.seed, name=masked_text(ring.seed.name))
    by = pl.when(pl.col("by") != "").then(pl.col("by").map_elements(masked_card, return_dtype=pl.String))
    device = pl.col("kind") == LinkKind.DEVICE.value
    label = (
        pl.when(device)
        .then(pl.col("label").map_elements(masked_device, return_dtype=pl.String))
        .otherwise(pl.col("label").map_elements(masked_text, return_dtype=pl.String))
    )
    return replace(
        ring,
        seed=seed,
        cards=ring.cards.with_columns(card, by.otherwise(pl.lit("")), *reasons),
        devices=ring.devices.with_columns(imei),
        ties=replace(ring.ties, groups=ring.ties.groups.with_columns(label)),
    )
