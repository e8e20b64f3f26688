"""Checks without a link in the database: a pass restores as one by a link does, and nothing else reaches the order.

A failure here is nobody's failure: whoever has both numbers could bring it about. It counts for the limits of this
way alone, stands in the trail, and neither fails nor sends to a counter, locks nothing and ends no other session.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

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
    UnlinkedNumbers,
    Verdict,
    VerificationProgress,
)
from duanka.domain.identity import Step as GestureStep
from duanka.domain.identity_policy import IdentityPolicy
from duanka.domain.identity_ports import ReviewPictures
from duanka.domain.order import SYSTEM, Event, Kind, Order, State, UnknownOrder
from duanka.domain.sealing import derived
from duanka.ledger.db.rows import find_order
from duanka.ledger.db.tables import orders
from duanka.ledger.db.tables_holders import unlinked_checks, unlinked_sessions
from duanka.ledger.db.tables_identity import checks
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.effects import apply_event
from duanka.orders.service import OrderService
from duanka.orders.verification import sessions
from duanka.orders.verification import unlinked_sessions as visits
from duanka.orders.verification.attempts import (
    REFUSED,
    RELEASED,
    UNDER_WAY,
    challenge_of,
    reasons_of,
    steps_as_text,
)
from duanka.orders.verification.pictures import CAPTURED, REFERENCE, Pictures
from duanka.orders.verification.recordings import Recordings
from duanka.orders.verification.registered_photos import UNUSABLE
from duanka.orders.verification.verdicts import as_its_tier_wants, keep

_NOT_MATCHED = (CheckReason.OTHER_PERSON,)


class UnlinkedChecks:
    """UnlinkedStore on the order database. `key`: for hashes of frames, numbers and addresses only."""

    def __init__(self, order_service: OrderService, pictures: Pictures, key: bytes) -> None:
        self._orders, self._pictures = order_service, pictures
        self._recordings = Recordings(key)
        self._key = derived(key, "visits without a link")

    # --- whoever has the two numbers ---

    def begin(self, numbers: UnlinkedNumbers, consent: Consent, address: str, now: datetime) -> Session:
        """Start a session; the same for numbers that lead nowhere. CheckRefused: USED_UP, by card or address."""

        def work(unit: UnitOfWork) -> Session | CheckRefused:
            begun = self._visits.begin(unit.connection, numbers, consent, address, now)
            if begun is None:
                return CheckRefused(CheckReason.USED_UP)
            session, about = begun
            if about:
                said: dict[str, object] = {"words": consent.words, "session": session.id}
                unit.note(SYSTEM, "unlinked.begin", about, "number and order number were given", {}, said)
            return session

        return self._orders.transaction_then_raise(work, now)

    def session(self, token: str, now: datetime) -> Session:
        """Return the session. UnknownOrder; AlreadyUsed."""
        with self._orders.store.reading() as connection:
            row = visits.row_of(connection, token, now)
        return Session(row["id"], row["id"], row["id"], "", row["expires_at"], unlinked=True)

    def card_of(self, session: Session) -> str:
        """Return the card of the session; "" where it leads nowhere."""
        with self._orders.store.reading() as connection:
            about = find_order(connection, _visit(connection, session.id)["order_id"])
        return about.card if about else ""

    def note_unusable(self, session: Session, why: str, now: datetime) -> None:
        """Audit once per order why there is no usable photo to compare with."""

        def work(unit: UnitOfWork) -> None:
            about = _visit(unit.connection, session.id)["order_id"]
            if about and not self._orders.terms.trail.has(unit.connection, UNUSABLE, about):
                unit.note(SYSTEM, UNUSABLE, about, why, {}, {})

        self._orders.transaction(work, now)

    def progress(self, session: Session, now: datetime) -> VerificationProgress:
        """Return the stage of the session; before a pass the same whatever the numbers lead to."""
        with self._orders.store.reading() as connection:
            visit, rows = _visit(connection, session.id), _drawn(connection, session.id)
            left = self._visits.left(connection, visit["pair_hash"], visit["address_hash"], now)
            proved = any(row["outcome"] in (Outcome.PASSED, Outcome.REVIEW) for row in rows)
            about = find_order(connection, visit["order_id"]) if proved else None
        last = next((row for row in reversed(rows) if row["submitted_at"]), None)
        reasons = () if last is None else _reasons(last)

        def at(stage: SessionStage, *why: CheckReason) -> VerificationProgress:
            # before a pass the state of an order is nobody's business
            state = about.state if about else State.IN_PROGRESS
            return VerificationProgress(stage, state, left, why)

        if about:
            return at(_after_a_match(about))
        if last is not None and last["decided_at"] is None and abs(now - last["submitted_at"]) < UNDER_WAY:
            return at(SessionStage.WAITING)
        if left == 0 and not any(_answerable(row, now) for row in rows):
            return at(SessionStage.COUNTER, *reasons, CheckReason.USED_UP)
        return at(SessionStage.AGAIN if last is not None else SessionStage.READY, *reasons)

    def restored(self, session: Session) -> bool:
        """Whether the pass in this session gave the card back."""
        with self._orders.store.reading() as connection:
            about = _visit(connection, session.id)["order_id"]
            back = (orders.c.parent == about, orders.c.kind == Kind.RESTRICTION.value)
            state = select(orders.c.state).where(*back).order_by(orders.c.opened_at.desc()).limit(1)
            return bool(about) and connection.execute(state).scalar() == State.RESTORED.value

    def drawn(self, session: Session, now: datetime) -> Challenge | None:
        """Return the session's open challenge; None: draw one. CheckRefused as `draw`."""
        return self._orders.transaction_then_raise(lambda unit: self._open(unit, session), now)

    def draw(self, session: Session, steps: tuple[GestureStep, ...], now: datetime) -> Challenge:
        """Return the open challenge, or a new one. CheckRefused: OTHER_SESSION, BUSY, USED_UP."""

        def work(unit: UnitOfWork) -> Challenge | CheckRefused:
            if found := self._open(unit, session):
                return found
            visit = _visit(unit.connection, session.id)
            ends = now + timedelta(seconds=self._policy.challenge_seconds)
            drawn = Challenge(secrets.token_urlsafe(16), session.id, steps, now, ends)
            row = {
                "id": drawn.id,
                "session_id": session.id,
                "pair_hash": visit["pair_hash"],
                "address_hash": visit["address_hash"],
                "steps": steps_as_text(steps),
                "drawn_at": now,
                "expires_at": ends,
            }
            unit.connection.execute(insert(unlinked_checks).values(row))
            return drawn

        return self._orders.transaction_then_raise(work, now)

    def _open(self, unit: UnitOfWork, session: Session) -> Challenge | CheckRefused | None:
        visit = _visit(unit.connection, session.id)
        visits.lock(unit.connection, visit["pair_hash"], visit["address_hash"])
        rows = _drawn(unit.connection, session.id)
        if refused := _refusal(rows, visit, unit.now):
            return refused
        for row in reversed(rows):
            if _answerable(row, unit.now):
                return _challenge(row)
        left = self._visits.left(unit.connection, visit["pair_hash"], visit["address_hash"], unit.now)
        return None if left else CheckRefused(CheckReason.USED_UP)

    def recorded(
        self, session: Session, challenge_id: str, digests: Sequence[FrameDigest], now: datetime
    ) -> str:
        """Return a receipt that these frames were recorded by now. CheckRefused as `take`."""

        def work(unit: UnitOfWork) -> str | CheckRefused:
            challenge = self._answered(unit, session, challenge_id)
            if isinstance(challenge, CheckRefused):
                return challenge
            reason = self._recordings.told(unit, challenge, digests)
            refused = _use_up(unit, challenge, reason) if reason else None
            return refused or self._recordings.receipt(challenge, digests, now)

        return self._orders.transaction_then_raise(work, now)

    def require_unanswered(self, session: Session, challenge_id: str, now: datetime) -> None:
        """Raise CheckRefused unless frames may still arrive for the challenge."""

        def work(unit: UnitOfWork) -> Challenge | CheckRefused:
            return self._answered(unit, session, challenge_id)

        self._orders.transaction_then_raise(work, now)

    def take(
        self, session: Session, challenge_id: str, frames: Sequence[Frame], now: datetime, receipt: str = ""
    ) -> Challenge:
        """Use the challenge up with these frames. CheckRefused: as by a link."""

        def work(unit: UnitOfWork) -> Challenge | CheckRefused:
            challenge = self._answered(unit, session, challenge_id)
            if isinstance(challenge, CheckRefused):
                return challenge
            reason = self._recordings.arrived(unit, challenge, frames, receipt)
            return _use_up(unit, challenge, reason) or challenge

        return self._orders.transaction_then_raise(work, now)

    def _answered(self, unit: UnitOfWork, session: Session, challenge_id: str) -> Challenge | CheckRefused:
        visit = _visit(unit.connection, session.id)
        visits.lock(unit.connection, visit["pair_hash"], visit["address_hash"])
        row = _row(unit.connection, challenge_id)
        if row is None or row["session_id"] != session.id:
            return CheckRefused(CheckReason.OTHER_SESSION)
        if row["submitted_at"]:
            return CheckRefused(CheckReason.REPLAYED)
        return _refusal(_drawn(unit.connection, session.id), visit, unit.now) or _challenge(row)

    # --- the verdict ---

    def release(self, challenge_id: str, now: datetime) -> None:
        """Release frames that we failed to check: the attempt does not count."""
        over = {"decided_at": now, "outcome": RELEASED, "reasons": CheckReason.LOST.value}
        self._orders.transaction(lambda unit: _decide(unit, challenge_id, over), now)

    def settle(self, challenge_id: str, verdict: Verdict, pictures: ReviewPictures, now: datetime) -> None:
        """Store the verdict; a pass moves the order as one by a link does. Idempotent per challenge."""

        def work(unit: UnitOfWork) -> None:
            row = _row(unit.connection, challenge_id)
            if row is None:
                raise UnknownOrder("no such challenge")
            about = _visit(unit.connection, row["session_id"])["order_id"]
            order = unit.order(about) if about else None
            found = self._as_it_counts(unit, order, verdict)
            over = {"decided_at": now, "outcome": found.outcome.value, "reasons": " ".join(found.reasons)}
            if not _decide(unit, challenge_id, over) or order is None:
                return
            told: dict[str, object] = {"outcome": found.outcome.value, "reasons": " ".join(found.reasons)}
            unit.note(SYSTEM, "unlinked.settle", order.id, "no failure of the holder", {}, told)
            if found.outcome is not Outcome.FAILED:
                self._matched(unit, order, row, found, pictures)

        self._orders.transaction(work, now)

    def _as_it_counts(self, unit: UnitOfWork, order: Order | None, verdict: Verdict) -> Verdict:
        """Return the verdict as this way takes it: only a certain match of a verification that it reaches passes."""
        certain = verdict.outcome is Outcome.PASSED
        reached = order is not None and self._reached(unit, order)
        if order is not None and certain and reached:
            return as_its_tier_wants(verdict, order, self._policy)
        if verdict.outcome is Outcome.FAILED:
            return verdict
        return replace(verdict, outcome=Outcome.FAILED, reasons=_NOT_MATCHED)

    def _reached(self, unit: UnitOfWork, order: Order) -> bool:
        stopped = unit.open_order(order.card, Kind.RESTRICTION)
        return visits.still_reachable(unit.connection, order, stopped, self._policy)

    def _matched(
        self, unit: UnitOfWork, order: Order, row: RowMapping, found: Verdict, pictures: ReviewPictures
    ) -> None:
        """Copy the check to those of the order, which the trail and reviewers read, and move the order."""
        copied: dict[str, Any] = {
            name: row[name]
            for name in ("id", "session_id", "steps", "drawn_at", "expires_at", "submitted_at")
        }
        copied["order_id"] = order.id
        unit.connection.execute(insert(checks).values(**copied, unlinked=1))
        keep(unit, copied, found, counted=False, waits=found.outcome is Outcome.REVIEW)
        order = sessions.begun(unit, order)
        if found.outcome is Outcome.PASSED:
            apply_event(unit, order, Event.PASS, SYSTEM, "the check online passed, without a link")
            return
        for what, picture in ((REFERENCE, pictures.reference), (CAPTURED, pictures.captured)):
            if picture is not None:
                self._pictures.keep(unit, order.id, what, picture)
        apply_event(
            unit, order, Event.SUBMIT, SYSTEM, "the check online, without a link, leaves it to a person"
        )

    # --- retention ---

    def purge(self, now: datetime) -> int:
        """Delete sessions and challenges that count for nothing any more; return how many sessions."""
        return visits.forget_old(self._orders.store, now - visits.DAY)

    # --- internal ---

    @property
    def _policy(self) -> IdentityPolicy:
        return self._orders.terms.policy.identity

    @property
    def _visits(self) -> visits.UnlinkedSessions:
        return visits.UnlinkedSessions(self._key, self._policy)


def _visit(connection: Connection, session_id: str) -> RowMapping:
    mine = select(unlinked_sessions).where(unlinked_sessions.c.id == session_id)
    found = connection.execute(mine).mappings().first()
    if found is None:
        raise UnknownOrder("this session is none of ours: begin again on the page")
    return found


def _drawn(connection: Connection, session_id: str) -> Sequence[RowMapping]:
    mine = select(unlinked_checks).where(unlinked_checks.c.session_id == session_id)
    return (
        connection.execute(mine.order_by(unlinked_checks.c.drawn_at, unlinked_checks.c.id)).mappings().all()
    )


def _row(connection: Connection, challenge_id: str) -> RowMapping | None:
    mine = select(unlinked_checks).where(unlinked_checks.c.id == challenge_id)
    return connection.execute(mine).mappings().first()


def _challenge(row: RowMapping) -> Challenge:
    return challenge_of({**row, "order_id": row["session_id"]})


def _answerable(row: RowMapping, now: datetime) -> bool:
    return not row["submitted_at"] and row["drawn_at"] <= now < row["expires_at"]


def _reasons(row: RowMapping) -> tuple[CheckReason, ...]:
    return reasons_of(row) if row["decided_at"] else (CheckReason.LOST,)


def _refusal(rows: Sequence[RowMapping], visit: RowMapping, now: datetime) -> CheckRefused | None:
    """Return why this session may not draw or send frames now; None: it may."""
    if now >= visit["expires_at"]:
        return CheckRefused(CheckReason.OTHER_SESSION)
    if any(row["outcome"] in (Outcome.PASSED, Outcome.REVIEW) for row in rows):
        return CheckRefused(CheckReason.NOT_AVAILABLE)
    waits = (row for row in rows if row["submitted_at"] and not row["decided_at"])
    if any(abs(now - row["submitted_at"]) < UNDER_WAY for row in waits):
        return CheckRefused(CheckReason.BUSY, 10)
    return None


def _after_a_match(order: Order) -> SessionStage:
    """Return the stage after the holder's face was found: passed, or a reviewer decides or has sent them on."""
    if order.state is State.PASSED:
        return SessionStage.PASSED
    waits = order.state is State.UNDER_REVIEW and order.closed_at is None
    return SessionStage.REVIEW if waits else SessionStage.COUNTER


def _use_up(unit: UnitOfWork, challenge: Challenge, reason: CheckReason | None) -> CheckRefused | None:
    """Use the challenge up. None: its frames now wait for a verdict; else the refusal."""
    used: dict[str, object] = {"submitted_at": unit.now}
    if reason:
        used |= {"decided_at": unit.now, "outcome": REFUSED, "reasons": reason.value}
    once = (unlinked_checks.c.id == challenge.id, unlinked_checks.c.submitted_at.is_(None))
    if unit.connection.execute(update(unlinked_checks).where(*once).values(used)).rowcount != 1:
        return CheckRefused(CheckReason.REPLAYED)
    return CheckRefused(reason) if reason else None


def _decide(unit: UnitOfWork, challenge_id: str, over: dict[str, object]) -> bool:
    """Write the outcome once; return whether it was this call."""
    once = (unlinked_checks.c.id == challenge_id, unlinked_checks.c.decided_at.is_(None))
    return unit.connection.execute(update(unlinked_checks).where(*once).values(over)).rowcount == 1
