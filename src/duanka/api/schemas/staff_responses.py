"""Responses about people, reviews, and verification in person."""

from __future__ import annotations

import base64
from datetime import datetime

from pydantic import Field

from duanka.api.schemas.responses import OrderShown, ShownModel, ShownNumber
from duanka.domain.counter_check import Document
from duanka.domain.identity import CheckReason, Outcome
from duanka.domain.person import Person, Role
from duanka.orders.verification.reviews import ReviewFile


class PersonShown(ShownModel):
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


class ReviewShown(ShownModel):
    """An online check that waits for a person (待人工审核)."""

    order_id: str = Field(examples=["V0123456789AB"])
    phone_number: ShownNumber
    tier: str = Field(examples=["high"])
    since: datetime = Field(description="When the check left it to a person.")
    similarity: float | None = Field(description="Cosine of the two faces, -1 to 1.", examples=[0.41])
    reasons: list[CheckReason] = Field(examples=[["unsure"]])
    failures: int = Field(description="Those that count before it.", examples=[0])


class ReviewsShown(ShownModel):
    """A page of the queue, the oldest first."""

    items: list[ReviewShown]
    next: str | None = Field(description="Give it as `after` for the next page; null: this was the last.")


class VerdictShown(ShownModel):
    """The result of an earlier check of the same verification."""

    at: datetime
    outcome: Outcome
    reasons: list[CheckReason]
    similarity: float | None
    counted: bool = Field(description="Whether it is one of the failures that lead to the counter.")


class ReviewFileShown(ShownModel):
    """All that is needed to decide. Pictures: JPEG or PNG in base64; null: not kept."""

    OURS = ShownModel.OURS | {"reference", "captured"}

    order: OrderShown
    reference: str | None = Field(description="The registered photo (登记照片).", examples=["/9j/2wBDAA=="])
    captured: str | None = Field(description="The frame of the camera (采集画面).", examples=["/9j/2wBDAA=="])
    similarity: float | None = Field(description="Cosine of the two faces, -1 to 1.", examples=[0.41])
    signals: dict[str, float] = Field(description="What liveness measured, by name.")
    reasons: list[CheckReason] = Field(examples=[["unsure"]])
    earlier: list[VerdictShown]

    @classmethod
    def found(cls, file: ReviewFile) -> ReviewFileShown:
        """Convert to a response, with pictures in base64."""
        return cls(
            order=OrderShown.of(file.order),
            reference=_text(file.reference),
            captured=_text(file.captured),
            similarity=file.similarity,
            signals=dict(file.signals),
            reasons=list(file.reasons),
            earlier=[VerdictShown.of(one) for one in file.earlier],
        )


def _text(picture: bytes | None) -> str | None:
    return base64.b64encode(picture).decode() if picture is not None else None


class CounterCheckShown(ShownModel):
    """The state after a verification in person."""

    order: OrderShown
    waits_for_second_person: bool = Field(description="Somebody else must confirm it (须双人复核).")


class CounterWaitingShown(ShownModel):
    """A verification in person that waits for a second member of the staff."""

    order_id: str = Field(examples=["V0123456789AB"])
    phone_number: ShownNumber
    tier: str = Field(examples=["extreme"])
    document: Document
    counter: str
    first_by: str = Field(description="Who recorded it, and may not confirm it.")
    first_at: datetime


class CounterChecksShown(ShownModel):
    """A page of waiting verifications, the oldest first."""

    items: list[CounterWaitingShown]
    next: str | None = Field(description="Give it as `after` for the next page; null: this was the last.")
