"""Who looks again: what waits, what one sees of it, and who saw it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from duanka.domain.identity import CheckReason, Outcome
from duanka.domain.order import (
    Event,
    NoSuchTransition,
    OrderError,
    PermissionDenied,
    Person,
    Role,
    State,
    UnknownOrder,
)
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables_identity import pictures
from duanka.orders.verification.pictures import PictureSealed
from support.orders.books import DESK, HOUR, NOW, POLICE, SECOND
from support.orders.online import PASSED, RECORDED, STRANGER, UNSURE, Online, trail

MINUTE = timedelta(minutes=1)


def waiting(way: Online, number: int = 0, tier: str = "medium", at: timedelta = timedelta(0)) -> str:
    order = way.asked(number, tier=tier)
    way.checks.photos.keep(order.id, b"registered", NOW)
    way.settled(way.agreed(order.id, NOW + at), UNSURE, NOW + at)
    return order.id


def test_a_reviewer_sees_both_pictures_what_was_measured_and_what_was_before(store: Store) -> None:
    way = Online(store)
    order = way.asked()
    way.checks.photos.keep(order.id, b"registered", NOW)
    session = way.agreed(order.id)
    way.settled(session, STRANGER, NOW)
    way.settled(session, UNSURE, NOW + MINUTE)
    (item,) = way.reviews.waiting(DESK).items
    assert (item.order_id, item.card, item.tier) == (order.id, "+86 130****0000", "medium")
    assert (item.since, item.reasons, item.failures) == (NOW + MINUTE + RECORDED, (CheckReason.UNSURE,), 1)
    file = way.reviews.open(order.id, DESK, "to compare", NOW + HOUR)
    assert (file.reference, file.captured) == (b"registered", b"\xff\xd8\xff captured")
    assert file.similarity == pytest.approx(0.4012345)
    assert (file.signals, file.reasons) == ({"mouth": 0.4, "turn": 14.25}, (CheckReason.UNSURE,))
    assert (file.order.id, file.order.card) == (order.id, "+86 130****0000")
    (before,) = file.earlier
    assert (before.outcome, before.reasons, before.counted) == (
        Outcome.FAILED,
        (CheckReason.OTHER_PERSON,),
        True,
    )
    assert before.at == NOW + RECORDED
    assert before.similarity == pytest.approx(0.1)
    (seen,) = trail(store, "pictures.seen")
    assert (seen.who, seen.subject, seen.why) == ("wang", order.id, "to compare")
    assert seen.after == '{"seen":["reference","captured"]}'
    assert "captured" not in repr(file), "no picture comes into a log"


@pytest.mark.parametrize("event", [Event.PASS, Event.FAIL, Event.TO_COUNTER])
def test_what_was_decided_waits_no_more_and_shows_no_pictures(store: Store, event: Event) -> None:
    way = Online(store)
    number = waiting(way)
    way.orders.apply(number, event, DESK, "looked at", NOW + HOUR)
    assert way.reviews.waiting(DESK).items == ()
    with pytest.raises(NoSuchTransition, match="under_review"):
        way.reviews.open(number, DESK, "again", NOW + HOUR)
    assert not trail(store, "pictures.seen")
    with pytest.raises(OrderError):
        way.orders.apply(number, Event.SUBMIT, DESK, "a second opinion", NOW + HOUR)


def test_pictures_are_for_the_staff_who_say_why(store: Store) -> None:
    way = Online(store)
    number = waiting(way)
    for role in (Role.POLICE, Role.REGULATOR, Role.HOLDER, Role.SYSTEM):
        with pytest.raises(PermissionDenied):
            way.reviews.open(number, Person("x", role), "why", NOW)
    with pytest.raises(OrderError, match="say why"):
        way.reviews.open(number, DESK, "  ", NOW)
    with pytest.raises(UnknownOrder):
        way.reviews.open("V000000000000", DESK, "why", NOW)
    assert not trail(store, "pictures.seen")


def test_pictures_that_do_not_open_are_said_so(store: Store) -> None:
    way = Online(store)
    number = waiting(way)
    with store.writing() as connection:
        connection.execute(
            update(pictures).values(sealed=b"changed behind our back, and longer than a nonce")
        )
    with pytest.raises(PictureSealed):
        way.reviews.open(number, DESK, "to compare", NOW)
    assert (
        way.orders.apply(number, Event.TO_COUNTER, DESK, "it cannot be seen", NOW).state
        is State.SENT_TO_COUNTER
    )


def test_who_is_sent_to_review_by_hand_waits_in_the_queue_without_a_check(store: Store) -> None:
    way = Online(store)
    order = way.asked()
    way.orders.apply(order.id, Event.BEGIN, DESK, "came", NOW)
    way.orders.apply(order.id, Event.SUBMIT, DESK, "to look at", NOW)
    file = way.reviews.open(order.id, SECOND, "to compare", NOW)
    assert (file.reference, file.captured, file.similarity, file.reasons, file.earlier) == (
        None,
        None,
        None,
        (),
        (),
    )
    (item,) = way.reviews.waiting(DESK).items
    assert (item.order_id, item.since, item.similarity, item.reasons) == (order.id, NOW, None, ())
    way.orders.apply(order.id, Event.TO_COUNTER, SECOND, "nothing to look at", NOW)
    assert way.reviews.waiting(DESK).items == ()


def test_the_queue_comes_page_by_page_the_oldest_first(store: Store) -> None:
    way = Online(store)
    numbers = [waiting(way, number, at=number // 2 * MINUTE) for number in range(5)]
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = way.reviews.waiting(DESK, after, 2)
        assert len(page.items) <= 2
        found += [item.order_id for item in page.items]
        after = page.next
    assert sorted(found) == sorted(numbers)
    assert set(found[:2]) == set(numbers[:2])
    assert found[4] == numbers[4]
    with pytest.raises(UnknownOrder):
        way.reviews.waiting(DESK, "nonsense")


def test_a_high_tier_that_passes_waits_for_a_person(store: Store) -> None:
    way = Online(store)
    order = way.asked(tier="high")
    way.settled(way.agreed(order.id), PASSED)
    (item,) = way.reviews.waiting(DESK).items
    assert item.reasons == (CheckReason.POLICY,)
    assert item.similarity == pytest.approx(0.61)
    way.orders.police_stop(order.card, "case", POLICE, "confirmed", NOW)
    assert way.reviews.waiting(DESK).items == (), "it is the police's now"
