"""A living face that does what was asked: every reason tried with numbers made by hand, each side of its limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from random import Random

import pytest

from duanka.domain.identity import CheckReason, Gesture, Step
from duanka.domain.identity_policy import IdentityPolicy
from duanka.identity.embedded.checker import steps_of
from duanka.identity.embedded.liveness import Judged, explained, judged
from duanka.identity.embedded.measurements import FaceMeasurements, PlanarityScores

POLICY = IdentityPolicy()
BOX = (240.0, 160.0, 150.0, 200.0)
SEQUENCES = [one for one in product(Gesture, repeat=3) if one[0] != one[1] and one[1] != one[2]]
TIMES = [at / 4 for at in range(29)]
CLOSE, OPEN, LEFT, RIGHT = Gesture
Shown = list[Gesture | None]


def a_face(shows: Gesture | None = None) -> FaceMeasurements:
    turn = {LEFT: 15.0, RIGHT: -15.0}
    return FaceMeasurements(
        faces=1,
        luminance=110.0,
        box=BOX,
        sharpness=80.0,
        eyes=0.05 if shows is CLOSE else 0.22,
        mouth=0.40 if shows is OPEN else 0.03,
        yaw=4.0 + turn.get(shows, 0.0) if shows else 4.0,
    )


def steps(*gestures: Gesture) -> tuple[Step, ...]:
    return tuple(Step(gesture, 1 + 2.0 * at, 3 + 2.0 * at) for at, gesture in enumerate(gestures))


def doing(gestures: tuple[Gesture, ...], late: float = 0.4, holds: float = 1.6) -> Shown:
    """What the frames show of a holder who reacts `late` and holds each gesture for `holds` seconds."""
    return [
        next((g for at, g in enumerate(gestures) if 0 <= second - 1 - 2 * at - late <= holds), None)
        for second in TIMES
    ]


def judge(
    shown: Shown,
    asked: tuple[Gesture, ...],
    change: Callable[[int, FaceMeasurements], FaceMeasurements] | None = None,
) -> Judged:
    seen = [a_face(one) for one in shown]
    if change:
        seen = [change(at, one) for at, one in enumerate(seen)]
    return judged(seen, TIMES, steps(*asked), POLICY)


def test_whoever_does_what_is_asked_passes_that_challenge_and_no_other() -> None:
    for asked in SEQUENCES:
        shown = doing(asked)
        assert judge(shown, asked).reason is None
        for other in SEQUENCES:
            if other != asked:
                assert judge(shown, other).reason is CheckReason.OTHER_GESTURES, (asked, other)


@pytest.mark.parametrize("late", [0.0, 0.3, 0.8, 1.2])
@pytest.mark.parametrize("holds", [0.5, 1.0, 1.9])
def test_the_quick_and_the_slow_pass(late: float, holds: float) -> None:
    for asked in SEQUENCES:
        found = judge(doing(asked, late, holds), asked)
        assert found.reason is None
        assert all(one.at < 1 and not one.shows(gesture, POLICY) for one in found.rest for gesture in Gesture)
        for gesture, moments in zip(asked, found.shown, strict=True):
            assert moments
            assert all(one.shows(gesture, POLICY) for one in moments)


def test_a_gesture_counts_until_a_little_after_its_time() -> None:
    asked = (LEFT, OPEN, CLOSE)
    assert judge(doing(asked, late=2.2, holds=0.5), asked).reason is CheckReason.OTHER_GESTURES, (
        "the last one is missing"
    )
    assert judge([*doing(asked[:2], 2.2, 0.5)[:22], *[CLOSE] * 7], asked).reason is None
    assert judge([*doing(asked[:2], 3.0, 0.5)[:22], *[CLOSE] * 7], asked).reason is CheckReason.OTHER_GESTURES


@pytest.mark.parametrize("each", [0.25, 0.5, 0.75, 1.0, 1.5])
def test_a_recording_that_runs_through_all_gestures_seldom_fits(each: float) -> None:
    """Chance alone, one sequence in 36, is 2.8%."""
    draw, passed, tried = Random(1), 0, 0
    for asked in SEQUENCES:
        for _ in range(12):
            order, phase = draw.sample(list(Gesture), 4), draw.uniform(0, 4 * each)
            shown: Shown = [
                None if second < 1 else order[int((second + phase) / each) % 4] for second in TIMES
            ]
            passed += judge(shown, asked).reason is None
            tried += 1
    assert passed / tried < 1 / 36


def test_a_head_that_turns_the_other_way_is_another_gesture() -> None:
    assert judge(doing((LEFT, OPEN, LEFT)), (RIGHT, OPEN, LEFT)).reason is CheckReason.OTHER_GESTURES
    assert judge(doing((LEFT, OPEN, RIGHT)), (LEFT, OPEN, LEFT)).reason is CheckReason.OTHER_GESTURES


def test_who_laughs_while_turning_and_who_blinks_is_not_refused() -> None:
    asked = (LEFT, OPEN, RIGHT)

    def laughs(at: int, one: FaceMeasurements) -> FaceMeasurements:
        turned = replace(one, mouth=0.35) if abs(one.yaw - 4) > 10 else one
        return replace(turned, eyes=0.05) if at % 6 == 5 else turned

    assert judge(doing(asked), asked, laughs).reason is None


def test_the_sign_and_the_size_of_each_gesture() -> None:
    asked = (LEFT, OPEN, CLOSE)

    def only(eyes: float = 0.05, mouth: float = 0.40, yaw: float = 19.0) -> CheckReason | None:
        def change(at: int, one: FaceMeasurements) -> FaceMeasurements:
            return replace(
                one,
                eyes=eyes if one.eyes < 0.2 else one.eyes,
                mouth=mouth if one.mouth > 0.2 else one.mouth,
                yaw=yaw if one.yaw > 10 else one.yaw,
            )

        return judge(doing(asked), asked, change).reason

    assert only() is None
    assert only(yaw=4 + POLICY.turn + 0.1) is None
    assert only(yaw=4 + POLICY.turn - 0.1) is CheckReason.OTHER_GESTURES
    assert only(mouth=POLICY.mouth + 0.01) is None
    assert only(mouth=POLICY.mouth - 0.01) is CheckReason.OTHER_GESTURES
    assert only(eyes=0.22 * POLICY.eyes - 0.005) is None
    assert only(eyes=0.22 * POLICY.eyes + 0.005) is CheckReason.OTHER_GESTURES


def test_a_mouth_that_is_open_throughout_opens_for_nobody() -> None:
    asked = (OPEN, LEFT, CLOSE)
    assert (
        judge(doing(asked), asked, lambda _, one: replace(one, mouth=0.40)).reason
        is CheckReason.OTHER_GESTURES
    )


def test_the_eyes_of_a_sleeper_close_nothing() -> None:
    asked = (CLOSE, LEFT, CLOSE)
    found = judge(doing(asked), asked, lambda _, one: replace(one, eyes=0.01 if one.eyes < 0.1 else 0.04))
    assert found.reason is CheckReason.OTHER_GESTURES


PICTURES: dict[str, tuple[Callable[[int, FaceMeasurements], FaceMeasurements], CheckReason | None]] = {
    "black": (lambda _, one: FaceMeasurements(0, 5.0), CheckReason.BLACK),
    "one frame is not black": (
        lambda at, one: FaceMeasurements(0, 5.0 if at else 20.0),
        CheckReason.TOO_DARK,
    ),
    "nobody": (lambda _, one: FaceMeasurements(0, 110.0), CheckReason.NO_FACE),
    "nobody in 7": (
        lambda at, one: FaceMeasurements(0, 110.0) if at in (8, 9, 16, 17, 24, 25, 26) else one,
        None,
    ),
    "nobody in 8": (lambda at, one: FaceMeasurements(0, 110.0) if at < 8 else one, CheckReason.NO_FACE),
    "two in 2": (lambda at, one: replace(one, faces=2) if at < 2 else one, None),
    "two in 3": (lambda at, one: replace(one, faces=2) if at < 3 else one, CheckReason.TWO_FACES),
    "small": (lambda _, one: replace(one, box=(240.0, 160.0, 79.0, 100.0)), CheckReason.TOO_SMALL),
    "just wide enough": (lambda _, one: replace(one, box=(240.0, 160.0, 80.0, 100.0)), None),
    "dark": (lambda _, one: replace(one, luminance=44.0), CheckReason.TOO_DARK),
    "just light enough": (lambda _, one: replace(one, luminance=45.0), None),
    "bright": (lambda _, one: replace(one, luminance=226.0), CheckReason.TOO_BRIGHT),
    "just not too bright": (lambda _, one: replace(one, luminance=225.0), None),
    "blurred": (lambda _, one: replace(one, sharpness=24.0), CheckReason.BLURRED),
    "just sharp enough": (lambda _, one: replace(one, sharpness=25.0), None),
    "jumps": (
        lambda at, one: replace(one, box=(20.0, 20.0, 150.0, 200.0)) if at >= 9 else one,
        CheckReason.FACE_CHANGED,
    ),
    "jumps while nobody is seen": (
        lambda at, one: (
            FaceMeasurements(0, 110.0)
            if at in (9, 10)
            else replace(one, box=(20.0, 20.0, 150.0, 200.0))
            if at > 10
            else one
        ),
        CheckReason.FACE_CHANGED,
    ),
    "steps aside": (lambda at, one: replace(one, box=(340.0, *BOX[1:])) if at >= 9 else one, None),
    "steps too far aside": (
        lambda at, one: replace(one, box=(370.0, *BOX[1:])) if at >= 9 else one,
        CheckReason.FACE_CHANGED,
    ),
    "walks": (lambda at, one: replace(one, box=(40.0 + 12 * at, 160.0, 150.0, 200.0)), None),
}


@pytest.mark.parametrize("name", PICTURES)
def test_what_the_picture_must_be(name: str) -> None:
    change, reason = PICTURES[name]
    asked = (LEFT, OPEN, CLOSE)
    assert judge(doing(asked), asked, change).reason is reason


def test_nothing_moves_or_only_the_whole() -> None:
    nothing: Shown = [None] * len(TIMES)
    assert judge(nothing, (LEFT, OPEN, CLOSE)).reason is CheckReason.STILL

    def walks(at: int, one: FaceMeasurements) -> FaceMeasurements:
        return replace(one, box=(240.0 + 3 * at, 160.0, 150.0, 200.0))

    assert judge(nothing, (LEFT, OPEN, CLOSE), walks).reason is CheckReason.PHOTOGRAPH


def test_a_plane_explains_a_photograph_and_no_gesture() -> None:
    """The highest and the lowest that people and photographs gave lie on the two sides of every limit."""
    people, photographs = PlanarityScores(0.35, 0.92, 0.67, 0.82), PlanarityScores(0.68, 0.95, 0.91, 0.97)
    for gesture in Gesture:
        for _, value, most in explained(gesture, people):
            assert value <= most
        for _, value, most in explained(gesture, photographs):
            assert value > most


def test_challenges_are_drawn_by_lot_and_none_is_drawn_twice_as_often() -> None:
    draw = Random(20261127)
    drawn = [tuple(one.gesture for one in steps_of(POLICY, draw)) for _ in range(3600)]
    assert set(drawn) == set(SEQUENCES)
    assert all(60 <= drawn.count(one) <= 150 for one in SEQUENCES), "100 of each, give or take"
    asked = steps_of(replace(POLICY, gestures=5, step_seconds=1.5), draw)
    assert [(one.begins, one.ends) for one in asked] == [
        (1.0, 2.5), (2.5, 4.0), (4.0, 5.5), (5.5, 7.0), (7.0, 8.5),
    ]  # fmt: skip
