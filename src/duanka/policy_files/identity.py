"""Model of a policy file's table on the second verification, `[identity]`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PlainValidator

from duanka.domain.identity_policy import IdentityPolicy
from duanka.policy_files.tables import Distinct, Number, TomlTable, Words, fault, must_be, one_of

TIERS = ("low", "medium", "high", "extreme")
_SHIPPED = IdentityPolicy()

Cosine = Annotated[float, Field(gt=0, le=1), must_be("a cosine above 0, at most 1")]
Share = Annotated[float, Field(gt=0, le=1), must_be("a share above 0, at most 1")]
Degrees = Annotated[float, Field(gt=0, le=45), must_be("degrees above 0, at most 45")]
Luminance = Annotated[float, Field(gt=0, le=255), must_be("luminance above 0, at most 255")]
Pixels = Annotated[int, Field(ge=40, le=1000), must_be("a whole number from 40 to 1000")]
Gestures = Annotated[int, Field(ge=2, le=5), must_be("a whole number from 2 to 5")]
Times = Annotated[int, Field(ge=1, le=20), must_be("a whole number from 1 to 20")]
Tries = Annotated[int, Field(ge=0, le=1000), must_be("a whole number from 0 to 1000")]
Step = Annotated[float, Field(gt=0, le=5), must_be("seconds above 0, at most 5")]
Seconds = Annotated[float, Field(gt=0, le=600), must_be("seconds above 0, at most 600")]
Minutes = Annotated[float, Field(gt=0, le=1440), must_be("minutes above 0, at most 1440")]
Tiers = Distinct[Annotated[str, one_of(*TIERS)]]


class IdentityTable(TomlTable):
    """`[identity]`: the fields of IdentityPolicy."""

    similarity: Cosine = _SHIPPED.similarity
    review: Cosine = _SHIPPED.review
    face_pixels: Pixels = _SHIPPED.face_pixels
    eyes: Share = _SHIPPED.eyes
    mouth: Share = _SHIPPED.mouth
    turn: Degrees = _SHIPPED.turn
    darkest: Luminance = _SHIPPED.darkest
    brightest: Luminance = _SHIPPED.brightest
    sharpness: Number = _SHIPPED.sharpness
    gestures: Gestures = _SHIPPED.gestures
    step_seconds: Step = _SHIPPED.step_seconds
    challenge_seconds: Seconds = _SHIPPED.challenge_seconds
    failures: Times = _SHIPPED.failures
    challenges: Times = _SHIPPED.challenges
    session_minutes: Minutes = _SHIPPED.session_minutes
    unlinked_tries: Tries = _SHIPPED.unlinked_tries
    unlinked_card: Tries = _SHIPPED.unlinked_card
    unlinked_address: Tries = _SHIPPED.unlinked_address
    review_tiers: Tiers = _SHIPPED.review_tiers
    counter_tiers: Tiers = _SHIPPED.counter_tiers
    second_person_tiers: Tiers = _SHIPPED.second_person_tiers
    keep_hours: Number = _SHIPPED.keep_hours
    face_consent: Words = _SHIPPED.face_consent
    legal_notice: Words = _SHIPPED.legal_notice


def _policy(given: object) -> IdentityPolicy:
    found = IdentityPolicy(**dict(IdentityTable.model_validate(given)))
    if not found.review <= found.similarity:
        raise fault(
            f"review ({found.review:g}) must not be above similarity ({found.similarity:g}):"
            " a person looks at what lies between"
        )
    if not found.darkest < found.brightest:
        raise fault("darkest must be below brightest")
    return found


Identity = Annotated[IdentityPolicy, PlainValidator(_policy)]
