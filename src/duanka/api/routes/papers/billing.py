"""Events for billing, by a cursor."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from duanka.api.http import auth as access
from duanka.api.http.dependencies import Here
from duanka.api.http.endpoints import Endpoints
from duanka.api.schemas.papers import BillingEventsShown
from duanka.domain.authority import Permission
from duanka.orders.papers.billing import MOST

router = Endpoints("billing")


@router.endpoint(
    "GET /billing-events", "Cards to charge, and not to charge · 计费事件", Permission.EXPORT_BILLING
)
def list_billing_events(
    here: Here,
    by: access.Caller,
    after: Annotated[
        int, Query(ge=0, le=2**62, description="`next` of the time before; 0: from the beginning.")
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST, description="How many at most.")] = 1_000,
) -> BillingEventsShown:
    """The earliest first, numbers in full. Ask again with `next` until `items` is empty, then now and then.

    Ids count up without a gap in the order of commits: nothing is missed or told twice.
    """
    return BillingEventsShown.told(here.desk.papers.billing.events(by, here.now, after, limit))
