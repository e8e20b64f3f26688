"""Online second verification, from consent to verdict.

The holder consents, draws a challenge, and sends the frames that answer it. The frames are queued for a
worker, and its verdict moves the order. Every refusal carries its reason, and after the last failed attempt
the holder can still go to a counter. Frames are held in memory only, except the one that a reviewer must see.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from random import Random

from duanka.application.gesture_source import GestureSource
from duanka.application.unlinked_verification import UnlinkedVerification
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
    Verdict,
    VerificationProgress,
)
from duanka.domain.identity_ports import Checker, CheckQueue, CheckStore, ReferencePhotos, UnlinkedStore

_log = logging.getLogger("duanka.application.online_verification")


class OnlineVerification:
    """Online verification; thread-safe. `draw`: random source of challenges; `clock`: now, with zone.

    `unlinked`: store of sessions without a link; None: there are none.
    """

    def __init__(
        self,
        checks: CheckStore,
        checker: Checker,
        queue: CheckQueue,
        photos: ReferencePhotos,
        draw: Random,
        clock: Callable[[], datetime],
        unlinked: UnlinkedStore | None = None,
    ) -> None:
        self._checks, self._checker, self._queue, self._photos = checks, checker, queue, photos
        self._gestures, self._clock = GestureSource(checker, draw), clock
        self.unlinked = (
            UnlinkedVerification(unlinked, checker, queue, photos, self._gestures, clock)
            if unlinked
            else None
        )

    @property
    def supplier(self) -> str:
        """Name of the face checker, as shown in the consent text."""
        return self._checker.name

    def standing(self, order_id: str, now: datetime) -> VerificationProgress:
        """Progress of an order's verification, and whether it can continue online."""
        return self._checks.standing(order_id, now)

    def agree(self, link: str, consent: Consent, now: datetime, *, browser: str) -> Session | None:
        """Start a session by the link in the notice; None where consent is refused.

        Refusing consent sends the holder to the counter; no restriction follows. `browser`: secret of the
        browser to which the link is bound from then on.
        """
        session = self._checks.agree(link, consent, now, browser=browser)
        if session:
            self._registered(session, now)
        return session

    def challenge(self, token: str, now: datetime) -> Challenge:
        """The gestures to perform: drawn at random, and the same until used or expired."""
        session = self._checks.session(token, now)
        if found := self._checks.drawn(session, now):
            return found
        self._registered(session, now)
        return self._checks.draw(session, self._gestures.drawn(), now)

    def recorded(self, token: str, challenge_id: str, digests: Sequence[FrameDigest], now: datetime) -> str:
        """Issue a receipt for a finished recording whose frames are still being uploaded."""
        return self._checks.recorded(self._checks.session(token, now), challenge_id, digests, now)

    def require_unanswered(self, token: str, challenge_id: str, now: datetime) -> None:
        """Raise CheckRefused unless frames may still arrive for the challenge."""
        self._checks.require_unanswered(self._checks.session(token, now), challenge_id, now)

    def submit(
        self, token: str, challenge_id: str, frames: Sequence[Frame], now: datetime, receipt: str = ""
    ) -> VerificationProgress:
        """Accept the frames that answer a challenge; `progress` has the verdict later.

        `receipt`: from `recorded`; needed where the upload outlasts the challenge.
        """
        session = self._checks.session(token, now)
        reference = self._registered(session, now)
        challenge = self._checks.take(session, challenge_id, frames, now, receipt)
        check = Check(session.order_id, challenge.steps, reference, tuple(frames))
        try:
            waiting = self._queue.submit(
                check, lambda verdict: self._settle(session, challenge, check, verdict)
            )
        except CheckRefused:
            self._checks.release(challenge.id, now)
            raise
        return replace(
            self._checks.standing(session.order_id, now), stage=SessionStage.WAITING, waiting=waiting
        )

    def progress(self, token: str, now: datetime) -> VerificationProgress:
        """Progress of the session's verification; while queued, with the expected wait."""
        session = self._checks.session(token, now)
        found = self._checks.standing(session.order_id, now)
        if found.stage is SessionStage.WAITING:
            return replace(found, waiting=self._queue.expected(session.order_id))
        return found

    def _settle(self, session: Session, challenge: Challenge, check: Check, verdict: Verdict) -> None:
        """Store a verdict and move the order. Called by the queue, in its own thread."""
        now = self._clock()
        if verdict.outcome is Outcome.FAILED and CheckReason.LOST in verdict.reasons:
            self._checks.release(challenge.id, now)
            return
        # a picture is kept only for a verdict that a person will review
        seen = verdict.outcome is not Outcome.FAILED and verdict.best is not None
        captured = check.frames[verdict.best or 0].jpeg if seen else None
        try:
            self._checks.settle(challenge.id, verdict, captured, now)
        except Exception as error:  # release the attempt, or the holder would wait for ever
            _log.error("a verdict on %s was not kept: %s", session.order_id, type(error).__name__)
            self._checks.release(challenge.id, now)

    def _registered(self, session: Session, now: datetime) -> bytes:
        """The registered photo: fetched once, checked, kept sealed until the order closes."""
        kept = self._checks.photos.stored(session.order_id)
        if kept is not None:
            return kept
        try:
            photo = self._photos.fetch(session.card)
            if photo is None:
                raise ReferenceUnusable("there is no registered photo of this card")
            self._checker.enrol(photo)
        except ReferenceUnusable as error:  # the holder goes to the counter; the desk needs the cause
            _log.warning("%s: %s", session.order_id, error)
            self._checks.photos.note_unusable(session.order_id, str(error), now)
            raise CheckRefused(CheckReason.NO_REFERENCE) from None
        except CheckerDown:
            raise CheckRefused(CheckReason.NOT_AVAILABLE, wait=30) from None
        self._checks.photos.keep(session.order_id, photo, now)
        return photo
