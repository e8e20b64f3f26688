from __future__ import annotations

from datetime import timedelta

import pytest

from duanka.bootstrap.scan import policy_named
from duanka.domain.network import NetworkState
from duanka.domain.order import SYSTEM, Event, State
from duanka.domain.order_policy import DeadlineStage, OrderPolicy
from duanka.ledger.db.database import Store
from support.orders.books import (
    DESK,
    HOUR,
    NOW,
    book_on,
    delivered,
    demand,
    receive,
    restriction,
    verification,
)


@pytest.mark.requirement("R1.5")
def test_the_hours_run_from_delivery_to_the_second(store: Store) -> None:
    book = book_on(store)
    delivered(book)
    assert book.sweep(NOW + timedelta(hours=23, minutes=59, seconds=59)) == 0
    assert restriction(book) is None
    assert book.sweep(NOW + 24 * HOUR) == 1
    stopped = restriction(book)
    assert stopped is not None
    assert stopped.state is State.SUSPENDED
    assert verification(book).state is State.EXPIRED


@pytest.mark.requirement("R1.5")
def test_an_undelivered_notice_starts_no_clock(store: Store) -> None:
    book = book_on(store)
    receive(book, [demand()], NOW)
    book.apply(verification(book).id, Event.NOT_DELIVERED, SYSTEM, "UNDELIV", NOW)
    assert book.sweep(NOW + 10_000 * HOUR) == 0
    assert restriction(book) is None


@pytest.mark.requirement("R1.5")
def test_stages_follow_one_another(store: Store) -> None:
    stages = (DeadlineStage(24, NetworkState.OUTGOING_BARRED), DeadlineStage(72, NetworkState.SUSPENDED))
    book = book_on(store, OrderPolicy(stages=stages))
    delivered(book)
    assert book.sweep(NOW + 24 * HOUR) == 1
    assert (barred := restriction(book))
    assert barred.state is State.OUTGOING_BARRED
    assert book.sweep(NOW + 72 * HOUR - timedelta(seconds=1)) == 0
    assert book.sweep(NOW + 72 * HOUR) == 1
    assert (stopped := restriction(book))
    assert stopped.state is State.SUSPENDED
    assert book.sweep(NOW + 1000 * HOUR) == 0


@pytest.mark.requirement("R1.5")
def test_after_a_long_silence_every_stage_comes_in_its_order(store: Store) -> None:
    stages = (DeadlineStage(24, NetworkState.OUTGOING_BARRED), DeadlineStage(72, NetworkState.SUSPENDED))
    book = book_on(store, OrderPolicy(stages=stages))
    delivered(book)
    assert book.sweep(NOW + 500 * HOUR) == 1
    assert (barred := restriction(book))
    assert (barred.state, barred.due_at) == (State.OUTGOING_BARRED, NOW + 548 * HOUR), (
        "the hours between are kept"
    )
    assert book.sweep(NOW + 548 * HOUR - timedelta(seconds=1)) == 0
    assert book.sweep(NOW + 548 * HOUR) == 1
    assert (stopped := restriction(book))
    assert stopped.state is State.SUSPENDED


@pytest.mark.requirement("R1.5")
@pytest.mark.parametrize("way", ["national", "hebei"])
def test_each_shipped_policy_stops_in_its_own_steps_and_a_pass_gives_all_of_them_back(
    store: Store, way: str
) -> None:
    policy = policy_named(way).orders
    steps = {
        "national": [(24, State.OUTGOING_BARRED), (48, State.SUSPENDED)],
        "hebei": [(24, State.SUSPENDED)],
    }[way]
    book = book_on(store, policy)
    for number, (given_back_after, _) in enumerate(steps):
        order = delivered(book, number)
        for hours, state in steps:
            assert book.sweep(NOW + timedelta(hours=hours, seconds=-1)) == 0
            assert book.sweep(NOW + hours * HOUR) == 1
            assert (stopped := restriction(book, number))
            assert stopped.state is state
            assert stopped.carried_by == f"expired_verification:{order.id}"
            if hours == given_back_after:
                break
        book.apply(order.id, Event.PASS, DESK, "it is them", NOW + (given_back_after + 1) * HOUR)
        assert restriction(book, number) is None
        assert book.sweep(NOW + 10_000 * HOUR) == 0, "no second stage after it was given back"


def test_more_time_for_the_first_stage_takes_none_from_the_second(store: Store) -> None:
    policy = policy_named("national").orders
    book = book_on(store, policy)
    order = delivered(book)
    extended = book.extend(order.id, policy.hardships[0], DESK, "in hospital", NOW + HOUR)
    assert extended.due_at == NOW + 96 * HOUR
    book.sweep(NOW + 96 * HOUR)
    assert (barred := restriction(book))
    assert (barred.state, barred.due_at) == (State.OUTGOING_BARRED, NOW + 120 * HOUR)
