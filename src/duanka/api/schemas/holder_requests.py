"""Requests of a holder's session: consent, and pictures that answer a challenge."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BeforeValidator, Field, StrictBool, ValidationError, WithJsonSchema

from duanka.api.schemas.errors import Problem
from duanka.api.schemas.requests import AskedModel, whole
from duanka.domain.identity import LEAST_FRAMES, MOST_FRAMES, CheckReason, CheckRefused, Frame, FrameDigest

MOST_BYTES = 400_000  # of one JPEG
_MAX_BASE64_CHARS = -(-MOST_BYTES // 3) * 4
CHALLENGE_ID = r"^[A-Za-z0-9_-]{1,64}$"
_Asked = TypeVar("_Asked", bound=AskedModel)


class Agreement(AskedModel):
    """What the holder ticked. There are no defaults: consent must be given."""

    face_data_agreed: StrictBool = Field(
        description="Agrees to face data (同意采集人脸信息).", examples=[True]
    )
    legal_notice_read: StrictBool = Field(
        description="Has read the legal notice (已阅读法律责任告知).", examples=[True]
    )
    words_digest: str = Field(
        pattern=r"^[0-9a-f]{64}$",
        description="`online.wordsDigest` of the texts that were shown.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )
    not_mine: StrictBool = Field(
        default=False,
        description="Declares, in place of the legal notice, that the number is not theirs (声明非本人号码); with "
        "`notMine.wordsDigest` as digest. Who passes then is the registrant, and the card is stopped at their request.",
        examples=[False],
    )


def _decoded(value: Any) -> Any:
    """Decode a picture; CheckRefused for an oversized one, even if it is malformed."""
    if not isinstance(value, str):
        return value
    if len(value) > _MAX_BASE64_CHARS:
        raise CheckRefused(CheckReason.TOO_LARGE)
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a picture is written in base64") from None


Jpeg = Annotated[
    bytes,
    BeforeValidator(_decoded),
    WithJsonSchema(
        {
            "type": "string",
            "contentEncoding": "base64",
            "contentMediaType": "image/jpeg",
            "pattern": "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$",
            "description": f"A JPEG in base64; at most {MOST_BYTES} bytes before encoding.",
            "examples": ["/9j/2wBDAA=="],
        }
    ),
]


class _Recorded(AskedModel):
    order: Annotated[int, BeforeValidator(whole)] = Field(
        strict=True, ge=0, lt=MOST_FRAMES, description="Its place, from 0.", examples=[0]
    )
    at: float = Field(
        strict=True, ge=0, le=600, allow_inf_nan=False, description="Seconds from the first.", examples=[0.0]
    )


class FrameAsked(_Recorded):
    """A picture of the camera."""

    jpeg: Jpeg = Field(repr=False)


class Frames(AskedModel):
    """All pictures that answer a challenge."""

    challenge_id: str = Field(
        pattern=CHALLENGE_ID,
        description="The challenge that they answer.",
        examples=["C7Yx1b0PqS2"],
    )
    frames: list[FrameAsked] = Field(min_length=LEAST_FRAMES, max_length=MOST_FRAMES)

    def pictures(self) -> tuple[Frame, ...]:
        """Convert for the check."""
        return tuple(Frame(one.order, one.at, one.jpeg) for one in self.frames)


class FrameDigestAsked(_Recorded):
    """Digest of a picture, sent in its place."""

    sha256: str = Field(
        pattern=r"^[0-9a-f]{64}$",
        description="SHA-256 of the JPEG.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )


class Recording(AskedModel):
    """A finished recording: the digests of all its pictures."""

    challenge_id: str = Field(
        pattern=CHALLENGE_ID,
        description="The challenge that it answers.",
        examples=["C7Yx1b0PqS2"],
    )
    frames: list[FrameDigestAsked] = Field(min_length=LEAST_FRAMES, max_length=MOST_FRAMES)
    receipt: str = Field(
        default="",
        max_length=100,
        description="`receipt` of the first response about this recording; empty in the first request, which"
        " ends the recording.",
        examples=[""],
    )

    def digests(self) -> tuple[FrameDigest, ...]:
        """Convert for the check."""
        return tuple(FrameDigest(one.order, one.at, one.sha256) for one in self.frames)


def read_by_hand(model: type[_Asked], content_type: str, body: bytes) -> _Asked:
    """Parse a body that the endpoint read itself.

    So the session is checked before the body is read; the framework would read first.
    """
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise Problem(400, "body: send JSON, and say so in Content-Type")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        told = [
            {**one, "loc": ("body", *one["loc"])}
            for one in error.errors(include_input=False, include_url=False)
        ]
        raise RequestValidationError(told) from None
