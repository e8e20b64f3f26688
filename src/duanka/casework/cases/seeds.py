"""What a case begins at, and what it is then about: a card, a device, an outlet, or a ring with all of its parts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from duanka.domain.authority import within
from duanka.domain.case_file import (
    CaseError,
    CaseItem,
    ItemKind,
    KnownComplaints,
    card_value,
    device_value,
    name_value,
    place_value,
)
from duanka.domain.order import Person
from duanka.domain.record_lookups import LookupRefused
from duanka.domain.ring_lookups import RingAnswer, RingTable, SeedName
from duanka.ledger.lookups import LookupContext
from duanka.ledger.people.places import NOWHERE, Place, places_of

BY_HAND = "named by a person"  # source of an item
SEED = "seed"  # source of the item that a case begins at
_KINDS = {"card": ItemKind.CARD, "device": ItemKind.DEVICE, "outlet": ItemKind.OUTLET, "ring": ItemKind.RING}
_PERCENT = 100

LookUpRing = Callable[[SeedName, LookupContext, datetime], RingAnswer]
"""Looks a ring up for a person, in full, with its entry in the trail. Raises what `RingSource.around` does."""


class CaseRecords(KnownComplaints, Protocol):
    """What a case asks of the records."""

    def places_of(self, cards: Collection[str]) -> Mapping[str, Place]:
        """Operator and home city of cards in the register."""


@dataclass(frozen=True)
class CasePorts:
    """What cases need of other rooms. `records`: LookupRefused: no store is attached."""

    ring: LookUpRing
    records: Callable[[], CaseRecords]

    def records_or_none(self) -> CaseRecords | None:
        """The records; None: no store is attached."""
        try:
            return self.records()
        except LookupRefused:
            return None


def seed_item(named: SeedName) -> CaseItem:
    """The item that a case begins at."""
    return CaseItem(_KINDS[named.kind], named.text, SEED)


def items_of_ring(named: SeedName, ring: RingAnswer) -> list[CaseItem]:
    """The seed, and the cards, devices and outlets of the ring behind it.

    Of the cards only those that the evidence carries: the others are for a person to look at, who may add them.
    """
    source = f"ring of {named.kind} {named.text}" if named.kind != "ring" else named.text
    items = [seed_item(named)]
    for row in _rows(ring.cards):
        if not row["joined"]:
            continue
        certainty = round(float(str(row["certainty"])) * _PERCENT)
        items.append(CaseItem(ItemKind.CARD, str(row["card"]), source, str(row["role"]), certainty))
    items += [
        CaseItem(ItemKind.DEVICE, str(row["imei"]), source, str(row["role"] or ""))
        for row in _rows(ring.devices)
    ]
    items += [CaseItem(ItemKind.OUTLET, str(row["outlet"]), source) for row in _rows(ring.outlets)]
    return items


def added_items(
    cards: Iterable[str], devices: Iterable[str], outlets: Iterable[str], places: Iterable[str]
) -> list[CaseItem]:
    """Items that a person names. CaseError: one is no card, device, outlet or place, or none is named."""
    named = [CaseItem(ItemKind.CARD, card_value(text), BY_HAND) for text in cards]
    named += [CaseItem(ItemKind.DEVICE, device_value(text), BY_HAND) for text in devices]
    named += [CaseItem(ItemKind.OUTLET, name_value(text), BY_HAND) for text in outlets]
    named += [CaseItem(ItemKind.PLACE, place_value(text), BY_HAND) for text in places]
    if not named:
        raise CaseError("nothing is named: give --card, --imei, --outlet or --place")
    return list(dict.fromkeys(named))


def _rows(table: RingTable) -> Iterator[Mapping[str, object]]:
    yield from table.page(0, table.rows)


def placed(
    connection: Connection, items: Iterable[CaseItem], records: CaseRecords | None, by: Person
) -> list[CaseItem]:
    """Items with the operator and city of their cards. PermissionDenied: a card is out of the scope of `by`."""
    listed = list(items)
    cards = [item.value for item in listed if item.kind is ItemKind.CARD]
    known = places_of(connection, cards)
    unknown = [card for card in cards if card not in known]
    registered = records.places_of(unknown) if records and unknown else {}
    found = []
    for item in listed:
        if item.kind is ItemKind.CARD:
            operator, city = known.get(item.value) or registered.get(item.value, NOWHERE)
            within(by, "a card of this case", operator, city)
            found.append(replace(item, operator=operator, city=city))
        else:
            found.append(item)
    return found
