"""Protocols of the second verification: checker, queue, photos, verdict store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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
    UnlinkedNumbers,
    Verdict,
    VerificationProgress,
)


@dataclass(frozen=True)
class ReviewPictures:
    """What a reviewer compares: the registered photo, and a frame; None: nobody will look."""

    reference: bytes | None = field(default=None, repr=False)
    captured: bytes | None = field(default=None, repr=False)


class Checker(Protocol):
    """A supplier of face match and liveness. `name`: for audit trail and consent."""

    name: str

    def enrol(self, reference: bytes) -> None:
        """Check that the registered photo is usable; ReferenceUnusable, CheckerDown."""

    def challenge(self, draw: Random) -> tuple[Step, ...]:
        """Return random gestures that this supplier can check."""

    def check(self, check: Check) -> Verdict:
        """Check the frames; takes seconds. CheckerDown if the supplier is unavailable."""

    def close(self) -> None:
        """Release its resources."""


class CheckQueue(Protocol):
    """A bounded first-in, first-out queue of checks with several workers."""

    def submit(self, check: Check, done: Callable[[Verdict], None]) -> QueuePlace:
        """Queue a check; CheckRefused(BUSY) if too many wait. `done` is called once, from another thread."""

    def expected(self, order_id: str | None = None) -> QueuePlace:
        """Estimate when this order's check ends; None: when a new one would."""

    def close(self) -> None:
        """Stop; waiting checks end as LOST."""


class ReferencePhotos(Protocol):
    """The operator's store of registered photos."""

    def fetch(self, card: str) -> bytes | None:
        """Return the photo (JPEG or PNG) of the card's holder; None without one. CheckerDown."""


class PhotoStore(Protocol):
    """Store of the registered photos of orders."""

    def stored(self, order_id: str) -> bytes | None:
        """Return the registered photo, if one was kept for this order."""

    def note_unusable(self, order_id: str, why: str, now: datetime) -> None:
        """Record in the audit trail why there is no registered photo."""

    def keep(self, order_id: str, photo: bytes, now: datetime) -> None:
        """Keep the registered photo, sealed, until the order closes."""


class ChallengeStore(Protocol):
    """Store of sessions and of the challenges drawn in them, by a link or without one."""

    def session(self, token: str, now: datetime) -> Session:
        """Return the session with this token; UnknownOrder, AlreadyUsed."""

    def drawn(self, session: Session, now: datetime) -> Challenge | None:
        """Return the open challenge; None: a new one may be issued. CheckRefused: no attempt is left."""

    def draw(self, session: Session, steps: tuple[Step, ...], now: datetime) -> Challenge:
        """Issue a challenge, or return the open one; CheckRefused if no attempt is left."""

    def recorded(
        self, session: Session, challenge_id: str, digests: Sequence[FrameDigest], now: datetime
    ) -> str:
        """Return a receipt that these frames exist now; the pictures may follow later. CheckRefused."""

    def require_unanswered(self, session: Session, challenge_id: str, now: datetime) -> None:
        """Raise CheckRefused unless frames may still arrive for the challenge."""

    def take(
        self, session: Session, challenge_id: str, frames: Sequence[Frame], now: datetime, receipt: str = ""
    ) -> Challenge:
        """Use the challenge up; CheckRefused. `receipt`: of `recorded`; "": the frames count as of `now`."""

    def release(self, challenge_id: str, now: datetime) -> None:
        """Do not count the attempt: the frames were not checked, through our fault."""


class UnlinkedStore(ChallengeStore, Protocol):
    """Store of sessions without a link, apart from those by a link; a pass alone reaches the order.

    Whoever begins one is told the same, and as soon, whether the two numbers lead to an order or nowhere.
    """

    def begin(self, numbers: UnlinkedNumbers, consent: Consent, address: str, now: datetime) -> Session:
        """Start a session. CheckRefused: USED_UP, for this card or from this address."""

    def card_of(self, session: Session) -> str:
        """Return the card whose photo to compare with; "" where the session leads nowhere."""

    def note_unusable(self, session: Session, why: str, now: datetime) -> None:
        """Record in the audit trail why there is no registered photo."""

    def progress(self, session: Session, now: datetime) -> VerificationProgress:
        """Return the progress of the session."""

    def restored(self, session: Session) -> bool:
        """Whether a pass in it gave the card back."""

    def settle(self, challenge_id: str, verdict: Verdict, pictures: ReviewPictures, now: datetime) -> None:
        """Store the verdict; a pass moves the order as one by a link does."""


class CheckStore(ChallengeStore, Protocol):
    """Store of sessions, challenges and verdicts; a verdict moves its order."""

    @property
    def photos(self) -> PhotoStore:
        """The registered photos to compare with."""

    def standing(self, order_id: str, now: datetime) -> VerificationProgress:
        """Return the progress of this order's verification."""

    def agree(self, link: str, consent: Consent, now: datetime, *, browser: str) -> Session | None:
        """Start a session from the link in the notice. None without consent: the counter remains."""

    def settle(
        self, challenge_id: str, verdict: Verdict, captured: bytes | None, now: datetime
    ) -> VerificationProgress:
        """Store the verdict and move the order. `captured`: frame for a reviewer, sealed."""
