"""What a store knows of cards that a case is about: register, devices, places; counts, and no single record."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from duanka.domain.text import WordedEnum


class UseKind(WordedEnum):
    """What a card was used with."""

    DEVICE = "device", "终端"
    PLACE = "place", "地点"


@dataclass(frozen=True)
class RegisteredCard:
    """A card in the register; None or "": unknown. `holder`: keyed hash of the document number, never the number."""

    card: str
    holder: str = ""
    holder_kind: str = ""
    operator: str = ""
    home_city: str = ""
    outlet: str = ""
    opened_at: datetime | None = None


@dataclass(frozen=True)
class CardUse:
    """Records of a card with one device, or in one cell of a city. `value`: imei, or cell ("": unknown)."""

    card: str
    kind: UseKind
    value: str
    city: str
    records: int
    first: datetime
    last: datetime


class CardFacts(Protocol):
    """Looks up facts about cards; `engine.store.reading.lookups` implements it."""

    def registered(self, cards: Collection[str]) -> Sequence[RegisteredCard]:
        """The cards that are in the register, in order of their numbers."""

    def use_of(self, cards: Collection[str], since: datetime, until: datetime) -> Sequence[CardUse]:
        """Devices and places of cards, by card, the most used first. LookupRefused: too many rows."""


class CardPlaces(Protocol):
    """Says where cards are registered; whoever implements it never fails: what cannot be read is unknown."""

    def __call__(self, cards: Collection[str]) -> Mapping[str, tuple[str, str]]:
        """Operator and home city of cards; "" if unknown. Cards that are not known are absent."""


def no_places(cards: Collection[str]) -> Mapping[str, tuple[str, str]]:
    """The port `CardPlaces` where there is no register: no card is known."""
    return {}
