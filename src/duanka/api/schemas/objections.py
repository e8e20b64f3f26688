"""Request bodies of objections (异议): of the staff for a holder, and of holders themselves."""

from __future__ import annotations

from pydantic import Field

from duanka.api.schemas.requests import AskedModel, PhoneNumber, Why
from duanka.api.schemas.unlinked import OrderNumber
from duanka.domain.counter_check import MOST_LETTERS, Document
from duanka.domain.objection import CounterVisit


class VisitAsked(AskedModel):
    """A holder at a counter (营业厅), who showed their document."""

    counter: str = Field(description="Which counter.", max_length=MOST_LETTERS, examples=["中山路营业厅"])
    document: Document = Field(description="Which document was seen (证件); its number is not kept.")
    order_id: OrderNumber | None = Field(
        default=None,
        description="The order number in the notice that the holder brought (工单号), V… or R…. Needed where the card"
        " is out of your scope: without it 403, and with another one 404, as if there were no such order.",
    )

    def seen(self) -> CounterVisit:
        """Return what the staff saw."""
        return CounterVisit(self.counter, self.document, self.order_id or "")


class ObjectionAsked(AskedModel):
    """A holder's objection (异议) in their own words, recorded by the staff."""

    phone_number: PhoneNumber
    text: Why = Field(
        description="What the holder says.", examples=["I was selling my car: strangers called me"]
    )
    visit: VisitAsked | None = Field(
        default=None, description="Where the holder stands at a counter (营业厅)."
    )


class OwnObjection(AskedModel):
    """An objection (异议) of the holder, in their own words."""

    text: Why = Field(description="What you say.", examples=["I was selling my car: strangers called me"])
