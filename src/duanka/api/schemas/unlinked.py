"""Checks without a link: what is typed, and what is told to everybody alike."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from duanka.api.schemas.holder_responses import policy_text
from duanka.api.schemas.requests import ORDER_ID, AskedModel, PhoneNumber
from duanka.domain.bulk_action import card_of
from duanka.domain.identity import MalformedOrderNumber, UnlinkedNumbers
from duanka.domain.order_policy import OrderPolicy
from duanka.orders.masking import View
from duanka.orders.views import WordsShown

_MOST_LETTERS = 40  # of a typed order number


def _as_read_aloud(value: Any) -> Any:
    """Write a typed order number as orders have it; what is none of ours stays, and is refused by its pattern."""
    if not isinstance(value, str) or len(value) > _MOST_LETTERS:
        return value
    try:
        return UnlinkedNumbers.typed("", value).order_id
    except MalformedOrderNumber as error:
        raise ValueError(str(error)) from None


OrderNumber = Annotated[
    str,
    BeforeValidator(_as_read_aloud),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^[VR]{ORDER_ID}",
            "description": "The order number in the notice (工单号): V… or R…; small letters and gaps do no harm.",
            "examples": ["V0123456789AB"],
        }
    ),
]


class UnlinkedAsked(AskedModel):
    """Number and order number of the notice, as somebody types them, and what they ticked."""

    phone_number: PhoneNumber
    order_number: OrderNumber
    face_data_agreed: Literal[True] = Field(
        description="Agrees to face data (同意采集人脸信息); who does not goes to a counter, and nothing is recorded.",
    )
    legal_notice_read: Literal[True] = Field(
        description="Has read the legal notice (已阅读法律责任告知); as above.",
    )
    words_digest: str = Field(
        pattern=r"^[0-9a-f]{64}$",
        description="`wordsDigest` of the texts that were shown.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )

    def numbers(self) -> UnlinkedNumbers:
        """Parse what was typed. MalformedCard: it is no number."""
        return UnlinkedNumbers(card_of(self.phone_number), self.order_number)


class UnlinkedShown(View):
    """What is needed to begin without a link: the same for everybody."""

    OURS = View.OURS | {"hotline", "words_digest", "supplier"}

    open: bool = Field(description="Whether it can be done online.", examples=[True])
    supplier: str | None = Field(description="Who judges the pictures.", examples=["Duanka embedded"])
    face_consent: WordsShown = Field(description="The consent to face data (人脸信息采集同意).")
    legal_notice: WordsShown = Field(description="The legal notice (法律责任告知).")
    words_digest: str = Field(
        description="Of these texts and who judges; give it back with the consent.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )
    counter: WordsShown
    papers: WordsShown
    hotline: str

    @classmethod
    def under(cls, policy: OrderPolicy, supplier: str | None, digest: str) -> UnlinkedShown:
        """Return the texts of a policy; `supplier`: None where nobody judges online."""
        return cls(
            open=supplier is not None,
            supplier=supplier,
            face_consent=policy_text(policy.identity.face_consent),
            legal_notice=policy_text(policy.identity.legal_notice),
            words_digest=digest,
            counter=policy_text(policy.counter),
            papers=policy_text(policy.papers),
            hotline=policy.hotline,
        )
