"""Four-eyes rules: which ways of lifting a restriction take two people.

The two are: two of the staff at a counter; the online check and an uninvolved member of staff; or a proposer and an
approver. The rule covers every event in the holder's favour: pass or withdrawal of a verification, easing or lifting
of a restriction, upheld objection. Also here: who confirms that a verification failed.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, exists, select, update

from duanka.domain.evidence import Witnesses, had_a_hand_in
from duanka.domain.identity import CheckReason, Outcome
from duanka.domain.order import (
    STAFF,
    Event,
    Kind,
    NeedsSecondPerson,
    NoSuchTransition,
    Order,
    Person,
    State,
)
from duanka.domain.order_commands import typed
from duanka.domain.person import Role, same_person
from duanka.ledger.db.bulk import among
from duanka.ledger.db.tables_identity import checks, counter_checks
from duanka.ledger.unit_of_work.batch_facts import TableFact
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork

PASSED, REJECTED = "passed", "rejected"  # outcome of a counter check; None: pending
_LETS_GO = {
    (Kind.VERIFICATION, Event.WITHDRAW),
    (Kind.RESTRICTION, Event.RESTORE),
    (Kind.RESTRICTION, Event.EASE),
    (Kind.RESTRICTION, Event.EASE_TO_LIFELINE),
}


def needs_two_people(unit: UnitOfWork, card: str, *about: Order) -> bool:
    """Whether the tier of one of these orders, or of the card's open ones, takes two.

    While the police stop the card, its open orders do not count: only the police can lift it.
    """
    restriction = unit.open_order(card, Kind.RESTRICTION)
    by_police = restriction is not None and restriction.state is State.FORCED_STOP
    liftable = () if by_police else (unit.open_order(card, Kind.VERIFICATION), restriction)
    return any(order is not None and _of_two(unit, order) for order in (*about, *liftable))


def two_looked(unit: UnitOfWork, before: Order, event: Event, by: Person) -> None:
    """NeedsSecondPerson if `by` would alone lift a card whose tier takes two people.

    `before`: the order before `event`. An online check that left the decision to a person counts as the first person,
    if nobody has decided since and `by` was not involved. For the police, the first is the officer who brought the card
    to them.
    """
    if by.role is Role.POLICE:
        _police_are_two(unit, before, event, by)
    if by.role not in STAFF:
        return
    match before.kind, event:
        case Kind.VERIFICATION, Event.FAIL:
            _not_without_a_link(unit, before)
            return
        case Kind.DISAVOWAL, _:
            alone, how = _disowned_alone(unit, before, event, by)
        case Kind.VERIFICATION, Event.PASS:
            alone = _of_two(unit, before) and not _confirmed(unit, before) and not _reviews(unit, before, by)
            how = (
                f"record what you saw: `duanka counter verify {before.id} …`, and let somebody else confirm it:"
                f" `duanka counter confirm {before.id} --why …`"
            )
        case Kind.OBJECTION, Event.UPHOLD:
            others = [name for name in before.helped_by if not same_person(by.id, name)]
            alone = needs_two_people(unit, before.card) and not others
            accept = f"accept it: {typed(before.kind, Event.ACCEPT, before.id)}, and "
            how = f"{'' if before.helped_by else accept}let somebody else uphold it"
        case _:
            # A withdrawal lifts a restriction by a separate event, with its own check.
            also = before.kind is Kind.RESTRICTION and needs_two_people(unit, before.card)
            alone = (before.kind, event) in _LETS_GO and (also or _of_two(unit, before))
            how = (
                f"{typed(before.kind, event, before.id)} (HTTP: POST /acts) proposes it, and a supervisor who is"
                " somebody else approves"
            )
    if alone:
        raise NeedsSecondPerson(
            f"{by.id} alone cannot {event} {before.id}: its tier takes two people under this policy; {how}"
        )


def _disowned_alone(unit: UnitOfWork, before: Order, event: Event, by: Person) -> tuple[bool, str]:
    """Whether `by` alone would stop a card by a disavowal, or give it back; and how it is done."""
    if event is Event.CONFIRM:
        how = (
            f"record what you saw: `duanka counter not-mine {before.id} …`, and let somebody else confirm it"
        )
        reviewed = unit.open_order(before.card, Kind.VERIFICATION)
        if reviewed and disowning_check_waits(unit, reviewed) and not had_a_hand_in(reviewed, by.id):
            return False, how
        return not _recorded(unit, before, in_hand=False, two=unit.policy.two_people), how
    if (before.state, event) == (State.CONFIRMED, Event.WITHDRAW):
        how = f"verify them in person: `duanka counter mine {before.id} …`; some tiers take somebody else to confirm"
        return not _recorded(unit, before, in_hand=True, two=_of_two(unit, before)), how
    return False, ""


def _recorded(unit: UnitOfWork, order: Order, *, in_hand: bool, two: bool) -> bool:
    """Whether a counter check of a disavowal carries its confirmation, or, with the card in hand, its withdrawal."""
    mine = (
        counter_checks.c.order_id == order.id,
        counter_checks.c.outcome == PASSED,
        counter_checks.c.card_in_hand == int(in_hand),
    )
    second = (counter_checks.c.second_by.is_not(None),) if two else ()
    return bool(unit.connection.execute(select(exists().where(*mine, *second))).scalar())


def disowning_check_waits(unit: UnitOfWork, verification: Order) -> bool:
    """Whether a check waits for a reviewer in which the holder said that the number is not theirs."""
    if verification.state is not State.UNDER_REVIEW:
        return False
    said = exists().where(*_reviews_of(verification), checks.c.disowns == 1)
    return bool(unit.connection.execute(select(said)).scalar())


def _not_without_a_link(unit: UnitOfWork, verification: Order) -> None:
    """NoSuchTransition if the check under review was made without a link: who it was is no failure of the holder."""
    if verification.state is not State.UNDER_REVIEW:
        return
    waits = exists().where(*_reviews_of(verification), checks.c.unlinked == 1)
    if unit.connection.execute(select(waits)).scalar():
        raise NoSuchTransition(
            f"the check of {verification.id} was made without a link, by whoever has number and order number: if it is"
            f" not the holder, nothing is failed: `duanka reviews decide {verification.id} to_counter`"
        )


def counter_passed(unit: UnitOfWork, order: Order) -> bool:
    """Whether a counter check of this verification passed."""
    mine = (counter_checks.c.order_id == order.id, counter_checks.c.outcome == PASSED)
    return bool(unit.connection.execute(select(exists().where(*mine))).scalar())


def _police_are_two(unit: UnitOfWork, before: Order, event: Event, by: Person) -> None:
    """NeedsSecondPerson if the officer who brought a card to the police also lifts it.

    Only if the tier takes two people; for a release, if it did when the police stopped the card.
    """
    passes = (before.kind, event) == (Kind.VERIFICATION, Event.PASS) and _of_two(unit, before)
    if (passes or event is Event.POLICE_RELEASE) and had_a_hand_in(before, by.id):
        took = "stopped the card of" if event is Event.POLICE_RELEASE else "sent to the fraud centre"
        raise NeedsSecondPerson(
            f"{by.id} {took} {before.id}, and its tier took two people before: let somebody else of the police"
            f" decide: {typed(before.kind, event, before.id)}"
        )


def witnesses_of(unit: UnitOfWork, before: Order, by: Person) -> Witnesses:
    """Return who confirms that the verification failed, if `by` fails it now."""
    staff = by.id if by.role in STAFF else ""
    if before.state is not State.UNDER_REVIEW:
        return Witnesses(staff)
    unsure = (checks.c.outcome == Outcome.REVIEW.value, checks.c.reviewed_at.is_(None))
    not_passed = exists().where(
        checks.c.order_id == before.id,
        # a check whose only reason for review is the policy did pass
        *unsure,
        checks.c.reasons != CheckReason.POLICY.value,
    )
    return Witnesses(staff, machine=bool(unit.connection.execute(select(not_passed)).scalar()))


def _with_waiting_check(connection: Connection, of: Collection[str]) -> dict[str, bool]:
    mine = (among(connection, counter_checks.c.order_id, of), counter_checks.c.outcome.is_(None))
    return dict.fromkeys(connection.execute(select(counter_checks.c.order_id).where(*mine)).scalars(), True)


_CHECK_WAITS = TableFact(counter_checks, _with_waiting_check, absent=False)


def check_waits(unit: UnitOfWork, order: Order) -> bool:
    """Whether a counter check of this verification awaits its second person."""
    return unit.about_orders(_CHECK_WAITS, order)


def decided(unit: UnitOfWork, before: Order) -> None:
    """Mark the check that led to a review as decided, when the review ends."""
    if before.state is State.UNDER_REVIEW:
        waiting = _reviews_of(before)
        unit.connection.execute(update(checks).where(*waiting).values(reviewed_at=unit.now))


def _of_two(unit: UnitOfWork, order: Order) -> bool:
    """Whether the tier of the order takes two people under the policy."""
    return order.tier in unit.policy.identity.second_person_tiers


def _confirmed(unit: UnitOfWork, order: Order) -> bool:
    two = exists().where(
        counter_checks.c.order_id == order.id,
        counter_checks.c.outcome == PASSED,
        counter_checks.c.second_by.is_not(None),
    )
    return bool(unit.connection.execute(select(two)).scalar())


def _reviews(unit: UnitOfWork, order: Order, by: Person) -> bool:
    """Whether `by` reviews an online check without having been involved."""
    if order.state is not State.UNDER_REVIEW or had_a_hand_in(order, by.id):
        return False
    return bool(unit.connection.execute(select(exists().where(*_reviews_of(order)))).scalar())


def _reviews_of(order: Order) -> tuple[ColumnElement[bool], ...]:
    return (
        checks.c.order_id == order.id,
        checks.c.outcome == Outcome.REVIEW.value,
        checks.c.reviewed_at.is_(None),
    )
