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
from duanka.domain.order import Event
from duanka.orders import views
from duanka.orders.queries.service import ViewerContext

router = Endpoints("acts")


@router.endpoint(
    "POST /acts",
    "Propose a stop or release · 提出批量处置",
    Permission.PROPOSE_BULK_ACTION,
    fails=(409, 422),
    status_code=201,
)
def propose_act(here: Here, by: access.Caller, asks: asked.Proposal) -> views.BulkActionShown:
    """A stop waits for a second person (双人复核); a release begins at once."""
    policy = here.desk.orders.terms.policy
    grounds = asks.grounds(policy.staff_redress, policy.papers)
    act = here.desk.bulk_actions.propose(
        Event(asks.event), asks.phone_numbers, grounds, by, here.now, asks.until
    )
    return views.BulkActionShown.of(act)


@router.endpoint("GET /acts", "What was proposed · 批量处置列表", Permission.LIST_BULK_ACTIONS, fails=(404,))
def list_acts(
    here: Here,
    by: access.Caller,
    waiting: Annotated[bool, Query(description="Only those that wait for a second person.")] = False,
    after: asked.After = None,
    limit: asked.Limit = 50,
) -> shown.BulkActionsShown:
    """The latest first, with the progress of each."""
    return shown.BulkActionsShown.of(here.desk.reading.bulk_actions(by, after or "", limit, waiting=waiting))


@router.endpoint(
    "GET /acts/{actId}", "One bulk action and how far it is · 批量处置进度", Permission.LIST_BULK_ACTIONS
)
def get_act(here: Here, by: access.Caller, number: asked.BulkActionId) -> views.BulkActionShown:
    """What was proposed, by whom, and how many of its cards are done."""
    return here.desk.reading.bulk_action(number, by)


@router.endpoint(
    "GET /acts/{actId}/cards", "The cards of a bulk action · 批量处置号码明细", Permission.LIST_BULK_ACTIONS
)
def list_act_cards(
    here: Here,
    by: access.Caller,
    number: asked.BulkActionId,
    after: asked.Skip = None,
    limit: asked.Limit = 50,
) -> shown.BulkActionCardsShown:
    """Each card with what is known of it, and its result; numbers masked."""
    return shown.BulkActionCardsShown.of(
        here.desk.reading.act_cards(number, ViewerContext(by), here.now, int(after or 0), limit)
    )


@router.endpoint(
    "POST /acts/{actId}/approve",
    "Approve what somebody else proposed · 复核通过",
    Permission.APPROVE_BULK_ACTION,
    fails=(409, 422),
)
def approve_act(
    here: Here, by: access.Caller, number: asked.BulkActionId, because: asked.Approval
) -> views.BulkActionShown:
    """A supervisor other than the proposer approves, after looking at the cards.

    Cards can be excluded. Again gives the state.
    """
    return views.BulkActionShown.of(
        here.desk.bulk_actions.approve(number, by, because.why, here.now, because.without)
    )


@router.endpoint(
    "POST /acts/{actId}/reject",
    "Reject what was proposed · 复核不通过",
    Permission.REJECT_BULK_ACTION,
    fails=(409,),
)
def reject_act(
    here: Here, by: access.Caller, number: asked.BulkActionId, because: asked.Because
) -> views.BulkActionShown:
    """No card is changed. Again gives the state."""
    return views.BulkActionShown.of(here.desk.bulk_actions.reject(number, by, because.why, here.now))


@router.endpoint(
    "POST /acts/{actId}/undo",
    "Take back what was done · 撤销批量处置",
    Permission.UNDO_BULK_ACTION,
    fails=(409,),
)
def undo_act(
    here: Here, by: access.Caller, number: asked.BulkActionId, because: asked.Because
) -> views.BulkActionShown:
    """Cards return to their earlier state unless changed since. Again gives the state.

    `undone_by` names the bulk actions that restore the cards; one of these proposes the cards whose tier takes two
    people. The state is `partly_undone` while this bulk action still stops a card.
    """
    here.desk.bulk_actions.undo(number, by, because.why.strip(), here.now)
    return views.BulkActionShown.of(here.desk.bulk_actions.get(number, by))
