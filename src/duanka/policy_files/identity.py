"""Parsing of a policy file's section on the second verification, `[identity]`."""

from __future__ import annotations

from pathlib import Path

from duanka.domain.errors import PolicyError
from duanka.domain.identity_policy import IdentityPolicy
from duanka.policy_files import values

TIERS = ("low", "medium", "high", "extreme")


def identity_of(path: Path, given: object) -> IdentityPolicy:
    """Parse `[identity]`; missing keys get IdentityPolicy's defaults. PolicyError."""
    found = IdentityPolicy(**values.read(path, "identity", given, IDENTITY))
    if not found.review <= found.similarity:
        raise PolicyError(
            f"{path}: [identity] review ({found.review:g}) must not be above similarity ({found.similarity:g}):"
            " a person looks at what lies between"
        )
    if not found.darkest < found.brightest:
        raise PolicyError(f"{path}: [identity] darkest must be below brightest")
    return found


def _cosine(path: Path, where: str, value: object) -> float:
    return values.above_zero(path, where, value, 1.0, "a cosine")


def _share(path: Path, where: str, value: object) -> float:
    return values.above_zero(path, where, value, 1.0, "a share")


def _degrees(path: Path, where: str, value: object) -> float:
    return values.above_zero(path, where, value, 45.0, "degrees")


def _luminance(path: Path, where: str, value: object) -> float:
    return values.above_zero(path, where, value, 255.0, "luminance")


def _pixels(path: Path, where: str, value: object) -> int:
    return values.whole(path, where, value, 40, 1000)


def _gestures(path: Path, where: str, value: object) -> int:
    return values.whole(path, where, value, 2, 5)


def _times(path: Path, where: str, value: object) -> int:
    return values.whole(path, where, value, 1, 20)


def _step(path: Path, where: str, value: object) -> float:
    return values.above_zero(path, where, value, 5.0, "seconds")


def _seconds(path: Path, where: str, value: object) -> float:
    return values.above_zero(path, where, value, 600.0, "seconds")


def _minutes(path: Path, where: str, value: object) -> float:
    return values.above_zero(path, where, value, 24 * 60, "minutes")


def _tiers(path: Path, where: str, value: object) -> tuple[str, ...]:
    found = values.texts(path, where, value)
    for one in found:
        if one not in TIERS:
            raise PolicyError(f"{path}: an entry of {where} is one of {', '.join(TIERS)}, not {one!r:.40}")
    return found


# One entry per field: a field that no file can set should be a constant.
IDENTITY: dict[str, values.Reader] = {
    "similarity": _cosine,
    "review": _cosine,
    "face_pixels": _pixels,
    "eyes": _share,
    "mouth": _share,
    "turn": _degrees,
    "darkest": _luminance,
    "brightest": _luminance,
    "sharpness": values.number,
    "gestures": _gestures,
    "step_seconds": _step,
    "challenge_seconds": _seconds,
    "failures": _times,
    "challenges": _times,
    "session_minutes": _minutes,
    "review_tiers": _tiers,
    "counter_tiers": _tiers,
    "second_person_tiers": _tiers,
    "keep_hours": values.number,
    "face_consent": values.words,
    "legal_notice": values.words,
}
