"""The second verification online as it is kept: consent, sessions, challenges and frames."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import select

from duanka.domain.identity import CheckReason, CheckRefused, Frame, SessionStage, VerificationProgress
from duanka.domain.identity_ports import CheckStore
from duanka.domain.order import SYSTEM, AlreadyUsed, Event, State, UnknownOrder
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables_identity import frames_seen, sessions
from support.orders.books import DESK, HOUR, NOW, POLICE, card, demand, receive, restriction, verification
from support.orders.online import (
    NO,
    PASSED,
    RECORDED,
    SECOND,
    STEPS,
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


def test_the_whole_way_passes_at_once(store: Store) -> None:
    way = Online(store)
    book: CheckStore = way.checks
    order = way.asked()
    assert book.standing(order.id, NOW) == VerificationProgress(SessionStage.READY, State.NOTIFIED, 3)
    session = way.agreed(order.id)
    assert (session.order_id, session.card, session.tier) == (order.id, card(0), "medium")
    assert session.expires_at == NOW + HOUR
    assert way.state(order.id).state is State.IN_PROGRESS
    challenge, here = way.taken(session)
    assert book.standing(order.id, here).stage is SessionStage.WAITING
    assert book.settle(challenge.id, PASSED, None, here) == VerificationProgress(
        SessionStage.PASSED, State.PASSED, 3
    )
    assert book.session(session.token, here + SECOND) == replace(session, token="")
    assert book.standing(order.id, here).stage is SessionStage.PASSED
    assert templates(store) == ["verify", "passed"]
    (consent,) = trail(store, "consent.face_data")
    assert (consent.who, consent.subject, consent.at) == ("holder", order.id, NOW)
    assert '"words":"0123abcd"' in consent.after
    (told,) = trail(store, "check.settle")
    assert told.after == '{"counted":false,"outcome":"passed","reasons":"","similarity":0.61}'


def test_who_says_no_goes_to_the_counter_and_loses_no_time(store: Store) -> None:
    way = Online(store)
    order = way.asked()
    link = way.link(order.id)
    assert way.checks.agree(link, NO, NOW + HOUR, browser="browser") is None
    after = way.state(order.id)
    assert (after.state, after.due_at) == (State.SENT_TO_COUNTER, order.due_at)
    assert restriction(way.orders) is None
    assert templates(store) == ["verify", "verify_at_counter"]
    assert [row.subject for row in trail(store, "consent.refused")] == [order.id]
    assert way.checks.agree(link, NO, NOW + HOUR, browser="browser") is None, "and again"
    assert way.checks.standing(order.id, NOW + HOUR).stage is SessionStage.READY
    session = way.checks.agree(link, YES, NOW + 2 * HOUR, browser="browser")
    assert session, "who refused first may come back"
    assert way.state(order.id).due_at == order.due_at
    assert way.settled(session, PASSED, NOW + 2 * HOUR).stage is SessionStage.PASSED


def test_who_takes_the_consent_back_ends_what_the_phone_was_at(store: Store) -> None:
    way = Online(store)
    order = way.asked()
    session = way.agreed(order.id)
    challenge = way.checks.draw(session, STEPS, NOW)
    assert (
        way.checks.agree(way.link(order.id), replace(YES, legal_notice=False), NOW, browser="browser") is None
    )
    assert refused(way.checks.draw, session, STEPS, NOW) is CheckReason.OTHER_SESSION
    assert (
        refused(way.checks.take, session, challenge.id, frames(), NOW + RECORDED) is CheckReason.OTHER_SESSION
    )


@pytest.mark.parametrize("delivery", ["none", "failed"])
def test_who_begins_before_the_receipt_has_got_the_notice(store: Store, delivery: str) -> None:
    way = Online(store)
    receive(way.orders, [demand()], NOW)
    order = verification(way.orders)
    if delivery == "failed":
        way.orders.apply(order.id, Event.NOT_DELIVERED, SYSTEM, "UNDELIV", NOW)
    way.agreed(order.id, NOW + HOUR)
    assert way.state(order.id).due_at == NOW + 25 * HOUR


def test_the_link_of_the_notice_of_suspension_leads_to_the_verification(store: Store) -> None:
    way = Online(store)
    order = way.asked()
    assert way.orders.sweep(NOW + DAY) == 1
    stopped = restriction(way.orders)
    assert stopped
    assert way.checks.standing(stopped.id, NOW + DAY) == VerificationProgress(
        SessionStage.READY, State.EXPIRED, 3
    )
    objection = way.orders.object(card(0), "不是我", DESK, NOW + DAY)
    assert way.checks.standing(objection.id, NOW + DAY).state is State.EXPIRED
    session = way.agreed(stopped.id, NOW + DAY)
    assert session.order_id == order.id
    assert way.state(order.id).state is State.EXPIRED, "late stays late"
    assert way.settled(session, PASSED, NOW + DAY).stage is SessionStage.PASSED
    assert restriction(way.orders) is None
    assert way.checks.standing(stopped.id, NOW + DAY).stage is SessionStage.PASSED


def test_a_card_without_a_verification_has_no_way_online(store: Store) -> None:
    way = Online(store)
    stop = way.orders.police_stop(card(0), "case", POLICE, "confirmed", NOW)
    nothing = VerificationProgress(SessionStage.COUNTER, State.FORCED_STOP, 0, (CheckReason.NOT_AVAILABLE,))
    assert way.checks.standing(stop.id, NOW) == nothing
    assert (
        refused(partial(way.checks.agree, browser="browser"), way.link(stop.id), YES, NOW)
        is CheckReason.NOT_AVAILABLE
    )
    with pytest.raises(UnknownOrder):
        way.checks.standing("V000000000000", NOW)


def test_a_tier_of_the_counter_and_the_fraud_centre_have_no_way_online(store: Store) -> None:
    way = Online(store)
    extreme = way.asked(0, tier="extreme")
    theirs = way.asked(1)
    way.orders.police_stop(card(1), "case", POLICE, "confirmed", NOW)
    for order in (extreme, theirs):
        found = way.checks.standing(order.id, NOW)
        assert (found.stage, found.reasons) == (SessionStage.COUNTER, (CheckReason.NOT_AVAILABLE,))
        assert (
            refused(partial(way.checks.agree, browser="browser"), way.link(order.id), YES, NOW)
            is CheckReason.NOT_AVAILABLE
        )
    assert not trail(store, "consent.face_data"), "nothing was agreed to"


def test_of_two_phones_the_later_one_goes_on(store: Store) -> None:
    way = Online(store)
    order = way.asked()
    first = way.agreed(order.id)
    challenge = way.checks.draw(first, STEPS, NOW)
    second = way.agreed(order.id, NOW + SECOND)
    assert refused(way.checks.draw, first, STEPS, NOW + SECOND) is CheckReason.OTHER_SESSION
    for session in (first, second):
        assert (
            refused(way.checks.take, session, challenge.id, frames(), NOW + RECORDED)
            is CheckReason.OTHER_SESSION
        )
    assert way.checks.standing(order.id, NOW + RECORDED).stage is SessionStage.READY, "nothing was tried"
    assert way.checks.session(first.token, NOW + SECOND).order_id == order.id, "and may look on"
    assert way.settled(second, PASSED, NOW + SECOND).stage is SessionStage.PASSED


def test_a_session_ends_and_its_token_is_known_to_its_page_alone(store: Store) -> None:
    way = Online(store)
    session = way.agreed(way.asked().id)
    assert session.token.startswith("hs_")
    assert len(session.token) == 46
    with store.reading() as connection:
        assert session.token not in str(connection.execute(select(sessions)).all())
    assert session.token not in repr(session)
    with pytest.raises(AlreadyUsed):
        way.checks.session(session.token, session.expires_at)
    for wrong in ("", "hs_", session.token + "x", "\ud800"):
        with pytest.raises(UnknownOrder):
            way.checks.session(wrong, NOW)
    assert refused(way.checks.draw, session, STEPS, session.expires_at) is CheckReason.OTHER_SESSION
    with pytest.raises(UnknownOrder):
        way.checks.agree("nonsense", YES, NOW, browser="browser")


def test_the_open_challenge_is_given_again_while_there_is_time(store: Store) -> None:
    way = Online(store)
    session = way.agreed(way.asked().id)
    first = way.checks.draw(session, STEPS, NOW)
    assert (first.expires_at, first.steps) == (NOW + 60 * SECOND, STEPS)
    assert way.checks.draw(session, STEPS[:2], NOW + 40 * SECOND) == first
    other = way.checks.draw(session, STEPS[:2], NOW + 41 * SECOND)
    assert other.id != first.id
    assert other.steps == STEPS[:2]
    assert way.checks.take(session, first.id, frames(), NOW + 50 * SECOND) == first, "both are good"


def test_challenges_run_out_and_then_it_is_the_counter(store: Store) -> None:
    way = Online(store, policy(challenges=2))
    order = way.asked()
    session = way.agreed(order.id)
    way.checks.draw(session, STEPS, NOW)
    last = way.checks.draw(session, STEPS, NOW + HOUR / 4)
    soon = NOW + HOUR / 4 + 50 * SECOND
    assert way.checks.draw(session, STEPS, soon) == last, "the last one as long as it lasts"
    assert way.checks.standing(order.id, soon).stage is SessionStage.READY
    over = NOW + HOUR / 4 + 60 * SECOND
    assert way.checks.standing(order.id, over).reasons == (CheckReason.USED_UP,)
    assert refused(way.checks.draw, session, STEPS, over) is CheckReason.USED_UP
    after = way.state(order.id)
    assert (after.state, after.due_at) == (State.SENT_TO_COUNTER, order.due_at)
    assert way.checks.standing(order.id, over).stage is SessionStage.COUNTER
    assert (
        refused(partial(way.checks.agree, browser="browser"), way.link(order.id), YES, over)
        is CheckReason.USED_UP
    )
    assert templates(store) == ["verify", "verify_at_counter"]


def test_frames_that_do_not_fit_use_the_challenge_up_and_are_no_failure(store: Store) -> None:
    way = Online(store)
    unfit: dict[str, tuple[tuple[Frame, ...], timedelta, CheckReason]] = {
        "too late": (frames(), 60 * SECOND, CheckReason.EXPIRED),
        "too few": (frames(number=15), RECORDED, CheckReason.OUT_OF_TIME),
        "too short": (frames(5.0), RECORDED, CheckReason.OUT_OF_TIME),
        "longer than there was time for": (frames(), 4 * SECOND, CheckReason.OUT_OF_TIME),
        "backwards": (frames()[::-1], RECORDED, CheckReason.OUT_OF_TIME),
        "none": ((), RECORDED, CheckReason.OUT_OF_TIME),
        "before the challenge, by a clock set back": (frames(), -SECOND, CheckReason.OUT_OF_TIME),
    }
    for number, (what, (sent, after, reason)) in enumerate(unfit.items()):
        order = way.asked(number, at=NOW - HOUR)
        session = way.agreed(order.id, NOW - HOUR / 2)
        challenge = way.checks.draw(session, STEPS, NOW)
        assert refused(way.checks.take, session, challenge.id, sent, NOW + after) is reason, what
        again = refused(way.checks.take, session, challenge.id, frames(), NOW + RECORDED)
        assert again is CheckReason.REPLAYED, "used up, and that outlives the refusal"
        found = way.checks.standing(order.id, NOW + RECORDED)
        assert found == VerificationProgress(SessionStage.AGAIN, State.IN_PROGRESS, 3, (reason,))
        assert way.settled(session, PASSED, NOW + RECORDED).stage is SessionStage.PASSED


def test_an_invented_receipt_is_none(store: Store) -> None:
    way = Online(store)
    signature = "0" * 64
    invented = ["x", ".", "1.", "9" * 17 + ".", "-1.aa", "1.é", f"1772438404000000.{signature}"]
    for number, receipt in enumerate(invented):
        session = way.agreed(way.asked(number).id)
        challenge = way.checks.draw(session, STEPS, NOW)
        taken = partial(way.checks.take, receipt=receipt)
        assert refused(taken, session, challenge.id, frames(), NOW + RECORDED) is CheckReason.OUT_OF_TIME, (
            receipt
        )


def test_a_camera_that_stalls_is_no_replay(store: Store) -> None:
    way = Online(store)
    session = way.agreed(way.asked(0).id)
    stalled = list(frames())
    for at in (1, 2, 9, 10, 11):
        stalled[at] = replace(stalled[at], jpeg=stalled[at - 1].jpeg)
    challenge = way.checks.draw(session, STEPS, NOW)
    assert way.checks.take(session, challenge.id, stalled, NOW + RECORDED).id == challenge.id
    assert count(store, frames_seen) == len(stalled) - 5
    other = way.agreed(way.asked(1).id)
    again = way.checks.draw(other, STEPS, NOW)
    assert refused(way.checks.take, other, again.id, stalled, NOW + RECORDED) is CheckReason.REPLAYED


def test_frames_are_taken_once_whosever_they_are(store: Store) -> None:
    way = Online(store)
    seen, mine = frames(), way.agreed(way.asked(0).id)
    challenge = way.checks.draw(mine, STEPS, NOW)
    way.checks.take(mine, challenge.id, seen, NOW + RECORDED)
    assert count(store, frames_seen) == len(seen)
    theirs = way.agreed(way.asked(1).id)
    other = way.checks.draw(theirs, STEPS, NOW)
    mixed = (*frames()[:-1], seen[-1])
    assert refused(way.checks.take, theirs, other.id, mixed, NOW + RECORDED) is CheckReason.REPLAYED
    black = [replace(one, jpeg=b"a covered lens") for one in frames()]
    for number in (2, 3):
        session = way.agreed(way.asked(number).id)
        again = way.checks.draw(session, STEPS, NOW)
        way.checks.take(session, again.id, black, NOW + RECORDED)  # that it is black, the check says
    with store.reading() as connection:
        hashes = connection.execute(select(frames_seen.c.hash)).scalars().all()
    assert all(len(one) == 32 for one in hashes)


def test_a_challenge_of_somebody_else_is_none_of_mine(store: Store) -> None:
    way = Online(store)
    mine, theirs = way.agreed(way.asked(0).id), way.agreed(way.asked(1).id)
    challenge = way.checks.draw(theirs, STEPS, NOW)
    for number in (challenge.id, "unknown", ""):
        assert refused(way.checks.take, mine, number, frames(), NOW + RECORDED) is CheckReason.OTHER_SESSION
    assert way.checks.take(theirs, challenge.id, frames(), NOW + RECORDED) == challenge


def test_while_frames_are_looked_at_nothing_else_is(store: Store) -> None:
    way = Online(store)
    order = way.asked()
    session = way.agreed(order.id)
    early = way.checks.draw(session, STEPS, NOW)
    _, here = way.taken(session, NOW + 45 * SECOND)
    with pytest.raises(CheckRefused) as caught:
        way.checks.draw(session, STEPS, here)
    assert (caught.value.reason, caught.value.wait) == (CheckReason.BUSY, 10)
    assert refused(way.checks.take, session, early.id, frames(), here) is CheckReason.BUSY
    lost = here + 120 * SECOND
    found = way.checks.standing(order.id, lost)
    assert (found.stage, found.reasons) == (SessionStage.AGAIN, (CheckReason.LOST,)), (
        "the worker was killed: not for ever"
    )
    assert way.settled(session, PASSED, lost).stage is SessionStage.PASSED


def test_a_try_that_was_our_fault_is_given_back(store: Store) -> None:
    way = Online(store, policy(challenges=1))
    order = way.asked()
    session = way.agreed(order.id)
    for _ in range(3):
        challenge, here = way.taken(session)
        way.checks.release(challenge.id, here)
        found = way.checks.standing(order.id, here)
        assert (found.stage, found.left, found.reasons) == (SessionStage.AGAIN, 3, (CheckReason.LOST,))
    assert refused(way.checks.take, session, challenge.id, frames(), here) is CheckReason.REPLAYED
    assert [row.subject for row in trail(store, "check.release")] == [order.id] * 3
    assert way.settled(session, PASSED).stage is SessionStage.PASSED
    way.checks.release(challenge.id, here)
    assert len(trail(store, "check.release")) == 3
    with pytest.raises(UnknownOrder):
        way.checks.release("unknown", here)
