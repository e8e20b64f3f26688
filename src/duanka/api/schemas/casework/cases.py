"""Case files, as the API takes and shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StrictBool

from duanka.api.schemas.requests import ORDER_ID, AskedModel, PhoneNumber, Why, case_path
from duanka.casework.cases.queries import CasePage, CaseView
from duanka.casework.cases.seeds import added_items
from duanka.domain.case_file import (
    CaseGround,
    CaseItem,
    CaseNote,
    CaseOutcome,
    CaseState,
    CaseSummary,
    GroundKind,
    ItemKind,
    TimelineEntry,
    ground_of,
)
from duanka.domain.ring_lookups import SeedName, seed_named
from duanka.orders.masking import IN_FULL, View
from duanka.orders.views import WordsShown

_ANY = r"^[^\x00-\x1f\x7f]+$"
_Name = Annotated[str, Field(pattern=_ANY, max_length=80)]
_GROUND = (
    "hit or hit:NUMBER 模型命中, order:V… 工单, complaint:NUMBER 举报投诉, police-letter:NUMBER 公安机关来函, none 无"
    " (a supervisor approves it first)."
)
TheCase = Annotated[str, case_path("caseId", "The case (案件).")]


class CaseSeedAsked(AskedModel):
    """What a case begins at, or grows from: exactly one of a ring, a card, a device and an outlet."""

    ring: Annotated[str, Field(pattern=r"^[Rr][0-9]{1,9}$")] | None = Field(default=None, examples=["R00001"])
    phone_number: PhoneNumber | None = None
    imei: Annotated[str, Field(pattern=_ANY, max_length=64)] | None = None
    outlet: Annotated[str, Field(pattern=_ANY, max_length=64)] | None = None
    why: Why

    def seed(self) -> SeedName:
        """Return the one thing that is named. LookupRefused: none, or several."""
        return seed_named(self.imei, self.phone_number, self.outlet, self.ring)


class CaseOpened(CaseSeedAsked):
    """A case to open (立案)."""

    ground: Annotated[str, Field(pattern=_ANY, max_length=120)] = Field(description=_GROUND, examples=["hit"])
    title: Annotated[str, Field(max_length=80)] = ""

    def held(self) -> CaseGround:
        """Return the ground. CaseError: it is none."""
        return ground_of(self.ground)


class CaseLooked(AskedModel):
    """Who looks into a case says why."""

    why: Why
    unmask: StrictBool = Field(default=False, description="Show numbers and devices in full.")
    entries: Annotated[int, Field(ge=1, le=10_000, description="Entries of the timeline.")] = 100


class CaseSearched(AskedModel):
    """What cases are searched for."""

    about: _Name = Field(description="A card, a device, an outlet, a place or a ring.", examples=["R00001"])


class CaseAssigned(AskedModel):
    """Who is to work on the case (分派)."""

    assigned_to: Annotated[str, Field(pattern=_ANY, max_length=32)] = Field(examples=["wang.wei"])
    why: Why


class CaseNoted(AskedModel):
    """What is to be kept in the case (记事)."""

    text: Annotated[str, Field(min_length=1, max_length=4_000)]


class CaseItemsAsked(AskedModel):
    """Cards, devices, outlets and places; at least one."""

    phone_numbers: Annotated[list[PhoneNumber], Field(max_length=1_000)] = []
    imeis: Annotated[list[_Name], Field(max_length=1_000)] = []
    outlets: Annotated[list[_Name], Field(max_length=1_000)] = []
    places: Annotated[list[_Name], Field(max_length=1_000, description="CITY or CITY/CELL.")] = []
    why: Why

    def items(self) -> list[CaseItem]:
        """Return them. CaseError: one is none, or none is named."""
        return added_items(self.phone_numbers, self.imeis, self.outlets, self.places)


class CaseSplit(CaseItemsAsked):
    """What goes to the new case (拆案)."""

    title: Annotated[str, Field(max_length=80)] = ""


class CaseMerged(AskedModel):
    """The case that goes on (并案)."""

    into: Annotated[str, Field(pattern=f"^C{ORDER_ID}")] = Field(examples=["C0123456789AB"])
    why: Why


class CaseClosed(AskedModel):
    """How it ended (结案)."""

    outcome: CaseOutcome
    why: Why


class CaseShown(View):
    """A case (案件): counts of what it is about, and no card."""

    OURS = View.OURS | {"items"}

    id: str = Field(examples=["C0123456789AB"])
    title: str
    state: CaseState
    ground: GroundKind
    ground_number: str = Field(examples=["V0123456789AB"])
    seed_kind: str = Field(description="card, device, outlet or ring.", examples=["ring"])
    seed: str = Field(examples=["R00001"])
    opened_by: str
    opened_at: datetime
    approved_by: str | None
    assigned_to: str | None
    updated_at: datetime
    closed_at: datetime | None
    outcome: CaseOutcome | None
    merged_into: str | None
    split_from: str | None
    change: int = Field(description="Number of its latest change; it grows with every change of any case.")
    items: dict[str, int] = Field(
        description="By kind: card, device, place, outlet, ring.", examples=[{"card": 24}]
    )
    confirmed: int = Field(description="Its cards that the police confirmed (涉案).")

    @classmethod
    def told(cls, case: CaseSummary) -> CaseShown:
        """Convert to a response."""
        facts: dict[str, Any] = {
            **vars(case),
            "ground": case.ground.kind,
            "ground_number": case.ground.number,
        }
        return cls.of({**facts, "items": {kind.value: count for kind, count in case.items.items()}}, IN_FULL)


class CasesShown(View):
    """A page of cases."""

    items: list[CaseShown]
    total: int = Field(description="Of all that were asked for, or that changed since.")
    next: int | None = Field(
        description="Give it as `before` or `after` for what follows; null: nothing does."
    )

    @classmethod
    def told(cls, page: CasePage) -> CasesShown:
        """Convert to a response."""
        return cls(items=[CaseShown.told(case) for case in page.cases], total=page.total, next=page.following)


class CaseItemShown(View):
    """One thing that a case is about."""

    kind: ItemKind
    value: str = Field(description="A card and a device are masked unless asked for in full.")
    role: str
    certainty: int | None = Field(description="Percent; null: nobody estimated it (确定度).")
    operator: str
    city: str
    source: str
    added_by: str
    added_at: datetime | None
    confirmed: list[str] = Field(description="The police's case numbers that stand (涉案).")


class CaseNoteShown(View):
    """What somebody wrote down (记事)."""

    at: datetime
    who: str
    text: str


class TimelineEntryShown(View):
    """Something that happened (时间线)."""

    at: datetime
    what: WordsShown
    who: str = Field(description="A person or an element of the network.")
    about: str = Field(description="A card, masked unless asked for in full, or an id.")
    detail: str


class CaseFileShown(View):
    """A case with what it is about, notes, and one timeline, the latest first."""

    case: CaseShown
    items: list[CaseItemShown]
    notes: list[CaseNoteShown]
    timeline: list[TimelineEntryShown]
    timeline_total: int

    @classmethod
    def told(cls, view: CaseView) -> CaseFileShown:
        """Convert to a response; numbers are as the reader may see them already."""
        return cls(
            case=CaseShown.told(view.file.case),
            items=_each(CaseItemShown, view.file.items),
            notes=_each(CaseNoteShown, view.file.notes),
            timeline=[_entry(entry) for entry in view.entries],
            timeline_total=view.in_all,
        )


class CaseGrownShown(View):
    """A case, and how many things were new in it."""

    case: CaseShown
    new: int


def _each(model: Any, found: Sequence[CaseItem | CaseNote]) -> list[Any]:
    return [model.of(vars(one), IN_FULL) for one in found]


def _entry(entry: TimelineEntry) -> TimelineEntryShown:
    words = WordsShown(zh=entry.what.zh, en=entry.what.en)
    return TimelineEntryShown(at=entry.at, what=words, who=entry.who, about=entry.about, detail=entry.detail)
