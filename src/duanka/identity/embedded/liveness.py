"""Liveness: does a living face make the requested gestures? Uses numbers only.

Two conditions must hold. Every gesture is seen in its time, and no other one instead. And moving the frame at
rest does not explain the frames that show the gesture: a tilted photograph measures like a head turned by 15
degrees or more, but moves as a plane or, if bent, as a smooth sheet, and its eyes and mouth move with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from duanka.domain.identity import CheckReason, Gesture, Step
from duanka.domain.identity_policy import IdentityPolicy
from duanka.identity.embedded.measurements import FaceMeasurements, PlanarityScores

_MIN_LUMINANCE = 12.0  # mean luminance of a picture too dark to use
_MAX_FACELESS_SHARE = 0.25  # share of frames that may lack a face: turned away, out of the picture
_SECOND_FACE_FRAMES = 3  # frames with a second face from which it is not a passer-by
_MIN_OVERLAP = 0.10  # least overlap of two boxes of one face a quarter of a second apart
_MAX_UNSEEN_FRAMES = 2  # frames without a face between two frames whose faces must still overlap
_MAX_STILL_MOTION = 0.02  # motion in face widths, below which a face is still (a picture on a tripod)
_MIN_EYE_OPENING = 0.06  # eye opening at rest, below which the eyes were closed throughout (asleep)
_MIN_MOUTH_RISE = 0.12  # least rise of the mouth opening above rest; a constant broad smile has none
# seconds that the previous gesture may last into a step; seconds that a gesture may come late
_REACTION_SECONDS, _GRACE_SECONDS = 1.0, 0.8
_COMPARED_FRAMES = 2  # frames of each gesture that both parts of the check compare
# Largest part of a gesture that a moved photograph may explain. Measured: turning, people gave 0.35 or less,
# photographs 0.68 or more; opening the mouth 0.67 and 0.91; closing the eyes 0.92 and, unless blurred, 0.95.
_MAX_PLANE, _MAX_MOUTH_SIMILARITY, _MAX_EYE_SIMILARITY = 0.50, 0.80, 0.93
# Largest part of a turn that a bent sheet may explain. Measured: people turning gave 0.82 or less, except for one
# frame of 288 that could not be tracked; nine recordings of bent photographs that passed all else gave 0.84, 0.85,
# 0.97 to 1.
_MAX_BENT = 0.90


@dataclass(frozen=True)
class FrameMoment:
    """A frame with a face: number, time in seconds, values relative to rest."""

    order: int
    at: float
    seen: FaceMeasurements
    eyes: float  # opening relative to the median of the half with the widest open eyes
    mouth: float
    rise: float  # of the mouth opening above rest
    turn: float  # degrees from rest, positive to the person's left

    def shows(self, gesture: Gesture, policy: IdentityPolicy) -> bool:
        """Whether this frame shows the gesture."""
        match gesture:
            case Gesture.CLOSE_EYES:
                return self.eyes < policy.eyes
            case Gesture.OPEN_MOUTH:
                return self.mouth > policy.mouth and self.rise > _MIN_MOUTH_RISE
            case Gesture.TURN_LEFT:
                return self.turn > policy.turn
            case Gesture.TURN_RIGHT:
                return self.turn < -policy.turn


@dataclass(frozen=True)
class Judged:
    """Result: the reason of a failure if any, measurements, and frames by gesture."""

    reason: CheckReason | None
    signals: dict[str, float]
    moments: tuple[FrameMoment, ...] = ()
    rest: tuple[FrameMoment, ...] = ()  # before the first step, looking ahead
    shown: tuple[tuple[FrameMoment, ...], ...] = ()  # per step, the frames that show its gesture best


def judged(
    seen: Sequence[FaceMeasurements], times: Sequence[float], steps: Sequence[Step], policy: IdentityPolicy
) -> Judged:
    """Judge measurements taken at `times` (seconds) against the requested steps."""
    with_face = [
        (order, at, one) for order, (at, one) in enumerate(zip(times, seen, strict=True)) if one.faces
    ]
    signals = {"frames": float(len(seen)), "with_face": float(len(with_face))}
    if all(one.luminance < _MIN_LUMINANCE for one in seen):
        return Judged(CheckReason.BLACK, signals)
    if len(with_face) < (1 - _MAX_FACELESS_SHARE) * len(seen):
        dark = median(one.luminance for one in seen) < policy.darkest
        return Judged(CheckReason.TOO_DARK if dark else CheckReason.NO_FACE, signals)
    moments = _moments(with_face, steps)
    signals |= _signals(moments)
    if reason := _picture(moments, signals, policy) or _face_changed(moments):
        return Judged(reason, signals, moments)
    rest = _rest(moments, steps, policy)
    before = [None, *(step.gesture for step in steps)]
    shown = [_clearest(moments, step, last, policy) for step, last in zip(steps, before, strict=False)]
    if not all(shown):
        return Judged(_not_alive(moments, signals, policy), signals, moments, rest)
    return Judged(None, signals, moments, rest, tuple(shown))


def explained(gesture: Gesture, alike: PlanarityScores) -> tuple[tuple[str, float, float], ...]:
    """Return how far a moved photograph explains a gesture, as (signal, value, limit)."""
    match gesture:
        case Gesture.CLOSE_EYES:
            return (("eyes_alike", alike.eyes, _MAX_EYE_SIMILARITY),)
        case Gesture.OPEN_MOUTH:
            return (("mouth_alike", alike.mouth, _MAX_MOUTH_SIMILARITY),)
        case Gesture.TURN_LEFT | Gesture.TURN_RIGHT:
            return ("plane", alike.plane, _MAX_PLANE), ("bent", alike.bent, _MAX_BENT)


def _rest(
    moments: Sequence[FrameMoment], steps: Sequence[Step], policy: IdentityPolicy
) -> tuple[FrameMoment, ...]:
    """Return the frames in which the holder looks ahead.

    A quick holder shows the first gesture before it is asked, so frames with a gesture are excluded.
    """
    plain = [one for one in moments if not any(one.shows(gesture, policy) for gesture in Gesture)]
    early = [one for one in plain if one.at < steps[0].begins]
    return tuple(early or plain[:3] or moments[:3])


def _moments(
    found: Sequence[tuple[int, float, FaceMeasurements]], steps: Sequence[Step]
) -> tuple[FrameMoment, ...]:
    ahead = [one for _, at, one in found if at < steps[0].begins] or [one for *_, one in found[:3]]
    # of the half with the widest open eyes: who closes them twice for two seconds has them closed mostly
    eyes = median(sorted(one.eyes for *_, one in found)[len(found) // 2 :])
    mouth, yaw = median(one.mouth for one in ahead), median(one.yaw for one in ahead)
    return tuple(
        FrameMoment(
            order,
            at,
            one,
            one.eyes / eyes if eyes >= _MIN_EYE_OPENING else 1.0,
            one.mouth,
            one.mouth - mouth,
            one.yaw - yaw,
        )
        for order, at, one in found
    )


def _signals(moments: Sequence[FrameMoment]) -> dict[str, float]:
    boxes = [one.seen.box for one in moments]
    width = median(box[2] for box in boxes)
    centres = [(box[0] + box[2] / 2, box[1] + box[3] / 2) for box in boxes]
    moved = max(max(one[axis] for one in centres) - min(one[axis] for one in centres) for axis in (0, 1))
    return {
        "faces": float(sum(one.seen.faces > 1 for one in moments)),
        "face_pixels": width,
        "luminance": median(one.seen.luminance for one in moments),
        "sharpness": median(one.seen.sharpness for one in moments),
        "eyes": min(one.eyes for one in moments),
        "mouth": max(one.mouth for one in moments),
        "mouth_rise": max(one.rise for one in moments),
        "turn_left": max(one.turn for one in moments),
        "turn_right": -min(one.turn for one in moments),
        "motion": moved / max(width, 1e-6),
    }


def _picture(
    moments: Sequence[FrameMoment], signals: dict[str, float], policy: IdentityPolicy
) -> CheckReason | None:
    """Return a picture fault that the holder can fix; it does not tell who is pictured."""
    if signals["faces"] >= _SECOND_FACE_FRAMES:
        return CheckReason.TWO_FACES
    if signals["face_pixels"] < policy.face_pixels:
        return CheckReason.TOO_SMALL
    if signals["luminance"] < policy.darkest:
        return CheckReason.TOO_DARK
    if signals["luminance"] > policy.brightest:
        return CheckReason.TOO_BRIGHT
    return CheckReason.BLURRED if signals["sharpness"] < policy.sharpness else None


def _face_changed(moments: Sequence[FrameMoment]) -> CheckReason | None:
    """Detect a change of face: its position or size jumps between two frames."""
    for before, after in pairwise(moments):
        neighbours = after.order - before.order <= 1 + _MAX_UNSEEN_FRAMES
        if neighbours and _common(before.seen.box, after.seen.box) < _MIN_OVERLAP:
            return CheckReason.FACE_CHANGED
    return None


def _common(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Return the overlap of two boxes, 0 to 1."""
    wide = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    high = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    both = max(wide, 0.0) * max(high, 0.0)
    return both / max(one[2] * one[3] + other[2] * other[3] - both, 1e-6)


def _clearest(
    moments: Sequence[FrameMoment], step: Step, before: Gesture | None, policy: IdentityPolicy
) -> tuple[FrameMoment, ...]:
    """Return the frames that best show the step's gesture; none if another was shown.

    `before`: the previous step's gesture, which may last a little.
    """
    own = [one for one in moments if step.begins <= one.at <= step.ends + _GRACE_SECONDS]
    right = [one for one in own if one.shows(step.gesture, policy)]
    if not right:
        return ()
    # eyes also close involuntarily, so that is not a wrong gesture; nor is laughing while turning
    others = [one for one in Gesture if one not in (step.gesture, Gesture.CLOSE_EYES)]
    wrong = 0
    for one in own:
        reacting = (
            one.at <= step.begins + _REACTION_SECONDS and before is not None and one.shows(before, policy)
        )
        slips = any(one.shows(other, policy) for other in others) and not one.shows(step.gesture, policy)
        wrong += slips and not reacting and one.at <= step.ends
    if wrong > max(1, len(right) // 2):
        return ()
    clear = {
        Gesture.CLOSE_EYES: lambda one: one.eyes,
        Gesture.OPEN_MOUTH: lambda one: -one.mouth,
    }.get(step.gesture, lambda one: abs(one.turn))  # less turned frames show the face better
    return tuple(sorted(right, key=clear)[:_COMPARED_FRAMES])


def _not_alive(
    moments: Sequence[FrameMoment], signals: dict[str, float], policy: IdentityPolicy
) -> CheckReason:
    """Return why a gesture is missing: nothing moved, all moved as one, or other gestures."""
    if any(one.shows(gesture, policy) for one in moments for gesture in Gesture):
        return CheckReason.OTHER_GESTURES
    return CheckReason.STILL if signals["motion"] < _MAX_STILL_MOTION else CheckReason.PHOTOGRAPH
