"""Verification in person: recorded by one of the staff; some tiers need a second."""

from __future__ import annotations

from fastapi import APIRouter

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Here
from duanka.api.http.openapi import errors
from duanka.api.routes.orders import masked
from duanka.api.schemas import requests as asked
from duanka.api.schemas import responses as shown
from duanka.api.schemas.staff_responses import CounterCheckShown, CounterChecksShown, CounterWaitingShown
from duanka.domain.authority import Permission
from duanka.domain.order import NoSuchTransition, State

router = APIRouter(tags=["second verification"], route_class=access.KeyFirstRoute)


@router.post(
    "/orders/{orderId}/counter-check",
    operation_id="recordCounterCheck",
    dependencies=access.may(Permission.RECORD_COUNTER_CHECK),
    summary="Verified in person · 营业厅实人核验",
    response_model=CounterCheckShown,
    responses=errors(401, 403, 404, 409, 413),
)
def record(
    here: Here, by: access.Caller, number: asked.TheVerification, asks: asked.CounterCheckAsked
) -> CounterCheckShown:
    """Passed at once, or once a second member of the staff confirms it.

    409 names what is missing. No field accepts a document number: the holder register has it.
    """
    order = here.desk.counter.verify(number, asks.seen(), by, asks.why, here.now)
    return CounterCheckShown(order=masked(order), waits_for_second_person=order.closed_at is None)


@router.post(
    "/orders/{orderId}/counter-check/confirm",
    operation_id="confirmCounterCheck",
    dependencies=access.may(Permission.CONFIRM_COUNTER_CHECK),
    summary="Confirm what somebody else recorded · 双人复核通过",
    response_model=shown.OrderShown,
    responses=errors(401, 403, 404, 409, 413),
)
def confirm(
    here: Here, by: access.Caller, number: asked.TheVerification, because: asked.Because
) -> shown.OrderShown:
    """By somebody other than the one who recorded it. Again gives the state."""
    try:
        return masked(here.desk.counter.confirm(number, by, because.why, here.now))
    except NoSuchTransition:
        order = here.desk.reading.state(number)
        if order.state is not State.PASSED:
            raise
        return masked(order)


@router.post(
    "/orders/{orderId}/counter-check/reject",
    operation_id="rejectCounterCheck",
    dependencies=access.may(Permission.REJECT_COUNTER_CHECK),
    summary="Discard what was recorded · 双人复核不通过",
    response_model=shown.OrderShown,
    responses=errors(401, 403, 404, 409, 413),
)
def reject(
    here: Here, by: access.Caller, number: asked.TheVerification, because: asked.Because
) -> shown.OrderShown:
    """Also one's own record. The deadline starts again. Again gives the state."""
    return masked(here.desk.counter.reject(number, by, because.why, here.now))


@router.get(
    "/counter-checks",
    operation_id="listCounterChecks",
    dependencies=access.may(Permission.LIST_COUNTER_CHECKS),
    summary="What waits for a second person · 待双人复核",
    response_model=CounterChecksShown,
    responses=errors(401, 403, 404),
)
def list_waiting(
    here: Here, by: access.Caller, after: asked.After = None, limit: asked.Limit = 50
) -> CounterChecksShown:
    """The oldest first, numbers masked."""
    page = here.desk.counter.waiting(by, after or "", limit)
    return CounterChecksShown(items=[CounterWaitingShown.of(one) for one in page.items], next=page.next)
