"""Without a link: who has number and order number may prove who they are by their face, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select

from duanka.domain.identity import (
    CheckReason,
    CheckRefused,
    Session,
    SessionStage,
    UnlinkedNumbers,
    Verdict,
)
from duanka.domain.identity_ports import ReviewPictures
from duanka.domain.order import (
    SYSTEM,
    Event,
    NoSuchTransition,
    Order,
    OrderError,
    Person,
    Role,
    State,
)
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import Fault
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables_holders import unlinked_checks, unlinked_sessions
from duanka.ledger.db.tables_identity import checks, pictures
from duanka.orders.bulk_actions.service import BulkActionService
from support.api.asking import on_sqlite_alone
from support.orders.books import DESK, HOUR, NOW, POLICE, card, restriction
from support.orders.books import SECOND as SUPERVISOR
from support.orders.online import (
    PASSED,
    RECORDED,
    STEPS,
    STRANGER,
    UNSURE,
    YES,
    Online,
    count,
    frames,
    policy,
    refused,
    trail,
)
from support.waiting import HANG

LATE = NOW + 25 * HOUR
HERE, THERE = "203.0.113.7", "198.51.100.0"
KEPT = ReviewPictures(b"\xff\xd8\xff registered", b"\xff\xd8\xff captured")


class Visits:
    """The way without a link beside the one by a link."""

    def __init__(self, way: Online) -> None:
        self.way = way
        self.checks = way.checks.unlinked

    def begun(self, order: Order | str, number: int = 0, at: datetime = LATE, address: str = HERE) -> Session:
        told = order if isinstance(order, str) else order.id
        return self.checks.begin(UnlinkedNumbers.typed(card(number), told), YES, address, at)

    def settled(self, session: Session, verdict: Verdict, at: datetime = LATE) -> SessionStage:
        challenge = self.checks.draw(session, STEPS, at)
        self.checks.take(session, challenge.id, frames(), at + RECORDED)
        self.checks.settle(challenge.id, verdict, KEPT, at + RECORDED)
        return self.checks.progress(session, at + RECORDED).stage


def stopped(way: Online, number: int = 0, tier: str = "medium") -> tuple[Order, Order]:
    """A card that is stopped for a verification that ran out: the verification, and the restriction."""
    asked = way.asked(number, tier)
    way.orders.sweep(NOW + 24 * HOUR)
    found = restriction(way.orders, number)
    assert found
    return way.state(asked.id), found


@pytest.mark.parametrize("by", ["verification", "restriction"])
def test_the_face_gives_the_card_back(store: Store, by: str) -> None:
    visits = Visits(Online(store))
    asked, stop = stopped(visits.way)
    session = visits.begun(asked if by == "verification" else stop)
    assert not visits.checks.restored(session)
    assert visits.settled(session, PASSED) is SessionStage.PASSED
    assert visits.checks.restored(session)
    assert (visits.way.state(asked.id).state, visits.way.state(stop.id).state) == (
        State.PASSED,
        State.RESTORED,
    )
    told = [
        one.what
        for what in ("unlinked.begin", "unlinked.settle", "check.settle")
        for one in trail(store, what)
    ]
    assert told == ["unlinked.begin", "unlinked.settle", "check.settle"]
    assert trail(store, "consent.face_data") == [], "nothing is recorded as the holder's consent"
    assert not [one for one in visits.way.orders.terms.trail.verify(store) if isinstance(one, Fault)]


@pytest.mark.parametrize("begun", [False, True])
def test_a_verification_whose_hours_run_is_passed_too(store: Store, begun: bool) -> None:
    visits = Visits(Online(store))
    asked = visits.way.asked()
    if begun:
        visits.way.agreed(asked.id)
    assert visits.settled(visits.begun(asked, at=NOW), PASSED, NOW) is SessionStage.PASSED
    assert visits.way.state(asked.id).state is State.PASSED


@on_sqlite_alone
@pytest.mark.parametrize("verdict", [STRANGER, UNSURE])
def test_a_failure_is_nobodys(store: Store, verdict: Verdict) -> None:
    visits = Visits(Online(store))
    asked, stop = stopped(visits.way)
    mine = visits.way.agreed(asked.id, LATE)
    drawn = visits.way.checks.draw(mine, STEPS, LATE)
    for address in (HERE, THERE):
        for _ in range(2):
            session = visits.begun(asked, address=address)
            assert visits.settled(session, verdict) is SessionStage.AGAIN
            (reason,) = visits.checks.progress(session, LATE + RECORDED).reasons
            assert reason is CheckReason.OTHER_PERSON, "not sure is no match here"
    assert visits.way.state(asked.id) == asked
    assert visits.way.state(stop.id) == stop
    assert visits.way.checks.standing(asked.id, LATE).left == 3, "the holder's own tries are whole"
    assert visits.way.checks.draw(mine, STEPS, LATE).id == drawn.id, "and their session goes on"
    assert visits.way.settled(mine, PASSED, LATE).stage is SessionStage.PASSED
    assert len(trail(store, "unlinked.settle")) == 4


def test_a_failure_is_no_evidence_and_does_not_outlast_an_objection(store: Store) -> None:
    way = Online(store, replace(Online(store).policy, restore_undecided=True))
    visits = Visits(way)
    asked, stop = stopped(way)
    visits.settled(visits.begun(asked), STRANGER)
    objection = way.orders.object(card(0), "一", Person("holder", Role.HOLDER), LATE)
    assert objection.due_at
    way.orders.sweep(objection.due_at)
    assert way.state(stop.id).state is State.RESTORED


def _police(way: Online, _: Order) -> None:
    way.orders.police_stop(card(0), "case", POLICE, "confirmed", LATE)


def _punished(way: Online, _: Order) -> None:
    acts = BulkActionService(way.orders)
    act = acts.propose(Event.PUNISH, [card(0)], BilingualText("租", "rented"), DESK, LATE, LATE + 999 * HOUR)
    acts.approve(act.id, SUPERVISOR, "fine", LATE)
    acts.carry_out(LATE)


def _passed(way: Online, asked: Order) -> None:
    way.orders.apply(asked.id, Event.PASS, DESK, "seen", LATE)


def _to_police(way: Online, asked: Order) -> None:
    way.orders.apply(asked.id, Event.TO_FRAUD_CENTRE, SUPERVISOR, "look", LATE)


def _reviewed(way: Online, asked: Order) -> None:
    way.settled(way.agreed(asked.id, LATE), UNSURE, LATE)


@on_sqlite_alone
@pytest.mark.parametrize("done", [_police, _punished, _passed, _to_police, _reviewed])
def test_what_nobody_reaches_this_way(store: Store, done: Callable[[Online, Order], None]) -> None:
    visits = Visits(Online(store))
    asked, stop = stopped(visits.way)
    before = visits.begun(asked)
    done(visits.way, asked)
    was = visits.way.state(asked.id), visits.way.state(stop.id)
    for session in (before, visits.begun(asked), visits.begun(stop)):
        assert visits.settled(session, PASSED) is SessionStage.AGAIN
    assert (visits.way.state(asked.id), visits.way.state(stop.id)) == was
    assert visits.checks.card_of(visits.begun(asked)) == ""


@on_sqlite_alone
@pytest.mark.parametrize(
    ("number", "order"), [(1, "ours"), (0, "V0123456789AB"), (0, "R0123456789AB"), (7, "V0123456789AB")]
)
def test_numbers_that_lead_nowhere_are_told_the_same(store: Store, number: int, order: str) -> None:
    visits = Visits(Online(store))
    asked, _ = stopped(visits.way)
    if number == 1:
        visits.way.asked(1)
    known, nowhere = (
        visits.begun(asked),
        visits.begun(asked.id if order == "ours" else order, number, address=THERE),
    )

    def course(session: Session, verdict: Verdict) -> list[Any]:
        told: list[Any] = [visits.checks.progress(session, LATE)]
        challenge = visits.checks.draw(session, STEPS, LATE)
        visits.checks.take(session, challenge.id, frames(), LATE + RECORDED)
        told.append(visits.checks.progress(session, LATE + RECORDED))
        visits.checks.settle(challenge.id, verdict, KEPT, LATE + RECORDED)
        return [*told, visits.checks.progress(session, LATE + RECORDED)]

    assert (
        course(known, STRANGER)
        == course(nowhere, STRANGER)
        == course(visits.begun("V0123456789AC", address="192.0.2.1"), PASSED)
    )
    assert visits.checks.card_of(nowhere) == ""
    with store.reading() as connection:
        kept = connection.execute(select(unlinked_sessions)).all()
    assert card(0) not in str(kept), "numbers and addresses are kept as keyed hashes"
    assert HERE not in str(kept)


def test_tries_are_limited_by_card_and_by_address(store: Store) -> None:
    visits = Visits(Online(store, policy(unlinked_tries=2, unlinked_card=3, unlinked_address=5)))
    asked, stop = stopped(visits.way)

    def uses_up(order: str, number: int, address: str) -> int:
        for used in range(20):
            try:
                visits.settled(visits.begun(order, number, address=address), STRANGER)
            except CheckRefused:
                return used
        raise AssertionError("no end")

    assert uses_up(asked.id, 0, HERE) == 2, "of a card from an address"
    assert uses_up(asked.id, 0, THERE) == 1, "of a card"
    assert uses_up(stop.id, 0, "192.0.2.1") == 0, "the stop of the verification has no tries of its own"
    assert uses_up("V0123456789AB", 0, HERE) == 2, "who has the phone number alone uses up nothing of it"
    assert uses_up("V0123456789AC", 2, HERE) == 1, "from an address"
    assert uses_up("V0123456789AC", 2, "192.0.2.1") == 2
    assert visits.way.checks.standing(asked.id, LATE).left == 3
    day = timedelta(hours=24)
    assert visits.settled(visits.begun(asked, at=LATE + day), STRANGER, LATE + day) is SessionStage.AGAIN


def test_what_was_our_fault_does_not_count(store: Store) -> None:
    visits = Visits(Online(store, policy(unlinked_tries=1)))
    session = visits.begun(stopped(visits.way)[0])
    challenge = visits.checks.draw(session, STEPS, LATE)
    visits.checks.take(session, challenge.id, frames(), LATE + RECORDED)
    visits.checks.release(challenge.id, LATE + RECORDED)
    visits.checks.settle(challenge.id, PASSED, KEPT, LATE + RECORDED)  # the verdict comes all the same
    assert visits.checks.progress(session, LATE + RECORDED).reasons == (CheckReason.LOST,)
    assert visits.settled(session, STRANGER, LATE + HOUR / 2) is SessionStage.COUNTER
    assert refused(visits.checks.draw, session, STEPS, LATE + HOUR / 2) is CheckReason.USED_UP


def test_at_once_from_many_sides_the_limits_hold(store: Store) -> None:
    visits = Visits(Online(store, policy(unlinked_tries=3)))
    asked, _ = stopped(visits.way)
    begun = [visits.begun(asked) for _ in range(6)]
    together = Barrier(6)

    def draw(session: Session) -> bool:
        together.wait(timeout=HANG)
        try:
            visits.checks.draw(session, STEPS, LATE)
        except CheckRefused:
            return False
        return True

    with ThreadPoolExecutor(6) as many:
        assert sum(many.map(draw, begun)) == 3


def test_a_challenge_is_answered_once_and_by_its_own_session(store: Store) -> None:
    visits = Visits(Online(store))
    asked, _ = stopped(visits.way)
    mine, other = visits.begun(asked), visits.begun(asked)
    challenge = visits.checks.draw(mine, STEPS, LATE)
    assert visits.checks.drawn(mine, LATE) == challenge
    take = visits.checks.take
    assert refused(take, other, challenge.id, frames(), LATE + RECORDED) is CheckReason.OTHER_SESSION
    take(mine, challenge.id, frames(), LATE + RECORDED)
    assert refused(take, mine, challenge.id, frames(), LATE + RECORDED) is CheckReason.REPLAYED
    assert refused(visits.checks.draw, mine, STEPS, LATE + RECORDED) is CheckReason.BUSY
    visits.checks.settle(challenge.id, PASSED, KEPT, LATE + RECORDED)
    visits.checks.settle(challenge.id, STRANGER, KEPT, LATE + RECORDED)
    assert visits.way.state(asked.id).state is State.PASSED
    assert refused(visits.checks.draw, mine, STEPS, LATE + RECORDED) is CheckReason.NOT_AVAILABLE


def test_a_link_and_no_link_share_no_frames(store: Store) -> None:
    visits = Visits(Online(store))
    asked, _ = stopped(visits.way)
    same = frames()
    linked = visits.way.agreed(asked.id, LATE)
    first = visits.way.checks.draw(linked, STEPS, LATE)
    visits.way.checks.take(linked, first.id, same, LATE + RECORDED)
    session = visits.begun(asked)
    second = visits.checks.draw(session, STEPS, LATE)
    assert refused(visits.checks.take, session, second.id, same, LATE + RECORDED) is CheckReason.REPLAYED


@on_sqlite_alone
def test_a_tier_that_takes_a_person_is_seen_by_one(store: Store) -> None:
    visits = Visits(Online(store))
    asked, stop = stopped(visits.way, tier="high")
    session = visits.begun(asked)
    assert visits.settled(session, PASSED) is SessionStage.REVIEW
    assert visits.way.state(asked.id).state is State.UNDER_REVIEW
    assert count(store, pictures) == 2, "sealed, for the reviewer"
    file = visits.way.reviews.open(asked.id, DESK, "to look", LATE)
    assert (file.reference, file.captured) == (KEPT.reference, KEPT.captured)
    with pytest.raises(NoSuchTransition, match="made without a link"):
        visits.way.orders.apply(asked.id, Event.FAIL, DESK, "somebody else", LATE)
    visits.way.orders.apply(asked.id, Event.PASS, DESK, "it is them", LATE)
    assert visits.checks.progress(session, LATE).stage is SessionStage.PASSED
    assert visits.way.state(stop.id).state is State.RESTORED


def test_whom_a_reviewer_does_not_know_fails_nobody(store: Store) -> None:
    visits = Visits(Online(store))
    asked, _ = stopped(visits.way, tier="high")
    session = visits.begun(asked)
    visits.settled(session, PASSED)
    visits.way.orders.apply(asked.id, Event.TO_COUNTER, DESK, "somebody else", LATE)
    assert visits.checks.progress(session, LATE).stage is SessionStage.COUNTER
    standing = visits.way.checks.standing(asked.id, LATE)
    assert (standing.stage, standing.left) == (SessionStage.READY, 3), "the holder's link goes on"
    assert visits.way.state(asked.id).evidence == asked.evidence


def test_tiers_of_the_counter_are_not_reached(store: Store) -> None:
    visits = Visits(Online(store))
    asked, _ = stopped(visits.way, tier="extreme")
    assert visits.settled(visits.begun(asked), PASSED) is SessionStage.AGAIN
    assert visits.way.state(asked.id) == asked


@on_sqlite_alone
def test_sessions_are_kept_a_day_longer_than_they_count(store: Store) -> None:
    visits = Visits(Online(store))
    asked, _ = stopped(visits.way)
    visits.settled(visits.begun(asked), STRANGER)
    assert visits.checks.purge(LATE + 24 * HOUR) == 0
    assert visits.checks.purge(LATE + 26 * HOUR) == 1
    assert visits.checks.purge(LATE + 26 * HOUR) == 0
    visits.begun(asked, at=LATE + 60 * HOUR)
    visits.checks.purge(LATE + 99 * HOUR)
    assert (count(store, unlinked_checks), count(store, unlinked_sessions)) == (0, 0)


@pytest.mark.parametrize(
    ("typed", "order"),
    [
        ("v0123 4567 89ab", "V0123456789AB"),
        ("Ｖ0123456789AB", "V0123456789AB"),
        ("R-OIL3456789AB", "R0113456789AB"),
    ],
)
def test_an_order_number_may_be_typed_as_it_is_read_aloud(typed: str, order: str) -> None:
    assert UnlinkedNumbers.typed(card(0), typed).order_id == order


@pytest.mark.parametrize("typed", ["", "V", "O0123456789AB", "V0123456789ABC", "V0123456789AU", "123456"])
def test_what_is_no_order_number_says_where_it_stands(typed: str) -> None:
    with pytest.raises(OrderError, match="stands in the notice"):
        UnlinkedNumbers.typed(card(0), typed)


def test_a_closed_verification_is_not_found_again(store: Store) -> None:
    visits = Visits(Online(store))
    asked = visits.way.asked()
    visits.way.orders.apply(asked.id, Event.WITHDRAW, SYSTEM, "in error", NOW)
    assert visits.settled(visits.begun(asked), PASSED) is SessionStage.AGAIN
    with store.reading() as connection:
        assert connection.execute(select(checks)).all() == []
