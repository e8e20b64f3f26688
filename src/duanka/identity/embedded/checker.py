"""Embedded checker: YuNet, SFace, face mesh and iris models on the local CPU.

A check has two parts. Liveness: do the frames show the requested gestures? Identity: does the face match the
registered photo? The second is tested only if the first holds, so that the check does not reveal whose face a
photograph shows.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random
from statistics import median
from typing import TYPE_CHECKING, Any

from duanka.domain.identity import (
    Check,
    CheckReason,
    Frame,
    Gesture,
    Outcome,
    ReferenceUnusable,
    Step,
    Verdict,
)
from duanka.domain.identity_policy import IdentityPolicy
from duanka.identity.embedded import liveness

if TYPE_CHECKING:
    from duanka.identity.embedded.engine import FaceEngine
    from duanka.identity.embedded.images import Picture

REST = 1.0  # seconds of looking ahead before the first gesture
_REST_FRAMES = 3  # frames before the first gesture to compare, beside those of each gesture
_MIN_EYE_OPENING = 0.8  # relative to the median of the recording
_MIN_SAME_PERSON = 0.36  # cosine below which two frames of a recording show different people


def steps_of(policy: IdentityPolicy, draw: Random) -> tuple[Step, ...]:
    """Return random gestures, none twice in a row; needs no engine."""
    drawn: list[Gesture] = []
    while len(drawn) < policy.gestures:
        drawn.append(draw.choice([one for one in Gesture if one not in drawn[-1:]]))
    times = [REST + policy.step_seconds * at for at in range(policy.gestures + 1)]
    return tuple(
        Step(gesture, begins, ends) for gesture, (begins, ends) in zip(drawn, pairwise(times), strict=True)
    )


class EmbeddedChecker:
    """The local Checker. Not thread-safe: one per process."""

    name = "embedded"

    def __init__(self, policy: IdentityPolicy) -> None:
        from duanka.identity.embedded.engine import FaceEngine  # noqa: PLC0415  # 60 MB, needed by workers only

        self._engine: FaceEngine = FaceEngine()
        self._policy = policy

    def enrol(self, reference: bytes) -> None:
        """Check that the photo shows one large enough face; ReferenceUnusable says why."""
        self._registered(reference)

    def challenge(self, draw: Random) -> tuple[Step, ...]:
        """Return random gestures."""
        return steps_of(self._policy, draw)

    def check(self, check: Check) -> Verdict:
        """Check the frames, whatever they contain. Raises ReferenceUnusable."""
        began = time.process_time()
        if not check.reference:
            self._look_at(check.frames)
        registered = self._registered(check.reference) if check.reference else None
        return replace(self._judge(check, registered), seconds=time.process_time() - began)

    def close(self) -> None:
        """Do nothing: only memory is held."""

    def _judge(self, check: Check, registered: Any) -> Verdict:
        from duanka.identity.embedded import images as pictures  # noqa: PLC0415

        try:
            shown = [pictures.frame(frame.jpeg) for frame in check.frames]
        except pictures.Unreadable as error:
            return Verdict(Outcome.FAILED, (error.reason,))
        seen = [self._engine.see(picture) for picture in shown]
        judged = liveness.judged(seen, [frame.at for frame in check.frames], check.steps, self._policy)
        if judged.reason:
            return Verdict(Outcome.FAILED, (judged.reason,), signals=judged.signals)
        # frames at rest, eyes open first, then by sharpness
        rest = sorted(judged.rest, key=lambda one: (one.eyes < _MIN_EYE_OPENING, -one.seen.sharpness))
        best = rest[0]
        # before `_flat`: frames of two people cannot be aligned, and would count as a photograph
        compared = [*rest[:_REST_FRAMES], *(one for some in judged.shown for one in some)]
        faces = [self._engine.embed(shown[one.order], one.seen) for one in compared]
        judged.signals["one_person"] = alike = min(float(faces[0] @ face) for face in faces)
        if alike < _MIN_SAME_PERSON:
            return Verdict(Outcome.FAILED, (CheckReason.FACE_CHANGED,), signals=judged.signals)
        asked = [step.gesture for step in check.steps]
        if self._flat(shown, best, zip(asked, judged.shown, strict=True), judged.signals):
            return Verdict(Outcome.FAILED, (CheckReason.PHOTOGRAPH,), signals=judged.signals)
        if registered is None:
            return Verdict(Outcome.FAILED, (CheckReason.OTHER_PERSON,), None, judged.signals, best.order)
        similarity = median(float(registered @ face) for face in faces)
        outcome, reasons = self._compared(similarity)
        return Verdict(outcome, reasons, round(similarity, 4), judged.signals, best.order)

    def _flat(
        self,
        shown: Sequence[Picture],
        rest: liveness.FrameMoment,
        gestures: Iterable[tuple[Gesture, tuple[liveness.FrameMoment, ...]]],
        signals: dict[str, float],
    ) -> bool:
        """Whether moving the frame at rest explains a gesture; adds scores to `signals`."""
        from duanka.identity.embedded import planarity as plane  # noqa: PLC0415

        flat = False
        for gesture, moments in gestures:
            for one in moments:
                found = plane.alike(shown[rest.order], rest.seen, shown[one.order], one.seen)
                for name, value, most in liveness.explained(gesture, found):
                    signals[name] = max(value, signals.get(name, value))
                    flat |= value > most
        return flat

    def _compared(self, similarity: float) -> tuple[Outcome, tuple[CheckReason, ...]]:
        if similarity >= self._policy.similarity:
            return Outcome.PASSED, ()
        if similarity >= self._policy.review:
            return Outcome.REVIEW, (CheckReason.UNSURE,)
        return Outcome.FAILED, (CheckReason.OTHER_PERSON,)

    def _look_at(self, frames: Sequence[Frame]) -> None:
        """Take as long as for a registered photo where there is none, so that the time tells nothing."""
        with contextlib.suppress(ReferenceUnusable):
            self._registered(frames[len(frames) // 2].jpeg)

    def _registered(self, reference: bytes) -> Any:
        """Return the face of the registered photo."""
        from duanka.identity.embedded import images as pictures  # noqa: PLC0415

        try:
            photo = pictures.reference(reference)
        except pictures.Unreadable as error:
            raise ReferenceUnusable(f"the registered photo cannot be read ({error.reason})") from None
        seen = self._engine.see(photo)
        if seen.faces != 1:
            raise ReferenceUnusable(f"the registered photo shows {seen.faces} faces; it must show one")
        if seen.box[2] < self._policy.face_pixels:
            raise ReferenceUnusable(
                f"the face of the registered photo is {seen.box[2]:.0f} pixels wide;"
                f" {self._policy.face_pixels} are needed"
            )
        return self._engine.embed(photo, seen)
