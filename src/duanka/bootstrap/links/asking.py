"""From what a person names, a device, a card or an outlet, to the ring behind it, written as files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from duanka.bootstrap.links.building import Built, known_cards
from duanka.bootstrap.settings import Settings
from duanka.domain.device_id import DIGITS
from duanka.domain.errors import DuankaError
from duanka.domain.local_time import OperatorZone
from duanka.domain.phone_number import identity
from duanka.domain.record_keys import key_of
from duanka.domain.rings import LinkKind
from duanka.links.graph.graph import LinkGraph
from duanka.links.ring import supply
from duanka.links.ring.register import ranked
from duanka.links.ring.ring import Ring, Seed, ring_around

_NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class SeedName:
    """What a person named to begin at. `kind`: device, card, outlet or ring; `text`: as records have it."""

    kind: str
    text: str


def seed_named(imei: str | None, card: str | None, outlet: str | None, ring: str | None) -> SeedName:
    """The one thing that is given. DuankaError: none, or several."""
    texts = {"device": _device_text(imei), "card": identity(card or ""), "outlet": (outlet or "").strip()}
    texts["ring"] = (ring or "").strip()
    given = [SeedName(kind, text) for kind, text in texts.items() if text]
    if len(given) != 1:
        raise DuankaError("a search begins at one thing: give one of --imei, --card, --outlet and --ring")
    return given[0]


def _device_text(imei: str | None) -> str:
    digits = "".join(letter for letter in imei or "" if letter.isdigit())
    return digits[:DIGITS] if len(digits) >= DIGITS else (imei or "").strip()


def worth_a_look(built: Built) -> pl.DataFrame:
    """The rings that stand out, as `links.ring.register.ranked` has them."""
    return ranked(built.graph, built.rings)


def judged_outlets(built: Built) -> pl.DataFrame:
    """All shops by the lower bound on their lift over their peers, as `links.ring.supply.judged_outlets` has them."""
    return supply.judged_outlets(built.graph.cards, built.period.first)


def ring_of(settings: Settings, built: Built, named: SeedName) -> Ring:
    """Grow the ring behind what was named. DuankaError: it is not in the graph, or nothing is linked to it."""
    known = known_cards(built.graph, settings.passes_in(OperatorZone(built.period.zone)).read())
    return ring_around(built.graph, _seed(built, named), known)


def _seed(built: Built, named: SeedName) -> Seed:
    if named.kind == "ring":
        return _ring(built, named.text)
    find = {"device": _device, "card": _card, "outlet": _outlet}[named.kind]
    return find(built.graph, named.text)


def _ring(built: Built, ring: str) -> Seed:
    members = built.rings.filter(pl.col("ring") == ring)["card"].to_list()
    if not members:
        raise DuankaError(f"there is no ring {ring}; duanka links rings names them")
    return Seed(ring, built.graph.rows_of(members), _NONE)


def _device(graph: LinkGraph, device: str) -> Seed:
    groups = graph.groups_labelled(LinkKind.DEVICE, device)
    if not len(groups):
        raise DuankaError(
            f"no two cards of these records took turns in device {device}; check the IMEI, or begin with --card"
        )
    return Seed(device, _NONE, groups)


def _card(graph: LinkGraph, number: str) -> Seed:
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
