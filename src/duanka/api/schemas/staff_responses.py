"""Responses about people, reviews, and verification in person."""

from __future__ import annotations

import base64

from pydantic import Field, field_validator

from duanka.api.schemas.responses import OrderShown
from duanka.domain.identity import CheckReason
from duanka.domain.person import Person, Role
from duanka.orders.masking import View
from duanka.orders.verification.reviews import ReviewShown, VerdictShown
from duanka.orders.verification.standing import CounterWaitingShown


class PersonShown(View):
    """A person (人员): `operators` and `cities` are their scope; empty: all."""

    id: str = Field(examples=["wang.wei"])
    display_name: str = Field(examples=["王伟"])
    role: Role
    operators: list[str]
    cities: list[str] = Field(examples=[["石家庄"]])

    @classmethod
    def told(cls, person: Person) -> PersonShown:
        """Convert to a response."""
        return cls(
            id=person.id,
            display_name=person.display_name,
            role=person.role,
            operators=sorted(person.scope.operators),
            cities=sorted(person.scope.cities),
        )


class ReviewsShown(View):
    """A page of the checks that wait for a reviewer, the oldest first."""

    items: list[ReviewShown]
    next: str | None = Field(description="Give it as `after` for the next page; null: this was the last.")


class ReviewFileShown(View):
    """All that a reviewer needs. Pictures: JPEG or PNG in base64; null: not kept."""

    OURS = View.OURS | {"reference", "captured"}

    order: OrderShown
    reference: str | None = Field(description="The registered photo (登记照片).", examples=["/9j/2wBDAA=="])
    captured: str | None = Field(description="The frame of the camera (采集画面).", examples=["/9j/2wBDAA=="])
    similarity: float | None = Field(description="Cosine of the two faces, -1 to 1.", examples=[0.41])
    review_from: float = Field(
        description="The similarity from which the policy leaves it to a person; below, it fails.",
        examples=[0.36],
    )
    passes_from: float = Field(description="The similarity from which it passes.", examples=[0.45])
    signals: dict[str, float] = Field(description="What liveness measured, by name.")
    reasons: list[CheckReason] = Field(examples=[["unsure"]])
    earlier: list[VerdictShown]
    disowns: bool = Field(
        description="The holder says in it that the number is not theirs: decide `not-mine` or `to-counter`.",
        examples=[False],
    )

    @field_validator("reference", "captured", mode="before")
    @classmethod
    def _in_base64(cls, picture: object) -> object:
        return base64.b64encode(picture).decode() if isinstance(picture, bytes) else picture


class CounterCheckShown(View):
    """The state after a verification in person."""

    order: OrderShown
    waits_for_second_person: bool = Field(description="Somebody else must confirm it (须双人复核).")


class CounterChecksShown(View):
    """A page of waiting verifications, the oldest first."""

    items: list[CounterWaitingShown]
    next: str | None = Field(description="Give it as `after` for the next page; null: this was the last.")
