"""A bulk action for the cards of chosen orders: previewed, proposed, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import select

from duanka.domain.order import (
    Event,
    Kind,
    NoSuchTransition,
    OrderError,
    PermissionDenied,
    Person,
    Role,
    UnknownOrder,
)
from duanka.domain.person import Scope
from duanka.domain.text import BilingualText
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.proposing import chosen_orders
from duanka.orders.proposing.chosen_orders import ChosenOrdersShown, preview, propose_for_orders
from duanka.orders.queries.listing import Filter
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
    decided_by_second,
    demand,
    receive,
    restriction,
    verification,
)

WHY = BilingualText("群众举报", "reported")
ALL = Filter(is_open=True)


def _ids(book: OrderService, *numbers: int) -> list[str]:
    return [verification(book, number).id for number in numbers]


def _left_out(told: ChosenOrdersShown) -> dict[str, str]:
    return {one.card[-1]: str(one.left_out) for one in told.items if one.left_out}


def _with_open_orders(store: Store, count: int) -> BulkActionService:
    book = book_on(store)
    receive(book, [demand(number) for number in range(count)], NOW)
    return BulkActionService(book)


def test_a_stop_is_previewed_and_proposed_for_the_cards_of_orders(store: Store) -> None:
    acts = _with_open_orders(store, 3)
    ids = _ids(acts.orders, 0, 2)
    told = preview(acts, Event.SUSPEND, ids, DESK, NOW)
    assert (told.orders, told.cards, told.changes, told.second_person) == (2, 2, 2, True)
    assert (told.tiers, told.left_out) == ({"medium": 2}, {})
    assert [(one.card, one.order_id, one.state) for one in told.items] == [
        ("+86 130****0000", ids[0], "active"),
        ("+86 130****0002", ids[1], "active"),
    ]
    act = propose_for_orders(acts, Event.SUSPEND, ids, WHY, DESK, NOW)
    assert (act.state, act.total, act.skipped, act.grounds.reason) == ("proposed", 2, 0, WHY)
    assert decided_by_second(acts.orders).done == told.changes
    assert [number for number in range(3) if restriction(acts.orders, number)] == [0, 2]


def test_the_preview_tells_of_each_card_why_it_is_left_alone_and_the_proposal_has_none_of_them(
    store: Store,
) -> None:
    book = _with_open_orders(store, 5).orders
    acts = BulkActionService(book_on(store, replace(AT_ONCE, protected=(card(1),))))
    ids = _ids(book, 0, 1, 2, 3, 4)
    stopped = acts.propose(Event.BAR_OUTGOING, [card(2)], WHY, DESK, NOW)
    acts.approve(stopped.id, SECOND, "seen", NOW)
    acts.carry_out(NOW)
    waiting = propose_for_orders(acts, Event.SUSPEND, [ids[3]], WHY, DESK, NOW)
    book.police_stop(card(4), "A1", POLICE, "fraud", NOW)
    told = preview(acts, Event.BAR_OUTGOING, ids, DESK, NOW)
    assert _left_out(told) == {
        "1": "protected",
        "2": "in_bulk_action",
        "3": "in_bulk_action",
        "4": "police_stop",
    }
    assert told.left_out == {"protected": 1, "in_bulk_action": 2, "police_stop": 1}
    assert {one.card[-1]: one.detail for one in told.items}["3"] == waiting.id
    assert [one.left_out is None for one in told.items] == [False] * 4 + [True], "those left alone first"
    act = propose_for_orders(acts, Event.BAR_OUTGOING, ids, WHY, DESK, NOW)
    assert (act.total, act.skipped) == (1, 0)
    harder = preview(acts, Event.SUSPEND, [ids[2]], DESK, NOW)
    assert (harder.changes, harder.items[0].state) == (1, "outgoing_barred"), "a harder stop may follow"
    with pytest.raises(NoSuchTransition, match="nothing is left to do: 1 stopped by the police"):
        propose_for_orders(acts, Event.BAR_OUTGOING, [ids[4]], WHY, DESK, NOW)


@pytest.mark.parametrize("event", [Event.RESTORE, Event.EASE, Event.CANCEL])
def test_a_card_that_is_not_stopped_is_neither_lifted_nor_cancelled(store: Store, event: Event) -> None:
    acts = _with_open_orders(store, 1)
    assert _left_out(preview(acts, event, _ids(acts.orders, 0), DESK, NOW)) == {"0": "not_stopped"}


def test_who_never_gets_the_lifeline_is_left_alone(store: Store) -> None:
    book = book_on(store)
    receive(book, [demand(0, rules=("code_receiver",)), demand(1)], NOW)
    acts, ids = BulkActionService(book), _ids(book, 0, 1)
    assert _left_out(preview(acts, Event.LIFELINE, ids, DESK, NOW)) == {"0": "no_lifeline"}
    assert preview(acts, Event.SUSPEND, ids, DESK, NOW).changes == 2
    assert propose_for_orders(acts, Event.LIFELINE, ids, WHY, DESK, NOW).total == 1


def test_what_one_person_may_do_begins_at_once(store: Store) -> None:
    acts = _with_open_orders(store, 3)
    ids = _ids(acts.orders, 0, 1)
    propose_for_orders(acts, Event.SUSPEND, ids, WHY, DESK, NOW)
    decided_by_second(acts.orders)
    told = preview(acts, Event.RESTORE, ids, DESK, NOW)
    assert (told.changes, told.second_person) == (2, False)
    assert propose_for_orders(acts, Event.RESTORE, ids, WHY, DESK, NOW).state == "done"
    assert not restriction(acts.orders, 0)


def test_verifications_are_withdrawn_as_orders_and_other_orders_are_not(store: Store) -> None:
    acts = _with_open_orders(store, 3)
    book = acts.orders
    ids = _ids(book, 0, 1, 2)
    book.apply(ids[2], Event.WITHDRAW, DESK, "wrong", NOW)
    objection = book.object(card(1), "我在卖车", DESK, NOW)
    asked = [ids[0], objection.id, ids[2]]
    assert _left_out(preview(acts, Event.WITHDRAW, asked, DESK, NOW)) == {"1": "not_asked", "2": "not_asked"}
    act = propose_for_orders(acts, Event.WITHDRAW, asked, WHY, DESK, NOW)
    assert (act.event, act.state, act.done, act.grounds.reason) == ("withdraw", "done", 1, WHY)
    assert verification(book, 1).id == ids[1], "still asked"


def test_a_tier_that_takes_two_people_waits_for_the_second(store: Store) -> None:
    book = book_on(store)
    receive(book, [demand(0, tier="high")], NOW)
    acts, ids = BulkActionService(book), _ids(book, 0)
    assert preview(acts, Event.WITHDRAW, ids, DESK, NOW).second_person
    assert propose_for_orders(acts, Event.WITHDRAW, ids, WHY, DESK, NOW).state == "proposed"
    assert _left_out(preview(acts, Event.WITHDRAW, ids, DESK, NOW)) == {"0": "in_bulk_action"}


def test_all_that_a_filter_finds_are_previewed_and_more_than_a_request_takes_are_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts = _with_open_orders(store, 3)
    assert preview(acts, Event.SUSPEND, ALL, DESK, NOW).orders == 3
    assert preview(acts, Event.SUSPEND, replace(ALL, kind=Kind.VERIFICATION), DESK, NOW).cards == 3
    assert preview(acts, Event.SUSPEND, replace(ALL, tiers=("extreme",)), DESK, NOW).orders == 0
    monkeypatch.setattr(chosen_orders, "MOST_CHOSEN", 2)
    with pytest.raises(OrderError, match="3 orders are more than one request takes"):
        preview(acts, Event.SUSPEND, ALL, DESK, NOW)


def test_a_card_with_several_chosen_orders_counts_once(store: Store) -> None:
    acts = _with_open_orders(store, 1)
    objection = acts.orders.object(card(0), "我在卖车", DESK, NOW)
    told = preview(acts, Event.SUSPEND, [*_ids(acts.orders, 0), objection.id], DESK, NOW)
    assert (told.orders, told.cards) == (2, 1)


def _proposing(
    acts: BulkActionService, event: Event, which: Sequence[str], by: Person, now: datetime
) -> object:
    return propose_for_orders(acts, event, which, WHY, by, now)


@pytest.mark.parametrize("act", [preview, _proposing])
def test_who_may_not_propose_or_not_see_the_orders_is_refused(
    store: Store, act: Callable[..., object]
) -> None:
    acts = _with_open_orders(store, 1)
    ids = _ids(acts.orders, 0)
    for by in (Person("watching", Role.REGULATOR), POLICE):
        with pytest.raises(PermissionDenied):
            act(acts, Event.SUSPEND, ids, by, NOW)
    elsewhere = Person("wu", Role.DESK, scope=Scope(operators=frozenset({"unicom"})))
    with pytest.raises(PermissionDenied, match="out of the scope"):
        act(acts, Event.SUSPEND, ids, elsewhere, NOW)
    assert preview(acts, Event.SUSPEND, ALL, elsewhere, NOW).items == []
    with pytest.raises(UnknownOrder, match="V000000000000"):
        act(acts, Event.SUSPEND, [*ids, "V000000000000"], DESK, NOW)
    with pytest.raises(NoSuchTransition, match="cannot be asked"):
        act(acts, Event.PASS, ids, DESK, NOW)


def test_somebody_elses_stop_of_the_same_moment_is_left_out(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts = _with_open_orders(store, 2)
    ids, look = _ids(acts.orders, 0, 1), chosen_orders._look  # between look and proposal

    def interrupted(*asked: object) -> object:
        seen = look(*asked)  # type: ignore[arg-type]
        monkeypatch.setattr(chosen_orders, "_look", look)
        acts.propose(Event.SUSPEND, [card(0)], WHY, SECOND, NOW)
        return seen

    monkeypatch.setattr(chosen_orders, "_look", interrupted)
    act = propose_for_orders(acts, Event.SUSPEND, ids, WHY, DESK, NOW + HOUR)
    assert act.total == 1


def test_the_trail_tells_who_previewed(store: Store) -> None:
    acts = _with_open_orders(store, 1)
    preview(acts, Event.SUSPEND, ALL, DESK, NOW)
    with store.reading() as connection:
        rows = connection.execute(select(audit.c.who).where(audit.c.what == "read.orders")).scalars().all()
    assert rows == [DESK.id]
