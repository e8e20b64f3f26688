"""An objection that nobody decided in its term: the card is given back, or the trail says why not.

It takes the first objection to the restriction, filed by the holder themselves. A restriction that somebody else than
the desk decides (the police, a punishment, the registrant), a standing word of the police, a failed face check, a check
that somebody looks at and an open case keep the card as it is: then the objection stays open, overdue, for a person.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import and_, exists, not_, or_, select

from duanka.domain.case_file import CaseState, ItemKind
from duanka.domain.evidence import named_verification
from duanka.domain.identity import Outcome
from duanka.domain.objection import OF_THE_HOLDER, Channel
from duanka.domain.order import SYSTEM, Event, Kind, Order, State, states_before
from duanka.ledger.db.casework.cases import case_items, cases, confirmations
from duanka.ledger.db.tables import orders
from duanka.ledger.db.tables_identity import checks, counter_checks
from duanka.ledger.unit_of_work.four_eyes import REJECTED
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.effects import apply_event

# What only somebody else lifts; the other stops end with the term.
_DECIDED_ELSEWHERE = {
    State.FORCED_STOP: "the police stopped the card",
    State.PUNISHED: "the card is punished until a day",
    State.STOPPED_AT_REQUEST: "the card is stopped at its registrant's own request",
}
_LOOKED_AT = {
    State.SENT_TO_FRAUD_CENTRE: "is at the fraud centre, which decides it",
    State.UNDER_REVIEW: "waits for somebody who reviews it",
}
_LAPSES_FROM = states_before(Kind.OBJECTION, Event.LAPSE)


def term_is_over(unit: UnitOfWork, objection: Order) -> None:
    """Give the card of an undecided objection back, or leave the objection to a person, overdue."""
    restriction = unit.open_order(objection.card, Kind.RESTRICTION)
    written = unit.policy.local_time.written(objection.due_at or unit.now)
    if reasons := list(_kept_for(unit, objection, restriction)):
        why = f"not decided by {written}; the card stays as it is: {'; '.join(reasons)}"
        unit.change(objection, SYSTEM, "overdue", why, due_at=None)
        return
    how = Channel(objection.channel).words.en
    apply_event(
        unit, objection, Event.LAPSE, SYSTEM, f"not decided by {written}; the first objection, filed {how}"
    )


def _kept_for(unit: UnitOfWork, objection: Order, restriction: Order | None) -> Iterator[str]:
    """Yield every reason for which the clock does not give the card back; none: it does."""
    if not unit.policy.restore_undecided:
        yield "the policy leaves it to a person (restore_undecided)"
    if objection.channel not in OF_THE_HOLDER:
        how = Channel(objection.channel).words.en if objection.channel else "filed before that was recorded"
        yield f"it was {how}, and not filed by the holder's link or at a counter"
    if objection.state not in _LAPSES_FROM:
        yield f"it is {objection.state}"
    if restriction is None:
        yield "nothing is stopped"
        return
    if restriction.state in _DECIDED_ELSEWHERE:
        yield _DECIDED_ELSEWHERE[restriction.state]
    else:
        yield from _still_decided(unit, objection.card)
    subjects = {restriction.id, *_verifications(unit, restriction)}
    if objection.parent not in subjects:
        yield f"it is about {objection.parent}, and the card was stopped by {restriction.id} since"
    elif earlier := _earlier(unit, objection, subjects):
        yield f"{earlier} was the first objection to it"
    if failed := _face_not_matched(unit, restriction):
        yield f"a check of {failed} failed"
    if case := _open_case(unit, objection.card):
        yield f"the card is in the open case {case}"


def _still_decided(unit: UnitOfWork, card: str) -> Iterator[str]:
    """Yield what the police say of the card, and who looks at its verification."""
    if case := _police_case(unit, card):
        yield f"the police confirmed the card in case {case}"
    asked = unit.open_order(card, Kind.VERIFICATION)
    if asked and asked.state in _LOOKED_AT:
        yield f"{asked.id} {_LOOKED_AT[asked.state]}"


def _verifications(unit: UnitOfWork, restriction: Order) -> set[str]:
    """Return the verifications that a restriction follows from, or that may lift it."""
    asked = unit.open_order(restriction.card, Kind.VERIFICATION)
    follows = {restriction.parent, named_verification(restriction), asked.id if asked else None}
    return {number for number in follows if number}


def _earlier(unit: UnitOfWork, objection: Order, subjects: set[str]) -> str | None:
    """Return an earlier objection to the same; one that the desk recorded and that was withdrawn does not count."""
    taken_back = and_(
        orders.c.state == State.WITHDRAWN.value, orders.c.channel.not_in([one.value for one in OF_THE_HOLDER])
    )
    others = (
        orders.c.parent.in_(sorted(subjects)),
        orders.c.kind == Kind.OBJECTION.value,
        orders.c.id != objection.id,
        not_(taken_back),
    )
    first = select(orders.c.id).where(*others).order_by(orders.c.opened_at, orders.c.id).limit(1)
    found: str | None = unit.connection.execute(first).scalar()
    return found


def _face_not_matched(unit: UnitOfWork, restriction: Order) -> str | None:
    """Return the verification in which somebody else was seen: by the check, or by one of the staff.

    Those of before the stop count only if it follows from them; one that was withdrawn since is not forgotten.
    """
    since = or_(orders.c.closed_at.is_(None), orders.c.closed_at >= restriction.opened_at)
    failed = exists().where(
        checks.c.order_id == orders.c.id, checks.c.outcome == Outcome.FAILED.value, checks.c.counted == 1
    )
    rejected = exists().where(counter_checks.c.order_id == orders.c.id, counter_checks.c.outcome == REJECTED)
    seen = (
        select(orders.c.id)
        .where(
            orders.c.card == restriction.card,
            orders.c.kind == Kind.VERIFICATION.value,
            or_(since, orders.c.id.in_(sorted(_verifications(unit, restriction)))),
            or_(orders.c.state == State.FAILED.value, failed, rejected),
        )
        .order_by(orders.c.id)
    )
    found: str | None = unit.connection.execute(seen.limit(1)).scalar()
    return found


def _police_case(unit: UnitOfWork, card: str) -> str | None:
    """Return the case of a confirmation (涉案) of the card that stands."""
    stands = (confirmations.c.card == card, confirmations.c.withdrawn_at.is_(None))
    found: str | None = unit.connection.execute(
        select(confirmations.c.case_number).where(*stands).order_by(confirmations.c.id).limit(1)
    ).scalar()
    return found


def _open_case(unit: UnitOfWork, card: str) -> str | None:
    named = (
        select(cases.c.id)
        .join(case_items, case_items.c.case_id == cases.c.id)
        .where(
            case_items.c.value == card,
            case_items.c.kind == ItemKind.CARD.value,
            cases.c.state == CaseState.OPEN.value,
        )
    )
    found: str | None = unit.connection.execute(named.order_by(cases.c.id).limit(1)).scalar()
    return found
