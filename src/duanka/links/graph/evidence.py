"""What the graph is made of: one frame for each kind of evidence, as `engine.links` reads it from a store."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

USE = {
    **dict.fromkeys(("imei", "cards", "bridged", "calls_out", "calls_in", "codes", "busy_days"), pl.Int64),
    **dict.fromkeys(("stay", "a_day", "an_hour", "dialled", "weekend", "spike"), pl.Float64),
    "device": pl.String,
}


@dataclass(frozen=True)
class LinkEvidence:
    """Frames with record keys in the columns card, peer, callee, imei; times local.

    cards      one row a card in order of key: card, name (its text), holder, organisation, iot, iccid, outlet,
               outlet_name, outlet_city, opened_at, home_city, city, cell (where it is most), places, days, calls_out,
               calls_in, messages_out, codes_in, callees, strangers, regular (its circle), peers (all numbers, both
               ways), first_used, last_used, confirmed (by the police), at_risk (by the rules), disowned (by its
               registrant), upheld (an objection about it)
    devices    card, imei, device (its text), first_seen, last_seen, events: devices that took two cards or more
    runs       card, run, last, type, devices, of_type, around, events, pairs, together: devices with consecutive
               numbers, as `engine.links.device_runs` has them
    agreement  imei, pairs, together: how often the cards of a device are at one place on one day
    switched   card, switched_on, place, cell (its text), minute, cards, usual, present (cards at the place on that
               day), moments (of the card on that day): cards that are switched on, or off, in the same minute
    contacts   card, peer (both ours), days, out, inward, regular: whom a card is in touch with, or else called first
    lists      card, callee: strangers whom several cards dial within a few days
    accounts   card, account
    use        one row a device that took three cards or more, or whose calls are passed on, as
               `engine.links.device_use` has them
    sat        imei, card: the cards of these devices
    """

    cards: pl.DataFrame
    devices: pl.DataFrame
    runs: pl.DataFrame
    agreement: pl.DataFrame
    switched: pl.DataFrame
    contacts: pl.DataFrame
    lists: pl.DataFrame
    accounts: pl.DataFrame
    use: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=USE))
    sat: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema={"imei": pl.Int64, "card": pl.Int64})
    )
