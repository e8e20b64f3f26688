"""This number is not mine: recorded at a counter, confirmed, taken back; reviews, outlets."""

from __future__ import annotations

from collections.abc import Callable

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.routes.orders import masked
from duanka.api.routes.statistics import Since, Until
from duanka.api.schemas import requests as asked
from duanka.api.schemas import responses as shown
from duanka.api.schemas.disavowals import (
    DisavowalAsked,
    DisavowalShown,
    DisownedOutletShown,
    DisownedOutletsShown,
    TheDisavowal,
)
from duanka.domain.authority import Permission
from duanka.domain.disavowal import by_outlet
from duanka.domain.order import NoSuchTransition, Order, State
from duanka.orders.queries.service import ViewerContext

router = Endpoints("disavowals")


@router.endpoint(
    "POST /disavowals",
    "A registrant disowns a number · 登记否认开户",
    Permission.RECORD_DISAVOWAL,
    fails=(409,),
)
def record_disavowal(here: Here, by: access.Caller, asks: DisavowalAsked) -> DisavowalShown:
    """Nothing is stopped before somebody else confirms it. Again, once it is confirmed, gives the state.

    409 names what is missing. No field accepts a document number: the holder register has it.
    """
    return _shown(here.desk.disavowals.record(asks.card, asks.seen(), by, asks.why, here.now))


@router.endpoint(
    "POST /disavowals/{orderId}/confirm",
    "Confirm what somebody else recorded · 双人复核通过",
    Permission.CONFIRM_COUNTER_CHECK,
    fails=(409,),
)
def confirm_disavowal(
    here: Here, by: access.Caller, number: TheDisavowal, because: asked.Because
) -> shown.OrderShown:
    """The card is stopped at the registrant's own request; or given back, if it was to be taken back.

    Again gives the state.
    """
    return _again(here, number, lambda: here.desk.counter.confirm(number, by, because.why, here.now))


@router.endpoint(
    "POST /disavowals/{orderId}/reject",
    "Discard what was recorded · 双人复核不通过",
    Permission.REJECT_COUNTER_CHECK,
    fails=(409,),
)
def reject_disavowal(
    here: Here, by: access.Caller, number: TheDisavowal, because: asked.Because
) -> shown.OrderShown:
    """Allowed on one's own record. What was to be taken back stands. Again gives the state."""
    return _again(here, number, lambda: here.desk.counter.reject(number, by, because.why, here.now))


@router.endpoint(
    "POST /disavowals/{orderId}/take-back",
    "It is theirs after all · 撤回否认",
    Permission.RECORD_DISAVOWAL,
    fails=(409,),
)
def take_back_disavowal(
    here: Here, by: access.Caller, number: TheDisavowal, asks: asked.CounterCheckAsked
) -> DisavowalShown:
    """The registrant is verified in person: the card works again at once; some tiers take a second person."""
    return _shown(here.desk.disavowals.take_back(number, asks.seen(), by, asks.why, here.now))


@router.endpoint(
    "POST /reviews/{orderId}/not-mine",
    "The reviewer confirms who disowns the number · 审核确认否认",
    Permission.DISAVOWAL_CONFIRM,
    fails=(409,),
    tags=["second verification"],
)
def confirm_reviewed_disavowal(
    here: Here, by: access.Caller, number: asked.TheVerification, because: asked.Because
) -> shown.OrderShown:
    """Only where the check says so (`disowns`): neither passed nor failed, the card is stopped at request."""
    return masked(here.desk.disavowals.confirm_reviewed(number, by, because.why, here.now))


@router.endpoint(
    "GET /figures/disowned-outlets",
    "Outlets by numbers disowned · 否认开户网点统计",
    Permission.LIST_DISOWNED,
    tags=["figures"],
)
def list_disowned_outlets(here: Here, by: access.Caller, since: Since, until: Until) -> DisownedOutletsShown:
    """By when they were confirmed; what was taken back counts apart. It stands in the audit trail."""
    found = by_outlet(here.desk.reading.disowned(since, until, ViewerContext(by), here.now))
    return DisownedOutletsShown(items=[DisownedOutletShown.of(vars(one)) for one in found])


def _again(here: Here, number: str, move: Callable[[], Order]) -> shown.OrderShown:
    """Move the disavowal; return its state if that was done before."""
    try:
        return masked(move())
    except NoSuchTransition:
        order = here.desk.reading.state(number)
        if order.state is State.CLAIMED:
            raise
        return masked(order)


def _shown(order: Order) -> DisavowalShown:
    waits = order.due_at is None and (order.state is State.CLAIMED or order.until is not None)
    return DisavowalShown(order=masked(order), waits_for_second_person=waits and order.closed_at is None)
