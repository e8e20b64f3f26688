"""Online verification without a link, by number and order number, in any browser.

It has the way of one by a link, apart from the registered photo: it is fetched for every check and kept for none but a
reviewer. Where the numbers lead nowhere the frames are judged too, against nobody, so that the answer and its time tell
no stranger whether a card is stopped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from duanka.application.gesture_source import GestureSource
from duanka.domain.identity import (
    Challenge,
    Check,
    CheckerDown,
    CheckReason,
    CheckRefused,
    Consent,
    Frame,
    FrameDigest,
    Outcome,
    ReferenceUnusable,
    Session,
    SessionStage,
    UnlinkedNumbers,
    Verdict,
    VerificationProgress,
)
from duanka.domain.identity_ports import Checker, CheckQueue, ReferencePhotos, ReviewPictures, UnlinkedStore

_NOBODY = "8600000000000"  # no card has this number: the store of photos is asked all the same
_log = logging.getLogger("duanka.application.unlinked_verification")


class UnlinkedVerification:
    """Online verification without a link; thread-safe. `clock`: now, with zone."""

    def __init__(
        self,
        checks: UnlinkedStore,
        checker: Checker,
        queue: CheckQueue,
        photos: ReferencePhotos,
        gestures: GestureSource,
        clock: Callable[[], datetime],
    ) -> None:
        self._checks, self._checker, self._queue, self._photos = checks, checker, queue, photos
        self._gestures, self._clock = gestures, clock

    def begin(self, numbers: UnlinkedNumbers, consent: Consent, address: str, now: datetime) -> Session:
        """Start a session; CheckRefused: the tries for this card or from this address are used up."""
        return self._checks.begin(numbers, consent, address, now)

    def challenge(self, token: str, now: datetime) -> Challenge:
        """The gestures to perform: drawn at random, and the same until used or expired."""
        session = self._checks.session(token, now)
        return self._checks.drawn(session, now) or self._checks.draw(session, self._gestures.drawn(), now)

    def recorded(self, token: str, challenge_id: str, digests: Sequence[FrameDigest], now: datetime) -> str:
        """Issue a receipt for a finished recording whose frames are still being uploaded."""
        return self._checks.recorded(self._checks.session(token, now), challenge_id, digests, now)

    def require_unanswered(self, token: str, challenge_id: str, now: datetime) -> None:
        """Raise CheckRefused unless frames may still arrive for the challenge."""
        self._checks.require_unanswered(self._checks.session(token, now), challenge_id, now)

    def submit(
        self, token: str, challenge_id: str, frames: Sequence[Frame], now: datetime, receipt: str = ""
    ) -> VerificationProgress:
        """Accept the frames that answer a challenge; `progress` has the verdict later."""
        session = self._checks.session(token, now)
        photo = self._registered(session, frames, now)
        challenge = self._checks.take(session, challenge_id, frames, now, receipt)
        check = Check(session.id, challenge.steps, photo, tuple(frames))
        try:
            waiting = self._queue.submit(check, lambda verdict: self._settle(challenge, check, verdict))
        except CheckRefused:
            self._checks.release(challenge.id, now)
            raise
        return replace(self._checks.progress(session, now), stage=SessionStage.WAITING, waiting=waiting)

    def progress(self, token: str, now: datetime) -> VerificationProgress:
        """Progress of the session; while queued, with the expected wait."""
        session = self._checks.session(token, now)
        found = self._checks.progress(session, now)
        if found.stage is SessionStage.WAITING:
            return replace(found, waiting=self._queue.expected(session.id))
        return found

    def restored(self, token: str, now: datetime) -> bool:
        """Whether a pass in this session gave the card back."""
        return self._checks.restored(self._checks.session(token, now))

    def _settle(self, challenge: Challenge, check: Check, verdict: Verdict) -> None:
        """Store a verdict. Called by the queue, in its own thread."""
        now = self._clock()
        if verdict.outcome is Outcome.FAILED and CheckReason.LOST in verdict.reasons:
            self._checks.release(challenge.id, now)
            return
        if not check.reference and verdict.outcome is not Outcome.FAILED:  # nobody can be matched
            verdict = replace(verdict, outcome=Outcome.FAILED, reasons=(CheckReason.OTHER_PERSON,))
        captured = check.frames[verdict.best].jpeg if verdict.best is not None else None
        try:
            self._checks.settle(challenge.id, verdict, ReviewPictures(check.reference, captured), now)
        except Exception as error:  # release the attempt, or the visitor would wait for ever
            _log.error("a verdict without a link was not kept: %s", type(error).__name__)
            self._checks.release(challenge.id, now)

    def _registered(self, session: Session, frames: Sequence[Frame], now: datetime) -> bytes:
        """The registered photo; empty where the session leads nowhere or the photo is unusable.

        Both cost the same: the store is asked, and one picture is looked at.
        """
        card = self._checks.card_of(session)
        try:
            photo = self._photos.fetch(card or _NOBODY)
            found = photo if card else None
            self._checker.enrol(found or frames[len(frames) // 2].jpeg)
        except ReferenceUnusable as error:
            if card and found:
                self._checks.note_unusable(session, str(error), now)
            return b""
        except CheckerDown:
            raise CheckRefused(CheckReason.NOT_AVAILABLE, wait=30) from None
        if card and not found:
            self._checks.note_unusable(session, "there is no registered photo of this card", now)
        return found or b""
