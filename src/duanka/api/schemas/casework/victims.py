"""Victims, as the API takes and shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StrictBool

from duanka.api.schemas.lookup_requests import BasisAsked
from duanka.api.schemas.requests import AskedModel, Moment, PhoneNumber, Said, Why, casework_path
from duanka.casework.victims.finding import AskedPeriod, FoundVictims
from duanka.casework.victims.proposals import CallProposal
from duanka.casework.victims.queries import (
    MOST,
    VictimFigures,
    VictimFile,
    VictimFilter,
    VictimPage,
)
from duanka.casework.victims.queries import VictimShown as SeenVictim
from duanka.domain.order import Person
from duanka.domain.record_lookups import MOST_HOURS, BasisKind
from duanka.domain.text import BilingualText
from duanka.domain.victims import (
    MOST_CARDS,
    CallOutcome,
    CallState,
    Exclusion,
    MessageKind,
    MessageOutcome,
    VictimOrigin,
    WorklistState,
)
from duanka.ledger.lookups import LookupContext, Reader
from duanka.orders.masking import IN_FULL, View
from duanka.orders.views import WordsShown

TheVictim = Annotated[str, casework_path("victimId", "W", "The victim (受害人).")]
TheWorklist = Annotated[str, casework_path("worklistId", "H", "The proposed worklist (回访名单).")]


class VictimCardsAsked(BasisAsked):
    """Cards, or none: then those of the case of ours that `caseNumber` names."""

    phone_numbers: list[PhoneNumber] = Field(default=[], max_length=MOST_CARDS)
    hours: int | None = Field(
        default=None, ge=1, le=MOST_HOURS, description="How many hours; by default as the policy says."
    )
    why: Why

    def context(self, by: Person) -> LookupContext:
        """Return who looks up, why and on what basis. LookupRefused: no basis, or several."""
        return LookupContext(by, self.why.strip(), self.basis(), getattr(self, "unmask", False))


class VictimsSearched(VictimCardsAsked):
    """The cards whose victims are looked for, and until when."""

    until: Moment | None = Field(
        default=None, description="Up to this time; by default the end of the last day that the store has."
    )
    unmask: StrictBool = Field(default=False, description="Show numbers in full.")

    def period(self) -> AskedPeriod:
        """Return the period that is asked for."""
        return AskedPeriod(self.hours, self.until)


class VictimsListed(AskedModel):
    """Which victims are listed, and why."""

    why: Why
    states: Annotated[list[CallState], Field(description="Only where the call stands so.")] = []
    outcomes: Annotated[list[CallOutcome], Field(description="Only with this outcome.")] = []
    since: Moment | None = Field(default=None, description="Only what changed from then on.")
    until: Moment | None = Field(default=None, description="Only what changed before.")
    unmask: StrictBool = Field(default=False, description="Show numbers in full.")
    limit: Annotated[int, Field(ge=1, le=MOST, description="Victims of a page.")] = 50
    after: Annotated[str, Field(pattern=r"^[0-9]{1,6}-W[0-9A-Z]{12}$")] | None = Field(
        default=None, description="`next` of the page before; without it the first page."
    )

    def which(self) -> VictimFilter:
        """Return which victims."""
        return VictimFilter(tuple(self.states), tuple(self.outcomes), self.since, self.until)

    def reader(self, by: Person) -> Reader:
        """Return who looks, and why."""
        return Reader(by, self.why, self.unmask)


class VictimLooked(AskedModel):
    """Who looks at a victim says why."""

    why: Why
    unmask: StrictBool = Field(default=False, description="Show numbers in full.")


class VictimClaimed(AskedModel):
    """Whom to call."""

    victim_id: Annotated[str, Field(pattern=r"^W[0-9A-Z]{12}$")] | None = Field(
        default=None, description="Without it the most endangered victim who waits."
    )
    why: Why


class VictimOutcomeAsked(AskedModel):
    """What came of a call."""

    outcome: CallOutcome = Field(
        description="reached 已联系上, dissuaded 已劝阻, already_paid 已转账, refused 拒绝劝阻, not_reached 未联系上."
    )
    note: Said = Field(
        description="In a few words; it stays in the audit trail.", examples=["hung up on the caller"]
    )


class FoundVictimShown(View):
    """A victim that a search found (受害人); numbers masked unless asked for in full."""

    number: str
    points: int = Field(description="Danger (危险).")
    reasons: WordsShown
    answered: int = Field(description="Answered calls with these cards.")
    seconds: int
    longest: int = Field(description="Seconds of the longest call.")
    cards: int = Field(description="How many of the cards were in contact with the person.")
    operator: str
    city: str
    age_band: str
    last: datetime


class FoundVictimsShown(View):
    """Victims, the most endangered first; `excluded`: how many parties were none, by reason."""

    OURS = View.OURS | {"excluded"}

    cards: list[str]
    since: datetime
    until: datetime
    items: list[FoundVictimShown]
    excluded: dict[str, int] = Field(
        description=f"By reason: {', '.join(Exclusion)}.", examples=[{"family": 2}]
    )
    warned: int = Field(description="Warnings that are new; 0 where nothing was to be sent.")

    @classmethod
    def told(cls, found: FoundVictims) -> FoundVictimsShown:
        """Convert to a response; numbers are as the reader may see them already."""
        zone = found.zone.info
        items = [
            {**vars(one), "reasons": _words(one.reasons), "last": one.last.replace(tzinfo=zone)}
            for one in found.victims
        ]
        return cls.of(
            {
                "cards": found.cards,
                "since": found.since.replace(tzinfo=zone),
                "until": found.until.replace(tzinfo=zone),
                "items": items,
                "excluded": {why.value: count for why, count in found.excluded.items()},
                "warned": found.warned,
            },
            IN_FULL,
        )


class VictimView(View):
    """A victim (受害人)."""

    id: str = Field(examples=["W0123456789AB"])
    number: str
    origin: VictimOrigin
    operator: str
    city: str
    age_band: str
    fraud_kind: str
    points: int
    reasons: WordsShown
    last_contact: datetime
    found_at: datetime
    updated_at: datetime
    call_state: CallState = Field(
        description="none 无需回访, waiting 待回访, claimed 回访中, escalated 已升级, done 已回访."
    )
    claimed_by: str | None
    not_reached: int
    outcome: CallOutcome | None
    outcome_at: datetime | None

    @classmethod
    def told(cls, victim: SeenVictim) -> VictimView:
        """Convert to a response; numbers are as the reader may see them already."""
        return cls.of({**vars(victim), "reasons": _words(victim.reasons)}, IN_FULL)


class VictimsShown(View):
    """A page of victims, the most endangered first."""

    items: list[VictimView]
    total: int
    next: str | None = Field(description="Give it as `after` for the next page; null: this was the last.")

    @classmethod
    def told(cls, page: VictimPage) -> VictimsShown:
        """Convert to a response."""
        return cls(
            items=[VictimView.told(one) for one in page.victims], total=page.total, next=page.following
        )


class VictimContactShown(View):
    """What passed between the victim and a card; `caseNumber` empty: the card is not confirmed."""

    card: str
    case_number: str
    stands: bool = Field(description="Whether the police's confirmation stands.")
    calls: int
    answered: int
    seconds: int
    longest: int
    messages: int
    first_at: datetime
    last_at: datetime


class VictimMessageShown(View):
    """A warning (预警) or a correction (更正)."""

    kind: MessageKind
    body: str
    created_at: datetime
    sent_at: datetime | None
    outcome: MessageOutcome
    receipt_at: datetime | None


class VictimCallShown(View):
    """What came of a call (回访)."""

    at: datetime
    who: str
    outcome: CallOutcome
    note: str


class VictimFileShown(View):
    """A victim with contacts, messages, calls, and the text that is read out."""

    victim: VictimView
    contacts: list[VictimContactShown]
    messages: list[VictimMessageShown]
    calls: list[VictimCallShown]
    text: WordsShown

    @classmethod
    def told(cls, file: VictimFile) -> VictimFileShown:
        """Convert to a response; numbers are as the reader may see them already."""
        return cls(
            victim=VictimView.told(file.victim),
            contacts=_each(VictimContactShown, file.contacts),
            messages=_each(VictimMessageShown, file.messages),
            calls=_each(VictimCallShown, file.outcomes),
            text=_words(file.text),
        )


class CallProposalShown(View):
    """A proposed worklist (回访名单): counts, and no card."""

    id: str = Field(examples=["H0123456789AB"])
    state: WorklistState
    basis: BasisKind
    basis_number: str
    hours: int
    why: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    cards: int
    found: int

    @classmethod
    def told(cls, proposal: CallProposal) -> CallProposalShown:
        """Convert to a response."""
        return cls.of(vars(proposal))


class CallProposalsShown(View):
    """Proposed worklists, the latest first."""

    items: list[CallProposalShown]


class VictimFiguresShown(View):
    """Counts of one operator and city."""

    OURS = View.OURS | {"outcomes"}

    operator: str
    city: str
    warned: int
    corrected: int
    outcomes: dict[str, int] = Field(examples=[{"dissuaded": 3}])


class VictimFiguresListed(View):
    """Counts of a period by operator and city of the victims."""

    items: list[VictimFiguresShown]

    @classmethod
    def told(cls, rows: Any) -> VictimFiguresListed:
        """Convert to a response."""
        return cls(items=[_figures(one) for one in rows])


def _figures(one: VictimFigures) -> VictimFiguresShown:
    outcomes = {outcome.value: count for outcome, count in one.outcomes.items()}
    return VictimFiguresShown.of({**vars(one), "outcomes": outcomes})


def _words(text: BilingualText) -> WordsShown:
    return WordsShown(zh=text.zh, en=text.en)


def _each(model: Any, found: Any) -> list[Any]:
    return [model.of(vars(one), IN_FULL) for one in found]
