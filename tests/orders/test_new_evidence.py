"""Whoever answered is asked for more only by what was found since; and not because weights of a history add up."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from duanka.domain.hit_summary import HitSummary
from duanka.domain.order import SYSTEM, Event, Kind
from duanka.domain.order_decision import OrderDecision, RequestedAction
from duanka.domain.order_policy import OrderPolicy, TierWeights
from duanka.domain.police_reasons import CLAIMED
from duanka.domain.text import BilingualText
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit, notices
from duanka.orders.intake.receiving import Received
from duanka.orders.service import OrderService
from support.orders.books import (
    DESK,
    HOUR,
    NOW,
    SECOND,
    book_on,
    card,
    delivered,
    demand,
    receive,
    restriction,
    verification,
)

DAY = timedelta(days=1)
WEIGHTS = TierWeights(
    (("fan_out", 3.0), ("one_way_calls", 3.0), ("sim_box", 3.0), ("repeat_alerts", 1.0)), 3, 6
)
TODAY = NOW.date()  # 16:00 in Shanghai
TOMORROW, DAY_BEFORE = TODAY + DAY, TODAY - DAY
COUNTER = RequestedAction.VERIFY_AT_COUNTER


def _found(tier: str, **first_days: date) -> OrderDecision:
    """A decision; rule -> the day on which it first hit."""
    words = BilingualText("一天外呼", "called")
    hits = tuple(HitSummary(rule, day, day, 1, words) for rule, day in first_days.items())
    asked = COUNTER if tier == "high" else RequestedAction.VERIFY
    return demand(tier=tier, asked=asked, rules=tuple(first_days), hit_summaries=hits)


def _book(store: Store) -> OrderService:
    book = book_on(store, OrderPolicy(weights=WEIGHTS))
    receive(book, [_found("medium", one_way_calls=DAY_BEFORE)], NOW)
    return book


def _told(store: Store) -> list[str]:
    with store.reading() as connection:
        return list(connection.execute(select(notices.c.template).order_by(notices.c.id)).scalars())


@pytest.mark.parametrize(
    ("again", "heavier"),
    [
        # the next evening of the same: high in all, but what is new would ask for no more than what was answered
        (_found("high", one_way_calls=DAY_BEFORE, fan_out=TODAY), False),
        (_found("high", one_way_calls=DAY_BEFORE, fan_out=TODAY, repeat_alerts=TOMORROW), False),
        # two heavy rules began since: high by themselves
        (_found("high", one_way_calls=DAY_BEFORE, fan_out=TODAY, sim_box=TOMORROW), True),
        # one of the two had begun before
        (_found("high", one_way_calls=DAY_BEFORE, fan_out=DAY_BEFORE, sim_box=TOMORROW), False),
        # the card is in another device since: its whole history counts; before the question, it was answered
        (_found("high", one_way_calls=DAY_BEFORE, fan_out=TODAY, device_hopping=TOMORROW), True),
        (_found("high", one_way_calls=DAY_BEFORE, fan_out=TODAY, device_hopping=DAY_BEFORE), False),
        # the police's word needs no weight
        (_found("high", one_way_calls=DAY_BEFORE, **{CLAIMED: TODAY}), True),
        # a decision that does not say when counts as decided
        (demand(tier="high", asked=COUNTER, rules=("one_way_calls", "fan_out")), True),
    ],
)
def test_only_new_evidence_asks_for_more(store: Store, again: OrderDecision, heavier: bool) -> None:
    book = _book(store)
    receive(book, [again], NOW + DAY)
    order = verification(book)
    assert (order.tier, order.asked) == (("high", "verify_at_counter") if heavier else ("medium", "verify"))
    assert _told(store) == ["verify", "verify_at_counter"][: 1 + heavier]
    assert "one_way_calls" in order.rules
    assert set(again.rules) <= set(order.rules), "the desk sees what was found since"


@pytest.mark.parametrize("heavier", [False, True])
def test_who_passed_is_asked_again_only_for_new_evidence(store: Store, heavier: bool) -> None:
    book = _book(store)
    for event in (Event.BEGIN, Event.PASS):
        book.apply(verification(book).id, event, SYSTEM, "the check online", NOW + HOUR)
    since = {"sim_box": TOMORROW} if heavier else {}
    again = _found("high", one_way_calls=DAY_BEFORE, fan_out=TODAY, **since)
    assert receive(book, [again], NOW + DAY) == (Received(opened=1) if heavier else Received(left=1))


def _upheld(book: OrderService) -> None:
    objection = book.object(card(0), "my own number", DESK, NOW + HOUR)
    book.apply(objection.id, Event.UPHOLD, SECOND, "they teach a class", NOW + 2 * HOUR)


def _restored(book: OrderService) -> None:
    order = verification(book)
    book.apply(order.id, Event.DELIVERED, SYSTEM, "receipt", NOW, delivered_at=NOW, receipt_at=NOW)
    book.sweep(NOW + 25 * HOUR)
    stopped = restriction(book)
    assert stopped
    book.apply(stopped.id, Event.RESTORE, SECOND, "a mistake", NOW + 26 * HOUR)


@pytest.mark.parametrize("given_back", [_upheld, _restored])
def test_whose_card_was_given_back_is_not_asked_again_the_next_morning(
    store: Store, given_back: object
) -> None:
    book = _book(store)
    assert callable(given_back)
    given_back(book)
    assert book.transaction(lambda unit: unit.open_order(card(0), Kind.VERIFICATION), NOW) is None
    assert receive(book, [_found("medium", one_way_calls=DAY_BEFORE)], NOW + 2 * DAY) == Received(left=1)
    with store.reading() as connection:
        said = connection.execute(select(audit.c.what).order_by(audit.c.seq.desc()).limit(1)).scalar_one()
    assert said == "demand.restored"
    new = _found("high", fan_out=TOMORROW + DAY, sim_box=TOMORROW + DAY)
    assert receive(book, [new], NOW + 3 * DAY) == Received(opened=1), "what began since asks"


def test_a_card_that_was_given_back_long_ago_is_asked_about_what_is_new(store: Store) -> None:
    book = _book(store)
    _upheld(book)
    late = _found("medium", fan_out=TODAY + 90 * DAY)
    assert receive(book, [late], NOW + 89 * DAY) == Received(left=1)
    assert receive(book, [late], NOW + 91 * DAY) == Received(opened=1)


def test_who_never_answered_is_asked(store: Store) -> None:
    book = book_on(store, OrderPolicy(weights=WEIGHTS))
    delivered(book, 1)
    assert receive(book, [_found("medium", fan_out=TODAY)], NOW) == Received(opened=1)


def test_weights_add_up_to_a_tier_at_its_limit() -> None:
    assert WEIGHTS.tier_of(["repeat_alerts", "unknown"]) == "low"
    assert WEIGHTS.tier_of(["fan_out"]) == "medium"
    assert WEIGHTS.tier_of(["fan_out", "repeat_alerts"]) == "medium"
    assert WEIGHTS.tier_of(["fan_out", "sim_box"]) == "high"
