"""Case files: what a case is opened on, what it is about, and its states.

A case is ours; the police have cases of their own, whose numbers come with what they confirm (涉案). Times are UTC and
aware.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from duanka.domain.bounds import reason_for, without_controls
from duanka.domain.device_id import DIGITS, identity_of, why_no_device
from duanka.domain.errors import DuankaError
from duanka.domain.phone_number import identity
from duanka.domain.text import BilingualText, WordedEnum

MOST_ITEMS = 20_000  # of a case: a larger ring is several
MOST_TITLE, MOST_NOTE = 80, 4_000  # letters
_CASE_ID = re.compile(r"C[0-9A-HJKMNP-TV-Z]{12}")
_PLACE = re.compile(r"[0-9]{6}(?:/[0-9A-Za-z_-]{1,40})?")
_GROUND_NUMBER = 80  # letters


class CaseError(DuankaError):
    """What was asked of a case cannot be done; the text says what can."""


class UnknownCase(CaseError):
    """There is no such case, or not for who asks."""


class CaseState(WordedEnum):
    """States of a case; only an open one is worked on."""

    PROPOSED = "proposed", "待批准"  # it has no ground: a supervisor looks first
    OPEN = "open", "办理中"
    CLOSED = "closed", "已结案"
    MERGED = "merged", "已并案"
    REJECTED = "rejected", "不予立案"


class CaseOutcome(WordedEnum):
    """How a case ended."""

    HANDED_OVER = "handed_over", "已移交公安机关", "handed over to the police"
    CONFIRMED = "confirmed", "公安机关已确认", "confirmed by the police"
    UNFOUNDED = "unfounded", "查无实据"
    ELSEWHERE = "elsewhere", "另案处理", "dealt with elsewhere"


class GroundKind(WordedEnum):
    """What a case is opened on."""

    HIT = "hit", "模型命中", "sealed hit"
    ORDER = "order", "工单", "order"
    COMPLAINT = "complaint", "举报投诉", "complaint"
    POLICE_LETTER = "police_letter", "公安机关来函", "police letter"
    NONE = "none", "无", "none"


class ItemKind(WordedEnum):
    """What a case is about."""

    CARD = "card", "号码"
    DEVICE = "device", "终端"
    PLACE = "place", "地点"
    OUTLET = "outlet", "网点"
    RING = "ring", "团伙"


@dataclass(frozen=True)
class CaseGround:
    """What a case is opened on; `number`: of the decision, order, complaint or letter; empty for NONE."""

    kind: GroundKind
    number: str = ""


NO_GROUND = CaseGround(GroundKind.NONE)


def ground_of(text: str) -> CaseGround:
    """Parse KIND:NUMBER; `hit` and `none` may stand alone. CaseError: it is none of these."""
    kind, _, number = (part.strip() for part in text.partition(":"))
    named = {one.value: one for one in GroundKind}.get(kind.replace("-", "_").lower())
    needs = named in (GroundKind.ORDER, GroundKind.COMPLAINT, GroundKind.POLICE_LETTER)
    if named is None or (needs and not number) or (named is GroundKind.NONE and number):
        raise CaseError(
            f"{text[:40]!r} is no ground: give hit, order:V…, complaint:NUMBER, police-letter:NUMBER, or none"
            " (a supervisor then approves the case first)"
        )
    if len(number) > _GROUND_NUMBER or not number.isprintable():
        raise CaseError(f"the number of a ground has 1 to {_GROUND_NUMBER} letters")
    return CaseGround(named, number)


def is_case_id(text: str) -> bool:
    """Whether `text` is written like the id of one of our cases."""
    return _CASE_ID.fullmatch(text) is not None


@dataclass(frozen=True)
class CaseItem:
    """One thing that a case is about.

    `value`: a card in E.164 without +, the 14 digits of a device, city or city/cell, an outlet, a ring. `role`,
    `certainty` (percent): as the ring says, None: nobody estimated it. `source`: where it is from, in words for people.
    `confirmed`: of a card, the police's case numbers that stand (涉案).
    """

    kind: ItemKind
    value: str
    source: str
    role: str = ""
    certainty: int | None = None
    operator: str = ""
    city: str = ""
    added_by: str = ""
    added_at: datetime | None = None
    confirmed: tuple[str, ...] = ()


@dataclass(frozen=True)
class CaseSummary:
    """A case, without what it is about.

    `change`: number of its latest change; it grows with every change of any case. `items`: count by kind. `confirmed`:
    how many of its cards the police confirmed.
    """

    id: str
    title: str
    state: CaseState
    ground: CaseGround
    seed_kind: str
    seed: str
    opened_by: str
    opened_at: datetime
    approved_by: str | None
    assigned_to: str | None
    updated_at: datetime
    closed_at: datetime | None
    outcome: CaseOutcome | None
    merged_into: str | None
    split_from: str | None
    change: int
    items: Mapping[ItemKind, int]
    confirmed: int = 0


@dataclass(frozen=True)
class CaseNote:
    """What somebody wrote down."""

    at: datetime
    who: str
    text: str


@dataclass(frozen=True)
class CaseFile:
    """A case with what it is about, and its notes, the earliest first."""

    case: CaseSummary
    items: tuple[CaseItem, ...]
    notes: tuple[CaseNote, ...]

    def of_kind(self, kind: ItemKind) -> tuple[CaseItem, ...]:
        """The items of one kind."""
        return tuple(item for item in self.items if item.kind is kind)


@dataclass(frozen=True)
class TimelineEntry:
    """Something that happened in a case. `about`: a card, order or element; `who`: empty: the network.

    `what`: in words; `detail`: the reason, the number of the police's case, or an element's error.
    """

    at: datetime
    what: BilingualText
    who: str = ""
    about: str = ""
    detail: str = ""


class KnownComplaints(Protocol):
    """The complaints in the records; a store answers."""

    def complained_of(self, cards: Collection[str]) -> frozenset[str]:
        """Which of these cards the records hold a verified complaint about."""


def title_of(text: str) -> str:
    """Return a title as it is kept. CaseError: it is too long, or not printable."""
    title = " ".join(text.split())
    if len(title) > MOST_TITLE or not title.isprintable():
        raise CaseError(f"the title of a case has at most {MOST_TITLE} letters")
    return title


def note_of(text: str) -> str:
    """Return the text of a note. OrderError: it is empty. CaseError: it is too long."""
    note = without_controls(reason_for(text, "a note is kept"), "a note")
    if len(note) > MOST_NOTE:
        raise CaseError(f"a note has at most {MOST_NOTE:,} letters; write several")
    return note


def card_value(text: str) -> str:
    """A card as records have it. CaseError: it is no number and no pseudonym."""
    found = identity(text)
    if not found or len(found) > 24 or not found.isprintable():
        raise CaseError(f"{text[:24]!r} is no card: write 86 and the eleven digits")
    return found


def device_value(text: str) -> str:
    """A device as records have it: 14 digits. CaseError: it is none. MalformedDevice: a digit is wrong."""
    found = identity_of(text)
    if len(found) != DIGITS or not found.isdigit() or why_no_device(found):
        raise CaseError(f"{text[:20]!r} is no device: {why_no_device(found) or 'write its IMEI'}")
    return found


def name_value(text: str) -> str:
    """The name of an outlet, as records have it. CaseError: it is empty, or too long."""
    name = text.strip()
    if not 1 <= len(name) <= _GROUND_NUMBER or not name.isprintable():
        raise CaseError(f"the name of an outlet has 1 to {_GROUND_NUMBER} letters")
    return name


def place_value(text: str) -> str:
    """A place as records have it: CITY or CITY/CELL. CaseError: it is none."""
    place = text.strip()
    if not _PLACE.fullmatch(place):
        raise CaseError(f"{text[:40]!r} is no place: write the six digits of the city, or CITY/CELL")
    return place


def searched_value(text: str) -> str:
    """What a person searches cases for, as they have it: a card, a device, an outlet, a ring or a case."""
    device = identity_of(text)
    if len(device) == DIGITS and device.isdigit():
        return device
    return identity(text) or text.strip()
