"""Who passed is kept outside of the database: a restored backup stops nobody who passed since."""

from __future__ import annotations

from pathlib import Path

import pytest

from duanka.domain.order import Event, Kind
from duanka.ledger.audit.trail import Fault, Trail
from duanka.ledger.db.database import Store
from duanka.orders.monitoring.backups import hours_anew
from duanka.orders.service import OrderService
from duanka.orders.verification.pass_list import PassList
from support.orders.books import (
    DESK,
    HOUR,
    KEY,
    NOW,
    SECOND,
    backup_of,
    book_on,
    card,
    delivered,
    demand,
    receive,
    restore,
    restriction,
    verification,
)


@pytest.fixture
def book(store: Store) -> OrderService:
    return book_on(store)


def passes_on(store: Store, tmp_path: Path) -> PassList:
    """As a process has it that has just started."""
    return PassList(store, Trail(KEY), tmp_path / "passes.jsonl", KEY)


def passed(book: OrderService, number: int) -> None:
    order = book.transaction(lambda unit: unit.open_order(card(number), Kind.VERIFICATION), NOW)
    assert order
    book.apply(order.id, Event.BEGIN, DESK, "came", NOW + HOUR)
    book.apply(order.id, Event.PASS, SECOND, "it is them", NOW + HOUR)


def test_who_passed_since_the_backup_passes_again_and_stays_on_the_list(
    book: OrderService, store: Store, tmp_path: Path
) -> None:
    for number in range(3):
        delivered(book, number)
    passed(book, 0)
    backup = backup_of(store)
    passed(book, 1)
    passes_on(store, tmp_path).write_changed()
    restore(store, backup)
    again = passes_on(store, tmp_path)
    again.write_changed()
    assert [one.card for one in again.passes()] == [card(0), card(1)], "the list forgets nobody"
    assert again.put_in_force(book, NOW + 2 * HOUR) == 1
    assert again.put_in_force(book, NOW + 2 * HOUR) == 0
    book.sweep(NOW + 25 * HOUR)
    assert [restriction(book, number) is not None for number in range(3)] == [False, False, True]


def test_a_restored_backup_stops_nobody_for_a_deadline_that_passed_since(
    book: OrderService, store: Store
) -> None:
    for number in range(3):
        delivered(book, number)
    backup = backup_of(store)
    for number in (0, 1):
        book.apply(verification(book, number).id, Event.WITHDRAW, DESK, "asked in error", NOW + HOUR)
    restore(store, backup)
    accepted = NOW + 72 * HOUR
    assert hours_anew(book, accepted) == 3
    assert hours_anew(book, accepted) == 0
    assert book.sweep(accepted) == 0, "nobody is stopped before it can be entered again"
    book.apply(verification(book, 0).id, Event.WITHDRAW, DESK, "entered again", accepted + HOUR)
    book.sweep(accepted + 24 * HOUR)
    assert [restriction(book, number) is not None for number in range(3)] == [False, True, True]
    assert not [fault for fault in Trail(KEY).verify(store) if isinstance(fault, Fault)]


def test_who_was_asked_anew_after_the_pass_does_not_pass_by_it(
    book: OrderService, store: Store, tmp_path: Path
) -> None:
    delivered(book, 0)
    passed(book, 0)
    passes_on(store, tmp_path).write_changed()
    receive(book, [demand(0, tier="extreme", id="0123456789abcdef:2")], NOW + 2 * HOUR)
    assert passes_on(store, tmp_path).put_in_force(book, NOW + 3 * HOUR) == 0


@pytest.mark.parametrize(
    "text", ["", "{}\n", "not a list\n", '{"card": "8613000000001"}\n{"seal": 1}\n', "\xff\n"]
)
def test_a_list_that_does_not_bear_our_seal_passes_nobody(
    book: OrderService, store: Store, tmp_path: Path, text: str
) -> None:
    delivered(book, 1)
    (tmp_path / "passes.jsonl").write_text(text, encoding="latin-1")
    kept = passes_on(store, tmp_path)
    assert kept.put_in_force(book, NOW + HOUR) == 0
    assert list(kept.passes()) == []
