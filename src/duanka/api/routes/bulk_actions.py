"""Bulk actions that two people decide, for one card or ten thousand."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.schemas import requests as asked
from duanka.api.schemas import responses as shown
from duanka.domain.authority import Permission
from duanka.domain.bulk_action import ActState
from duanka.domain.order import Event
from duanka.orders import views
from duanka.orders.queries.service import ViewerContext

router = Endpoints("acts")


@router.endpoint(
    "POST /acts",
    "Propose a stop or release · 提出处置",
    Permission.PROPOSE_ACT,
    fails=(409, 422),
    status_code=201,
)
def propose_act(here: Here, by: access.Caller, asks: asked.Proposal) -> views.ActShown:
    """A stop waits for a second person (双人复核); a release begins at once."""
    policy = here.desk.orders.terms.policy
    grounds = asks.grounds(policy.redress, policy.papers)
    act = here.desk.acts.propose(Event(asks.event), asks.phone_numbers, grounds, by, here.now, asks.until)
    return views.ActShown.of(act)


@router.endpoint("GET /acts", "What was proposed · 处置列表", Permission.LIST_ACTS, fails=(404,))
def list_acts(
    here: Here,
    by: access.Caller,
    waiting: Annotated[bool, Query(description="Only those that wait for a second person.")] = False,
    after: asked.After = None,
    limit: asked.Limit = 50,
) -> shown.Acts:
    """The latest first, with the progress of each."""
    return shown.Acts.of(here.desk.reading.acts(by, after or "", limit, waiting=waiting))


@router.endpoint("GET /acts/{actId}", "One act and how far it is · 处置进度", Permission.LIST_ACTS)
def get_act(here: Here, by: access.Caller, number: asked.ActId) -> views.ActShown:
    """What was proposed, by whom, and how many of its cards are done."""
    return here.desk.reading.act(number, by)


@router.endpoint("GET /acts/{actId}/cards", "The cards of an act · 处置号码明细", Permission.LIST_ACTS)
def list_act_cards(
    here: Here, by: access.Caller, number: asked.ActId, after: asked.Skip = None, limit: asked.Limit = 50
) -> shown.ActCards:
    """Each card with what is known of it, and its result; numbers masked."""
    return shown.ActCards.of(
        here.desk.reading.act_cards(number, ViewerContext(by), here.now, int(after or 0), limit)
    )


@router.endpoint(
    "POST /acts/{actId}/approve",
    "Approve what somebody else proposed · 复核通过",
    Permission.APPROVE_ACT,
    fails=(409, 422),
)
def approve_act(
    here: Here, by: access.Caller, number: asked.ActId, because: asked.Approval
) -> views.ActShown:
    """A supervisor other than the proposer approves, after looking at the cards.

    Cards can be excluded. Again gives the state.
    """
    act = here.desk.acts.act(number, by)
    if act.approved_by != by.id:
        act = here.desk.acts.approve(number, by, because.why, here.now, because.without)
    return views.ActShown.of(act)


@router.endpoint(
    "POST /acts/{actId}/reject", "Reject what was proposed · 复核不通过", Permission.REJECT_ACT, fails=(409,)
)
def reject_act(here: Here, by: access.Caller, number: asked.ActId, because: asked.Because) -> views.ActShown:
    """No card is changed. Again gives the state."""
    act = here.desk.acts.act(number, by)
    if act.state is not ActState.REJECTED:
        act = here.desk.acts.reject(number, by, because.why, here.now)
    return views.ActShown.of(act)


@router.endpoint(
    "POST /acts/{actId}/undo", "Take back what was done · 撤销处置", Permission.UNDO_ACT, fails=(409,)
)
def undo_act(here: Here, by: access.Caller, number: asked.ActId, because: asked.Because) -> views.ActShown:
    """Cards return to their earlier state unless changed since. Again gives the state.

    `undone_by` names the acts that restore the cards; one of these proposes the cards whose tier takes two
    people. The state is `partly_undone` while this act still stops a card.
    """
    if not here.desk.acts.being_undone(number, by):
        here.desk.acts.undo(number, by, because.why.strip(), here.now)
    return views.ActShown.of(here.desk.acts.act(number, by))
