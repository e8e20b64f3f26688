"""Listing for rectification: who meets the criterion, and the way on the list and off it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.schemas.assessment import listings as shown
from duanka.api.schemas.assessment.listings import TheListing
from duanka.api.schemas.assessment.runs import TheRun
from duanka.api.schemas.requests import Because, Limit
from duanka.assessment.criterion_words import criterion_in_words
from duanka.domain.authority import Permission
from duanka.domain.listing import ListingEvent

router = Endpoints("assessment")


@router.endpoint(
    "GET /assessment-runs/{runId}/candidates",
    "Who meets the criterion · 符合挂牌条件的单位",
    Permission.READ_ASSESSMENT,
    fails=(404,),
)
def list_assessment_candidates(here: Here, by: access.Caller, number: TheRun) -> shown.CandidatesShown:
    """Units that meet the criterion of the run; these alone can be listed."""
    assessment = here.desk.assessment
    found = assessment.listings.candidates(assessment.runs.get(number, by), by)
    return shown.CandidatesShown.told(found, criterion_in_words(assessment.runs.policy))


@router.endpoint(
    "POST /listings",
    "Propose that a unit is listed · 提出挂牌整治",
    Permission.LIST_UNIT,
    fails=(404, 409),
    status_code=201,
)
def propose_listing(here: Here, by: access.Caller, asks: shown.ListingAsked) -> shown.ListingShown:
    """Of the candidates of a run; another person approves. 409: it does not meet the criterion, or is on its way."""
    assessment = here.desk.assessment
    of = (asks.measure, asks.kind, asks.unit)
    run = assessment.runs.get(asks.run_id, by)
    return shown.ListingShown.told(
        assessment.listings.propose(run, of, by, asks.why, here.now, asks.term_days)
    )


@router.endpoint(
    "GET /listings", "Listings, the latest first · 挂牌列表", Permission.READ_ASSESSMENT, fails=(404,)
)
def list_listings(
    here: Here,
    by: access.Caller,
    everything: Annotated[bool, Query(alias="all", description="Also those that are over.")] = False,
    after: Annotated[
        str | None, Query(pattern=r"^Z[0-9A-Z]{12}$", description="`next` of the page before.")
    ] = None,
    limit: Limit = 50,
) -> shown.ListingsShown:
    """In the scope of who asks."""
    listed = here.desk.assessment.listings.listed(by, is_open=not everything, after=after or "", limit=limit)
    return shown.ListingsShown.told(*listed)


@router.endpoint(
    "GET /listings/{listingId}", "A listing · 查看挂牌", Permission.READ_ASSESSMENT, fails=(404,)
)
def get_listing(here: Here, by: access.Caller, number: TheListing) -> shown.ListingFileShown:
    """With its notice, everything that happened, and what whoever asks may do with it."""
    listings = here.desk.assessment.listings
    found, steps = listings.get(number, by)
    return shown.ListingFileShown.told(found, steps, listings.acts(found, steps, by))


@router.endpoint(
    "POST /listings/{listingId}/approve",
    "Approve a listing · 批准挂牌",
    Permission.APPROVE_LISTING,
    fails=(404, 409),
)
def approve_listing(
    here: Here, by: access.Caller, number: TheListing, because: Because
) -> shown.ListingShown:
    """As somebody else than who proposed it: the term begins."""
    return _moved(here, by, number, ListingEvent.APPROVE, because.why)


@router.endpoint(
    "POST /listings/{listingId}/reject",
    "Reject a listing · 否决挂牌",
    Permission.APPROVE_LISTING,
    fails=(404, 409),
)
def reject_listing(here: Here, by: access.Caller, number: TheListing, because: Because) -> shown.ListingShown:
    """Before it is approved; who proposed it takes it back so."""
    return _moved(here, by, number, ListingEvent.REJECT, because.why)


@router.endpoint(
    "POST /listings/{listingId}/evidence",
    "File evidence of mending · 报送整改材料",
    Permission.ANSWER_LISTING,
    fails=(404, 409),
)
def file_evidence(
    here: Here, by: access.Caller, number: TheListing, asks: shown.FiledText
) -> shown.ListingShown:
    """For the unit."""
    return _moved(here, by, number, ListingEvent.FILE_EVIDENCE, asks.text)


@router.endpoint(
    "POST /listings/{listingId}/object",
    "Object to a listing · 提出申诉",
    Permission.ANSWER_LISTING,
    fails=(404, 409),
)
def object_to_listing(
    here: Here, by: access.Caller, number: TheListing, asks: shown.FiledText
) -> shown.ListingShown:
    """For the unit, at any time while it is listed."""
    return _moved(here, by, number, ListingEvent.OBJECT, asks.text)


@router.endpoint(
    "POST /listings/{listingId}/decide",
    "Decide on a unit's objection · 决定申诉",
    Permission.CHECK_LISTING,
    fails=(404, 409),
)
def decide_listing(
    here: Here, by: access.Caller, number: TheListing, asks: shown.ObjectionDecided
) -> shown.ListingShown:
    """As somebody else than who proposed the listing or objected."""
    event = ListingEvent.UPHOLD if asks.uphold else ListingEvent.DISMISS
    return _moved(here, by, number, event, asks.why)


@router.endpoint(
    "POST /listings/{listingId}/check",
    "Check the evidence of a unit · 检查整改",
    Permission.CHECK_LISTING,
    fails=(404, 409),
)
def check_listing(
    here: Here, by: access.Caller, number: TheListing, asks: shown.CheckMade
) -> shown.ListingShown:
    """As somebody else than who filed it."""
    event = ListingEvent.FIND_MENDED if asks.mended else ListingEvent.FIND_NOT_MENDED
    return _moved(here, by, number, event, asks.why)


@router.endpoint(
    "POST /listings/{listingId}/delist",
    "Take a unit off the list · 摘牌",
    Permission.CHECK_LISTING,
    fails=(404, 409),
)
def delist_unit(here: Here, by: access.Caller, number: TheListing, because: Because) -> shown.ListingShown:
    """After a check found it mended, as somebody else than who checked or filed the evidence."""
    return _moved(here, by, number, ListingEvent.DELIST, because.why)


def _moved(here: Here, by: access.Caller, number: str, event: ListingEvent, text: str) -> shown.ListingShown:
    return shown.ListingShown.told(here.desk.assessment.listings.move(number, event, by, text, here.now))
