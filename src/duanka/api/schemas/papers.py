"""Request bodies of papers for holders, response bodies of events for billing (numbers in full)."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field

from duanka.api.schemas.requests import Because, PhoneNumber
from duanka.domain.billing import BillingEvent
from duanka.domain.counter_check import Document
from duanka.orders.masking import View
from duanka.orders.papers.billing import BillingPage


class CopyAsked(Because):
    """A request for a copy of the text of a stop."""

    step: int | None = Field(default=None, ge=1, description="The text of this step alone.", examples=[1])


class StatementAsked(Because):
    """A holder's request for the statement of their card, and how the staff established who they are."""

    phone_number: PhoneNumber
    document: Document = Field(description="The document that was seen (证件类型); its number is not kept.")
    counter: str = Field(
        min_length=1, max_length=200, description="Where (营业厅).", examples=["长安街营业厅"]
    )
    language: Literal["zh", "en"] = Field(default="zh", description="Of the statement.")


class BillingEventShown(View):
    """A change of whether a card is charged (计费事件)."""

    OURS: ClassVar[frozenset[str]] = View.OURS | {"phone_number", "cursor"}

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
    cursor: str = Field(
        description="Give it as `after` to go on behind this event.", examples=["17-0123456789abcdef"]
    )


class BillingEventsShown(View):
    """Events, the earliest first."""

    items: list[BillingEventShown]
    next: str = Field(
        description="Give it as `after` the next time; it stays if nothing happened.",
        examples=["17-0123456789abcdef"],
    )

    @classmethod
    def told(cls, page: BillingPage) -> BillingEventsShown:
        """Convert a page."""
        items = [
            BillingEventShown.of({**vars(one), "phone_number": f"+{one.card}", "cursor": one.cursor})
            for one in page.events
        ]
        return cls(items=items, next=page.following)
