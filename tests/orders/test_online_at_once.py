"""The second verification under many at once; and what is forgotten of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier

from duanka.domain.identity import CheckReason, CheckRefused, Session, SessionStage
from duanka.domain.order import Kind
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables_identity import checks, frames_seen, sessions
from support.orders.books import HOUR, NOW, card, demand, receive
from support.orders.online import (
    DARK,
    PASSED,
    RECORDED,
    SECOND,
    STEPS,
    UNSURE,
    YES,
    Online,
    count,
    frames,
    trail,
)
from support.waiting import HANG


def at_once(store: Store, *works: Callable[[], object]) -> list[object]:
    """What each answers, all begun together; a refusal is its reason."""
    together = Barrier(len(works))

    def run(work: Callable[[], object]) -> object:
        together.wait(timeout=HANG)
        try:
            return work()
        except CheckRefused as error:
            return error.reason

    with ThreadPoolExecutor(len(works)) as threads:
        return [done.result(timeout=HANG) for done in [threads.submit(run, work) for work in works]]


def test_of_two_submissions_at_once_one_is_looked_at(store: Store) -> None:
    way = Online(store)
    session = way.agreed(way.asked().id)
    for turn in range(5):
        at = NOW + turn * 60 * SECOND
        challenge = way.checks.draw(session, STEPS, at)
        many = [partial(way.checks.take, session, challenge.id, frames(), at + RECORDED) for _ in range(4)]
        answers = at_once(store, *many)
        assert sorted(map(str, answers)) == sorted([str(challenge)] + ["replayed"] * 3)
        way.checks.release(challenge.id, at + RECORDED)


def test_the_same_frames_for_two_orders_at_once_are_taken_once(store: Store) -> None:
    way = Online(store)
    for turn in range(0, 10, 2):
        sent = frames()
        tries = []
        for number in (turn, turn + 1):
            session = way.agreed(way.asked(number).id)
            challenge = way.checks.draw(session, STEPS, NOW)
            tries.append(partial(way.checks.take, session, challenge.id, sent, NOW + RECORDED))
        answers = at_once(store, *tries)
        assert [answer for answer in answers if answer is CheckReason.REPLAYED] == [CheckReason.REPLAYED]


def test_two_verdicts_and_two_sessions_at_once_are_one(store: Store) -> None:
    way = Online(store)
    order = way.asked()
    link = way.link(order.id)
    began = at_once(store, *[partial(way.checks.agree, link, YES, NOW, browser="browser")] * 4)
    assert all(isinstance(one, Session) for one in began)
    going_on = [one for one in began if isinstance(one, Session) and _may_draw(way, one)]
    assert len(going_on) == 1
    challenge, here = way.taken(going_on[0])
    at_once(store, *[partial(way.checks.settle, challenge.id, UNSURE, b"picture", here)] * 4)
    assert len(trail(store, "check.settle")) == 1
    assert len(trail(store, "verification.begin")) == 1


def _may_draw(way: Online, session: Session) -> bool:
    try:
        return bool(way.checks.draw(session, STEPS, NOW))
    except CheckRefused:
        return False


def test_sessions_and_frames_are_forgotten(store: Store) -> None:
    way = Online(store)
    order = way.asked()
    challenge, here = way.taken(way.agreed(order.id))
    way.checks.settle(challenge.id, DARK, None, here)
    hours = timedelta(hours=73)  # of a link and of a session
    assert way.checks.purge(NOW + hours) == 0
    assert (count(store, sessions), count(store, frames_seen)) == (1, 18)
    way.checks.purge(here + hours)
    assert (count(store, sessions), count(store, frames_seen)) == (0, 18)
    way.checks.purge(here + hours + SECOND)
    assert (count(store, sessions), count(store, frames_seen), count(store, checks)) == (0, 0, 1)


def test_the_order_of_challenges_is_looked_up_quickly(store: Store) -> None:
    way = Online(store)
    order = way.asked()
    session = way.agreed(order.id)
    way.settled(session, DARK)
    begun = time.thread_time()
    for _ in range(50):
        way.checks.standing(order.id, NOW)
    assert (time.thread_time() - begun) / 50 < 0.1, "a page asks every second"


def test_the_open_verification_counts_and_not_one_of_before(store: Store) -> None:
    way = Online(store)
    first = way.asked()
    assert way.settled(way.agreed(first.id), PASSED).stage is SessionStage.PASSED
    receive(way.orders, [demand(tier="high")], NOW + HOUR)  # heavier than what was passed
    second = way.orders.transaction(lambda unit: unit.open_order(card(0), Kind.VERIFICATION), NOW)
    assert second
    assert way.checks.standing(first.id, NOW + HOUR).stage is SessionStage.PASSED
    assert way.checks.standing(second.id, NOW + HOUR).stage is SessionStage.READY
