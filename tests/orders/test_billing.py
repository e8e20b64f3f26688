"""Events for billing: one for each change of whether a card is charged, in an order that a reader can follow."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Event as Signal
from threading import Thread

import pytest
from sqlalchemy import Connection, select, update

from duanka.domain.billing import BillingEvent, billing_event
from duanka.domain.order import Event, Kind, PermissionDenied, State
from duanka.domain.person import Person, Role, Scope
from duanka.domain.text import BilingualText
from duanka.ledger.audit.trail import AuditEntry, Trail
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import audit
from duanka.ledger.db.tables_holders import billing_events
from duanka.ledger.unit_of_work.unit_of_work import Terms, UnitOfWork
from duanka.orders.bulk_actions.service import BulkActionService
from duanka.orders.effects import apply_event
from duanka.orders.papers.billing import BEGINNING, BillingCursorRefused, BillingPage, BillingQueries
from duanka.orders.police_stops import police_stop
from duanka.orders.service import OrderService
from support.order_policies import AT_ONCE
from support.orders.books import (
    DESK,
    ELEMENTS,
    HOUR,
    KEY,
    NOW,
    POLICE,
    SECOND,
    all_delivered,
    backup_of,
    book_on,
    card,
    decided_by_second,
    restore,
    restriction,
)
from support.orders.dying_worker import killed_at, work
from support.waiting import HANG


def told(store: Store, after: int = 0) -> list[tuple[int, str, str]]:
    """What happened behind event `after`, read on behind its cursor."""
    queries = BillingQueries(store, Trail(KEY))
    cursor = queries.events(DESK, NOW, limit=after).following if after else BEGINNING
    found = queries.events(DESK, NOW, cursor)
    return [(one.id, one.card, one.event.value) for one in found.events]


def test_a_stop_pauses_a_heavier_one_changes_nothing_and_a_restoration_resumes(store: Store) -> None:
    book = book_on(store)
    all_delivered(book, range(2))
    book.sweep(NOW + 24 * HOUR)
    assert told(store) == [(1, card(0), "paused"), (2, card(1), "paused")]
    book.police_stop(card(0), "A1", POLICE, "confirmed", NOW + 25 * HOUR)
    assert told(store, after=2) == [], "it was paused already"
    book.police_release(card(0), POLICE, "an error", NOW + 26 * HOUR)
    assert told(store, after=2) == [(3, card(0), "resumed")]
    acts = BulkActionService(book)
    acts.propose(Event.CANCEL, [card(1)], BilingualText("销户", "to be cancelled"), DESK, NOW + 27 * HOUR)
    decided_by_second(book, at=NOW + 27 * HOUR)
    assert told(store, after=3) == [(4, card(1), "ended")]


def test_a_bulk_action_pauses_each_card_once_and_its_undoing_resumes_each(store: Store) -> None:
    book = book_on(store)
    acts = BulkActionService(book)
    cards = [card(number) for number in range(60)]
    acts.propose(Event.SUSPEND, cards, BilingualText("涉嫌", "suspected"), DESK, NOW)
    act = decided_by_second(book)
    assert told(store) == [(number + 1, one, "paused") for number, one in enumerate(cards)]
    acts.undo(act.id, SECOND, "an error", NOW + HOUR)
    acts.carry_out(NOW + HOUR)
    assert told(store, after=60) == [(number + 61, one, "resumed") for number, one in enumerate(cards)]


def test_a_card_that_is_charged_as_before_has_no_event_and_one_that_failed_neither(store: Store) -> None:
    book = book_on(store)
    book.police_stop(card(0), "A1", POLICE, "confirmed", NOW)

    def there_and_back(unit: UnitOfWork) -> None:
        order = unit.open_order(card(0), Kind.RESTRICTION)
        assert order
        apply_event(unit, order, Event.POLICE_RELEASE, POLICE, "an error")
        police_stop(unit, card(0), "A2", POLICE, "it was none")
        with suppress(ValueError), unit.attempt(card(1)):
            police_stop(unit, card(1), "A3", POLICE, "confirmed")
            raise ValueError("undone")

    book.transaction(there_and_back, NOW + HOUR)
    assert told(store) == [(1, card(0), "paused")]


def test_every_state_that_restricts_pauses() -> None:
    restricting = (
        State.OUTGOING_BARRED, State.LIFELINE, State.SUSPENDED, State.FORCED_STOP,
        State.PUNISHED, State.STOPPED_AT_REQUEST,
    )  # fmt: skip
    for state in restricting:
        assert billing_event(State.ACTIVE, state) is BillingEvent.PAUSED
        assert billing_event(state, State.RESTORED) is BillingEvent.RESUMED
        assert billing_event(state, State.SUSPENDED) is None
        assert billing_event(state, State.CANCELLED) is BillingEvent.ENDED


class _Held(Trail):
    """A trail that holds one writer inside its transaction, and lets another one wait for it before it appends."""

    def __init__(self) -> None:
        super().__init__(KEY)
        self.first_wrote, self.go_on, self.second_is_there = Signal(), Signal(), Signal()

    def append(self, connection: Connection, entries: Sequence[AuditEntry]) -> None:
        case = entries[-1].why if entries else ""
        if case == "second":  # has written its rows, and is not at the end of the trail yet
            self.second_is_there.set()
            assert self.first_wrote.wait(HANG)
        super().append(connection, entries)
        if case == "first":
            self.first_wrote.set()
            assert self.go_on.wait(HANG)


@pytest.mark.waits
# SQLite has one writer at a time
@pytest.mark.parametrize("order_database_url", ["postgresql"], indirect=True)
def test_a_reader_misses_nothing_of_two_writers_at_once(store: Store) -> None:
    """Who began first commits last: its event has the greater id, as a reader goes on behind what it saw."""
    trail = _Held()
    book = OrderService(store, Terms(AT_ONCE, trail, ELEMENTS))
    book.police_stop(card(0), "A1", POLICE, "confirmed", NOW)  # the words of these stops are stored

    def stop(number: int, why: str) -> None:
        book.police_stop(card(number), "A1", POLICE, why, NOW)

    second = Thread(target=stop, args=(2, "second"))
    second.start()
    assert trail.second_is_there.wait(HANG)
    first = Thread(target=stop, args=(1, "first"))
    first.start()
    assert trail.first_wrote.wait(HANG)
    with store.reading() as connection:
        assert len(connection.execute(select(billing_events)).all()) == 1, "nothing is committed yet"
    trail.go_on.set()
    first.join(HANG)
    second.join(HANG)
    assert told(store, after=1) == [(2, card(1), "paused"), (3, card(2), "paused")]


@pytest.mark.waits
@pytest.mark.parametrize("step", ["the trail is to be written", "the trail is written", "the stop is stored"])
def test_kill_9_leaves_each_event_once(
    store: Store, order_database_url: str, tmp_path: Path, step: str
) -> None:
    def stop(book: OrderService) -> None:
        if restriction(book) is None:
            book.police_stop(card(0), "A1", POLICE, "confirmed", NOW)

    killed_at(step, order_database_url, tmp_path, NOW, stop)
    assert told(store) == ([(1, card(0), "paused")] if step == "the stop is stored" else [])
    work(order_database_url, tmp_path, "second", NOW + HOUR, stop)
    assert told(store) == [(1, card(0), "paused")]


def test_who_may_and_what_stands_in_the_trail(store: Store) -> None:
    book = book_on(store)
    queries = BillingQueries(store, Trail(KEY))
    assert queries.events(DESK, NOW).following == BEGINNING
    book.police_stop(card(0), "A1", POLICE, "confirmed", NOW)
    page = queries.events(DESK, NOW)
    assert page.following == page.events[-1].cursor
    assert queries.events(DESK, NOW, page.following) == BillingPage((), page.following)
    with store.reading() as connection:
        entries = connection.execute(select(audit).where(audit.c.what == "read.billing")).mappings().all()
    assert [(one["who"], one["after"]) for one in entries] == [("wang", '{"after":0,"last":1,"rows":1}')]
    narrow = Person("zhao", Role.DESK, scope=Scope(frozenset({"中国电信"}), frozenset()))
    for person in (narrow, Person("r", Role.REGULATOR), POLICE):
        with pytest.raises(PermissionDenied):
            queries.events(person, NOW)


def _stop(store: Store, *numbers: int, at: datetime = NOW) -> None:
    book = book_on(store)
    for number in numbers:
        book.police_stop(card(number), "A1", POLICE, "confirmed", at)


@pytest.mark.parametrize("lost", [2, 4])
@pytest.mark.parametrize("since", [0, 1, 2, 5])
def test_a_cursor_from_before_a_restored_backup_is_refused_however_many_events_came_since(
    store: Store, lost: int, since: int
) -> None:
    """Two events are in the backup; the reader took more, and as many numbers are given again as may be."""
    queries = BillingQueries(store, Trail(KEY))
    _stop(store, 0, 1)
    kept, backup = queries.events(DESK, NOW).following, backup_of(store)
    _stop(store, *range(2, 2 + lost))
    gone = queries.events(DESK, NOW).following
    assert queries.events(DESK, NOW, gone).events == ()
    restore(store, backup)
    # the same cards are stopped again, at the same moment: it is not what the reader took
    _stop(store, *range(2, 2 + since))
    with pytest.raises(BillingCursorRefused, match="a backup of the order database was restored"):
        queries.events(DESK, NOW, gone)
    with pytest.raises(BillingCursorRefused):
        queries.events(DESK, NOW, str(2 + lost))
    again = queries.events(DESK, NOW, kept)
    assert [one.id for one in again.events] == list(range(3, 3 + since)), "what is in the backup leads on"
    assert queries.events(DESK, NOW, again.following).events == ()


def test_from_a_time_on_it_is_read_again(store: Store) -> None:
    queries = BillingQueries(store, Trail(KEY))
    assert queries.events(DESK, NOW, since=NOW) == BillingPage((), BEGINNING)
    for hour in range(3):
        _stop(store, hour, at=NOW + hour * HOUR)
    for hours, ids in ((-1, [1, 2, 3]), (0, [1, 2, 3]), (0.5, [2, 3]), (2, [3]), (3, [])):
        page = queries.events(DESK, NOW, since=NOW + hours * HOUR)
        assert [one.id for one in page.events] == ids
        assert page.following == queries.events(DESK, NOW).following, "and on behind the last one"
    with pytest.raises(BillingCursorRefused, match="not both"):
        queries.events(DESK, NOW, page.following, since=NOW)


@pytest.mark.parametrize(
    ("cursor", "why"),
    [
        ("1", "a number alone does not say which event 1 you took"),
        ("2", "event 2 is not here as you took it"),
        ("1-0123456789abcdef", "event 1 is not here as you took it"),
        ("0-0123456789abcdef", "is no cursor"),
        ("-1", "is no cursor"),
        ("1-", "is no cursor"),
        ("", "is no cursor"),
        ("9" * 30, "is no cursor"),
    ],
)
def test_what_is_no_cursor_of_an_event_here_is_refused(store: Store, cursor: str, why: str) -> None:
    _stop(store, 0)
    with pytest.raises(BillingCursorRefused, match=why):
        BillingQueries(store, Trail(KEY)).events(DESK, NOW, cursor)


@pytest.mark.parametrize("column", ["order_id", "step", "event", "at"])
def test_each_fact_that_identifies_an_event_is_in_its_cursor(store: Store, column: str) -> None:
    _stop(store, 0)
    queries = BillingQueries(store, Trail(KEY))
    cursor = queries.events(DESK, NOW).following
    assert card(0) not in cursor
    other = {"order_id": "R9", "step": 9, "event": "ended", "at": NOW + HOUR}
    with store.writing() as connection:
        connection.execute(update(billing_events).values({column: other[column]}))
    with pytest.raises(BillingCursorRefused):
        queries.events(DESK, NOW, cursor)
