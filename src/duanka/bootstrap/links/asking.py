"""From what a person names, a device, a card or an outlet, to the ring behind it, written as files."""

from __future__ import annotations

import numpy as np
import polars as pl

from duanka.bootstrap.links.building import Built, known_cards
from duanka.bootstrap.settings import Settings
from duanka.domain.device_id import why_no_device
from duanka.domain.local_time import OperatorZone
from duanka.domain.record_keys import key_of
from duanka.domain.ring_lookups import NotLinked, SeedName
from duanka.domain.rings import LinkKind
from duanka.links.devices import listed_devices
from duanka.links.graph.graph import LinkGraph
from duanka.links.ring import supply
from duanka.links.ring.growth import MIN_WITNESSES
from duanka.links.ring.register import ranked
from duanka.links.ring.ring import Ring, Seed, ring_around, ring_taking_in

_NONE = np.empty(0, dtype=np.int64)


def worth_a_look(built: Built) -> pl.DataFrame:
    """The rings that stand out, as `links.ring.register.ranked` has them."""
    return ranked(built.graph, built.rings)


def judged_outlets(built: Built) -> pl.DataFrame:
    """All shops by the lower bound on their lift over their peers, as `links.ring.supply.judged_outlets` has them."""
    return supply.judged_outlets(built.graph.cards, built.period.first)


def devices_of_many_cards(built: Built) -> pl.DataFrame:
    """Devices that are no ordinary phones, as `links.devices.listed_devices` has them."""
    return listed_devices(built.graph, built.rings)


def ring_of(settings: Settings, built: Built, named: SeedName) -> Ring:
    """Grow the ring behind what was named. NotLinked: not in the graph, linked to nothing, or an upheld objection.

    A card that leads to hardly any other is looked for in the communities next to it.
    """
    known = known_cards(built.graph, settings.passes_in(OperatorZone(built.period.zone)).read())
    seed = _seed(built, named)
    if named.kind == "card" and np.isin(seed.cards, known.in_no_ring).any():
        raise NotLinked(
            f"an objection about card {named.text} was upheld: it is in no ring, and leads to none; begin with a device"
            " or another card"
        )
    found = ring_around(built.graph, seed, known)
    if named.kind != "card" or found.joined.height > MIN_WITNESSES:
        return found
    return ring_taking_in(built.graph, seed, known, built.rings) or found


def _seed(built: Built, named: SeedName) -> Seed:
    if named.kind == "ring":
        return _ring(built, named.text)
    find = {"device": _device, "card": _card, "outlet": _outlet}[named.kind]
    return find(built.graph, named.text)


def _ring(built: Built, ring: str) -> Seed:
    members = built.rings.filter(pl.col("ring") == ring)["card"].to_list()
    if not members:
        raise NotLinked(f"there is no ring {ring}; duanka links rings names them")
    return Seed(ring, built.graph.rows_of(members), _NONE, supposed=True)


def _device(graph: LinkGraph, device: str) -> Seed:
    groups = graph.groups_labelled(LinkKind.DEVICE, device)
    if not len(groups):
        if why := why_no_device(device):
            raise NotLinked(f"{device} is no device number: {why}; check the IMEI, or begin with --card")
        raise NotLinked(
            f"no two cards of these records took turns in device {device}; check the IMEI, or begin with --card"
        )
    return Seed(device, _NONE, groups)


def _card(graph: LinkGraph, number: str) -> Seed:
    rows = graph.rows_of([key_of(number)])
    if not len(rows):
        raise NotLinked(f"card {number} is in none of these records; check the number")
    return Seed(number, rows, _NONE)


def _outlet(graph: LinkGraph, outlet: str) -> Seed:
    """The cards that the outlet opened in bulk; of an outlet that is not named so, in whatever case it is written."""
    batches = graph.kind == LinkKind.BATCH.value
    of_outlet = batches & graph.label.str.starts_with(f"{outlet} ")
    if not of_outlet.any():
        of_outlet = batches & graph.label.str.to_lowercase().str.starts_with(f"{outlet.lower()} ")
    groups = of_outlet.arg_true().cast(int).to_numpy()
    if not len(groups):
        raise NotLinked(f"outlet {outlet} opened no cards in bulk in these records; check its number")
    return Seed(outlet, _NONE, groups)
