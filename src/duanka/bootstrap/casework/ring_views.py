"""The ring of a case for its dossier: what the graph of links knows of it, with the picture as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from duanka.casework.clues.dossier.assembly import RingView
from duanka.casework.clues.dossier.model import RingFacts, RingPlace
from duanka.domain.order import Person
from duanka.domain.record_lookups import Basis, BasisKind
from duanka.domain.ring_lookups import RingAnswer, RingTable, SeedName
from duanka.domain.rings import DeviceRole, RingRole
from duanka.domain.text import BilingualText
from duanka.ledger.lookups import LookupContext
from duanka.orders.queries.ring_queries import RingQueries

_ROLES = {role.value: role.words for role in RingRole}
_DEVICES = {role.value: role.words for role in DeviceRole}
_NO_ROLE = BilingualText("", "")


class CaseRings:
    """Looks rings up on the basis of a case, so that the trail has each lookup."""

    def __init__(self, rings: RingQueries[RingAnswer, RingTable]) -> None:
        self._rings = rings

    def of(self, seed: SeedName, case_id: str, by: Person, why: str, now: datetime) -> RingView:
        """The ring behind `seed`, in full. DuankaError: no graph, no ring, or no permission."""
        reader = LookupContext(by, why, Basis(BasisKind.CASE, case_id))
        found = self._rings.in_full(seed, reader, now)
        facts = RingFacts(
            seed=found.seed,
            joined=found.joined,
            at_risk=found.at_risk,
            firm=found.firm,
            first=found.cards.first,
            last=found.cards.last,
            picture=found.picture("zh"),
            masked_picture=found.masked().picture("zh"),
        )
        return RingView(
            facts,
            cards={str(row["card"]): _place(row) for row in _rows(found.cards) if row["joined"]},
            devices={
                str(row["imei"]): (_DEVICES.get(str(row["role"]), _NO_ROLE), _reason(row))
                for row in _rows(found.devices)
            },
            outlets={str(row["outlet"]): _reason(row) for row in _rows(found.outlets)},
        )


def _rows(table: RingTable) -> Iterator[Mapping[str, Any]]:
    yield from table.page(0, table.rows)


def _place(row: Mapping[str, Any]) -> RingPlace:
    role = _ROLES.get(str(row["role"]), RingRole.UNKNOWN.words)
    return RingPlace(role, str(row["site"]), float(row["certainty"]), _reason(row))


def _reason(row: Mapping[str, Any]) -> BilingualText:
    return BilingualText(str(row["reason_zh"] or ""), str(row["reason_en"] or ""))
