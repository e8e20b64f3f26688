"""The second person sees each card that they approve, and strikes those that they do not."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, event, select

from duanka.domain.order import Event, OrderError
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.queries.service import OrderQueries, ViewerContext
from support.orders.books import DESK, HOUR, KEY, NOW, SECOND, book_on, card, demand, receive, verification

WHY = BilingualText("群众举报", "reported")


def test_each_card_is_told_with_what_is_known_of_it(store: Store) -> None:
    book = book_on(store)
    acts, read = BulkActionService(book), OrderQueries(store, Trail(KEY))
    receive(book, [demand(0), demand(1)], NOW)
    book.apply(verification(book, 1).id, Event.BEGIN, DESK, "came", NOW)
    passed = book.apply(verification(book, 1).id, Event.PASS, DESK, "it is them", NOW + HOUR)
    book.object(card(0), "我在卖车", DESK, NOW)
    act = acts.propose(Event.SUSPEND, [card(2), card(0), card(1)], WHY, DESK, NOW + HOUR)
    page = read.act_cards(act.id, ViewerContext(SECOND), NOW + HOUR, 0, 2)
    first, second = page.items
    assert (first.line, second.line, page.next) == (1, 2, "2")
    assert first.card == "+86 130****0000"
    assert (first.state, first.tier, first.passes, first.objection) == ("active", "medium", 0, "filed")
    assert first.reason
    assert first.reason.words == BilingualText("一天外呼80个陌生号码", "80 strangers called in a day")
    assert sorted((one.kind, one.state) for one in first.open_orders) == [
        ("objection", "filed"),
        ("verification", "opened"),
    ]
    assert (second.passes, second.passed_at, second.open_orders) == (1, passed.closed_at, ())
    (third,) = read.act_cards(act.id, ViewerContext(SECOND), NOW, 2, 2).items
    assert (third.line, third.tier, third.reason, third.open_orders) == (3, "", None, ())
    full = read.act_cards(act.id, ViewerContext(SECOND, unmasked=True, why="to compare"), NOW)
    assert [one.card for one in full.items] == [f"+{card(n)}" for n in range(3)]


def test_what_detection_saw_of_a_card_is_told_though_staff_stopped_it_since(store: Store) -> None:
    book = book_on(store)
    acts, read = BulkActionService(book), OrderQueries(store, Trail(KEY))
    receive(book, [demand(0)], NOW)
    first = acts.propose(Event.BAR_OUTGOING, [card(0), card(1)], WHY, DESK, NOW + HOUR)
    acts.approve(first.id, SECOND, "seen", NOW + HOUR)
    acts.carry_out(NOW + HOUR)
    act = acts.propose(Event.SUSPEND, [card(0), card(1)], WHY, DESK, NOW + 2 * HOUR)
    seen, unknown = read.act_cards(act.id, ViewerContext(SECOND), NOW + 2 * HOUR).items
    assert seen.reason
    assert unknown.reason
    assert (seen.tier, seen.reason.en) == ("medium", "80 strangers called in a day")
    assert (unknown.tier, unknown.reason.en) == ("", "reported"), "nothing else is known of it"


@pytest.mark.parametrize("named", [(card(1), "#3"), (f"+{card(1)}", "#3", card(2)), ("#2", "#3")])
def test_single_cards_are_struck_at_approval(store: Store, named: tuple[str, ...]) -> None:
    book = book_on(store)
    acts = BulkActionService(book)
    act = acts.propose(Event.SUSPEND, [card(n) for n in range(4)], WHY, DESK, NOW)
    acts.approve(act.id, SECOND, "two of them are honest", NOW, named)
    acts.carry_out(NOW)
    done = acts.get(act.id)
    assert (done.state, done.done, done.skipped) == ("done", 2, 2)
    assert [one.card for one in acts.skipped(act.id)] == [card(1), card(2)]
    assert all(f"struck by {SECOND.id}" in one.why for one in acts.skipped(act.id))
    with store.reading() as connection:
        rows = connection.execute(select(audit).where(audit.c.what == "act.strike")).all()
    assert [(row.who, row.subject) for row in rows] == [(SECOND.id, act.id)] * 2
    assert [card(n) in rows[n - 1].after for n in (1, 2)] == [True, True]


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ((card(9),), "not in this bulk action"),
        (("#5",), "no line #5"),
        (("#0",), "no phone number|no card number|telephone number|not"),
        (tuple(f"#{n}" for n in range(1, 5)), "reject it"),
    ],
)
def test_what_cannot_be_struck_approves_nothing(store: Store, named: tuple[str, ...], told: str) -> None:
    acts = BulkActionService(book_on(store))
    act = acts.propose(Event.SUSPEND, [card(n) for n in range(4)], WHY, DESK, NOW)
    with pytest.raises(OrderError, match=told):
        acts.approve(act.id, SECOND, "fine", NOW, named)
    assert acts.get(act.id) == act


def test_many_cards_are_struck_without_reading_the_whole_list_for_each(store: Store) -> None:
    """Who strikes thousands would hold the trail, and with it everybody else, for minutes."""
    acts, reads = BulkActionService(book_on(store)), list[str]()
    act = acts.propose(Event.SUSPEND, [card(n) for n in range(60)], WHY, DESK, NOW)

    def count(connection: object, cursor: object, statement: str, *_: object) -> None:
        reads.extend([statement] if "FROM act_cards" in statement else [])

    event.listen(Engine, "before_cursor_execute", count)
    try:
        acts.approve(act.id, SECOND, "half of them are honest", NOW, [f"#{n}" for n in range(1, 31)])
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    assert acts.get(act.id).skipped == 30
    assert len(reads) < 10
