"""Listings for rectification, as the API takes and shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import Field, StrictBool

from duanka.api.schemas.requests import ORDER_ID, AskedModel, Why, casework_path
from duanka.assessment.candidates import Candidate
from duanka.assessment.listing.service import MOST_DAYS, MOST_EVIDENCE, ListedUnit, ListingStep
from duanka.domain.assessment import Measure, UnitKind
from duanka.domain.listing import ListingEvent, ListingState
from duanka.domain.text import BilingualText
from duanka.orders.masking import IN_FULL, View
from duanka.orders.views import WordsShown

TheListing = Annotated[str, casework_path("listingId", "Z", "The listing (挂牌).")]
Unit = Annotated[str, Field(max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["S0017"])]


class ListingAsked(AskedModel):
    """A unit that is proposed for rectification (挂牌整治)."""

    run_id: Annotated[str, Field(pattern=f"^Y{ORDER_ID}")] = Field(examples=["Y0123456789AB"])
    measure: Measure
    kind: UnitKind
    unit: Unit
    term_days: int | None = Field(
        default=None, ge=1, le=MOST_DAYS, description="For putting it right; default: of the policy."
    )
    why: Why


class FiledText(AskedModel):
    """What is filed for a listed unit: evidence of mending, or an objection."""

    text: Annotated[str, Field(min_length=1, max_length=MOST_EVIDENCE)] = Field(
        description="Evidence, or what is wrong. It stays in the audit trail.",
        examples=["12 cards were re-verified"],
    )


class ObjectionDecided(AskedModel):
    """A decision on the objection of a unit."""

    uphold: StrictBool = Field(description="Upheld, the unit is off the list at once.")
    why: Why


class CheckMade(AskedModel):
    """What a check of the evidence found."""

    mended: StrictBool = Field(description="False: the unit stays on the list.")
    why: Why


class ListingFactsShown(View):
    """What the criterion found of a unit, over its last periods together."""

    periods: list[str]
    events: int
    exposure: int
    expected: float = Field(description="By the unit's own past and by the others.")
    ratio: float
    lower: float = Field(description="Of the ratio's 95% interval.")
    upper: float
    beyond: float = Field(description="The count that chance alone does not pass.")
    worse: list[float] = Field(description="Probability of being worse, in each period.")
    chance: float
    false_discovery: float
    runs: list[str]
    by_number: float | None = Field(
        description="Expected by the rate of the others alone, of as many cards; null: of a run that did not say it."
    )
    by_age: float | None = Field(
        description="Expected by the rates of the others for cards of the same ages; null: not counted by age."
    )


class CandidateShown(View):
    """A unit that meets the criterion of a run."""

    measure: Measure
    kind: UnitKind
    unit: str
    operator: str
    city: str
    facts: ListingFactsShown


class CandidatesShown(View):
    """Units that meet the criterion of a run: these alone can be listed."""

    items: list[CandidateShown]
    criterion: WordsShown = Field(description="All that a unit must meet, with the numbers of the policy.")

    @classmethod
    def told(cls, found: Sequence[Candidate], criterion: BilingualText) -> CandidatesShown:
        """Convert to a response."""
        items = [CandidateShown.of(vars(one), IN_FULL) for one in found]
        return cls(items=items, criterion=WordsShown(zh=criterion.zh, en=criterion.en))


class ListingShown(View):
    """A unit on the way on or off the list (挂牌整治)."""

    id: str = Field(examples=["Z0123456789AB"])
    run_id: str
    measure: Measure
    kind: UnitKind
    unit: str
    operator: str
    city: str
    state: ListingState
    facts: ListingFactsShown
    notice: WordsShown
    notice_digest: str = Field(description="SHA-256 of the notice in both languages.")
    term_days: int
    proposed_by: str
    proposed_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    due_at: datetime | None = Field(description="End of the term; null: not approved.")
    updated_at: datetime
    closed_at: datetime | None

    @classmethod
    def told(cls, found: ListedUnit) -> ListingShown:
        """Convert to a response."""
        return cls.of(vars(found), IN_FULL)


class ListingsShown(View):
    """A page of listings, the latest first."""

    items: list[ListingShown]
    next: str | None = Field(description="Give it as `after` for the next page; null: this was the last.")

    @classmethod
    def told(cls, found: Sequence[ListedUnit], following: str | None) -> ListingsShown:
        """Convert to a response."""
        return cls(items=[ListingShown.told(one) for one in found], next=following)


class ListingStepShown(View):
    """What happened to a listing."""

    at: datetime
    who: str
    event: ListingEvent
    state: ListingState
    text: str


class ListingFileShown(View):
    """A listing with everything that happened to it."""

    listing: ListingShown
    steps: list[ListingStepShown]
    acts: list[ListingEvent] = Field(description="What whoever asks may do with it as it is now.")

    @classmethod
    def told(
        cls, found: ListedUnit, steps: Sequence[ListingStep], acts: Sequence[ListingEvent]
    ) -> ListingFileShown:
        """Convert to a response."""
        shown = [ListingStepShown.of(vars(one), IN_FULL) for one in steps]
        return cls(listing=ListingShown.told(found), steps=shown, acts=list(acts))
