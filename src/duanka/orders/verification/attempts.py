"""Online attempts of one verification, as progress and new challenges count them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from duanka.domain.identity import (
    Challenge,
    CheckReason,
    Gesture,
    Outcome,
    SessionStage,
    Step,
    VerificationProgress,
)
from duanka.domain.identity_policy import IdentityPolicy
from duanka.domain.order import Kind, Order, State
from duanka.ledger.db.rows import order_of
from duanka.ledger.db.tables import orders
from duanka.ledger.db.tables_identity import checks

# Outcomes of checks without a verdict. A superseded challenge was never used.
REFUSED, RELEASED, SUPERSEDED = "refused", "released", "superseded"
# A check without a verdict after this time counts as crashed, and the holder may retry.
UNDER_WAY = timedelta(seconds=120)
_MIN_TIME_LEFT = timedelta(seconds=20)  # a challenge with less time left is not offered again


_ENDED = {State.PASSED: SessionStage.PASSED, State.DISOWNED: SessionStage.DISOWNED}


@dataclass(frozen=True)
class VerificationAttempts:
    """Checks of one verification, oldest first, at one moment."""

    rows: Sequence[RowMapping]
    policy: IdentityPolicy
    now: datetime

    @property
    def failures(self) -> int:
        """Number of failures that count."""
        return sum(bool(row["counted"]) for row in self.rows)

    @property
    def under_way(self) -> bool:
        """Whether frames are being checked."""
        return any(
            row["submitted_at"]
            and not row["decided_at"]
            and abs(self.now - row["submitted_at"]) < UNDER_WAY  # absolute: a clock can be set back
            for row in self.rows
        )

    @property
    def used_up(self) -> bool:
        """Whether no further challenge may be drawn."""
        drawn = sum(row["outcome"] != RELEASED for row in self.rows)
        return self.failures >= self.policy.failures or drawn >= self.policy.challenges

    def in_person(self, order: Order) -> bool:
        """Whether only a person decides: online is closed, or a reviewer chose a counter."""
        looked = any(row["outcome"] == Outcome.REVIEW and row["reviewed_at"] for row in self.rows)
        return closed_online(order, self.policy) or (order.state is State.SENT_TO_COUNTER and looked)

    @property
    def reasons(self) -> tuple[CheckReason, ...]:
        """Why the last attempt did not pass; empty if a person decided it."""
        last = next((row for row in reversed(self.rows) if _tried(row)), None)
        if last is None or (last["outcome"] == Outcome.REVIEW and last["reviewed_at"]):
            return ()
        return reasons_of(last) if last["decided_at"] else (CheckReason.LOST,)

    @property
    def answerable(self) -> bool:
        """Whether a challenge can still be answered."""
        return any(self.now < row["expires_at"] for row in self.rows if not row["submitted_at"])

    def open_for(self, session_id: str) -> Challenge | None:
        """Return this session's open challenge if enough time is left of it.

        If no further challenge may be drawn, it is returned until it expires.
        """
        least = min(_MIN_TIME_LEFT, timedelta(seconds=self.policy.challenge_seconds) / 3)
        least = timedelta(microseconds=1) if self.used_up else least
        for row in reversed(self.rows):
            mine = row["session_id"] == session_id and not row["submitted_at"]
            if mine and row["drawn_at"] <= self.now <= row["expires_at"] - least:
                return challenge_of(row)
        return None


def attempts_of(
    connection: Connection, order_id: str, policy: IdentityPolicy, now: datetime
) -> VerificationAttempts:
    """Load the attempts of a verification by link; those without one have limits of their own."""
    by_link = (checks.c.order_id == order_id, checks.c.unlinked == 0)
    mine = select(checks).where(*by_link).order_by(checks.c.seq)
    return VerificationAttempts(connection.execute(mine).mappings().all(), policy, now)


def closed_online(order: Order, policy: IdentityPolicy) -> bool:
    """Whether this verification cannot be done online, regardless of attempts."""
    return (
        order.closed_at is not None
        or order.state is State.SENT_TO_FRAUD_CENTRE
        or order.tier in policy.counter_tiers
    )


def progress_of(order: Order, tries: VerificationAttempts) -> VerificationProgress:
    """Return the stage of the verification."""
    left = max(0, tries.policy.failures - tries.failures)

    def progress(stage: SessionStage, *reasons: CheckReason) -> VerificationProgress:
        return VerificationProgress(stage, order.state, left, reasons)

    if ended := _ENDED.get(order.state):
        return progress(ended)
    if order.closed_at is None and order.state is State.UNDER_REVIEW:
        return progress(SessionStage.REVIEW, *tries.reasons)
    if order.closed_at is None and tries.under_way:
        return progress(SessionStage.WAITING)
    if tries.in_person(order):
        return progress(SessionStage.COUNTER, CheckReason.NOT_AVAILABLE)
    if tries.used_up and (tries.failures >= tries.policy.failures or not tries.answerable):
        return progress(SessionStage.COUNTER, *tries.reasons, CheckReason.USED_UP)
    tried = any(_tried(row) for row in tries.rows)
    return progress(SessionStage.AGAIN if tried else SessionStage.READY, *tries.reasons)


def _tried(row: RowMapping) -> bool:
    return bool(row["submitted_at"]) and row["outcome"] != SUPERSEDED


def verification_of(connection: Connection, order: Order) -> Order | None:
    """Return the verification that an order is about: itself, the open or last one."""
    if order.kind is Kind.VERIFICATION:
        return order
    theirs = (
        select(orders)
        .where(orders.c.card == order.card, orders.c.kind == Kind.VERIFICATION.value)
        .order_by(orders.c.closed_at.is_(None).desc(), orders.c.opened_at.desc())
        .limit(1)
    )
    row = connection.execute(theirs).mappings().first()
    return order_of(row) if row else None


def challenge_of(row: Mapping[Any, Any]) -> Challenge:
    """Parse the challenge in a row of `checks`."""
    steps = tuple(Step(Gesture(name), begins, ends) for name, begins, ends in json.loads(row["steps"]))
    return Challenge(row["id"], row["order_id"], steps, row["drawn_at"], row["expires_at"])


def steps_as_text(steps: Iterable[Step]) -> str:
    """Encode steps for `checks`."""
    return json.dumps([(step.gesture.value, step.begins, step.ends) for step in steps])


def reasons_of(row: RowMapping) -> tuple[CheckReason, ...]:
    """Parse the reasons in a row of `checks`."""
    return tuple(CheckReason(name) for name in row["reasons"].split())
