"""The Protocols of the second verification: who judges, who waits, where photos come from, where verdicts are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from random import Random
from typing import Protocol

from duanka.domain.identity import (
    Challenge,
    Check,
    Consent,
    Frame,
    FrameDigest,
    QueuePlace,
    Session,
    Step,
    Verdict,
    VerificationProgress,
)


class Checker(Protocol):
    """A supplier of face match and liveness. `name`: as the audit trail and the consent name it."""

    name: str

    def enrol(self, reference: bytes) -> None:
        """See whether the registered photo can be compared with; ReferenceUnusable, CheckerDown."""

    def challenge(self, draw: Random) -> tuple[Step, ...]:
        """Gestures that this supplier can judge, drawn by lot."""

    def check(self, check: Check) -> Verdict:
        """Judge the frames. Takes seconds; CheckerDown where the supplier is away."""

    def close(self) -> None:
        """Give back what it holds."""


class CheckQueue(Protocol):
    """Checks under way: bounded, in order, on as many workers as there are."""

    def submit(self, check: Check, done: Callable[[Verdict], None]) -> QueuePlace:
        """Take a check; CheckRefused(BUSY) when too many wait. `done` is called once, from another thread."""

    def expected(self, order_id: str | None = None) -> QueuePlace:
        """How long the check of this order still takes; without one, how long a new one would."""

    def close(self) -> None:
        """End; what waits is answered as LOST."""


class ReferencePhotos(Protocol):
    """The operator's store of registered photos."""

    def fetch(self, card: str) -> bytes | None:
        """The photo of who registered the card, JPEG or PNG; None without one. CheckerDown where it is away."""


class CheckBook(Protocol):
    """Where sessions, challenges and verdicts are kept, and where a verdict moves its order."""

    def standing(self, order_id: str, now: datetime) -> VerificationProgress:
        """Where the verification of this order is."""

    def agree(self, link: str, consent: Consent, now: datetime, *, browser: str) -> Session | None:
        """Begin a session by the link of the notice; None: refused, and the way is the counter."""

    def session(self, token: str, now: datetime) -> Session:
        """The session with this token; UnknownOrder, AlreadyUsed."""

    def drawn(self, session: Session, now: datetime) -> Challenge | None:
        """The challenge that is still open for the session; None: one may be drawn. CheckRefused when none is left."""

    def draw(self, session: Session, steps: tuple[Step, ...], now: datetime) -> Challenge:
        """A challenge for the session, or the one that is still open. CheckRefused when none is left."""

    def recorded(
        self, session: Session, challenge_id: str, digests: Sequence[FrameDigest], now: datetime
    ) -> str:
        """A receipt that these frames were recorded by now; their pictures may come later. CheckRefused as `take`."""

    def take(
        self, session: Session, challenge_id: str, frames: Sequence[Frame], now: datetime, receipt: str = ""
    ) -> Challenge:
        """Use the challenge up with these frames, once. CheckRefused with the reason.

        `receipt`: of `recorded`, for the same frames; without one they were recorded by now.
        """

    def release(self, challenge_id: str, now: datetime) -> None:
        """The frames were not looked at, by our fault: the try does not count."""

    def settle(
        self, challenge_id: str, verdict: Verdict, captured: bytes | None, now: datetime
    ) -> VerificationProgress:
        """Keep the verdict, and move the order as it says. `captured`: the frame for a reviewer, kept sealed."""

    def reference(self, order_id: str) -> bytes | None:
        """The registered photo, if it was kept for this order."""

    def note_reference(self, order_id: str, why: str, now: datetime) -> None:
        """Put into the trail why there is no registered photo to compare with."""

    def keep_reference(self, order_id: str, photo: bytes, now: datetime) -> None:
        """Keep the registered photo sealed until the order closes."""
