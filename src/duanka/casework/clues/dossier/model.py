"""A dossier as one value: the facts of a case with the source of each, suspicion and confirmation strictly apart.

Times are local to the operator and naive. Numbers are in full; `masked` gives what people see who do not call them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime

from duanka.domain.clue import Standing
from duanka.domain.hit_summary import HitSummary
from duanka.domain.phone_masking import masked_card, masked_device, masked_text
from duanka.domain.text import BilingualText, WordedEnum

_MOBILE = re.compile(r"86(1[3-9][0-9]{9})")  # a whole number where a code of a cell should stand
_HASH_LETTERS = 12  # of a holder's hash, in a masked dossier


class FactSource(WordedEnum):
    """Where a fact is from."""

    CASE = "case", "案件", "case file"
    RULE = "rule", "规则命中", "rule"
    ORDER = "order", "工单", "order"
    NETWORK = "network", "网元回执", "network's receipt"
    POLICE = "police", "公安机关", "police"
    REGISTER = "register", "用户登记", "register"
    RECORDS = "records", "话单", "records"
    LINKS = "links", "关联图", "links"


@dataclass(frozen=True)
class PoliceWord:
    """A confirmation (涉案) that stands. `learnt`: how it became known, a value of ConfirmationSource."""

    case_number: str
    learnt: str
    at: datetime
    fraud_kind: str = ""


@dataclass(frozen=True)
class RingPlace:
    """What the links say of a card. `certainty`: 0 to 1."""

    role: BilingualText
    site: str
    certainty: float
    reason: BilingualText


@dataclass(frozen=True)
class NetworkReceipt:
    """What a part of the network was asked to do about a card, and what it answered. `done_at` None: no answer yet."""

    element: str
    wanted: BilingualText
    asked_at: datetime
    done_at: datetime | None
    outcome: str


@dataclass(frozen=True)
class DossierCard:
    """A card of the case.

    `orders`: those that keep what the rules saw. `in_favour`: what speaks for the holder; `state`: as the network is to
    treat it.
    """

    number: str
    standing: Standing
    source: str
    confirmed: tuple[PoliceWord, ...] = ()
    suspicion: tuple[HitSummary, ...] = ()
    orders: tuple[str, ...] = ()
    tier: str = ""
    ring: RingPlace | None = None
    operator: str = ""
    home_city: str = ""
    main_city: str = ""
    outlet: str = ""
    holder: str = ""
    holder_kind: str = ""
    opened_at: datetime | None = None
    state: BilingualText | None = None
    state_since: datetime | None = None
    receipts: tuple[NetworkReceipt, ...] = ()
    in_favour: tuple[BilingualText, ...] = ()


@dataclass(frozen=True)
class DossierDevice:
    """A device that the cards were in. `role`: as the links judge it; "" in both languages: not judged."""

    imei: str
    cards: tuple[str, ...]
    records: int
    first: datetime | None
    last: datetime | None
    role: BilingualText
    reason: BilingualText


@dataclass(frozen=True)
class DossierPlace:
    """A cell, or a city without known cells, and the cards that were there."""

    city: str
    cell: str
    cards: tuple[str, ...]
    records: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class CityFlow:
    """Cards that were opened in one city and are used mostly in another; "": unknown."""

    home: str
    used: str
    cards: int


@dataclass(frozen=True)
class DossierOutlet:
    """A shop that opened cards of the case. `reason`: of the links, against its peers."""

    outlet: str
    cards: int
    reason: BilingualText


@dataclass(frozen=True)
class DossierHolder:
    """Whoever cards are registered to, by the keyed hash of the document number."""

    hash: str
    kind: str
    cards: tuple[str, ...]


@dataclass(frozen=True)
class RuleMethod:
    """A rule that spoke: what it looks for, whom it may wrong, where it is from, with which limits it ships."""

    rule: str
    title: BilingualText
    why: BilingualText
    look_alikes: BilingualText
    source: str
    grade: BilingualText
    limits: tuple[tuple[BilingualText, str], ...]
    cards: int


@dataclass(frozen=True)
class RingFacts:
    """The ring in the graph of links. `picture`: SVG. `first`, `last`: days of the records it was found in."""

    seed: str
    joined: int
    at_risk: int
    firm: bool
    first: date
    last: date
    picture: str
    masked_picture: str = ""


@dataclass(frozen=True)
class DossierEvent:
    """What happened. `cards`: how many of the case it concerns; `number`: the card, if one; `rule`: that spoke."""

    at: datetime
    words: BilingualText
    source: FactSource
    cards: int = 1
    number: str = ""
    rule: str = ""


@dataclass(frozen=True)
class CaseFacts:
    """The case as its file has it. `other_items`: kind and value of what is no card."""

    id: str
    title: str
    ground: str
    ground_number: str
    opened_at: datetime
    opened_by: str
    approved_by: str
    other_items: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class DossierGap:
    """What could not be looked up. `words`: for the police; `why`: for who builds the clue, with the next step."""

    words: BilingualText
    why: str


@dataclass(frozen=True)
class CaseDossier:
    """All that a clue says. `gaps`: what could not be looked up, and why; never left out in silence."""

    clue: str
    case: CaseFacts
    built_at: datetime
    built_by: str
    zone: str
    recipient: str
    operator: BilingualText
    cards: tuple[DossierCard, ...]
    devices: tuple[DossierDevice, ...] = ()
    places: tuple[DossierPlace, ...] = ()
    flows: tuple[CityFlow, ...] = ()
    outlets: tuple[DossierOutlet, ...] = ()
    holders: tuple[DossierHolder, ...] = ()
    rules: tuple[RuleMethod, ...] = ()
    ring: RingFacts | None = None
    timeline: tuple[DossierEvent, ...] = ()
    records: tuple[date, date] | None = None
    gaps: tuple[DossierGap, ...] = ()
    is_masked: bool = False

    def standing(self, *which: Standing) -> tuple[DossierCard, ...]:
        """The cards of which that is known."""
        return tuple(card for card in self.cards if card.standing in which)

    def masked(self) -> CaseDossier:
        """The same with numbers, devices and holders masked."""
        ring = self.ring and replace(
            self.ring, seed=_seen(self.ring.seed), picture=self.ring.masked_picture, masked_picture=""
        )
        return replace(
            self,
            case=replace(
                self.case,
                title=masked_text(self.case.title),
                ground_number=masked_text(self.case.ground_number),
                other_items=tuple((kind, _item(kind, value)) for kind, value in self.case.other_items),
            ),
            cards=tuple(_masked_card(card) for card in self.cards),
            devices=tuple(
                replace(
                    one, imei=masked_device(one.imei), cards=_numbers(one.cards), reason=_words(one.reason)
                )
                for one in self.devices
            ),
            places=tuple(
                replace(one, city=_name(one.city), cell=_name(one.cell), cards=_numbers(one.cards))
                for one in self.places
            ),
            flows=tuple(replace(one, home=_name(one.home), used=_name(one.used)) for one in self.flows),
            holders=tuple(
                replace(one, hash=f"{one.hash[:_HASH_LETTERS]}…", cards=_numbers(one.cards))
                for one in self.holders
            ),
            outlets=tuple(
                replace(one, outlet=_name(one.outlet), reason=_words(one.reason)) for one in self.outlets
            ),
            ring=ring,
            timeline=tuple(
                replace(one, number=masked_card(one.number) if one.number else "", words=_words(one.words))
                for one in self.timeline
            ),
            is_masked=True,
        )


def _item(kind: str, value: str) -> str:
    if kind in ("outlet", "place", "ring"):
        return _name(value)
    return masked_device(value) if kind == "device" else masked_card(value)


def _masked_card(card: DossierCard) -> DossierCard:
    ring = card.ring and replace(card.ring, site=_name(card.ring.site), reason=_words(card.ring.reason))
    return replace(
        card,
        number=masked_card(card.number),
        source=masked_text(card.source),
        suspicion=tuple(replace(hit, words=_words(hit.words)) for hit in card.suspicion),
        ring=ring,
        operator=masked_text(card.operator),
        home_city=_name(card.home_city),
        main_city=_name(card.main_city),
        outlet=_name(card.outlet),
        holder=f"{card.holder[:_HASH_LETTERS]}…" if card.holder else "",
        in_favour=tuple(map(_words, card.in_favour)),
    )


def _name(name: str) -> str:
    """A name of an outlet, cell or city, which may hold a number; a code of digits alone stays."""
    return name if name.replace("/", "").isdigit() and not _MOBILE.fullmatch(name) else masked_text(name)


def _numbers(cards: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(masked_card, cards))


def _words(words: BilingualText) -> BilingualText:
    return BilingualText(*map(masked_text, words))


def _seen(seed: str) -> str:
    """A seed as it is shown: a ring or outlet as it stands, a number or device masked."""
    return masked_text(seed)


def numbers_of(dossier: CaseDossier) -> Iterator[str]:
    """Every card and device that the dossier names."""
    for card in dossier.cards:
        yield card.number
    for device in dossier.devices:
        yield device.imei
