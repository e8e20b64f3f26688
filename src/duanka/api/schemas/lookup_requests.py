"""On what basis people, cards and rings are looked up."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictBool

from duanka.api.schemas.requests import ORDER_ID, AskedModel, CaseNumber, Why
from duanka.domain.order import Person
from duanka.domain.record_lookups import Basis, basis_of
from duanka.ledger.lookups import LookupContext


class BasisAsked(AskedModel):
    """On what basis somebody is looked up; exactly one of the three numbers is needed."""

    case_number: CaseNumber | None = None
    order_id: Annotated[str, Field(pattern=rf"^[VRO]{ORDER_ID}")] | None = Field(
        default=None, description="The order (工单); of a lookup that begins at a card, one about it."
    )
    police_notice: CaseNumber | None = Field(
        default=None, description="The number of the police's notice (公安机关通知)."
    )

    def basis(self) -> Basis:
        """Return the basis. LookupRefused: none, or several."""
        return basis_of(self.case_number, self.order_id, self.police_notice)


class LookupBasis(BasisAsked):
    """On what basis somebody is looked up, why, and how numbers are shown."""

    why: Why
    unmask: StrictBool = Field(default=False, description="Show numbers and devices in full.")

    def context(self, by: Person) -> LookupContext:
        """Return who looks up, why and on what basis. LookupRefused: no basis, or several."""
        return LookupContext(by, self.why.strip(), self.basis(), self.unmask)
