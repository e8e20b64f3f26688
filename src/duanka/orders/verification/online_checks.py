"""Online verification in the database: sessions, challenges, verdicts, effects.

Every method that changes an order is one transaction that locks the order's card, so that concurrent calls
are serialised. A refusal that changes the database, for example uses a challenge up, is raised after the
commit.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, insert, select, update

from duanka.domain.identity import (
    Challenge,
    CheckReason,
    CheckRefused,
    Consent,
    Frame,
    FrameDigest,
    Outcome,
    Session,
    SessionStage,
    Step,
    Verdict,
    VerificationProgress,
)
from duanka.domain.identity_policy import IdentityPolicy
from duanka.domain.order import SYSTEM, Event, Kind, Order, State, UnknownOrder, states_before
from duanka.domain.person import HOLDER
from duanka.ledger.db.rows import find_order
from duanka.ledger.db.tables_identity import checks
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.disavowals.claims import claim, confirmed_by_check
from duanka.orders.effects import apply_event
from duanka.orders.service import OrderService
from duanka.orders.verification import sessions
from duanka.orders.verification.attempts import (
    REFUSED,
    RELEASED,
    SUPERSEDED,
    VerificationAttempts,
    attempts_of,
    challenge_of,
    closed_online,
    progress_of,
    steps_as_text,
    verification_of,
)
from duanka.orders.verification.links import Links, LinkState, OtherBrowser
from duanka.orders.verification.pictures import CAPTURED, Pictures
from duanka.orders.verification.recordings import Recordings
from duanka.orders.verification.registered_photos import RegisteredPhotos
from duanka.orders.verification.unlinked_checks import UnlinkedChecks
from duanka.orders.verification.verdicts import as_its_tier_wants, keep

_TO_COUNTER_FROM = (State.OPENED, State.UNDELIVERABLE, State.NOTIFIED, State.IN_PROGRESS)
_SUBMITTED_FROM = states_before(Kind.VERIFICATION, Event.SUBMIT)
_PASSED_FROM = _SUBMITTED_FROM | {State.SENT_TO_COUNTER}  # not under review: there a person decides


class OnlineChecks:
    """CheckStore on the order database; `unlinked`: that without a link. `key`: for hashes only."""

    def __init__(self, order_service: OrderService, links: Links, pictures: Pictures, key: bytes) -> None:
        self._orders, self._links, self._pictures = order_service, links, pictures
        self._recordings = Recordings(key)
        self.photos = RegisteredPhotos(order_service, pictures)
        self.unlinked = UnlinkedChecks(order_service, pictures, key)

    # --- progress ---

    def standing(self, order_id: str, now: datetime) -> VerificationProgress:
        """Return the stage of the card's verification. UnknownOrder."""
        with self._orders.store.reading() as connection:
            order = find_order(connection, order_id)
            if order is None:
                raise UnknownOrder(f"no order {order_id!r}")
            verification = verification_of(connection, order)
            if verification is None:
                return VerificationProgress(
                    SessionStage.COUNTER, order.state, 0, (CheckReason.NOT_AVAILABLE,)
                )
            return progress_of(verification, self._attempts(connection, verification.id, now))

    def session(self, token: str, now: datetime) -> Session:
        """Return the session, also after its order closed. UnknownOrder; AlreadyUsed."""
        with self._orders.store.reading() as connection:
            return sessions.found(connection, token, now)

    # --- the holder ---

    def agree(self, link: str, consent: Consent, now: datetime, *, browser: str) -> Session | None:
        """Begin a session from a link; None: no consent, the holder goes to a counter.

        `browser`: the secret in the browser's cookie; consent binds the link to it. OtherBrowser: the link is
        bound to another. UnknownOrder, AlreadyUsed: see `Links.open_in`. CheckRefused: NOT_AVAILABLE or
        USED_UP. During a review the session can only show progress.
        """

        def work(unit: UnitOfWork) -> Session | CheckRefused | None:
            about = self._links.open_in(unit.connection, link, now)
            # This locks the card: a second browser waits here.
            order = unit.open_order(about.card, Kind.VERIFICATION)
            if self._links.state_of(unit.connection, link, browser) is LinkState.ELSEWHERE:
                return OtherBrowser()
            if order is None:
                return CheckRefused(CheckReason.NOT_AVAILABLE)
            said: dict[str, object] = dict(vars(consent))
            if not consent.given:
                unit.note(HOLDER, "consent.refused", order.id, "the holder does not agree", {}, said)
                sessions.end_all(unit.connection, order.id, now)
                _to_counter(unit, order, "the holder does not agree to face data")
                return None
            tries = self._attempts(unit.connection, order.id, now)
            if order.state is not State.UNDER_REVIEW:
                if tries.in_person(order):
                    return CheckRefused(CheckReason.NOT_AVAILABLE)
                if tries.used_up and not tries.under_way:
                    sessions.end_all(unit.connection, order.id, now)
                    self._counter_if_used_up(unit, order)
                    return CheckRefused(CheckReason.USED_UP)
            unit.note(HOLDER, "consent.face_data", order.id, "agreed on the page", {}, said)
            self._links.claim(unit.connection, link, browser, now)
            sessions.end_all(unit.connection, order.id, now)
            order = sessions.begun(unit, order)
            if consent.disowns:
                claim(unit, order.card, HOLDER, "declared on the page, before the camera")
            return sessions.begin(unit.connection, order, consent, now, self._policy.session_minutes)

        return self._orders.transaction_then_raise(work, now)

    def drawn(self, session: Session, now: datetime) -> Challenge | None:
        """Return the session's open challenge; None: draw one. CheckRefused as `draw`."""
        return self._orders.transaction_then_raise(lambda unit: self._open(unit, session), now)

    def draw(self, session: Session, steps: tuple[Step, ...], now: datetime) -> Challenge:
        """Return the session's open challenge, or a new one with these steps.

        CheckRefused: OTHER_SESSION (another phone took over), BUSY (frames are being checked), USED_UP,
        NOT_AVAILABLE.
        """

        def work(unit: UnitOfWork) -> Challenge | CheckRefused:
            if found := self._open(unit, session):
                return found
            order = sessions.begun(unit, unit.order(session.order_id))
            ends = now + timedelta(seconds=self._policy.challenge_seconds)
            drawn = Challenge(secrets.token_urlsafe(16), order.id, steps, now, ends)
            row = {
                "id": drawn.id,
                "order_id": order.id,
                "session_id": session.id,
                "steps": steps_as_text(steps),
                "drawn_at": now,
                "expires_at": ends,
                "disowns": int(session.disowns),
            }
            unit.connection.execute(insert(checks).values(row))
            return drawn

        return self._orders.transaction_then_raise(work, now)

    def _open(self, unit: UnitOfWork, session: Session) -> Challenge | CheckRefused | None:
        """Return the open challenge, or why none may be drawn; None: one may be drawn."""
        order = unit.order(session.order_id)
        tries = self._attempts(unit.connection, order.id, unit.now)
        if refused := sessions.refusal(unit, session, order, tries):
            return refused
        if found := tries.open_for(session.id):
            sessions.begun(unit, order)
            return found
        if tries.used_up:
            self._counter_if_used_up(unit, order)
            return CheckRefused(CheckReason.USED_UP)
        return None

    def recorded(
        self, session: Session, challenge_id: str, digests: Sequence[FrameDigest], now: datetime
    ) -> str:
        """Return a receipt that these frames were recorded by now.

        Digests that do not fit the challenge use it up. CheckRefused as `take`, but a replayed frame is found
        only when the pictures arrive.
        """

        def work(unit: UnitOfWork) -> str | CheckRefused:
            order, challenge = self._answered(unit, session, challenge_id)
            if isinstance(challenge, CheckRefused):
                return challenge
            reason = self._recordings.told(unit, challenge, digests)
            refused = self._use_up(unit, order, challenge, reason) if reason else None
            return refused or self._recordings.receipt(challenge, digests, now)

        return self._orders.transaction_then_raise(work, now)

    def require_unanswered(self, session: Session, challenge_id: str, now: datetime) -> None:
        """Raise CheckRefused unless frames may still arrive for the challenge; reasons as of `recorded`."""

        def work(unit: UnitOfWork) -> Challenge | CheckRefused:
            return self._answered(unit, session, challenge_id)[1]

        self._orders.transaction_then_raise(work, now)

    def take(
        self, session: Session, challenge_id: str, frames: Sequence[Frame], now: datetime, receipt: str = ""
    ) -> Challenge:
        """Use the challenge up with these frames. `receipt`: of `recorded`, if sent later.

        CheckRefused that leaves the challenge as it is: OTHER_SESSION, BUSY, USED_UP, NOT_AVAILABLE, REPLAYED
        (the challenge was used before). CheckRefused that uses it up: EXPIRED, OUT_OF_TIME, REPLAYED (a frame
        was sent before).
        """

        def work(unit: UnitOfWork) -> Challenge | CheckRefused:
            order, challenge = self._answered(unit, session, challenge_id)
            if isinstance(challenge, CheckRefused):
                return challenge
            reason = self._recordings.arrived(unit, challenge, frames, receipt)
            return self._use_up(unit, order, challenge, reason) or challenge

        return self._orders.transaction_then_raise(work, now)

    def _answered(
        self, unit: UnitOfWork, session: Session, challenge_id: str
    ) -> tuple[Order, Challenge | CheckRefused]:
        """Return the session's order, and the challenge or the reason to refuse frames."""
        order, row = unit.order(session.order_id), _row(unit.connection, challenge_id)
        if row is None or (row["session_id"], row["order_id"]) != (session.id, order.id):
            return order, CheckRefused(CheckReason.OTHER_SESSION)
        if row["submitted_at"] and row["outcome"] != SUPERSEDED:
            return order, CheckRefused(CheckReason.REPLAYED)
        tries = self._attempts(unit.connection, order.id, unit.now)
        if refused := sessions.refusal(unit, session, order, tries):
            return order, refused
        too_many = tries.failures >= self._policy.failures
        return order, CheckRefused(CheckReason.USED_UP) if too_many else challenge_of(row)

    def _use_up(
        self, unit: UnitOfWork, order: Order, challenge: Challenge, reason: CheckReason | None
    ) -> CheckRefused | None:
        """Use the challenge up. None: its frames now wait for a verdict; else the refusal."""
        used: dict[str, object] = {"submitted_at": unit.now}
        if reason:
            used |= {"decided_at": unit.now, "outcome": REFUSED, "reasons": reason.value}
        once = update(checks).where(checks.c.id == challenge.id, checks.c.submitted_at.is_(None))
        if unit.connection.execute(once.values(used)).rowcount != 1:
            return CheckRefused(CheckReason.REPLAYED)
        if reason is None:
            return None
        self._counter_if_used_up(unit, order)
        return CheckRefused(reason)

    # --- the verdict ---

    def release(self, challenge_id: str, now: datetime) -> None:
        """Release frames that we failed to check: the attempt does not count.

        No effect once there is a verdict.
        """

        def work(unit: UnitOfWork) -> None:
            row = self._locked(unit, challenge_id)
            if row["decided_at"]:
                return
            values = {"submitted_at": row["submitted_at"] or now, "decided_at": now, "outcome": RELEASED}
            mine = update(checks).where(checks.c.id == challenge_id)
            unit.connection.execute(mine.values(**values, reasons=CheckReason.LOST.value))
            unit.note(SYSTEM, "check.release", row["order_id"], "not looked at; it does not count", {}, {})

        self._orders.transaction(work, now)

    def settle(
        self, challenge_id: str, verdict: Verdict, captured: bytes | None, now: datetime
    ) -> VerificationProgress:
        """Store the verdict and move the order accordingly; idempotent per challenge.

        `captured`: the frame for a reviewer, stored only for a review. An order that was closed or handed over
        meanwhile stays as it is. UnknownOrder: no such challenge.
        """

        def work(unit: UnitOfWork) -> VerificationProgress:
            row = self._locked(unit, challenge_id)
            order = unit.order(row["order_id"])
            if not row["decided_at"]:
                found = as_its_tier_wants(verdict, order, self._policy)
                waits = (
                    found.outcome is Outcome.REVIEW
                    and order.state in _SUBMITTED_FROM
                    and not closed_online(order, self._policy)
                )
                tries = self._attempts(unit.connection, order.id, now)
                counted = found.counted and tries.failures < self._policy.failures
                keep(unit, row, found, counted=counted, waits=waits)
                if waits and captured is not None:
                    self._pictures.keep(unit, order.id, CAPTURED, captured)
                self._move(unit, order, found, disowns=bool(row["disowns"]))
            order = unit.order(order.id)
            return progress_of(order, self._attempts(unit.connection, order.id, now))

        return self._orders.transaction(work, now)

    def _move(self, unit: UnitOfWork, order: Order, found: Verdict, *, disowns: bool) -> None:
        if order.closed_at:
            return
        if order.tier in self._policy.counter_tiers:  # the tier rose while the frames were being checked
            _to_counter(unit, order, f"a card of tier {order.tier} is verified there")
        elif found.outcome is Outcome.PASSED:
            if order.state in _PASSED_FROM and disowns:
                confirmed_by_check(unit, order, SYSTEM, f"the check online of {order.id} passed")
            elif order.state in _PASSED_FROM:
                apply_event(unit, order, Event.PASS, SYSTEM, "the check online passed")
        elif found.outcome is Outcome.REVIEW:
            if order.state in _SUBMITTED_FROM:
                apply_event(unit, order, Event.SUBMIT, SYSTEM, "the check online leaves it to a person")
        else:
            self._counter_if_used_up(unit, order)

    # --- retention ---

    def purge(self, now: datetime) -> int:
        """Delete expired pictures, sessions and frame hashes; above 0: more may be left."""
        left = self._pictures.purge(now) + self.unlinked.purge(now)
        sessions_before = now - timedelta(hours=self._orders.terms.policy.link_hours)
        frames_before = sessions_before - timedelta(minutes=self._policy.session_minutes)
        return left + sessions.forget_old(self._orders.store, sessions_before, frames_before)

    # --- internal ---

    @property
    def _policy(self) -> IdentityPolicy:
        return self._orders.terms.policy.identity

    def _attempts(self, connection: Connection, order_id: str, now: datetime) -> VerificationAttempts:
        return attempts_of(connection, order_id, self._policy, now)

    def _locked(self, unit: UnitOfWork, challenge_id: str) -> RowMapping:
        """Lock the card of a challenge; return the row read under the lock. UnknownOrder."""
        found = _row(unit.connection, challenge_id)
        if found is None:
            raise UnknownOrder("no such challenge")
        unit.order(found["order_id"])
        return _row(unit.connection, challenge_id) or found

    def _counter_if_used_up(self, unit: UnitOfWork, order: Order) -> None:
        """Send the holder to the counter after the last attempt; the order does not fail."""
        tries = self._attempts(unit.connection, order.id, unit.now)
        if CheckReason.USED_UP in progress_of(order, tries).reasons:
            _to_counter(unit, order, "the tries online are used up")


def _row(connection: Connection, challenge_id: str) -> RowMapping | None:
    return connection.execute(select(checks).where(checks.c.id == challenge_id)).mappings().first()


def _to_counter(unit: UnitOfWork, order: Order, why: str) -> None:
    """Send the holder to a counter, unless the order is past that."""
    if order.state in _TO_COUNTER_FROM:
        apply_event(unit, order, Event.TO_COUNTER, SYSTEM, why)
