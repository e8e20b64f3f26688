"""Verification in person: recorded by one of the staff; some tiers need a second."""

from __future__ import annotations

from fastapi import Request

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.routes.orders import masked
from duanka.api.routes.sign_in.session import not_too_many
from duanka.api.schemas import requests as asked
from duanka.api.schemas import responses as shown
from duanka.api.schemas.people.session import SecondPersonAsked
from duanka.api.schemas.staff_responses import CounterCheckShown, CounterChecksShown
from duanka.domain.authority import Permission
from duanka.domain.order import Kind, NoSuchTransition, Order, State

router = Endpoints("second verification")


@router.endpoint(
    "POST /orders/{orderId}/counter-check",
    "Verified in person · 营业厅实人核验",
    Permission.RECORD_COUNTER_CHECK,
    fails=(409,),
)
def record_counter_check(
    here: Here, by: access.Caller, number: asked.MovedOrder, asks: asked.CounterCheckAsked
) -> CounterCheckShown:
    """Passed at once, or when a second member of the staff has confirmed it.

    By the number in the holder's notice, of the verification or of the stop; for staff of a narrower scope too many
    numbers that lead nowhere are 429. 409 names what is missing. No field
    accepts a document number: the holder register has it.
    """
    order = here.desk.counter.verify(number, asks.seen(), by, asks.why, here.now)
    return CounterCheckShown(order=masked(order), waits_for_second_person=order.closed_at is None)


@router.endpoint(
    "POST /orders/{orderId}/counter-check/confirm",
    "Confirm what somebody else recorded · 双人复核通过",
    Permission.CONFIRM_COUNTER_CHECK,
    fails=(409,),
)
def confirm_counter_check(
    here: Here, by: access.Caller, number: asked.MovedOrder, because: asked.Because
) -> shown.OrderShown:
    """By somebody other than the one who recorded it, by the same number. Again gives the state."""
    try:
        return masked(here.desk.counter.confirm(number, by, because.why, here.now))
    except NoSuchTransition:
        order = here.desk.reading.state(number)
        if order.kind is Kind.RESTRICTION and order.parent:  # by the number of the stop's notice
            order = here.desk.reading.state(order.parent)
        if order.state is not State.PASSED:
            raise
        return masked(order)


@router.endpoint(
    "POST /counter-checks/{orderId}/confirm",
    "A second person confirms on the same screen · 同屏双人复核",
    Permission.CONFIRM_COUNTER_CHECK,
    fails=(409,),
)
async def confirm_on_same_screen(
    request: Request, here: Here, by: access.Caller, number: asked.AtCounter, asks: SecondPersonAsked
) -> shown.OrderShown:
    """The second person signs in for this alone: no session begins, that of who asks goes on, nothing is kept.

    Like `confirmCounterCheck` and `confirmDisavowal`, in the trail as the second person's. 403: their password is
    wrong, or they may not confirm it. Wrong passwords count and lock as those of `signIn`.
    """
    address = access.address_of(request)
    not_too_many(here, address)

    def confirm() -> Order:
        second = here.desk.sign_in.passwords.identify(
            asks.login, asks.password, by, number, address, here.now
        )
        return here.desk.counter.confirm(number, second, asks.why, here.now)

    return masked(await here.hashing.as_long(confirm, here.limits.sign_in_least))


@router.endpoint(
    "POST /orders/{orderId}/counter-check/reject",
    "Discard what was recorded · 双人复核不通过",
    Permission.REJECT_COUNTER_CHECK,
    fails=(409,),
)
def reject_counter_check(
    here: Here, by: access.Caller, number: asked.MovedOrder, because: asked.Because
) -> shown.OrderShown:
    """Allowed on one's own record. The deadline starts anew. Again gives the state."""
    return masked(here.desk.counter.reject(number, by, because.why, here.now))


@router.endpoint(
    "GET /counter-checks",
    "What waits for a second person · 待双人复核",
    Permission.LIST_COUNTER_CHECKS,
    fails=(404,),
)
def list_counter_checks(
    here: Here, by: access.Caller, after: asked.After = None, limit: asked.Limit = 50
) -> CounterChecksShown:
    """The oldest first, numbers masked."""
    return CounterChecksShown.of(here.desk.counter.waiting(by, after or "", limit))
