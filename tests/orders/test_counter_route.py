"""The way by the counter: person, card and signed notice are seen; for some tiers by two of the staff."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select

from duanka.domain.counter_check import CounterCheck, Document, digest_of, without_document_number
from duanka.domain.identity_policy import IdentityPolicy
from duanka.domain.order import (
    SYSTEM,
    Event,
    NeedsSecondPerson,
    NoSuchTransition,
    Order,
    OrderError,
    PermissionDenied,
    Person,
    Role,
    State,
    UnknownOrder,
)
from duanka.domain.text import BilingualText
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables_identity import counter_checks
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.verification.counter import Counter
from support.orders.books import (
    DESK,
    HOUR,
    NOW,
    POLICE,
    SECOND,
    book_on,
    decided_by_second,
    delivered,
    demand,
    receive,
    restriction,
    verification,
)
from support.orders.online import PASSED, UNSURE, Online, count, policy, trail
from support.waiting import HANG

SEEN = CounterCheck(
    Document.ID_CARD, "长安街营业厅", person_present=True, card_in_hand=True, notice_signed=True
)
OTHER = Person("zhao", Role.DESK)
WHY = "document, person and card are here"


def rows(store: Store) -> list[Any]:
    with store.reading() as connection:
        return list(connection.execute(select(counter_checks).order_by(counter_checks.c.id)).all())


def high(way: Online, number: int = 0) -> Order:
    """A high-tier card that waits for a second member of staff."""
    order = way.asked(number, tier="high")
    after = way.counter.verify(order.id, SEEN, DESK, WHY, NOW + HOUR)
    assert after.state is State.IN_PROGRESS
    return after


def test_one_of_the_staff_suffices_below_the_tiers_of_the_policy(store: Store) -> None:
    way = Online(store)
    order = way.asked()
    after = way.counter.verify(order.id, SEEN, DESK, WHY, NOW + HOUR)
    assert (after.state, after.closed_at) == (State.PASSED, NOW + HOUR)
    (row,) = rows(store)
    assert (row.document, row.counter, row.first_by, row.outcome, row.second_by) == (
        "id_card", "长安街营业厅", "wang", "passed", None,
    )  # fmt: skip
    assert row.words == digest_of(IdentityPolicy().legal_notice)
    (told,) = trail(store, "counter.verify")
    assert (told.who, told.why, told.subject) == ("wang", WHY, order.id)
    assert row.words in told.after
    with pytest.raises(NoSuchTransition, match="closed"):
        way.counter.verify(order.id, SEEN, DESK, WHY, NOW + HOUR)


@pytest.mark.parametrize("state", [State.EXPIRED, State.FAILED])
def test_who_comes_late_to_the_counter_is_restored(store: Store, state: State) -> None:
    way = Online(store)
    order = way.asked()
    if state is State.FAILED:
        way.orders.apply(order.id, Event.BEGIN, DESK, "came", NOW)
        way.orders.apply(order.id, Event.FAIL, DESK, "another face", NOW)
        decided_by_second(way.orders)
    else:
        way.orders.sweep(NOW + 24 * HOUR)
    assert restriction(way.orders)
    assert way.counter.verify(order.id, SEEN, DESK, WHY, NOW + 25 * HOUR).state is State.PASSED
    assert restriction(way.orders) is None


def test_what_is_missing_is_named_and_passes_nobody(store: Store) -> None:
    way = Online(store)
    order = way.asked()
    names = ("person_present", "card_in_hand", "notice_signed")
    for missing in names:
        seen = CounterCheck(Document.PASSPORT, "here", *(name != missing for name in names))
        with pytest.raises(OrderError, match=missing) as caught:
            way.counter.verify(order.id, seen, DESK, WHY, NOW)
        assert not any(other in str(caught.value) for other in names if other != missing)
        assert f'"{missing}":0' in trail(store, "counter.refused")[-1].after
    assert (way.state(order.id), rows(store)) == (order, [])


@pytest.mark.parametrize(
    "text",
    [
        "110101199003077715",
        "证件11010119900307771X号",
        "11010119900307771x",
        "110101 19900307 7715",
        "110101-19900307-7715",
        "１１０１０１１９９００３０７７７１５",
        "ICCID 89860012345678901234, 110101199003077715",
    ],
)
def test_a_document_number_is_seen_however_it_is_written(text: str) -> None:
    with pytest.raises(OrderError, match="document number"):
        without_document_number(text)


def test_no_document_number_is_ever_written_down(store: Store) -> None:
    way = Online(store)
    order, text = way.asked(tier="high"), "证件11010119900307771X号"
    for seen, why in ((SEEN, text), (replace(SEEN, counter=text), WHY)):
        with pytest.raises(OrderError, match="document number"):
            way.counter.verify(order.id, seen, DESK, why, NOW)
    way.counter.verify(order.id, SEEN, DESK, WHY, NOW)
    for act in (way.counter.confirm, way.counter.reject):
        with pytest.raises(OrderError, match="document number"):
            act(order.id, SECOND, text, NOW)
    assert [row.why for row in trail(store, "counter.verify")] == [WHY]


@pytest.mark.parametrize(
    "text",
    ["8613800000001", "IMEI 490154203237518", "89860012345678901234", "V0000000000001", "2026-03-02 08:00"],
)
def test_other_numbers_are_no_document_numbers(text: str) -> None:
    assert without_document_number(text) == text


def test_a_counter_has_a_name(store: Store) -> None:
    way = Online(store)
    order = way.asked()
    for counter in ("", "  ", "厅" * 201):
        with pytest.raises(OrderError, match="at which counter"):
            way.counter.verify(order.id, replace(SEEN, counter=counter), DESK, WHY, NOW)
    with pytest.raises(OrderError, match="say why"):
        way.counter.verify(order.id, SEEN, DESK, " ", NOW)


def test_only_the_staff_verify_and_only_verifications(store: Store) -> None:
    way = Online(store)
    order = way.asked()
    for role in (Role.POLICE, Role.REGULATOR, Role.HOLDER, Role.SYSTEM):
        with pytest.raises(PermissionDenied):
            way.counter.verify(order.id, SEEN, Person("x", role), WHY, NOW)
    way.orders.police_stop(order.card, "case", POLICE, "confirmed", NOW)
    stop = restriction(way.orders)
    assert stop
    for number in (order.id, stop.id):
        with pytest.raises(NoSuchTransition):
            way.counter.verify(number, SEEN, DESK, WHY, NOW)
    with pytest.raises(UnknownOrder):
        way.counter.verify("V000000000000", SEEN, DESK, WHY, NOW)


# --- two people ---


def test_a_tier_of_the_policy_takes_two_and_loses_no_time_between_them(store: Store) -> None:
    way = Online(store)
    order = high(way)
    assert order.due_at is None
    assert way.orders.sweep(NOW + 1000 * HOUR) == 0, "the delay is ours"
    (item,) = way.counter.waiting(DESK).items
    assert (item.order_id, item.card, item.tier) == (order.id, "+86 130****0000", "high")
    assert (item.first_by, item.first_at, item.document) == ("wang", NOW + HOUR, Document.ID_CARD)
    with pytest.raises(NoSuchTransition, match="second"):
        way.counter.verify(order.id, SEEN, OTHER, WHY, NOW + HOUR)
    after = way.counter.confirm(order.id, OTHER, "seen too", NOW + 2 * HOUR)
    assert after.state is State.PASSED
    (row,) = rows(store)
    assert (row.second_by, row.second_at, row.outcome) == ("zhao", NOW + 2 * HOUR, "passed")
    assert [told.who for told in trail(store, "counter.confirm")] == ["zhao"]
    assert way.counter.waiting(DESK).items == ()
    with pytest.raises(NoSuchTransition):
        way.counter.confirm(order.id, OTHER, "again", NOW + 2 * HOUR)


def test_nobody_confirms_what_they_recorded(store: Store) -> None:
    way = Online(store)
    order = high(way)
    for name, role in (
        ("wang", Role.DESK),
        ("wang", Role.SUPERVISOR),
    ):
        with pytest.raises(NeedsSecondPerson, match="somebody else"):
            way.counter.confirm(order.id, Person(name, role), "I am sure", NOW + HOUR)
    for role in (Role.POLICE, Role.SYSTEM, Role.HOLDER):
        with pytest.raises(PermissionDenied):
            way.counter.confirm(order.id, Person("zhao", role), "why", NOW + HOUR)
    assert way.state(order.id) == order


@pytest.mark.parametrize("tier", ["high", "extreme"])
def test_no_plain_pass_goes_around_the_second_person(store: Store, tier: str) -> None:
    way = Online(store)
    order = way.asked(tier=tier)
    way.orders.apply(order.id, Event.BEGIN, DESK, "came", NOW)
    states: list[Callable[[], object]] = [
        lambda: None,
        lambda: way.counter.verify(order.id, SEEN, DESK, WHY, NOW),
        lambda: way.counter.reject(order.id, DESK, "unsure", NOW),
        lambda: way.orders.apply(order.id, Event.SUBMIT, DESK, "to look at", NOW),
        lambda: way.orders.apply(order.id, Event.TO_COUNTER, DESK, "again", NOW),
        lambda: way.orders.sweep(NOW + 24 * HOUR),
    ]
    for step in states:
        step()
        before = way.state(order.id)
        for by in (DESK, SECOND):
            with pytest.raises(NeedsSecondPerson, match="counter verify"):
                way.orders.apply(order.id, Event.PASS, by, "it is them", NOW)
        assert way.state(order.id) == before
    assert way.orders.apply(order.id, Event.PASS, SYSTEM, "ourselves", NOW + 25 * HOUR).state is State.PASSED


def test_the_machine_and_one_person_are_two_until_the_person_decided(store: Store) -> None:
    way = Online(store)
    order = way.asked(tier="high")
    session = way.agreed(order.id)
    way.settled(session, PASSED)
    assert way.state(order.id).state is State.UNDER_REVIEW, "the policy wants a person to look"
    way.orders.apply(order.id, Event.TO_COUNTER, DESK, "unclear", NOW + HOUR)
    way.orders.apply(order.id, Event.BEGIN, DESK, "came", NOW + HOUR)
    way.orders.apply(order.id, Event.SUBMIT, DESK, "to look at", NOW + HOUR)
    with pytest.raises(NeedsSecondPerson):  # the check of before was looked at, and did not suffice
        way.orders.apply(order.id, Event.PASS, DESK, "it is them", NOW + HOUR)
    other = way.asked(1, tier="high")
    way.settled(way.agreed(other.id), UNSURE)
    assert way.orders.apply(other.id, Event.PASS, DESK, "it is them", NOW + HOUR).state is State.PASSED


def test_somebody_else_of_the_police_passes_and_a_tier_that_needs_no_second_person_takes_one(
    store: Store,
) -> None:
    way = Online(store)
    order = way.asked(tier="high")
    way.orders.police_stop(order.card, "case", POLICE, "confirmed", NOW)
    with pytest.raises(NeedsSecondPerson, match="somebody else"):
        way.orders.apply(order.id, Event.PASS, POLICE, "cleared", NOW)
    assert (
        way.orders.apply(order.id, Event.PASS, Person("bureau", Role.POLICE), "cleared", NOW).state
        is State.PASSED
    )
    medium = delivered(way.orders, 1)
    way.orders.apply(medium.id, Event.BEGIN, DESK, "came", NOW)
    assert way.orders.apply(medium.id, Event.PASS, DESK, "it is them", NOW).state is State.PASSED
    free = Online(store, policy(second_person_tiers=()))
    none = free.asked(2, tier="extreme")
    assert free.counter.verify(none.id, SEEN, DESK, WHY, NOW).state is State.PASSED


def test_what_is_rejected_is_discarded_and_gives_the_time_back(store: Store) -> None:
    way = Online(store)
    order = high(way)
    after = way.counter.reject(order.id, DESK, "the wrong card", NOW + 5 * HOUR)
    assert (after.state, after.due_at) == (State.IN_PROGRESS, NOW + 29 * HOUR)
    assert [row.outcome for row in rows(store)] == ["rejected"]
    assert [told.why for told in trail(store, "counter.reject")] == ["the wrong card"]
    with pytest.raises(NoSuchTransition, match="waits"):
        way.counter.confirm(order.id, OTHER, "seen too", NOW + 5 * HOUR)
    way.counter.verify(order.id, SEEN, OTHER, WHY, NOW + 6 * HOUR)
    assert way.counter.confirm(order.id, DESK, "seen too", NOW + 6 * HOUR).state is State.PASSED
    late = way.asked(1, tier="high")
    way.orders.sweep(NOW + 24 * HOUR)
    way.counter.verify(late.id, SEEN, DESK, WHY, NOW + 25 * HOUR)
    rejected = way.counter.reject(late.id, SECOND, "unsure", NOW + 25 * HOUR)
    assert (rejected.state, rejected.due_at) == (State.EXPIRED, None)


def test_who_was_quicker_than_the_second_person(store: Store) -> None:
    way = Online(store)
    withdrawn, theirs = high(way, 0), high(way, 1)
    acts = BulkActionService(way.orders)
    act = acts.propose(Event.WITHDRAW, [withdrawn.card], BilingualText("误", "in error"), DESK, NOW + HOUR)
    assert way.state(withdrawn.id).closed_at is None, "its tier takes two people"
    acts.approve(act.id, SECOND, "in error", NOW + HOUR)
    acts.carry_out(NOW + HOUR)
    way.orders.apply(theirs.id, Event.TO_FRAUD_CENTRE, SECOND, "a farm", NOW + HOUR)
    with pytest.raises(NoSuchTransition):
        way.counter.confirm(withdrawn.id, OTHER, "seen too", NOW + HOUR)
    with pytest.raises(PermissionDenied):
        way.counter.confirm(theirs.id, OTHER, "seen too", NOW + HOUR)
    assert [item.order_id for item in way.counter.waiting(DESK).items] == [theirs.id]
    assert [row.outcome for row in rows(store)] == [None, None], "what was refused wrote nothing"


def test_of_two_that_confirm_or_verify_at_once_one_does(store: Store) -> None:
    way = Online(store)
    for number in range(5):
        together = Barrier(2)
        order = way.asked(number, tier="high") if number % 2 else high(way, number)

        def act(by: Person, order: Order = order, together: Barrier = together) -> str:
            together.wait(timeout=HANG)
            try:
                if order.step > 1:
                    return way.counter.confirm(order.id, by, "seen too", NOW + 2 * HOUR).state
                return way.counter.verify(order.id, SEEN, by, WHY, NOW + 2 * HOUR).state
            except NoSuchTransition:
                return "too late"

        with ThreadPoolExecutor(2) as threads:
            answers = sorted(threads.map(act, (OTHER, SECOND)))
        assert answers == (["passed", "too late"] if order.step > 1 else ["in_progress", "too late"])
    assert count(store, counter_checks) == 5


def test_what_waits_comes_page_by_page_the_oldest_first(store: Store) -> None:
    way = Online(store)
    numbers = []
    for number in range(5):
        order = way.asked(number, tier="high")
        way.counter.verify(order.id, SEEN, DESK, WHY, NOW + timedelta(minutes=number // 2))
        numbers.append(order.id)
    found: list[str] = []
    after = ""
    while True:
        page = way.counter.waiting(DESK, after, 2)
        found += [item.order_id for item in page.items]
        if page.next is None:
            break
        after = page.next
    assert sorted(found) == sorted(numbers)
    assert set(found[:2]) == set(numbers[:2])
    assert found[4] == numbers[4]
    with pytest.raises(UnknownOrder):
        way.counter.waiting(DESK, "nonsense")


def test_no_hours_are_given_while_a_second_of_the_staff_is_waited_for(store: Store) -> None:
    way = Online(store)
    order = high(way)
    with pytest.raises(NoSuchTransition, match="no response time runs"):
        way.orders.extend(order.id, "hospital", OTHER, "a paper", NOW + HOUR)
    assert way.orders.sweep(NOW + 1000 * HOUR) == 0


@pytest.mark.parametrize("event", [Event.TO_COUNTER, Event.FAIL])
def test_one_person_does_not_take_the_clock_off_for_good(store: Store, event: Event) -> None:
    """Neither by sending on what waits for a second person, nor by their word that it failed."""
    way = Online(store)
    order = high(way)
    assert way.orders.apply(order.id, event, DESK, "hm", NOW + HOUR).due_at is None
    assert way.counter.reject(order.id, DESK, "wrong", NOW + 2 * HOUR).due_at == NOW + 26 * HOUR
    assert way.orders.sweep(NOW + 26 * HOUR) == 1
    assert restriction(way.orders)


def test_a_word_that_a_review_failed_ends_it_and_the_hours_run_anew(store: Store) -> None:
    book = book_on(store)
    order = delivered(book)
    book.apply(order.id, Event.BEGIN, DESK, "came", NOW)
    book.apply(order.id, Event.SUBMIT, DESK, "to look at", NOW)
    assert book.apply(order.id, Event.FAIL, DESK, "not them", NOW + HOUR).due_at == NOW + 25 * HOUR


def test_a_discarded_record_starts_no_hours_before_the_notice_is_delivered(store: Store) -> None:
    book = book_on(store)
    receive(book, [demand(tier="high")], NOW)
    counter, order = Counter(book), verification(book)
    counter.verify(order.id, SEEN, DESK, WHY, NOW)
    assert counter.reject(order.id, DESK, "wrong", NOW).due_at is None
