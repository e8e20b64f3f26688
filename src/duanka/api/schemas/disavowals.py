"""Requests and responses about numbers that their registrants disown."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, StrictBool

from duanka.api.schemas.requests import SAID, AskedModel, PhoneNumber, Why, order_path
from duanka.api.schemas.responses import OrderShown
from duanka.domain.bulk_action import card_of
from duanka.domain.counter_check import MOST_LETTERS, Document
from duanka.domain.disavowal import DisavowalSeen
from duanka.orders.masking import View

TheDisavowal = Annotated[str, order_path("D", "The disavowal (否认开户).")]


class DisavowalAsked(AskedModel):
    """What the staff saw of a person who disowns a number; all three booleans must be true."""

    phone_number: PhoneNumber
    document: Document = Field(description="Which document was seen; its number is not taken.")
    counter: Annotated[str, Field(pattern=SAID, max_length=MOST_LETTERS)] = Field(
        description="At which of our counters (营业厅).", examples=["长安路营业厅"]
    )
    person_present: StrictBool = Field(description="The person on the document is here (本人到场).")
    in_register: StrictBool = Field(
        description="The register has the number under this document (登记在本证件名下)."
    )
    statement_signed: StrictBool = Field(
        description="They signed that the number is not theirs (已签署非本人号码声明)."
    )
    outlet: str = Field(
        default="",
        max_length=MOST_LETTERS,
        description="Where the register says that it was opened (开户网点); empty: it does not say.",
        examples=["W-1702"],
    )
    why: Why

    @property
    def card(self) -> str:
        """The number, as orders name it."""
        return card_of(self.phone_number)

    def seen(self) -> DisavowalSeen:
        """Convert for the service."""
        return DisavowalSeen(
            self.document,
            self.counter,
            self.person_present,
            self.in_register,
            self.statement_signed,
            self.outlet,
        )


class DisavowalShown(View):
    """How a disavowal stands."""

    order: OrderShown
    waits_for_second_person: bool = Field(description="Somebody else must confirm it (须双人复核).")


class DisownedOutletShown(View):
    """Numbers of one outlet that their registrants disowned."""

    outlet: str = Field(description="As recorded at the counter; empty: not recorded.", examples=["W-1702"])
    cards: int = Field(description="Numbers whose disavowal stands.", examples=[12])
    taken_back: int = Field(description="Taken back since (已撤回): no evidence.", examples=[1])
    first: datetime = Field(description="When the first was confirmed.")
    last: datetime


class DisownedOutletsShown(View):
    """Outlets, most numbers first."""

    items: list[DisownedOutletShown]
