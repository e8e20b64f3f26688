from __future__ import annotations

from datetime import timedelta

import pytest

from books import HOUR, NOW, book_on, delivered, demand, restriction, verification
from duanka.domain.network import NetworkState
from duanka.domain.order import SYSTEM, Event, State
from duanka.domain.order_policy import OrderPolicy, Stage
from duanka.orders.store import Store


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
    book.receive([demand()], NOW)
    book.act(verification(book).id, Event.NOT_DELIVERED, SYSTEM, "UNDELIV", NOW)
    assert book.sweep(NOW + 10_000 * HOUR) == 0
    assert restriction(book) is None


@pytest.mark.requirement("R1.5")
def test_stages_follow_one_another(store: Store) -> None:
    stages = (Stage(24, NetworkState.OUTGOING_BARRED), Stage(72, NetworkState.SUSPENDED))
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
    stages = (Stage(24, NetworkState.OUTGOING_BARRED), Stage(72, NetworkState.SUSPENDED))
    book = book_on(store, OrderPolicy(stages=stages))
    delivered(book)
    states = []
    while book.sweep(NOW + 500 * HOUR):
        order = restriction(book)
        states.append(order and order.state)
    assert states == [State.OUTGOING_BARRED, State.SUSPENDED]
