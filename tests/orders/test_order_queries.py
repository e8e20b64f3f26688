from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from duanka.api.schemas.responses import OrderShown
from duanka.cli.orders.listings import orders_listing
from duanka.domain.caller_answer import answer as to_read_out
from duanka.domain.order import (
    SYSTEM,
    Event,
    Kind,
    OrderError,
    PermissionDenied,
    Person,
    Role,
    State,
    UnknownOrder,
)
from duanka.domain.order_decision import RequestedAction
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import Fault, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import acts, alarms, audit, drifts, notices, outbox, refusals
from duanka.ledger.figures.refused import add_counts
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.monitoring.backlog import backlog
from duanka.orders.queries.listing import Sort
from duanka.orders.queries.service import Filter, OrderQueries, ViewerContext
from duanka.orders.service import OrderService
from duanka.orders.views import Page
from support.orders.books import (
    DESK,
    ELEMENTS,
    HOUR,
    KEY,
    NOW,
    POLICE,
    SECOND,
    book_on,
    card,
    delivered,
    demand,
    receive,
    verification,
)

CLERK, REGULATOR = ViewerContext(DESK), ViewerContext(Person("zhao", Role.REGULATOR))
HOLDER = Person("holder", Role.HOLDER)
DAY = 24 * HOUR


def reading(store: Store) -> OrderQueries:
    return OrderQueries(store, Trail(KEY))


def trail(store: Store, what: str) -> list[tuple[str, str, str]]:
    with store.reading() as connection:
        rows = connection.execute(select(audit).where(audit.c.what.like(what)).order_by(audit.c.seq)).all()
    return [(row.who, row.subject, row.why) for row in rows]


def mixed(store: Store) -> OrderService:
    """Orders of cards 0 to 8, opened an hour apart: 0-5 asked, 6 at the counter, 7 expired, 8 stopped by the police."""
    book = book_on(store)
    for number in range(6):
        receive(book, [demand(number)], NOW + number * HOUR)
    receive(book, [demand(6, RequestedAction.VERIFY_AT_COUNTER, tier="high")], NOW + 6 * HOUR)
    delivered(book, 7, NOW + 7 * HOUR)
    book.sweep(NOW + 31 * HOUR)
    book.police_stop(card(8), "case-1", POLICE, "confirmed", NOW + 32 * HOUR)
    return book


def test_orders_are_found_by_what_they_are(store: Store) -> None:
    mixed(store)
    read = reading(store)

    def found(at: datetime = NOW + 40 * HOUR, **which: Any) -> list[str]:
        page = read.orders(Filter(**which), CLERK, at)
        return [order.card[-1] for order in page.items]

    assert found() == list("8776543210")
    assert found(kind=Kind.RESTRICTION) == ["8", "7"]
    assert found(states=[State.OPENED]) == list("6543210")
    assert found(states=[State.EXPIRED]) == ["7"]
    assert found(card=card(3)) == ["3"]
    assert found(tiers=["high"]) == ["6"]
    assert found(since=NOW + 2 * HOUR, until=NOW + 4 * HOUR) == ["3", "2"]
    assert found(is_open=False) == []
    assert len(found(is_open=True)) == 10
    assert found(overdue=True) == []
    assert found(kind=Kind.OBJECTION) == []


def test_what_is_late_is_found(store: Store) -> None:
    book = book_on(store)
    delivered(book)
    read = reading(store)
    late = Filter(overdue=True)
    assert read.orders(late, CLERK, NOW + DAY - HOUR).items == ()
    assert [order.kind for order in read.orders(late, CLERK, NOW + DAY).items] == [Kind.VERIFICATION]
    objection = book.object(card(0), "I am honest", DESK, NOW)
    book.apply(objection.id, Event.ACCEPT, DESK, "looked at", NOW)
    book.sweep(NOW + 30 * DAY)
    found = read.orders(Filter(kind=Kind.OBJECTION, overdue=True), CLERK, NOW + 30 * DAY).items
    assert [order.id for order in found] == [objection.id], "an objection that nobody answered stays in sight"


@pytest.mark.parametrize("by", [DESK, HOLDER])
def test_an_objection_that_nobody_took_up_is_overdue_everywhere_once_its_term_is_over(
    store: Store, by: Person
) -> None:
    book = book_on(store)
    delivered(book)
    book.sweep(NOW + DAY)
    objection, late = book.object(card(0), "I am honest", by, NOW + DAY), NOW + 30 * DAY
    read, which = reading(store), Filter(kind=Kind.OBJECTION, overdue=True)
    assert objection.due_at
    assert read.orders(which, CLERK, NOW + 2 * DAY).items == ()
    assert not OrderShown.of(objection).overdue
    book.sweep(late)
    (found,) = read.orders(which, CLERK, late).items
    assert (found.id, found.due_at, found.state) == (objection.id, None, State.FILED)
    assert OrderShown.of(found).model_dump(by_alias=True)["overdue"] is True
    due = Filter(kind=Kind.OBJECTION, due=late)
    assert [one.id for one in read.orders(due, CLERK, late).items] == [objection.id], "it was due before"
    assert read.order_counts(due, ViewerContext(DESK), late).total == 1
    (told,) = (one for one in orders_listing(late, only_open=True).columns if one.name == "overdue")
    assert told.of(found) is True
    assert backlog(store, late).overdue == 1
    by_due = read.orders(Filter(is_open=True), CLERK, late, sort=Sort.DUE).items
    assert by_due[0].id == objection.id, "what is overdue comes first"
    (column,) = (one for one in orders_listing(late, only_open=True).columns if one.name == "due_at")
    assert column.shown(found) in ("逾期", "overdue")
    said = to_read_out(card(0), by_due, None, book.terms.policy)
    assert "its term is over without an answer" in said.en
    assert "答复期限已过" in said.zh


def test_pages_show_everything_once_while_more_comes(store: Store) -> None:
    book = book_on(store)
    receive(book, [demand(n) for n in range(25)], NOW)  # all at one moment: the id must order them
    read, seen, after = reading(store), list[str](), ""
    while True:
        page = read.orders(Filter(), CLERK, NOW, after, limit=10)
        seen += [order.id for order in page.items]
        receive(book, [demand(100 + len(seen))], NOW + HOUR)
        if page.next is None:
            break
        after = page.next
    assert len(seen) == len(set(seen)) == 25


@pytest.mark.parametrize("cursor", ["x", "AAAA", "é", "MjAyNi0wMy0wMiBW", "!!!!", "A" * 5000])
def test_a_cursor_that_is_not_ours_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(UnknownOrder, match="no page"):
        reading(store).orders(Filter(), CLERK, NOW, cursor)


def test_numbers_are_masked_unless_one_who_may_asks_and_says_why(store: Store) -> None:
    book = book_on(store)
    receive(book, [demand(0, reason=BilingualText(f"呼叫{card(77)}", f"called {card(77)}"))], NOW)
    order = verification(book)
    read = reading(store)
    answers: dict[ViewerContext, list[Any]] = {
        reader: [read.orders(Filter(), reader, NOW), read.order(order.id, reader, NOW)]
        for reader in (CLERK, REGULATOR)
    }
    answers[CLERK].append(read.dossier(card(0), CLERK, NOW))
    answers[ViewerContext(POLICE, case="c")] = [read.dossier(card(0), ViewerContext(POLICE, case="c"), NOW)]
    for masked in answers.values():
        for answer in masked:
            assert card(0) not in shown(answer)
            assert card(77) not in shown(answer)
            assert "+86 130****0000" in shown(answer)
    asking = ViewerContext(DESK, unmasked=True, why="the holder is on the telephone")
    assert f"+{card(0)}" in shown(read.order(order.id, asking, NOW))
    assert card(77) in shown(read.order(order.id, asking, NOW))
    with pytest.raises(PermissionDenied, match="numbers in full"):
        read.order(order.id, ViewerContext(REGULATOR.person, unmasked=True, why="curious"), NOW)
    with pytest.raises(OrderError, match="say why"):
        read.order(order.id, ViewerContext(DESK, unmasked=True), NOW)


def test_who_may_not_see_numbers_in_full_cannot_search_by_one(store: Store) -> None:
    receive(book_on(store), [demand()], NOW)
    with pytest.raises(PermissionDenied, match="by number"):
        reading(store).orders(Filter(card=card(0)), REGULATOR, NOW)
    assert trail(store, "read.%") == []


def shown(answer: Any) -> str:
    return json.dumps(asdict(answer), default=str, ensure_ascii=False)


def test_who_read_what_stands_in_the_trail(store: Store) -> None:
    book = book_on(store)
    receive(book, [demand()], NOW)
    order, read = verification(book), reading(store)
    read.orders(Filter(card=card(0)), CLERK, NOW)
    read.order(order.id, ViewerContext(DESK, unmasked=True, why="on the telephone"), NOW)
    read.dossier(card(0), ViewerContext(POLICE, case="case-9", why="asked for"), NOW)
    assert trail(store, "read.%") == [
        ("wang", card(0), ""),
        ("wang", order.id, "on the telephone"),
        ("liaison", card(0), "case-9 · asked for"),
    ]
    assert not [found for found in Trail(KEY).verify(store) if isinstance(found, Fault)]
    file = read.order(order.id, CLERK, NOW)
    assert [told.what for told in file.trail] == ["verification.open", "read.order"]
    with pytest.raises(PermissionDenied, match="case"):
        read.dossier(card(0), ViewerContext(POLICE), NOW)
    with pytest.raises(UnknownOrder):
        read.order("V", CLERK, NOW)


def test_a_read_that_cannot_be_written_down_shows_nothing(store: Store) -> None:
    receive(book_on(store), [demand()], NOW)
    with store.writing() as connection:
        connection.exec_driver_sql("DROP TABLE audit")
    with pytest.raises(Exception, match="audit"):
        reading(store).orders(Filter(), CLERK, NOW)


def test_an_order_comes_with_its_trail_legs_and_notices(store: Store) -> None:
    book = mixed(store)
    order = book.transaction(lambda unit: unit.open_order(card(8), Kind.RESTRICTION), NOW)
    assert order
    with store.writing() as connection:
        body = "办理 https://verify.operator.example/v#" + "A" * 44 + " 或"
        connection.execute(update(notices).where(notices.c.order_id == order.id).values(body=body))
    file = reading(store).order(order.id, CLERK, NOW)
    assert [told.what for told in file.trail] == ["restriction.open", "restriction.police_stop"]
    assert sorted(leg.element for leg in file.legs) == sorted(ELEMENTS)
    assert {leg.wanted for leg in file.legs} == {"suspended"}
    assert [(n.template, n.text) for n in file.notices] == [
        ("forced_stop", "办理 https://verify.operator.example/v#… 或")
    ]


def test_a_dossier_says_what_the_network_confirmed(store: Store) -> None:
    book = mixed(store)
    with store.writing() as connection:
        mine = update(outbox).where(outbox.c.card == card(8))
        for element, outcome in (("home_register", "done"), ("call_proxy", "refused")):
            connection.execute(
                mine.where(outbox.c.element == element).values(done_at=NOW, outcome=outcome, error="x")
            )
        connection.execute(
            insert(refusals).values(
                element="call_proxy", key="1", at=NOW, carried="call", card=card(8), peer=card(5),
                reason="blocked_sender", detail="",
            )
        )  # fmt: skip
    whole = ViewerContext(DESK, unmasked=True, why="a complaint")
    dossier = reading(store).dossier(card(8), whole, NOW)
    assert (dossier.card, dossier.state, dossier.wanted) == (f"+{card(8)}", "forced_stop", "suspended")
    assert [(c.element, c.confirmed, c.waiting) for c in dossier.network] == [
        ("call_proxy", None, None),
        ("home_register", "suspended", None),
        ("message_proxy", None, "suspended"),
    ]
    assert [r.peer for r in dossier.refusals] == ["+86 130****0005"], "whom a card called stays masked"
    assert [order.state for order in dossier.orders] == [State.FORCED_STOP]
    book.police_release(card(8), POLICE, "an error", NOW + 33 * HOUR)
    after = reading(store).dossier(card(8), whole, NOW)
    assert (after.state, after.wanted) == ("restored", "active")
    assert [(c.element, c.confirmed, c.waiting) for c in after.network] == [
        ("call_proxy", None, "active"),
        ("home_register", "suspended", "active"),
        ("message_proxy", None, "active"),
    ]
    nothing = reading(store).dossier(card(500), CLERK, NOW)
    assert (nothing.state, nothing.wanted, nothing.orders, nothing.network) == ("active", "active", (), ())


def handled_of(store: Store, since: datetime, until: datetime) -> tuple[int, set[str]]:
    """The count, and the numbers behind it, page by page."""
    read, numbers, after = reading(store), list[str](), 0
    while True:
        page = read.handled(
            since, until, ViewerContext(SECOND, unmasked=True, why="figures"), NOW, after, limit=2
        )
        numbers += [one.card for one in page.items]
        if page.next is None:
            break
        after = int(page.next)
    assert len(numbers) == len(set(numbers))
    return read.figures(since, until, DESK).handled, set(numbers)


@pytest.mark.requirement("R7.3")
def test_a_number_is_handled_when_its_order_ended_and_counts_once(store: Store) -> None:
    book = book_on(store)
    receive(book, [demand(n) for n in range(7)], NOW)

    def of(number: int) -> str:
        return verification(book, number).id

    assert handled_of(store, NOW, NOW + DAY) == (0, set())
    for number in (
        0,
        1,
        2,
    ):  # 0 passes; 1 expires, is stopped and passes late: once; 2 is withdrawn: not at all
        book.apply(of(number), Event.DELIVERED, SYSTEM, "receipt", NOW, delivered_at=NOW)
    book.apply(of(0), Event.BEGIN, DESK, "came", NOW + HOUR)
    book.apply(of(0), Event.PASS, DESK, "it is them", NOW + HOUR)
    book.apply(of(2), Event.WITHDRAW, DESK, "asked in error", NOW + HOUR)
    assert handled_of(store, NOW, NOW + DAY) == (1, {f"+{card(0)}"})
    book.sweep(NOW + DAY)
    assert handled_of(store, NOW, NOW + DAY)[0] == 1, "the period ends before the stop"
    assert handled_of(store, NOW, NOW + 2 * DAY) == (2, {f"+{card(n)}" for n in (0, 1)})
    book.apply(of(1), Event.PASS, DESK, "late, but it is them", NOW + 30 * HOUR)
    book.police_stop(card(3), "case", POLICE, "confirmed", NOW + 31 * HOUR)
    book.police_release(card(3), POLICE, "an error", NOW + 32 * HOUR)
    everybody = (3, {f"+{card(n)}" for n in (0, 1, 3)})
    assert handled_of(store, NOW, NOW + 2 * DAY) == everybody
    receive(book, [demand(0)], NOW + 33 * HOUR)
    assert handled_of(store, NOW, NOW + 2 * DAY) == everybody, "what is open again was handled all the same"
    first_day = reading(store).figures(NOW, NOW + DAY, DESK)
    assert (first_day.handled, first_day.opened) == (1, {"verification": 7})
    by = reading(store).figures(NOW, NOW + 2 * DAY, DESK).handled_by
    assert by == {
        "verification.pass": 2,
        "restriction.suspend": 1,
        "restriction.restore": 1,
        "restriction.police_stop": 1,
        "restriction.police_release": 1,
    }
    for one in reading(store).handled(NOW, NOW + 2 * DAY, CLERK, NOW).items:
        assert reading(store).order(one.order_id, CLERK, NOW).trail, "every number opens to its trail"
    assert not [found for found in Trail(KEY).verify(store) if isinstance(found, Fault)]


def test_an_act_that_was_undone_handled_nobody(store: Store) -> None:
    book = book_on(store)
    doing = BulkActionService(book)
    why = BilingualText("清单有误", "the wrong list")
    delivered(book, 2)
    for event in (Event.BEGIN, Event.PASS):
        book.apply(verification(book, 2).id, event, SYSTEM, "the check online", NOW)
    mistake = doing.propose(Event.SUSPEND, [card(0), card(1)], why, DESK, NOW)
    doing.approve(mistake.id, SECOND, "fine", NOW)
    doing.carry_out(NOW)
    assert handled_of(store, NOW, NOW + DAY)[0] == 3
    doing.undo(mistake.id, DESK, "the wrong list", NOW + HOUR)
    assert handled_of(store, NOW, NOW + DAY) == (1, {f"+{card(2)}"})
    again = doing.propose(Event.SUSPEND, [card(0)], why, DESK, NOW + 2 * HOUR)
    doing.approve(again.id, SECOND, "this time for good", NOW + 2 * HOUR)
    doing.carry_out(NOW + 2 * HOUR)
    assert handled_of(store, NOW, NOW + DAY) == (2, {f"+{card(n)}" for n in (0, 2)})


def test_refusals_alarms_and_drifts_are_counted_in_their_period(store: Store) -> None:
    with store.writing() as connection:
        for key, hours in (("a", 0), ("b", 1), ("c", 30)):
            row = {"element": "call_proxy", "key": key, "at": NOW + hours * HOUR, "carried": "call"}
            row |= {"card": card(1), "peer": card(2), "reason": "blocked_sender", "detail": ""}
            row |= {"operator": "", "city": ""}
            connection.execute(insert(refusals).values(row))
            add_counts(connection, [row])
        raised = {"source": "call_proxy", "since": NOW, "raised_at": NOW + HOUR, "detail": "silent"}
        connection.execute(insert(alarms).values(raised | {"cleared_at": NOW + 2 * HOUR}))
        connection.execute(insert(alarms).values(raised))
        drift = {"element": "home_register", "card": card(1), "wanted": "suspended", "found": "active"}
        connection.execute(insert(drifts).values(drift | {"found_at": NOW, "repaired_at": NOW}))
        connection.execute(insert(drifts).values(drift | {"found_at": NOW}))
    read = reading(store)
    figures = read.figures(NOW, NOW + DAY, DESK)
    assert [(c.carried, c.reason, c.count) for c in figures.refused] == [("call", "blocked_sender", 2)]
    assert (figures.alarms, figures.drifts, figures.drifts_repaired) == (2, 2, 1)
    assert read.figures(NOW + 2 * DAY, NOW + 3 * DAY, DESK).refused == ()
    assert [alarm.cleared_at for alarm in read.alarms(DESK, is_open=True)] == [None]
    assert len(read.alarms(DESK)) == 2
    assert [drift.card for drift in read.drifts(CLERK, NOW)] == ["+86 130****0001"] * 2
    assert [drift.repaired_at for drift in read.drifts(CLERK, NOW, is_open=True)] == [None]


def test_what_is_not_mended_is_listed_however_much_was_mended_since(store: Store) -> None:
    drift = {"element": "home_register", "card": card(1), "wanted": "suspended", "found": "active"}
    with store.writing() as connection:
        connection.execute(insert(drifts).values(drift | {"found_at": NOW}))
        mended = [drift | {"found_at": NOW + HOUR, "repaired_at": NOW + HOUR} for _ in range(3)]
        connection.execute(insert(drifts), mended)
    assert [one.found_at for one in reading(store).drifts(CLERK, NOW, 2, is_open=True)] == [NOW]


def test_acts_are_shown_page_by_page(store: Store) -> None:
    words = {
        f"{name}_{language}": "x" for name in ("reason", "redress", "papers") for language in ("zh", "en")
    }
    with store.writing() as connection:
        for number in range(5):
            row: dict[str, Any] = {
                "id": f"A{number}",
                "event": "suspend",
                "state": "proposed" if number else "done",
                **words,
            }
            row |= {
                "proposed_by": "wang",
                "proposed_at": NOW + timedelta(minutes=number),
                "total": 3,
                "done": 0,
            }
            connection.execute(insert(acts).values(row | {"skipped": 0}))
    read = reading(store)
    first = read.bulk_actions(DESK, limit=3)
    assert first.next
    assert [act.id for act in (*first.items, *read.bulk_actions(DESK, first.next).items)] == [
        "A4",
        "A3",
        "A2",
        "A1",
        "A0",
    ]
    assert [act.id for act in read.bulk_actions(DESK, waiting=True).items] == ["A4", "A3", "A2", "A1"]
    assert read.bulk_action("A0", DESK).state == "done"
    assert read.act_cards("A0", CLERK, NOW) == Page((), None)
    with pytest.raises(UnknownOrder):
        read.bulk_action("A9", DESK)


def test_what_is_still_to_come_of_a_bulk_action_is_what_came_since_it_began(store: Store) -> None:
    book = book_on(store)
    receive(book, [demand(0)], NOW)  # whose notice still waits
    bulk = BulkActionService(book)
    act = bulk.propose(Event.SUSPEND, [card(0)], BilingualText("窝点", "a farm"), DESK, NOW + HOUR)
    bulk.approve(act.id, SECOND, "seen", NOW + HOUR)
    bulk.carry_out(NOW + HOUR)
    read = reading(store)
    assert read.to_come(card(0)) == (len(ELEMENTS), 2)
    assert read.to_come_of_bulk_action(act.id) == (len(ELEMENTS), 1)
