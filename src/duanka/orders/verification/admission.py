"""Admission of a session: why it may not go on, and the order that it begins."""

from __future__ import annotations

from duanka.domain.identity import CheckReason, CheckRefused, Session
from duanka.domain.order import Event, Kind, Order, State, states_before
from duanka.domain.person import HOLDER
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.effects import apply_event
from duanka.orders.verification import sessions
from duanka.orders.verification.attempts import VerificationAttempts

_RETRY_AFTER_SECONDS = 10  # seconds after which a refused caller retries
_BEGUN_FROM = states_before(Kind.VERIFICATION, Event.BEGIN)


def refusal(
    unit: UnitOfWork, session: Session, order: Order, tries: VerificationAttempts
) -> CheckRefused | None:
    """Return why this session may not draw or send frames now; None: it may."""
    if not sessions.goes_on(unit.connection, session, unit.now):
        return CheckRefused(CheckReason.OTHER_SESSION)
    if order.state is State.UNDER_REVIEW or tries.in_person(order):
        return CheckRefused(CheckReason.NOT_AVAILABLE)
    return CheckRefused(CheckReason.BUSY, _RETRY_AFTER_SECONDS) if tries.under_way else None


def begun(unit: UnitOfWork, order: Order) -> Order:
    """Mark the verification as begun, also after a refused consent.

    A late one stays late: passing then lifts the restriction.
    """
    if order.state in _BEGUN_FROM:
        return apply_event(unit, order, Event.BEGIN, HOLDER, "verified online")
    return order
