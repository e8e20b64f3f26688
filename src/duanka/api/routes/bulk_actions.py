"""Bulk actions that two people decide, for one card or ten thousand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field, StrictBool

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.schemas import requests as asked
from duanka.api.schemas import responses as shown
from duanka.api.schemas.requests import ORDER_ID, AskedModel, Moment, OrderConditions, PhoneNumber, WordsAsked
from duanka.domain.authority import Permission
from duanka.domain.order import Event, Grounds
from duanka.domain.text import BilingualText
from duanka.orders import views
from duanka.orders.bulk_actions.progress import BulkActionProgressShown, progress_of
from duanka.orders.proposing.chosen_orders import MOST_CHOSEN, ChosenOrdersShown, preview, propose_for_orders
from duanka.orders.queries.listing import Filter
from duanka.orders.queries.service import ViewerContext

router = Endpoints("acts")

BulkEvent = Annotated[
    Literal[
        Event.BAR_OUTGOING,
        Event.LIFELINE,
        Event.SUSPEND,
        Event.PUNISH,
        Event.CANCEL,
        Event.RESTORE,
        Event.EASE,
        Event.EASE_TO_LIFELINE,
        Event.WITHDRAW,
    ],
    Field(
        description="单停, 保底服务, 双停, 惩戒停机, 销户; 复通, 双停或保底服务改单停, 双停改保底服务, 撤销核验."
    ),
]


class Proposal(AskedModel):
    """A stop or release of one card or many; a second person approves it (双人复核)."""

    event: BulkEvent
    phone_numbers: list[PhoneNumber] = Field(
        min_length=1, max_length=10_000, json_schema_extra={"uniqueItems": False}
    )
    reason: WordsAsked = Field(
        description="It stays in the audit trail; the holders read the policy's text for it."
    )
    redress: WordsAsked | None = Field(
        default=None, description="The way of redress; by default the policy's."
    )
    papers: WordsAsked | None = Field(
        default=None, description="The papers to bring; by default the policy's."
    )
    until: Moment | None = Field(default=None, description="Until when; for punish.")

    def grounds(self, redress: BilingualText, papers: BilingualText) -> Grounds:
        """Return the texts for the holders."""
        return Grounds(
            self.reason.words(),
            self.redress.words() if self.redress else redress,
            self.papers.words() if self.papers else papers,
        )


_OrderIds = Annotated[
    list[Annotated[str, Field(pattern=rf"^[VROD]{ORDER_ID}")]],
    Field(
        max_length=MOST_CHOSEN,
        description="The orders (工单); a card with several of them counts once.",
        examples=[["V0123456789AB"]],
        json_schema_extra={"uniqueItems": False},
    ),
]


class MatchingOrders(OrderConditions):
    """Orders with something in common; omitted conditions do not restrict."""

    open: StrictBool | None = Field(
        default=None, description="true: only open ones, false: only closed ones."
    )
    overdue: StrictBool = Field(default=False, description="Only those whose deadline has come.")
    waiting: StrictBool = Field(default=False, description="Only those that wait for a person.")


class NamedOrdersLook(AskedModel):
    """What a bulk action would do with the cards of these orders."""

    event: BulkEvent
    order_ids: _OrderIds = Field(min_length=1)

    def which(self) -> Sequence[str] | Filter:
        """Return the ids."""
        return self.order_ids


class MatchingOrdersLook(AskedModel):
    """What a bulk action would do with the cards of all orders that match."""

    event: BulkEvent
    matching: MatchingOrders = Field(description=f"Up to {MOST_CHOSEN:,} orders; 422 if there are more.")

    def which(self) -> Sequence[str] | Filter:
        """Return the filter."""
        return self.matching.filter()


class OrdersActAsked(AskedModel):
    """A bulk action for the cards of orders, as `POST /acts` for numbers."""

    event: BulkEvent
    order_ids: _OrderIds = Field(min_length=1)
    reason: WordsAsked = Field(
        description="It stays in the audit trail; the holders read the policy's text for it."
    )
    until: Moment | None = Field(default=None, description="Until when; for punish.")


@router.endpoint(
    "POST /acts",
    "Propose a stop or release · 提出批量处置",
    Permission.PROPOSE_BULK_ACTION,
    fails=(409, 422),
    status_code=201,
)
def propose_act(here: Here, by: access.Caller, asks: Proposal) -> views.BulkActionShown:
    """A stop waits for a second person (双人复核); a release begins at once."""
    policy = here.desk.orders.terms.policy
    grounds = asks.grounds(policy.staff_redress, policy.papers)
    act = here.desk.bulk_actions.propose(
        Event(asks.event), asks.phone_numbers, grounds, by, here.now, asks.until
    )
    return views.BulkActionShown.of(act)


@router.endpoint(
    "POST /orders/preview-act",
    "What a bulk action would do with orders · 批量处置预览",
    Permission.PROPOSE_BULK_ACTION,
    Permission.LIST_ORDERS,
    fails=(404, 409, 422),
)
def preview_act_for_orders(
    here: Here, by: access.Caller, asks: NamedOrdersLook | MatchingOrdersLook
) -> ChosenOrdersShown:
    """How many of their cards it would change, and which it would leave alone and why; nothing changes.

    For orders by id, or for all that match. `items` has each card: the ids for `proposeActForOrders`.
    """
    return preview(here.desk.bulk_actions, Event(asks.event), asks.which(), by, here.now)


@router.endpoint(
    "POST /orders/propose-act",
    "Propose a stop or release for orders · 按工单提出批量处置",
    Permission.PROPOSE_BULK_ACTION,
    Permission.LIST_ORDERS,
    fails=(404, 409, 422),
    status_code=201,
)
def propose_act_for_orders(here: Here, by: access.Caller, asks: OrdersActAsked) -> views.BulkActionShown:
    """For the cards of these orders, as `proposeAct` for numbers, which lists do not show.

    Cards that `previewActForOrders` leaves out are not in it. 409: no card is left. A stop waits for a second person;
    a release or withdrawal begins at once, unless a tier takes two people.
    """
    act = propose_for_orders(
        here.desk.bulk_actions,
        Event(asks.event),
        asks.order_ids,
        asks.reason.words(),
        by,
        here.now,
        asks.until,
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
    "GET /acts/{actId}/progress",
    "How far network and notices are · 批量处置执行进度",
    Permission.LIST_BULK_ACTIONS,
)
def get_act_progress(here: Here, by: access.Caller, number: asked.BulkActionId) -> BulkActionProgressShown:
    """What each element of the network has carried out of it, and which notices went out."""
    return progress_of(here.desk.store, number, by)


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
