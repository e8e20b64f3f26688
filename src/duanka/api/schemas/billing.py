"""Response bodies of events for billing: numbers in full."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from pydantic import Field

from duanka.domain.billing import BillingEvent
from duanka.orders.masking import View
from duanka.orders.papers.billing import BillingPage


class BillingEventShown(View):
    """A change of whether a card is charged (计费事件)."""

    OURS: ClassVar[frozenset[str]] = View.OURS | {"phone_number"}

    id: int = Field(description="Counts up without a gap, in the order of commits.", examples=[17])
    event: BillingEvent = Field(
        description="paused: stopped, no fee from `at` on; resumed: charged again; ended: cancelled for good."
    )
    phone_number: str = Field(description="The card (号码), in full.", examples=["+8613800000000"])
    order_id: str = Field(examples=["R0123456789AB"])
    step: int = Field(description="Of the order: order and step identify the event.", examples=[1])
    at: datetime
    operator: str = Field(description="Of the card; empty where unknown.")
    city: str = Field(description="Of the card, its code; empty where unknown.")


class BillingEventsShown(View):
    """Events, the earliest first."""

    items: list[BillingEventShown]
    next: int = Field(description="Give it as `after` the next time; it stays if nothing happened.")

    @classmethod
    def told(cls, page: BillingPage) -> BillingEventsShown:
        """Convert a page."""
        items = [BillingEventShown.of({**vars(one), "phone_number": f"+{one.card}"}) for one in page.events]
        return cls(items=items, next=page.following)
