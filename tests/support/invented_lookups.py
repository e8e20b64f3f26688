"""Lookups without a store: each card has the same few records, to try who may see them and how."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from duanka.domain.assessment import UnitKind
from duanka.domain.assessment_lookups import ActiveCards
from duanka.domain.card_age import CardAge
from duanka.domain.card_facts import CardUse, RegisteredCard, UseKind
from duanka.domain.linked_accounts import LinkedAccount
from duanka.domain.record_lookups import CardRecord, Contact, StoreStatus, TableStatus, Usage
from duanka.domain.takedown import ComplaintIndicator
from duanka.domain.victims import Party, PartyContact, PartyTerms

DAY = date(2026, 3, 1)
AT = datetime(2026, 3, 1, 9, 30)
PEER, DEVICE, FORWARDER = "8613900139000", "86012304000001", "8613700137000"


@dataclass
class InventedLookups:
    """Answers with records of its own; `places`: the register; `asked`: what was looked up.

    `complained`: cards with a complaint.
    """

    places: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    asked: list[tuple[object, datetime, datetime]] = field(default_factory=list)
    days: tuple[date, ...] = (DAY,)
    peer: str | None = PEER
    complained: frozenset[str] = frozenset()

    def records_of(self, card: str, since: datetime, until: datetime) -> Sequence[CardRecord]:
        self.asked.append((card, since, until))
        if not since <= AT < until:
            return []
        call = CardRecord(
            *(Usage.CALLS, AT, "out", self.peer, 60, True),
            imei=DEVICE,
            cell="46000123",
            city="130100",
            forwarded_from=FORWARDER,
        )
        code = CardRecord(Usage.MESSAGES, AT + timedelta(hours=1), "in", "95588", imei=DEVICE)
        return [call, code, CardRecord(Usage.DATA_DAYS, AT.replace(hour=0, minute=0), bytes=1_500_000)]

    def contacts_of(self, numbers: Collection[str], since: datetime, until: datetime) -> Sequence[Contact]:
        self.asked.append((tuple(numbers), since, until))
        if not since <= AT < until:
            return []
        return [
            Contact(number, other, 1, 0, 0, 2, AT, AT) for number in numbers for other in (self.peer, None)
        ]

    def parties_of(self, cards: Collection[str], terms: PartyTerms) -> Sequence[Party]:
        self.asked.append((tuple(cards), terms.since, terms.until))
        if self.peer is None or not terms.since <= AT < terms.until:
            return []
        contacts = (PartyContact(card, 1, 0, 1, 1_500, 1_500, 0, 0, AT, AT) for card in cards)
        return [
            Party(self.peer, tuple(contacts), registered=True, operator="甲", city="130100", bank_after=1)
        ]

    def fraud_kinds_of(self, cards: Collection[str]) -> Mapping[str, str]:
        return dict.fromkeys(cards, "fake_police")

    def places_of(self, cards: Collection[str]) -> Mapping[str, tuple[str, str]]:
        return {card: self.places[card] for card in cards if card in self.places}

    def registered(self, cards: Collection[str]) -> Sequence[RegisteredCard]:
        return [
            RegisteredCard(card, f"{int(card) % 2:032x}", "person", "op", "130100", "S1", AT)
            for card in sorted(cards)
        ]

    def active_cards(self, since: datetime, until: datetime, also: Collection[str]) -> Sequence[ActiveCards]:
        self.asked.append((tuple(also), since, until))
        units = {UnitKind.OPERATOR: "op", UnitKind.CITY: "130100", UnitKind.OUTLET: "S1"}
        return [ActiveCards(kind, unit, {CardAge.OLD: 1_000}, "op", "130100") for kind, unit in units.items()]

    def use_of(self, cards: Collection[str], since: datetime, until: datetime) -> Sequence[CardUse]:
        if not since <= AT < until:
            return []
        later = AT + timedelta(hours=2)
        return [
            use
            for card in sorted(cards)
            for use in (
                CardUse(card, UseKind.DEVICE, DEVICE, "", 3, AT, later),
                CardUse(card, UseKind.PLACE, "46000123", "130200", 3, AT, later),
            )
        ]

    def complained_of(self, cards: Collection[str]) -> frozenset[str]:
        return frozenset(self.complained & set(cards))

    def accounts_of(self, cards: Collection[str]) -> Sequence[LinkedAccount]:
        return [LinkedAccount(card, "Yuanfang Chat", f"u{card[-4:]}") for card in sorted(cards)]

    def named_in_complaints(self) -> Sequence[ComplaintIndicator]:
        return []

    def status(self) -> StoreStatus:
        calls = TableStatus("calls", len(self.days), len(self.days), min(self.days, default=None))
        return StoreStatus(1, "Asia/Shanghai", 3, AT, (calls,), self.days, {"records": 1_000}, 2)
