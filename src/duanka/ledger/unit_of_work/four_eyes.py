"""Where letting a card go takes two people, and who says that a verification failed.

Two are two of the staff at a counter, the check online and one of the staff who had no hand in it, or one who proposes
and one who approves. The rule holds for every way out of a verification: a pass, a withdrawal, a restoration, an
objection that is upheld.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, exists, select, update

from duanka.domain.evidence import Witnesses, had_a_hand_in
from duanka.domain.identity import CheckReason, Outcome
from duanka.domain.order import STAFF, Event, Kind, NeedsSecondPerson, Order, Person, State
from duanka.domain.order_commands import typed
from duanka.domain.person import Role, same_person
from duanka.ledger.db.bulk import among
from duanka.ledger.db.tables_identity import checks, counter_checks
from duanka.ledger.unit_of_work.batch_facts import TableFact
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork

PASSED, REJECTED = "passed", "rejected"  # what became of a counter check; None: it waits
_LETS_GO = {
    (Kind.VERIFICATION, Event.WITHDRAW),
    (Kind.RESTRICTION, Event.RESTORE),
    (Kind.RESTRICTION, Event.EASE),
}


def takes_two(turn: UnitOfWork, card: str) -> bool:
    """Whether the policy wants two people to let this card go: by the tier of what is asked, or of what stops it."""
    tiers = turn.policy.identity.second_person_tiers
    restriction = turn.open_order(card, Kind.RESTRICTION)
    if restriction is not None and restriction.state is State.FORCED_STOP:
        return False  # only the police let it go
    verification = turn.open_order(card, Kind.VERIFICATION)
    return any(order is not None and order.tier in tiers for order in (verification, restriction))


def withdrawing_takes_two(turn: UnitOfWork, verification: Order) -> bool:
    """Whether the policy wants two people to withdraw it, also while the police stop its card."""
    tiers = turn.policy.identity.second_person_tiers
    return verification.tier in tiers or takes_two(turn, verification.card)


def two_looked(turn: UnitOfWork, before: Order, event: Event, by: Person) -> None:
    """NeedsSecondPerson where one person alone lets go a card of a tier that takes two.

    `before`: the order before `event`. The check online was the first where it left the decision to a person, nobody
    has decided since, and whoever decides had no hand in it. Of the police the first is who brought the card there.
    """
    if by.role is Role.POLICE:
        _police_are_two(turn, before, event, by)
    if by.role not in STAFF:
        return
    match before.kind, event:
        case Kind.VERIFICATION, Event.PASS:
            alone = before.tier in turn.policy.identity.second_person_tiers
            alone = alone and not _confirmed(turn, before) and not _reviews(turn, before, by)
            how = (
                f"record what you saw: `duanka counter verify {before.id} …`, and let somebody else confirm it:"
                f" `duanka counter confirm {before.id} --why …`"
            )
        case Kind.OBJECTION, Event.UPHOLD:
            others = [name for name in before.helped_by if not same_person(by.id, name)]
            alone = takes_two(turn, before.card) and not others
            accept = f"accept it: {typed(before.kind, Event.ACCEPT, before.id)}, and "
            how = f"{'' if before.helped_by else accept}let somebody else uphold it"
        case _:
            alone = (before.kind, event) in _LETS_GO and _tier_takes_two(turn, before)
            how = (
                f"{typed(before.kind, event, before.id)} (HTTP: POST /acts) proposes it, and a supervisor who is"
                " somebody else approves"
            )
    if alone:
        raise NeedsSecondPerson(
            f"{by.id} alone cannot {event} {before.id}: its tier takes two people under this policy; {how}"
        )


def _police_are_two(turn: UnitOfWork, before: Order, event: Event, by: Person) -> None:
    """NeedsSecondPerson where one of the police alone took a card over from those who must be two, and lets it go."""
    tiers = turn.policy.identity.second_person_tiers
    passes = (before.kind, event) == (Kind.VERIFICATION, Event.PASS) and before.tier in tiers
    if (passes or event is Event.POLICE_RELEASE) and had_a_hand_in(before, by.id):
        took = "stopped the card of" if event is Event.POLICE_RELEASE else "sent to the fraud centre"
        raise NeedsSecondPerson(
            f"{by.id} {took} {before.id}, and its tier took two people before: let somebody else of the police"
            f" decide: {typed(before.kind, event, before.id)}"
        )


def witnesses_of(turn: UnitOfWork, before: Order, by: Person) -> Witnesses:
    """Who says that the verification `before` failed, when `by` says so now."""
    staff = by.id if by.role in STAFF else ""
    if before.state is not State.UNDER_REVIEW:
        return Witnesses(staff)
    unsure = (checks.c.outcome == Outcome.REVIEW.value, checks.c.reviewed_at.is_(None))
    not_passed = exists().where(
        checks.c.order_id == before.id,
        # what only the policy sends to a person, the machine had passed
        *unsure,
        checks.c.reasons != CheckReason.POLICY.value,
    )
    return Witnesses(staff, machine=bool(turn.connection.execute(select(not_passed)).scalar()))


def _with_waiting_check(connection: Connection, of: Collection[str]) -> dict[str, bool]:
    mine = (among(connection, counter_checks.c.order_id, of), counter_checks.c.outcome.is_(None))
    return dict.fromkeys(connection.execute(select(counter_checks.c.order_id).where(*mine)).scalars(), True)


_CHECK_WAITS = TableFact(counter_checks, _with_waiting_check, absent=False)


def check_waits(turn: UnitOfWork, order: Order) -> bool:
    """Whether a counter check of this verification waits for a second of the staff."""
    return turn.about_orders(_CHECK_WAITS, order)


def decided(turn: UnitOfWork, before: Order) -> None:
    """A verification left the review: the check that led to it waits for nobody any more."""
    if before.state is State.UNDER_REVIEW:
        waiting = _reviews_of(before)
        turn.connection.execute(update(checks).where(*waiting).values(reviewed_at=turn.now))


def _tier_takes_two(turn: UnitOfWork, before: Order) -> bool:
    """The tier of the order itself, or of the verification that lifting a restriction would end."""
    tiers = turn.policy.identity.second_person_tiers
    if before.tier in tiers:
        return True
    verification = turn.open_order(before.card, Kind.VERIFICATION)
    return before.kind is Kind.RESTRICTION and verification is not None and verification.tier in tiers


def _confirmed(turn: UnitOfWork, order: Order) -> bool:
    two = exists().where(
        counter_checks.c.order_id == order.id,
        counter_checks.c.outcome == PASSED,
        counter_checks.c.second_by.is_not(None),
    )
    return bool(turn.connection.execute(select(two)).scalar())


def _reviews(turn: UnitOfWork, order: Order, by: Person) -> bool:
    """Whether `by` reviews a check by machine that is somebody else's."""
    if order.state is not State.UNDER_REVIEW or had_a_hand_in(order, by.id):
        return False
    return bool(turn.connection.execute(select(_undecided(order))).scalar())


def _undecided(order: Order) -> ColumnElement[bool]:
    return exists().where(*_reviews_of(order))


def _reviews_of(order: Order) -> tuple[ColumnElement[bool], ...]:
    return (
        checks.c.order_id == order.id,
        checks.c.outcome == Outcome.REVIEW.value,
        checks.c.reviewed_at.is_(None),
    )
