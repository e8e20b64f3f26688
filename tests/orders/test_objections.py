"""A holder objects: five working days, restored at once when right, and never a second order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from duanka.domain.order import (
    Event,
    Kind,
    NeedsSecondPerson,
    NoSuchTransition,
    Order,
    PermissionDenied,
    Person,
    Role,
    State,
)
from duanka.domain.stop_text import StopTextWriter
from duanka.domain.text import BilingualText
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import notices
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.service import OrderService
from support.order_policies import AT_ONCE
from support.orders.books import (
    DESK,
    HOUR,
    NOW,
    POLICE,
    SECOND,
    book_on,
    card,
    delivered,
    restriction,
    verification,
)

HOLDER, OTHER = Person("holder", Role.HOLDER), Person("zhao", Role.DESK)


def _stopped(book: OrderService) -> Order:
    delivered(book)
    book.sweep(NOW + 24 * HOUR)
    order = restriction(book)
    assert order
    return order


def _open(book: OrderService) -> Order | None:
    return book.transaction(lambda unit: unit.open_order(card(0), Kind.OBJECTION), NOW)


def test_an_upheld_objection_restores_at_once(store: Store) -> None:
    book = book_on(store)
    stopped = _stopped(book)
    objection = book.object(card(0), "这是我本人", HOLDER, NOW + 25 * HOUR)
    assert (objection.state, objection.parent) == (State.FILED, stopped.id)
    book.apply(objection.id, Event.ACCEPT, DESK, "looked at", NOW + 25 * HOUR)
    assert (
        book.apply(objection.id, Event.UPHOLD, SECOND, "they are right", NOW + 26 * HOUR).state
        is State.UPHELD
    )
    assert restriction(book) is None
    assert book.transaction(lambda unit: unit.open_order(card(0), Kind.VERIFICATION), NOW) is None


def test_a_punishment_is_lifted_by_an_objection_too(store: Store) -> None:
    book = book_on(store)
    acts = BulkActionService(book)
    act = acts.propose(
        Event.PUNISH, [card(0)], BilingualText("出租", "rented out"), DESK, NOW, NOW + 999 * HOUR
    )
    acts.approve(act.id, SECOND, "fine", NOW)
    acts.carry_out(NOW)
    objection = book.object(card(0), "不是我", HOLDER, NOW)
    book.apply(objection.id, Event.UPHOLD, SECOND, "another card", NOW)
    assert restriction(book) is None


def test_an_objection_against_a_question_ends_the_question(store: Store) -> None:
    book = book_on(store)
    asked = delivered(book)
    objection = book.object(card(0), "", HOLDER, NOW)
    assert (objection.parent, objection.grounds.reason.zh) == (asked.id, "机主提出异议")
    book.apply(objection.id, Event.UPHOLD, DESK, "a courier", NOW)
    assert book.transaction(lambda unit: unit.order(asked.id).state, NOW) is State.WITHDRAWN
    assert book.sweep(NOW + 100 * HOUR) == 0


def test_a_second_objection_joins_the_first(store: Store) -> None:
    book = book_on(store)
    _stopped(book)
    first = book.object(card(0), "一", HOLDER, NOW)
    second = book.object(card(0), "二", HOLDER, NOW)
    assert (second.id, second.hits) == (first.id, 2)
    with pytest.raises(NoSuchTransition, match="no open order"):
        book.object(card(7), "一", HOLDER, NOW)


def test_a_rejected_objection_changes_nothing(store: Store) -> None:
    book = book_on(store)
    stopped = _stopped(book)
    objection = book.object(card(0), "一", HOLDER, NOW)
    with pytest.raises(NoSuchTransition):
        book.apply(objection.id, Event.REJECT, DESK, "unread", NOW)
    book.apply(objection.id, Event.ACCEPT, DESK, "read", NOW)
    with pytest.raises(PermissionDenied):
        book.apply(objection.id, Event.UPHOLD, HOLDER, "of course", NOW)
    assert book.apply(objection.id, Event.REJECT, DESK, "another face", NOW).closed_at
    assert restriction(book) == stopped
    withdrawn = book.object(card(0), "一", HOLDER, NOW)
    assert book.apply(withdrawn.id, Event.WITHDRAW, HOLDER, "my son's", NOW).state is State.WITHDRAWN


def test_what_the_police_stopped_no_objection_lifts(store: Store) -> None:
    book = book_on(store)
    order = book.police_stop(card(0), "case", POLICE, "confirmed", NOW)
    objection = book.object(card(0), "一", HOLDER, NOW)
    with pytest.raises(PermissionDenied, match="only the police"):
        book.apply(objection.id, Event.UPHOLD, SECOND, "they are right", NOW)
    assert restriction(book) == order
    book.police_release(card(0), POLICE, "they are right", NOW)
    assert _open(book) is None, "and then it is upheld"


def test_a_card_that_is_free_again_leaves_no_objection_open(store: Store) -> None:
    book = book_on(store)
    _stopped(book)
    objection = book.object(card(0), "一", HOLDER, NOW + 25 * HOUR)
    book.apply(verification(book).id, Event.PASS, DESK, "it is them", NOW + 26 * HOUR)
    assert book.transaction(lambda unit: unit.order(objection.id).state, NOW) is State.UPHELD
    with store.reading() as connection:
        told = connection.execute(select(notices.c.template).order_by(notices.c.id)).scalars().all()
    assert told == ["verify", "suspended", "restored"], "one word about one thing"


def test_the_days_to_answer_are_working_days(store: Store) -> None:
    policy = replace(AT_ONCE, objection_days=5, holidays=tuple(date(2026, 10, day) for day in range(1, 8)))
    book = book_on(store, policy)
    _stopped(book)
    filed = datetime(2026, 9, 30, 1, 0, tzinfo=UTC)  # a Wednesday, 09:00 in China
    objection = book.object(card(0), "一", HOLDER, filed)
    due = datetime(2026, 10, 14, 1, 0, tzinfo=UTC)  # 8, 9, 12, 13 and 14 October
    assert objection.due_at == due
    accepted = book.apply(objection.id, Event.ACCEPT, DESK, "read", due - timedelta(days=1))
    assert accepted.due_at == due, "whoever takes it up late has no more days for it"
    assert book.sweep(due - timedelta(microseconds=1)) == 0
    assert book.sweep(due) == 1
    late = _open(book)
    assert late
    assert (late.state, late.due_at) == (State.ACCEPTED, None), (
        "a person must look; under this policy nothing is decided by a clock"
    )
    assert book.sweep(due + 100 * HOUR) == 0


STOPPERS = (DESK, SECOND)  # who proposed, and who approved


def _objected_to_an_act(book: OrderService) -> Order:
    acts = BulkActionService(book)
    act = acts.propose(Event.SUSPEND, [card(0)], BilingualText("窝点", "a farm"), DESK, NOW)
    if act.approved_at is None:
        acts.approve(act.id, SECOND, "seen", NOW)
    acts.carry_out(NOW)
    return book.object(card(0), "是我本人", HOLDER, NOW)


@pytest.mark.parametrize("by", STOPPERS)
def test_who_had_a_part_in_the_stop_does_not_answer_the_objection(store: Store, by: Person) -> None:
    book = book_on(store)
    objection = _objected_to_an_act(book)
    refused = f"{by.id} had a part in the stop of R.*somebody who had none; let somebody else do it"
    with pytest.raises(NeedsSecondPerson, match=refused):
        book.apply(objection.id, Event.ACCEPT, by, "read", NOW)
    with pytest.raises(NeedsSecondPerson, match="had a part in the stop"):
        book.apply(objection.id, Event.WITHDRAW, by, "taken back, they said", NOW)
    assert book.apply(objection.id, Event.ACCEPT, OTHER, "read", NOW).state is State.ACCEPTED
    with pytest.raises(NeedsSecondPerson, match=f"duanka objections uphold {objection.id}"):
        book.apply(objection.id, Event.REJECT, by, "no", NOW)
    assert book.apply(objection.id, Event.UPHOLD, by, "an error of mine", NOW).state is State.UPHELD
    assert restriction(book) is None, "to give the card back harms nobody"


def test_a_later_stop_and_the_police_leave_the_earlier_ones_part_in_it(store: Store) -> None:
    book = book_on(store)
    objection = _objected_to_an_act(book)
    book.police_stop(card(0), "case", POLICE, "confirmed", NOW)
    for by in STOPPERS:
        with pytest.raises(NeedsSecondPerson, match="had a part") as refused:
            book.apply(objection.id, Event.TO_FRAUD_CENTRE, by, "theirs", NOW)
        assert "uphold" not in str(refused.value), "which only the police can bring about"
    assert book.apply(objection.id, Event.TO_FRAUD_CENTRE, OTHER, "theirs", NOW).closed_at is None


def test_who_asked_the_holder_does_not_answer_about_the_stop_that_followed(store: Store) -> None:
    book = book_on(store)
    asked = delivered(book)
    book.apply(asked.id, Event.BEGIN, OTHER, "they called", NOW)
    book.sweep(NOW + 24 * HOUR)
    objection = book.object(card(0), "是我本人", HOLDER, NOW + 25 * HOUR)
    with pytest.raises(NeedsSecondPerson, match="somebody else"):
        book.apply(objection.id, Event.ACCEPT, OTHER, "read", NOW + 26 * HOUR)
    assert book.apply(objection.id, Event.ACCEPT, SECOND, "read", NOW + 26 * HOUR).helped_by == (SECOND.id,)


def test_a_policy_of_one_person_lets_them_answer_and_promises_nobody_else(store: Store) -> None:
    said = "somebody who had no part in the stop answers"
    book = book_on(store, replace(AT_ONCE, two_people=False))
    objection = _objected_to_an_act(book)
    book.apply(objection.id, Event.ACCEPT, DESK, "read", NOW)
    assert book.apply(objection.id, Event.REJECT, DESK, "no", NOW).state is State.REJECTED
    alone = restriction(book)
    assert alone
    assert said not in book.terms.stop_texts.text(alone, None, NOW).text
    two = StopTextWriter(AT_ONCE).text(replace(alone, carried_by="two_people:A1"), None, NOW).text
    assert said in two
    assert "由没有参与停机的人答复" in two
