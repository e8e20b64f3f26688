"""What a verdict does to its order: at once, too late, to a person, and never a stop."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import product

import pytest
from sqlalchemy import select

from duanka.domain.identity import CheckReason, Outcome, Session, SessionStage, Verdict, VerificationProgress
from duanka.domain.order import Event, State, UnknownOrder
from duanka.domain.text import BilingualText
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables_identity import checks, pictures
from duanka.orders.bulk_actions.service import BulkActionService
from support.orders.books import DESK, HOUR, NOW, card, delivered, demand, receive, restriction
from support.orders.books import SECOND as SUPERVISOR
from support.orders.online import (
    DARK,
    PASSED,
    SECOND,
    STEPS,
    STRANGER,
    UNSURE,
    YES,
    Online,
    count,
    frames,
    policy,
    refused,
    templates,
    trail,
)

DAY = 24 * HOUR


def test_failures_count_to_the_counter_and_never_to_a_stop(store: Store) -> None:
    way = Online(store)
    order = way.asked()
    session = way.agreed(order.id)
    at = NOW
    for left in (2, 1):
        assert way.settled(session, DARK, at).left == left + 1, "a dark picture is no failure"
        found = way.settled(session, STRANGER, at + SECOND)
        assert found == VerificationProgress(
            SessionStage.AGAIN, State.IN_PROGRESS, left, (CheckReason.OTHER_PERSON,)
        )
        at += HOUR / 6
    found = way.settled(session, STRANGER, at)
    used_up = (CheckReason.OTHER_PERSON, CheckReason.USED_UP)
    assert found == VerificationProgress(SessionStage.COUNTER, State.SENT_TO_COUNTER, 0, used_up)
    assert refused(way.checks.draw, session, STEPS, at + HOUR / 6) is CheckReason.USED_UP
    after = way.state(order.id)
    assert (after.state, after.due_at) == (State.SENT_TO_COUNTER, order.due_at)
    assert restriction(way.orders) is None
    assert way.orders.apply(order.id, Event.PASS, DESK, "at the counter", NOW + HOUR).state is State.PASSED


def test_too_late_and_used_up_stays_as_it_is(store: Store) -> None:
    way = Online(store, policy(failures=1))
    order = way.asked()
    way.orders.sweep(NOW + DAY)
    stopped = restriction(way.orders)
    found = way.settled(way.agreed(order.id, NOW + DAY), STRANGER, NOW + DAY)
    assert (found.stage, found.state) == (SessionStage.COUNTER, State.EXPIRED)
    assert restriction(way.orders) == stopped


def test_a_verdict_counts_once(store: Store) -> None:
    way = Online(store)
    order = way.asked()
    challenge, here = way.taken(way.agreed(order.id))
    first = way.checks.settle(challenge.id, STRANGER, None, here)
    assert way.checks.settle(challenge.id, PASSED, None, here) == first
    assert (first.left, way.state(order.id).state) == (2, State.IN_PROGRESS)
    assert len(trail(store, "check.settle")) == 1
    with pytest.raises(UnknownOrder):
        way.checks.settle("unknown", PASSED, None, here)


def test_a_verdict_without_numbers_is_kept_too(store: Store) -> None:
    way = Online(store)
    odd = Verdict(Outcome.FAILED, (CheckReason.NO_FACE,), float("nan"), {"turn": float("inf"), "mouth": 0.25})
    assert way.settled(way.agreed(way.asked().id), odd).reasons == (CheckReason.NO_FACE,)
    with store.reading() as connection:
        row = connection.execute(select(checks.c.similarity, checks.c.signals)).one()
    assert tuple(row) == (None, '{"mouth": 0.25}')


def test_whoever_was_quicker_than_the_verdict_is_left_alone(store: Store) -> None:
    way = Online(store, policy(failures=1))
    events = (Event.WITHDRAW, Event.TO_FRAUD_CENTRE, Event.PASS)
    for number, (event, verdict) in enumerate(product(events, (PASSED, UNSURE, STRANGER))):
        order = way.asked(number)
        challenge, here = way.taken(way.agreed(order.id))
        before = way.orders.apply(order.id, event, SUPERVISOR, "meanwhile", here)
        way.checks.settle(challenge.id, verdict, b"picture", here)
        assert way.state(order.id) == before
        assert len(trail(store, "check.settle")) == number + 1, "and it is kept"
    assert count(store, pictures) == 0, "without a picture"
    assert way.reviews.waiting(DESK).items == ()


def test_a_verdict_that_comes_after_a_review_began_is_for_the_reviewer(store: Store) -> None:
    way = Online(store)
    order = way.asked()
    session, at, lost = way.agreed(order.id), NOW, []
    for _ in range(3):
        challenge, here = way.taken(session, at)
        lost.append(challenge.id)
        at = here + 120 * SECOND
    found = way.settled(session, UNSURE, at)
    assert found == VerificationProgress(SessionStage.REVIEW, State.UNDER_REVIEW, 3, (CheckReason.UNSURE,))
    later = at + 300 * SECOND
    for challenge_id, verdict in zip(lost, (PASSED, STRANGER, UNSURE), strict=True):
        assert way.checks.settle(challenge_id, verdict, b"picture", later).stage is SessionStage.REVIEW
    assert len(way.reviews.waiting(DESK).items) == 1
    looks = way.agreed(order.id, later)
    assert refused(way.checks.draw, looks, STEPS, later) is CheckReason.NOT_AVAILABLE
    assert way.checks.session(looks.token, later).order_id == order.id


def test_failures_never_exceed_what_the_policy_says(store: Store) -> None:
    way = Online(store, policy(failures=1))
    order = way.asked()
    session = way.agreed(order.id)
    lost, here = way.taken(session)
    at = here + 120 * SECOND
    early = way.checks.draw(session, STEPS, at)
    assert way.settled(session, STRANGER, at + 45 * SECOND).left == 0
    sent = refused(way.checks.take, session, early.id, frames(), at + 59 * SECOND)
    assert sent is CheckReason.USED_UP
    assert way.checks.settle(lost.id, STRANGER, None, at + 60 * SECOND).left == 0
    with store.reading() as connection:
        assert sum(connection.execute(select(checks.c.counted)).scalars()) == 1
    assert way.state(order.id).state is State.SENT_TO_COUNTER


@pytest.mark.parametrize("verdict", [PASSED, UNSURE], ids=["passed", "unsure"])
def test_a_late_verdict_on_a_card_that_is_free_already_moves_nothing(store: Store, verdict: Verdict) -> None:
    way = Online(store)
    order = way.asked()
    way.orders.sweep(NOW + DAY)
    challenge, here = way.taken(way.agreed(order.id, NOW + DAY), NOW + DAY)
    BulkActionService(way.orders).propose(
        Event.RESTORE, [card(0)], BilingualText("误停", "an error"), DESK, here
    )
    before = way.state(order.id)
    assert (before.state, before.closed_at) == (State.EXPIRED, here)
    assert way.checks.settle(challenge.id, verdict, b"picture", here).stage is SessionStage.COUNTER
    assert way.state(order.id) == before
    assert (len(trail(store, "check.settle")), count(store, pictures)) == (1, 0)


def test_a_tier_that_rose_while_frames_were_looked_at_counts(store: Store) -> None:
    way = Online(store)
    for number, tier in enumerate(("high", "extreme")):
        order = way.asked(number)
        challenge, here = way.taken(way.agreed(order.id))
        receive(way.orders, [demand(number, tier=tier)], here)
        found = way.checks.settle(challenge.id, PASSED, None, here)
        assert found.stage is {"high": SessionStage.REVIEW, "extreme": SessionStage.COUNTER}[tier]
        assert way.state(order.id).state is not State.PASSED


def late_review(way: Online) -> tuple[str, Session]:
    order = way.asked()
    way.orders.sweep(NOW + DAY)
    session = way.agreed(order.id, NOW + DAY)
    found = way.settled(session, UNSURE, NOW + DAY)
    assert (found.stage, found.state) == (SessionStage.REVIEW, State.UNDER_REVIEW)
    return order.id, session


def test_a_late_check_reaches_a_person_who_restores(store: Store) -> None:
    way = Online(store)
    number, _ = late_review(way)
    assert restriction(way.orders), "stopped until somebody decides"
    way.orders.apply(number, Event.PASS, DESK, "it is them", NOW + 25 * HOUR)
    assert restriction(way.orders) is None


def test_a_late_check_that_a_person_refuses_leaves_the_card_stopped(store: Store) -> None:
    way = Online(store)
    number, _ = late_review(way)
    before = restriction(way.orders)
    assert way.orders.apply(number, Event.FAIL, DESK, "another face", NOW + 25 * HOUR).state is State.FAILED
    assert restriction(way.orders) == before
    assert way.checks.standing(number, NOW + 25 * HOUR).reasons == (), (
        "and nobody is told that a person will look"
    )
    assert way.orders.apply(number, Event.PASS, DESK, "with papers", NOW + 26 * HOUR).state is State.PASSED


def test_a_late_check_that_is_sent_to_the_counter_has_its_hours_and_no_machine(store: Store) -> None:
    way = Online(store)
    number, session = late_review(way)
    at = NOW + 25 * HOUR
    sent = way.orders.apply(number, Event.TO_COUNTER, DESK, "unclear", at)
    assert sent.due_at == at + DAY
    found = way.checks.standing(number, at)
    assert (found.stage, found.reasons) == (SessionStage.COUNTER, (CheckReason.NOT_AVAILABLE,))
    assert (
        refused(partial(way.checks.agree, browser="browser"), way.link(number, at), YES, at)
        is CheckReason.NOT_AVAILABLE
    )
    assert refused(way.checks.draw, session, STEPS, at - SECOND) is CheckReason.NOT_AVAILABLE
    before = restriction(way.orders)
    assert way.orders.sweep(at + DAY) == 1
    assert way.state(number).state is State.EXPIRED
    assert restriction(way.orders) == before


@pytest.mark.parametrize("moved_on", [False, True], ids=["under review", "at the counter"])
def test_a_card_that_is_given_back_by_hand_meanwhile_stays_so(store: Store, moved_on: bool) -> None:
    way = Online(store)
    number, _ = late_review(way)
    if moved_on:
        way.orders.apply(number, Event.TO_COUNTER, DESK, "unclear", NOW + 25 * HOUR)
    BulkActionService(way.orders).propose(
        Event.RESTORE, [card(0)], BilingualText("误停", "an error"), DESK, NOW + 26 * HOUR
    )
    after = way.state(number)
    assert (after.state, after.due_at) == (State.WITHDRAWN, None)
    assert way.orders.sweep(NOW + 200 * HOUR) == 0
    assert restriction(way.orders) is None
    assert templates(store)[-1] == "restored", "one word about one thing"
    assert way.reviews.waiting(DESK).items == ()


def test_while_a_late_check_is_looked_at_no_heavier_stage_comes(store: Store) -> None:
    from test_transitions import STAGED

    for event, after in ((Event.FAIL, 47 * HOUR), (Event.TO_FRAUD_CENTRE, 47 * HOUR)):
        number = 0 if event is Event.FAIL else 1
        way = Online(store, replace(policy(), stages=STAGED))
        order = way.asked(number)
        way.orders.sweep(NOW + DAY)
        barred = restriction(way.orders, number)
        assert barred
        assert (barred.state, barred.due_at) == (State.OUTGOING_BARRED, NOW + 72 * HOUR)
        way.settled(way.agreed(order.id, NOW + DAY), UNSURE, NOW + DAY)
        assert way.orders.sweep(NOW + 80 * HOUR) == 0, "the delay is ours"
        way.orders.apply(order.id, event, SUPERVISOR, "decided", NOW + DAY + after)
        going_on = restriction(way.orders, number)
        assert going_on
        assert going_on.due_at == NOW + 72 * HOUR
        assert way.orders.sweep(NOW + 72 * HOUR) == 1


def test_a_cancelled_card_is_not_stopped_anew_by_its_verification(store: Store) -> None:
    way = Online(store)
    acts, order = BulkActionService(way.orders), delivered(way.orders)
    for event in (Event.SUSPEND, Event.CANCEL):
        act = acts.propose(event, [card(0)], BilingualText("窝点", "a farm"), DESK, NOW)
        acts.approve(act.id, SUPERVISOR, "fine", NOW)
        acts.carry_out(NOW)
    assert way.state(order.id).state is State.WITHDRAWN
    assert way.orders.sweep(NOW + 100 * HOUR) == 0
    assert restriction(way.orders) is None
