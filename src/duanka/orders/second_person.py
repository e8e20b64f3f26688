"""Where passing a verification takes two: two of the staff at a counter, or the check online and one of the staff."""

from __future__ import annotations

from sqlalchemy import ColumnElement, exists, select, update

from duanka.domain.identity import Outcome
from duanka.domain.order import STAFF, Event, NeedsSecondPerson, Order, Person, State
from duanka.orders.tables_identity import checks, counter_checks
from duanka.orders.turn import Turn

PASSED, REJECTED = "passed", "rejected"  # what became of a counter check; None: it waits


def two_looked(turn: Turn, before: Order, event: Event, by: Person) -> None:
    """NeedsSecondPerson where one of the staff alone passes the verification `before` of a tier that takes two.

    The check online was the first where it left the decision to a person and nobody has decided since.
    """
    tiers = turn.policy.identity.second_person_tiers
    if event is not Event.PASS or by.role not in STAFF or before.tier not in tiers:
        return
    confirmed = exists().where(
        counter_checks.c.order_id == before.id,
        counter_checks.c.outcome == PASSED,
        counter_checks.c.second_by.is_not(None),
    )
    if turn.connection.execute(select(confirmed)).scalar():
        return
    if before.state is State.UNDER_REVIEW and turn.connection.execute(select(_undecided(before))).scalar():
        return
    raise NeedsSecondPerson(
        f"{by.id} alone cannot pass {before.id}: its tier is {before.tier}, and the policy wants two of the staff;"
        " record what you saw (`duanka counter verify`), and let somebody else confirm it"
    )


def decided(turn: Turn, before: Order) -> None:
    """A verification left the review: the check that led to it waits for nobody any more."""
    if before.state is State.UNDER_REVIEW:
        waiting = _reviews_of(before)
        turn.connection.execute(update(checks).where(*waiting).values(reviewed_at=turn.now))


def _undecided(order: Order) -> ColumnElement[bool]:
    return exists().where(*_reviews_of(order))


def _reviews_of(order: Order) -> tuple[ColumnElement[bool], ...]:
    return (
        checks.c.order_id == order.id,
        checks.c.outcome == Outcome.REVIEW.value,
        checks.c.reviewed_at.is_(None),
    )
