"""From what a person names, a device, a card or an outlet, to the ring behind it, written as files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from duanka.bootstrap.links.building import Built
from duanka.bootstrap.settings import Settings
from duanka.domain.device_id import DIGITS
from duanka.domain.errors import DuankaError
from duanka.domain.local_time import OperatorZone
from duanka.domain.phone_number import identity
from duanka.domain.record_keys import key_of
from duanka.domain.rings import LinkKind
from duanka.links.graph import LinkGraph
from duanka.links.growth import Knowledge
from duanka.links.ring import Ring, Seed, ring_around
from duanka.links.strength import Ints

_NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Named:
    """What a person named: exactly one of an IMEI, a card, an outlet."""

    imei: str | None = None
    card: str | None = None
    outlet: str | None = None


def ring_of(settings: Settings, built: Built, named: Named) -> Ring:
    """Grow the ring behind what was named. DuankaError: it is not in the graph, or nothing is linked to it."""
    known = _known(built.graph, settings.passes_in(OperatorZone(built.period.zone)).read())
    return ring_around(built.graph, _seed(built.graph, named), known)


def _seed(graph: LinkGraph, named: Named) -> Seed:
    given = [one for one in (named.imei, named.card, named.outlet) if one]
    if len(given) != 1:
        raise DuankaError("a search begins at one thing: give one of --imei, --card and --outlet")
    if named.imei:
        return _device(graph, named.imei)
    if named.card:
        return _card(graph, named.card)
    return _outlet(graph, str(named.outlet))


def _device(graph: LinkGraph, text: str) -> Seed:
    digits = "".join(letter for letter in text if letter.isdigit())
    device = digits[:DIGITS] if len(digits) >= DIGITS else text.strip()
    groups = graph.groups_labelled(LinkKind.DEVICE, device)
    if not len(groups):
        raise DuankaError(
            f"no two cards of these records took turns in device {device}; check the IMEI, or begin with --card"
        )
    return Seed(device, _NONE, groups)


def _card(graph: LinkGraph, text: str) -> Seed:
    number = identity(text)
    rows = graph.rows_of([key_of(number)])
    if not len(rows):
        raise DuankaError(f"card {number} is in none of these records; check the number")
    return Seed(number, rows, _NONE)


def _outlet(graph: LinkGraph, outlet: str) -> Seed:
    """The cards that the outlet opened in bulk."""
    batches = graph.kind == LinkKind.BATCH.value
    groups = (batches & graph.label.str.starts_with(f"{outlet} ")).arg_true().cast(int).to_numpy()
    if not len(groups):
        raise DuankaError(f"outlet {outlet} opened no cards in bulk in these records; check its number")
    return Seed(outlet, _NONE, groups)


def _known(graph: LinkGraph, passes: Mapping[str, datetime]) -> Knowledge:
    confirmed = np.flatnonzero(graph.cards["confirmed"].to_numpy())
    passed: Ints = graph.rows_of([key_of(card) for card in passes])
    return Knowledge(confirmed=confirmed, passed=passed)
