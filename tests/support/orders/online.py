"""The way online on an order database for tests: a holder with a link, and frames that no camera took."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count as counting
from typing import Any

import pytest
from sqlalchemy import func, select

from duanka.domain.identity import (
    Challenge,
    CheckReason,
    CheckRefused,
    Consent,
    Frame,
    Gesture,
    Outcome,
    Session,
    Step,
    Verdict,
    VerificationProgress,
)
from duanka.domain.identity_policy import IdentityPolicy
from duanka.domain.order import SYSTEM, Event, Order
from duanka.domain.order_decision import RequestedAction
from duanka.domain.order_policy import OrderPolicy
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit, notices
from duanka.orders.disavowals.service import Disavowals
from duanka.orders.verification.counter import Counter
from duanka.orders.verification.links import Links
from duanka.orders.verification.online_checks import OnlineChecks
from duanka.orders.verification.pictures import Pictures
from duanka.orders.verification.reviews import Reviews
from support.order_policies import AT_ONCE
from support.orders.books import NOW, book_on, demand, receive, verification

SECOND = timedelta(seconds=1)
SECRET = hashlib.sha256(b"a key of a test").digest()
STEPS = (
    Step(Gesture.CLOSE_EYES, 1.0, 3.0),
    Step(Gesture.TURN_LEFT, 3.0, 5.0),
    Step(Gesture.OPEN_MOUTH, 5.0, 7.0),
)
RECORDED = 8 * SECOND  # from the drawing until the frames are here
YES = Consent(face_data=True, legal_notice=True, words="0123abcd")
NO = replace(YES, face_data=False)
PASSED = Verdict(Outcome.PASSED, (), 0.61, {"mouth": 0.4}, best=3)
UNSURE = Verdict(Outcome.REVIEW, (CheckReason.UNSURE,), 0.4012345, {"mouth": 0.4, "turn": 14.25}, best=3)
STRANGER = Verdict(Outcome.FAILED, (CheckReason.OTHER_PERSON,), 0.1)
DARK = Verdict(Outcome.FAILED, (CheckReason.TOO_DARK,))
_fresh = counting()


def frames(seconds: float = 7.0, number: int = 18) -> tuple[Frame, ...]:
    """Frames that answer STEPS in time, each with bytes that never came before."""
    return tuple(
        Frame(
            n,
            seconds * n / (number - 1),
            b"\xff\xd8\xff\xe0" + f"frame {next(_fresh)} of a camera".encode() * 4,
        )
        for n in range(number)
    )


@dataclass
class Online:
    """Everything that an order database has for the second verification."""

    store: Store
    policy: OrderPolicy = AT_ONCE

    def __post_init__(self) -> None:
        self.orders = book_on(self.store, self.policy)
        self.links = Links(SECRET, self.policy)
        self.pictures = Pictures(self.orders, SECRET)
        self.checks = OnlineChecks(self.orders, self.links, self.pictures, SECRET)
        self.counter = Counter(self.orders)
        self.disavowals = Disavowals(self.orders)
        self.reviews = Reviews(self.orders, self.pictures)

    def asked(self, number: int = 0, tier: str = "medium", at: datetime = NOW) -> Order:
        """An order whose notice is delivered."""
        receive(self.orders, [demand(number, RequestedAction.VERIFY, tier=tier)], at)
        order = verification(self.orders, number)
        return self.orders.apply(order.id, Event.DELIVERED, SYSTEM, "receipt", at, delivered_at=at)

    def link(self, order_id: str, at: datetime = NOW) -> str:
        return self.orders.transaction(lambda unit: self.links.make(unit.connection, order_id, at), at)

    def agreed(self, order_id: str, at: datetime = NOW) -> Session:
        session = self.checks.agree(self.link(order_id, at), YES, at, browser="browser")
        assert session is not None
        return session

    def taken(self, session: Session, at: datetime = NOW) -> tuple[Challenge, datetime]:
        """A challenge drawn at `at` and answered; and when the frames were here."""
        challenge = self.checks.draw(session, STEPS, at)
        self.checks.take(session, challenge.id, frames(), at + RECORDED)
        return challenge, at + RECORDED

    def settled(self, session: Session, verdict: Verdict, at: datetime = NOW) -> VerificationProgress:
        challenge, here = self.taken(session, at)
        return self.checks.settle(challenge.id, verdict, b"\xff\xd8\xff captured", here)

    def state(self, order_id: str) -> Order:
        return self.orders.transaction(lambda unit: unit.order(order_id), NOW)


def policy(**changes: object) -> OrderPolicy:
    """A policy whose second verification differs."""
    return replace(AT_ONCE, identity=replace(IdentityPolicy(), **changes))  # type: ignore[arg-type]


def refused(work: Callable[..., object], *asked: object) -> CheckReason:
    with pytest.raises(CheckRefused) as caught:
        work(*asked)
    return caught.value.reason


def trail(store: Store, what: str) -> list[Any]:
    with store.reading() as connection:
        return list(connection.execute(select(audit).where(audit.c.what == what).order_by(audit.c.seq)).all())


def count(store: Store, table: Any) -> int:
    with store.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def templates(store: Store) -> list[str]:
    with store.reading() as connection:
        return list(connection.execute(select(notices.c.template).order_by(notices.c.id)).scalars())
