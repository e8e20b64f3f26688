"""The way online for tests: everything but the judge of faces, whose verdicts are written down beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from duanka.application.online_verification import OnlineVerification
from duanka.domain.identity import (
    Check,
    CheckerDown,
    CheckReason,
    CheckRefused,
    Gesture,
    Outcome,
    QueuePlace,
    Step,
    Verdict,
)
from duanka.orders.verification.online_checks import OnlineChecks

STEPS = (
    Step(Gesture.TURN_LEFT, 0.5, 1.5),
    Step(Gesture.CLOSE_EYES, 1.5, 2.5),
    Step(Gesture.OPEN_MOUTH, 2.5, 3.2),
)
PASSED = Verdict(Outcome.PASSED, similarity=0.8)
DARK = Verdict(Outcome.FAILED, (CheckReason.TOO_DARK,))
OTHER = Verdict(Outcome.FAILED, (CheckReason.OTHER_PERSON,), similarity=0.1)
UNSURE = Verdict(Outcome.REVIEW, (CheckReason.UNSURE,), similarity=0.4, best=3)
LOST = Verdict(Outcome.FAILED, (CheckReason.LOST,))


@dataclass
class Judge:
    """A supplier whose gestures are always the same."""

    name: str = "Test Judge"
    steps: tuple[Step, ...] = STEPS

    def enrol(self, reference: bytes) -> None:
        pass

    def challenge(self, draw: Random) -> tuple[Step, ...]:
        del draw
        return self.steps

    def check(self, check: Check) -> Verdict:
        raise NotImplementedError

    def close(self) -> None:
        pass


@dataclass
class Queue:
    """Checks wait until the test says what they are. `busy`: takes none; `before`: others that come first."""

    waiting: list[tuple[Check, Callable[[Verdict], None]]] = field(default_factory=list)
    busy: bool = False
    before: int = 2

    def submit(self, check: Check, done: Callable[[Verdict], None]) -> QueuePlace:
        if self.busy:
            raise CheckRefused(CheckReason.BUSY, wait=7)
        self.waiting.append((check, done))
        return self.expected()

    def expected(self, order_id: str | None = None) -> QueuePlace:
        del order_id
        return QueuePlace(self.before, 3.0 * (self.before + 1))

    def judge(self, verdict: Verdict) -> Check:
        """The check that waits longest is judged."""
        check, done = self.waiting.pop(0)
        done(verdict)
        return check

    def close(self) -> None:
        pass


@dataclass
class Photos:
    """Registered photos: the same for everybody, or none. `down`: the store does not answer."""

    photo: bytes | None = b"a photo"
    down: bool = False

    def fetch(self, card: str) -> bytes | None:
        del card
        if self.down:
            raise CheckerDown("the store of photos is down")
        return self.photo


@dataclass(frozen=True)
class Way:
    """The way online, and what a test moves in it."""

    verification: OnlineVerification
    judge: Judge
    queue: Queue
    photos: Photos


def way(checks: OnlineChecks, clock: Callable[[], datetime]) -> Way:
    judge, queue, photos = Judge(), Queue(), Photos()
    online = OnlineVerification(checks, judge, queue, photos, Random(1), clock, checks.unlinked)
    return Way(online, judge, queue, photos)
