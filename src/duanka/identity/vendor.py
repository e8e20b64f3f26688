"""Client of an external face-check vendor; see docs/identity-vendor.openapi.yaml.

The vendor gets faces and an opaque reference, never a number. Every failure (no answer, slow, malformed,
endless) is a CheckerDown: it does not count against the holder. The vendor's outcome is accepted, except two
that go to a person (see `verdict_of`).
"""

from __future__ import annotations

import hmac
import json
import logging
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any, TypeVar

from duanka.domain.errors import DuankaError
from duanka.domain.identity import (
    Check,
    CheckerDown,
    CheckReason,
    Frame,
    Gesture,
    Outcome,
    ReferenceUnusable,
    Step,
    Verdict,
)
from duanka.identity.reference_photos import PATIENT, Endpoint, HttpTimeouts, parsed

_log = logging.getLogger("duanka.identity")

FACE = "DUANKA_FACE"
MOST_ANSWERED = 1_000_000  # bytes
MOST_STEPS, MOST_SECONDS, LEAST_STEP = 6, 30.0, 0.5  # gestures; seconds of all; seconds of each
_MAX_SIGNALS = 40  # maximum number of signals, too few to hold a face embedding
_MIN_SECRET_BYTES = 16  # bytes

# Reasons that a vendor may give. The others are ours (busy, no attempt left, policy …).
GIVEN = frozenset(
    {
        CheckReason.NO_FACE,
        CheckReason.TWO_FACES,
        CheckReason.TOO_SMALL,
        CheckReason.BLACK,
        CheckReason.TOO_DARK,
        CheckReason.TOO_BRIGHT,
        CheckReason.BLURRED,
        CheckReason.CORRUPT,
        CheckReason.TOO_MANY_PIXELS,
        CheckReason.OUT_OF_TIME,
        CheckReason.REPLAYED,
        CheckReason.STILL,
        CheckReason.PHOTOGRAPH,
        CheckReason.OTHER_GESTURES,
        CheckReason.FACE_CHANGED,
        CheckReason.OTHER_PERSON,
        CheckReason.UNSURE,
    }
)
_CODE = re.compile(r"[a-z0-9_]{1,40}")
_SIGNAL = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}")

T = TypeVar("T")


class Vendor:
    """A vendor's face match and liveness as a Checker. Thread-safe.

    `secret`: hides order ids from the vendor. `name`: for audit trail and consent; its host by default.
    """

    def __init__(
        self, url: str, key: str, secret: bytes, *, patience: HttpTimeouts = PATIENT, name: str = ""
    ) -> None:
        if len(secret) < _MIN_SECRET_BYTES:
            raise DuankaError(f"the secret that hides order ids has at least {_MIN_SECRET_BYTES} bytes")
        self._endpoint = Endpoint(
            url, key, called="the face vendor", setting=FACE, most=MOST_ANSWERED, patience=patience
        )
        # derived, because the installation's secret has other uses
        self._secret = hmac.digest(secret, b"duanka identity vendor", "sha256")
        self.name = name or self._endpoint.host

    def enrol(self, reference: bytes) -> None:
        """Ask the vendor whether the photo is usable; ReferenceUnusable, CheckerDown."""
        body = {"reference": _base64(reference)}
        usable = self._ask("enrolments", body, "", _usable)
        if usable is not None:
            raise ReferenceUnusable(f"the registered photo is not usable: {usable}")

    def challenge(self, draw: Random) -> tuple[Step, ...]:
        """Get gestures from the vendor, or raise CheckerDown. `draw`: for the idempotency key."""
        return self._ask("challenges", {}, f"{draw.getrandbits(128):032x}", steps_of)

    def check(self, check: Check) -> Verdict:
        """Have the vendor check the frames. Raises CheckerDown."""
        body = {
            "orderReference": self._mark("order", check.order_id.encode()),
            "steps": [
                {"gesture": step.gesture.value, "begins": step.begins, "ends": step.ends}
                for step in check.steps
            ],
            # nobody is registered: compared with themselves, which the caller does not let pass
            "reference": _base64(check.reference or check.frames[len(check.frames) // 2].jpeg),
            "frames": [
                {"order": frame.order, "at": frame.at, "image": _base64(frame.jpeg)} for frame in check.frames
            ],
        }
        return self._ask("checks", body, "", lambda answer: verdict_of(answer, check.steps, check.frames))

    def close(self) -> None:
        """Do nothing: no resources are held."""

    def _ask(self, what: str, body: Mapping[str, object], once: str, read: Callable[[Any], T]) -> T:
        """Send a request. `once` distinguishes requests with equal content."""
        content = json.dumps(body, allow_nan=False).encode()
        # derived from the content, so that a retry is recognised as the same request and charged once
        mark = self._mark(what, once.encode() + content)
        try:
            answer = self._endpoint.post(
                f"/{what}", content, mark, {"Accept": "application/json", "Idempotency-Key": mark}
            )
            if answer.status != 200:
                raise self._endpoint.refused(answer)
            try:
                return read(parsed(answer.body))
            except _Broken as error:
                raise self._endpoint.down(f"{what}: {error}") from None
        except CheckerDown as error:  # the holder is told less than the operator must know
            _log.warning("%s (x-correlator %s)", error, mark)
            raise

    def _mark(self, kind: str, content: bytes) -> str:
        return hmac.digest(self._secret, kind.encode() + b"\0" + content, "sha256").hex()[:32]


class _Broken(Exception):
    """A response that violates the interface; says where."""


def steps_of(answer: object) -> tuple[Step, ...]:
    """Parse a challenge from a response; _Broken if no holder could follow it."""
    steps = _object(answer).get("steps")
    if not isinstance(steps, list) or not 1 <= len(steps) <= MOST_STEPS:
        raise _Broken(f"steps is not a list of 1 to {MOST_STEPS}")
    found, free = list[Step](), 0.0
    for place, step in enumerate(map(_object, steps)):
        gesture = step.get("gesture")
        if gesture not in list(Gesture):
            raise _Broken(f"steps.{place}.gesture is {_shown(gesture)}, none of {', '.join(Gesture)}")
        begins = _number(step.get("begins"), f"steps.{place}.begins", free, MOST_SECONDS)
        free = _number(step.get("ends"), f"steps.{place}.ends", begins + LEAST_STEP, MOST_SECONDS)
        found.append(Step(Gesture(gesture), begins, free))
    return tuple(found)


def verdict_of(answer: object, steps: Sequence[Step], frames: Sequence[Frame]) -> Verdict:
    """Parse a verdict from a response; _Broken if malformed.

    Similarity is not compared with our thresholds, as each vendor has its own scale. The outcome is accepted,
    but two go to a person: a pass with a reason against it or without similarity, and a failure without a
    reason that we can explain, because a failure counts against the holder.
    """
    said = _object(answer)
    outcome = said.get("outcome")
    if outcome not in list(Outcome):
        raise _Broken(f"outcome is {_shown(outcome)}, none of {', '.join(Outcome)}")
    similarity = said.get("similarity")
    if similarity is not None:
        similarity = _number(similarity, "similarity", -1.0, 1.0)
    known, unknown = _reasons(said.get("reasons") or [])
    against = tuple(reason for reason in known if reason is not CheckReason.UNSURE)
    if outcome == Outcome.PASSED and not (known or unknown) and similarity is not None:
        judged = Verdict(Outcome.PASSED)
    elif outcome == Outcome.FAILED and against:
        judged = Verdict(Outcome.FAILED, against)
    else:
        judged = Verdict(Outcome.REVIEW, (CheckReason.UNSURE, *against))
    signals = _signals(said.get("signals") or {})
    return replace(judged, similarity=similarity, signals=signals, best=_best(said, steps, frames))


def vendor_of(setting: str, key: str | None, secret: bytes, patience: HttpTimeouts = PATIENT) -> Vendor:
    """Create the vendor client of DUANKA_FACE; DuankaError for invalid settings."""
    if "://" not in setting:
        raise DuankaError(f"{FACE} is neither `embedded` nor an address like https://host/path")
    if key is None:
        raise DuankaError(f"a face vendor is asked with a key: set {FACE}_KEY")
    return Vendor(setting, key, secret, patience=patience)


def _usable(answer: object) -> str | None:
    """Return None if the photo is usable, else why not."""
    said = _object(answer)
    if not isinstance(said.get("usable"), bool):
        raise _Broken("usable is neither true nor false")
    known, unknown = _reasons([said["reason"]] if said.get("reason") is not None else [])
    if said["usable"]:
        if known or unknown:
            raise _Broken("usable is true, but a reason against it is given")
        return None
    return known[0].words.en if known else "the vendor does not say why"


def _reasons(given: object) -> tuple[tuple[CheckReason, ...], bool]:
    """Return the known reasons in order, and whether there were unknown ones."""
    if not isinstance(given, list) or len(given) > len(CheckReason):
        raise _Broken("reasons is not a short list")
    known, unknown = dict[CheckReason, None](), False
    for one in given:
        if not isinstance(one, str):
            raise _Broken("reasons holds what is no text")
        code = one.strip().lower().replace("-", "_")
        if code in GIVEN:
            known[CheckReason(code)] = None
        else:
            unknown = True
            _log.warning("the face vendor gives %s as a reason, which is none of ours", _shown(code))
    return tuple(known), unknown


def _signals(given: object) -> dict[str, float]:
    if not isinstance(given, dict) or len(given) > _MAX_SIGNALS:
        raise _Broken(f"signals is not a map of at most {_MAX_SIGNALS}")
    if not all(_SIGNAL.fullmatch(name) for name in given):
        raise _Broken(
            "signals has an invalid name: a letter first, then letters, digits, _ . -, at most 40 in all"
        )
    return {name: _number(value, f"signals.{name}", -1e12, 1e12) for name, value in given.items()}


def _best(said: Mapping[str, object], steps: Sequence[Step], frames: Sequence[Frame]) -> int | None:
    """Index of the frame for a reviewer; by default the last before the first gesture."""
    if said.get("bestFrame") is not None:
        given = _number(said["bestFrame"], "bestFrame", 0, len(frames) - 1)
        if given != int(given):
            raise _Broken("bestFrame is not an integer")
        return int(given)
    ahead = [place for place, frame in enumerate(frames) if steps and frame.at < steps[0].begins]
    return ahead[-1] if ahead else 0 if frames else None


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Broken("a JSON object is missing")
    return value


def _number(value: object, where: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise _Broken(f"{where} is not a number from {low:g} to {high:g}")
    return float(value)


def _shown(value: object) -> str:
    """Quote `value` if it has the form of a code; else "something else", for safe messages."""
    return repr(value) if isinstance(value, str) and _CODE.fullmatch(value) else "something else"


def _base64(content: bytes) -> str:
    return b64encode(content).decode("ascii")
