"""More time for who is abroad, in hospital or disabled: once, for a reason that the policy knows."""

from __future__ import annotations

import pytest

from duanka.domain.order import Event, NoSuchTransition, OrderError, PermissionDenied, Person, Role
from duanka.domain.order_policy import OrderPolicy
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
@pytest.mark.parametrize("hardship", OrderPolicy().hardships)
def test_a_hardship_gives_more_hours_once(store: Store, hardship: str) -> None:
    book = book_on(store)
    order = delivered(book)
    longer = book.extend(order.id, hardship, DESK, "a paper", NOW + 23 * HOUR)
    assert (longer.due_at, longer.extended) == (NOW + 96 * HOUR, hardship)
    assert book.extend(order.id, hardship, DESK, "a paper", NOW + 24 * HOUR) == longer, "asked for twice"
    for other in set(OrderPolicy().hardships) - {hardship}:
        with pytest.raises(OrderError, match="once"):
            book.extend(order.id, other, DESK, "a paper", NOW + 24 * HOUR)
    assert book.sweep(NOW + 95 * HOUR) == 0
    assert restriction(book) is None
    assert book.sweep(NOW + 96 * HOUR) == 1
    assert restriction(book)


def test_what_is_no_hardship_gives_nothing(store: Store) -> None:
    book = book_on(store)
    order = delivered(book)
    with pytest.raises(OrderError, match="roaming, hospital, disability"):
        book.extend(order.id, "laziness", DESK, "a paper", NOW)
    with pytest.raises(OrderError, match="say why"):
        book.extend(order.id, "hospital", DESK, " ", NOW)
    with pytest.raises(PermissionDenied):
        book.extend(order.id, "hospital", Person("holder", Role.HOLDER), "a paper", NOW)
    assert verification(book) == order
    none = book_on(store, OrderPolicy(hardships=()))
    with pytest.raises(OrderError):
        none.extend(order.id, "hospital", DESK, "a paper", NOW)


def test_time_that_does_not_run_is_not_extended(store: Store) -> None:
    book = book_on(store)
    receive(book, [demand()], NOW)
    with pytest.raises(NoSuchTransition):
        book.extend(verification(book).id, "hospital", DESK, "a paper", NOW)
    order = delivered(book, 1)
    book.apply(order.id, Event.BEGIN, DESK, "came", NOW)
    book.apply(order.id, Event.SUBMIT, DESK, "sent", NOW)
    with pytest.raises(NoSuchTransition):
        book.extend(order.id, "hospital", DESK, "a paper", NOW)


@pytest.mark.parametrize("event", [Event.BEGIN, Event.TO_COUNTER])
def test_no_hours_are_given_before_a_notice_is_delivered(store: Store, event: Event) -> None:
    book = book_on(store)
    receive(book, [demand()], NOW)
    book.apply(verification(book).id, event, DESK, "came", NOW)
    with pytest.raises(NoSuchTransition, match="no response time runs"):
        book.extend(verification(book).id, "hospital", DESK, "a paper", NOW)
    assert book.sweep(NOW + 1000 * HOUR) == 0
