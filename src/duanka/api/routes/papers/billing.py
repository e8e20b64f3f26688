"""Events for billing, by a cursor."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.schemas.papers import BillingEventsShown
from duanka.api.schemas.requests import Moment
from duanka.domain.authority import Permission
from duanka.domain.bounds import bounded
from duanka.orders.papers.billing import BEGINNING, CURSOR, MOST

router = Endpoints("billing")


@router.endpoint(
    "GET /billing-events",
    "Cards to charge, and not to charge · 计费事件",
    Permission.EXPORT_BILLING,
    fails=(409,),
)
def list_billing_events(
    here: Here,
    by: access.Caller,
    after: Annotated[
        str,
        Query(
            pattern=CURSOR,
            description="`next` of the time before, or the `cursor` of the last event that was taken; 0: from the"
            " beginning.",
            examples=["17-0123456789abcdef"],
        ),
    ] = BEGINNING,
    since: Annotated[
        Moment | None,
        Query(
            description="Instead of `after`: from the first event of this time or later on, to read again."
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MOST, description="How many at most.")] = 1_000,
) -> BillingEventsShown:
    """The earliest first, numbers in full. Ask again with `next` until `items` is empty, then now and then.

    Ids count up without a gap in the order of commits: nothing is missed or told twice. 409: the event of `after` is
    not here, or is another one, since a backup was restored: read again from the time of the backup (`since`), and
    compare by order, step, event and `at`.
    """
    billing = here.desk.papers.billing
    return BillingEventsShown.told(
        billing.events(by, here.now, after, limit, bounded(since) if since else None)
    )
