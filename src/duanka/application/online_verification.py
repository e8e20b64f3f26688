"""The second verification online, from consent to verdict. The story in a page.

The holder agrees, draws a challenge, and sends the frames that answer it; the frames wait for a worker; the verdict
moves the order. What is refused is refused with its reason, and no failure leaves a holder without a way: after the
last one it is the counter. Frames live in memory only, but for the one that a reviewer must see.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from random import Random

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
from duanka.domain.identity_ports import CheckBook, Checker, CheckQueue, ReferencePhotos

_log = logging.getLogger("duanka.application.online_verification")


class OnlineVerification:
    """The way online. Safe from any thread; `draw`: where challenges are drawn from; `clock`: now, aware."""

    def __init__(
        self,
        book: CheckBook,
        checker: Checker,
        queue: CheckQueue,
        photos: ReferencePhotos,
        draw: Random,
        clock: Callable[[], datetime],
    ) -> None:
        self._book, self._checker, self._queue, self._photos = book, checker, queue, photos
        self._draw, self._clock = draw, clock
        self._drawing = threading.Lock()

    @property
    def supplier(self) -> str:
        """Who judges, as the consent names it."""
        return self._checker.name

    def standing(self, order_id: str, now: datetime) -> VerificationProgress:
        """Where the verification of an order is, and whether it can go on online."""
        return self._book.standing(order_id, now)

    def agree(self, link: str, consent: Consent, now: datetime, *, browser: str) -> Session | None:
        """Begin by the link of the notice. Who does not agree to face data goes to the counter, and is not stopped.

        `browser`: the secret of the browser that has the link from then on.
        """
        session = self._book.agree(link, consent, now, browser=browser)
        if session:
            self._registered(session, now)
        return session

    def challenge(self, token: str, now: datetime) -> Challenge:
        """What the holder is to do before the camera: drawn by lot, and the same until it is used or over."""
        session = self._book.session(token, now)
        if found := self._book.drawn(session, now):
            return found
        self._registered(session, now)
        with self._drawing:  # a lot is drawn from by one at a time; a vendor is asked by many
            lot = Random(self._draw.getrandbits(128))  # noqa: S311  # as good as what it is drawn from
        try:
            steps = self._checker.challenge(lot)
        except CheckerDown:
            raise CheckRefused(CheckReason.NOT_AVAILABLE, wait=30) from None
        return self._book.draw(session, steps, now)

    def recorded(self, token: str, challenge_id: str, digests: Sequence[FrameDigest], now: datetime) -> str:
        """A receipt for a recording that is over and whose pictures are still on their way, see `submit`."""
        return self._book.recorded(self._book.session(token, now), challenge_id, digests, now)

    def submit(
        self, token: str, challenge_id: str, frames: Sequence[Frame], now: datetime, receipt: str = ""
    ) -> VerificationProgress:
        """Take the frames that answer a challenge; the verdict comes later, see `progress`.

        `receipt`: of `recorded`, where the pictures took longer than the challenge lasts.
        """
        session = self._book.session(token, now)
        reference = self._registered(session, now)
        challenge = self._book.take(session, challenge_id, frames, now, receipt)
        check = Check(session.order_id, challenge.steps, reference, tuple(frames))
        try:
            waiting = self._queue.submit(
                check, lambda verdict: self._settle(session, challenge, check, verdict)
            )
        except CheckRefused:
            self._book.release(challenge.id, now)
            raise
        return replace(
            self._book.standing(session.order_id, now), stage=SessionStage.WAITING, waiting=waiting
        )

    def progress(self, token: str, now: datetime) -> VerificationProgress:
        """Where the session's verification is, and how long its check still takes."""
        session = self._book.session(token, now)
        found = self._book.standing(session.order_id, now)
        if found.stage is SessionStage.WAITING:
            return replace(found, waiting=self._queue.expected(session.order_id))
        return found

    def _settle(self, session: Session, challenge: Challenge, check: Check, verdict: Verdict) -> None:
        """The verdict is here: keep it, and let the order move. Called by the queue, from a thread of its own."""
        now = self._clock()
        if verdict.outcome is Outcome.FAILED and CheckReason.LOST in verdict.reasons:
            self._book.release(challenge.id, now)
            return
        # the book keeps it only where a person will look
        seen = verdict.outcome is not Outcome.FAILED and verdict.best is not None
        captured = check.frames[verdict.best or 0].jpeg if seen else None
        try:
            self._book.settle(challenge.id, verdict, captured, now)
        except Exception as error:  # the holder must not wait for ever: the try is given back
            _log.error("a verdict on %s was not kept: %s", session.order_id, type(error).__name__)
            self._book.release(challenge.id, now)

    def _registered(self, session: Session, now: datetime) -> bytes:
        """The registered photo: fetched once, seen to be usable, and kept sealed until the order closes."""
        kept = self._book.reference(session.order_id)
        if kept is not None:
            return kept
        try:
            photo = self._photos.fetch(session.card)
            if photo is None:
                raise ReferenceUnusable("there is no registered photo of this card")
            self._checker.enrol(photo)
        except ReferenceUnusable as error:  # the holder goes to the counter; the desk must see why
            _log.warning("%s: %s", session.order_id, error)
            self._book.note_reference(session.order_id, str(error), now)
            raise CheckRefused(CheckReason.NO_REFERENCE) from None
        except CheckerDown:
            raise CheckRefused(CheckReason.NOT_AVAILABLE, wait=30) from None
        self._book.keep_reference(session.order_id, photo, now)
        return photo
