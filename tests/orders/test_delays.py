"""One person keeps no verification from ever running out, and sends no holder the same notice a dozen times."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import func, select

from duanka.domain.counter_check import CounterCheck, Document
from duanka.domain.order import Event, NoSuchTransition, Order, State
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import notices
from support.orders.books import DESK, HOUR, NOW, SECOND, card, restriction
from support.orders.online import UNSURE, Online

SEEN = CounterCheck(Document.ID_CARD, "hall", person_present=True, card_in_hand=True, notice_signed=True)


def discards(way: Online, order: Order, at: datetime) -> Order:
    way.counter.verify(order.id, SEEN, DESK, "seen", at)
    return way.counter.reject(order.id, DESK, "a mistake", at + HOUR)


def test_a_verification_is_left_to_a_person_without_a_check_but_some_times(store: Store) -> None:
    way, at = Online(store), NOW
    order = way.asked(tier="high")
    for _ in range(2):
        at += 20 * HOUR
        way.orders.apply(order.id, Event.BEGIN, DESK, "came", at)
        way.orders.apply(order.id, Event.SUBMIT, DESK, "somebody must look", at)
        order = way.orders.apply(order.id, Event.TO_COUNTER, DESK, "in person", at)
        assert order.due_at == at + 24 * HOUR
    way.orders.apply(order.id, Event.BEGIN, DESK, "came", at)
    with pytest.raises(NoSuchTransition, match="no hours ran meanwhile"):
        way.orders.apply(order.id, Event.SUBMIT, DESK, "again", at)
    with pytest.raises(NoSuchTransition, match="no hours ran meanwhile"):
        way.orders.apply(order.id, Event.SUBMIT, SECOND, "by another", at)
    way.orders.sweep(at + 24 * HOUR)
    stopped = restriction(way.orders)
    assert stopped
    assert stopped.state is State.SUSPENDED


def test_a_record_that_is_discarded_again_and_again_stops_no_hours(store: Store) -> None:
    way, at = Online(store), NOW
    order = way.asked(tier="high")
    for _ in range(2):
        at += 20 * HOUR
        order = discards(way, order, at)
        assert order.due_at == at + HOUR + 24 * HOUR
    due = order.due_at
    assert way.counter.verify(order.id, SEEN, DESK, "seen", at + 2 * HOUR).due_at == due
    assert way.counter.reject(order.id, DESK, "a mistake", at + 3 * HOUR).due_at == due
    way.counter.verify(order.id, SEEN, DESK, "seen", at + 4 * HOUR)
    way.orders.sweep(at + 30 * HOUR)
    stopped = restriction(way.orders)
    assert stopped
    assert stopped.state is State.SUSPENDED
    way.counter.confirm(order.id, SECOND, "seen by me too", at + 31 * HOUR)
    assert restriction(way.orders) is None, "the second person is late, and the card is back"


def test_a_check_online_leaves_it_to_a_person_whatever_the_staff_did(store: Store) -> None:
    way = Online(store)
    order = way.asked(tier="medium")
    for _ in range(2):
        way.orders.apply(order.id, Event.BEGIN, DESK, "came", NOW)
        way.orders.apply(order.id, Event.SUBMIT, DESK, "somebody must look", NOW)
        way.orders.apply(order.id, Event.TO_COUNTER, DESK, "in person", NOW)
    way.settled(way.agreed(order.id, NOW + HOUR), UNSURE, NOW + HOUR)
    assert way.state(order.id).state is State.UNDER_REVIEW
    order = way.orders.apply(order.id, Event.TO_COUNTER, SECOND, "in person", NOW + 9 * HOUR)
    assert order.due_at == NOW + 33 * HOUR


def test_a_holder_is_told_the_same_by_the_staff_some_times_a_day(store: Store) -> None:
    way = Online(store)
    order = way.asked()

    def told(template: str) -> int:
        mine = (notices.c.card == card(0), notices.c.template == template)
        with store.reading() as connection:
            return connection.execute(select(func.count()).where(*mine)).scalar_one()

    for _ in range(6):
        way.orders.apply(order.id, Event.BEGIN, DESK, "came", NOW)
        way.orders.apply(order.id, Event.TO_COUNTER, DESK, "in person", NOW)
        objection = way.orders.object(card(0), "no", DESK, NOW)
        way.orders.apply(objection.id, Event.ACCEPT, DESK, "looking", NOW)
        way.orders.apply(objection.id, Event.WITHDRAW, DESK, "taken back", NOW)
    assert (told("verify_at_counter"), told("objection_accepted")) == (3, 3)
    way.orders.apply(order.id, Event.BEGIN, DESK, "came", NOW + 24 * HOUR)
    way.orders.apply(order.id, Event.TO_COUNTER, DESK, "in person", NOW + 24 * HOUR)
    assert told("verify_at_counter") == 4, "the next day again"
