from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import select

from duanka.domain.order import AlreadyUsed, Event, Order, UnknownOrder
from duanka.domain.order_policy import OrderPolicy
from duanka.ledger.db.database import Store
from duanka.ledger.db.tables import links as table
from duanka.ledger.unit_of_work.unit_of_work import UnitOfWork
from duanka.orders.service import OrderService
from duanka.orders.verification.links import LENGTH, Links, LinkState, OtherBrowser
from support.orders.books import DESK, HOUR, KEY, NOW, book_on, card, demand, receive, verification
from support.waiting import HANG, until

LINKS = Links(KEY, OrderPolicy())


def opened(store: Store, token: str, now: datetime) -> Order:
    with store.reading() as connection:
        return LINKS.open_in(connection, token, now)


def asked(store: Store) -> tuple[OrderService, Order, str]:
    """A book with one order, and the link of its notice."""
    book = book_on(store)
    receive(book, [demand()], NOW)
    order = verification(book)
    return book, order, book.transaction(lambda unit: LINKS.make(unit.connection, order.id, NOW), NOW)


def claimed(store: Store, token: str, browser: str, now: datetime = NOW) -> str:
    """The order of a link that a browser agreed by."""
    with store.writing() as connection:
        return LINKS.claim(connection, token, browser, now).id


def a_link(book: OrderService, order: Order, now: datetime) -> str:
    """Another link of the order."""
    return book.transaction(lambda unit: LINKS.make(unit.connection, order.id, now), now)


def test_who_comes_second_finds_the_link_taken(store: Store) -> None:
    _, order, token = asked(store)
    with ThreadPoolExecutor(1) as threads:
        with store.writing() as first:
            assert LINKS.claim(first, token, "first", NOW).id == order.id
            second = threads.submit(claimed, store, token, "second")
            if not store.embedded:  # on SQLite it cannot even begin
                until(lambda: _waits(store))
        with pytest.raises(OtherBrowser):
            second.result(timeout=HANG)


def _waits(store: Store) -> bool:
    """Whether some transaction waits for a lock of another one."""
    with store.reading() as connection:
        return bool(connection.exec_driver_sql("SELECT count(*) FROM pg_locks WHERE NOT granted").scalar())


@pytest.mark.requirement("R1.5")
def test_a_link_is_the_browsers_that_agreed_first_as_often_as_it_likes(store: Store) -> None:
    _, order, token = asked(store)

    def seen(browser: str) -> LinkState:
        with store.reading() as connection:
            return LINKS.state_of(connection, token, browser)

    assert [opened(store, token, NOW).id for _ in range(3)] == [order.id] * 3
    assert [seen("mine"), seen("")] == [LinkState.OPEN, LinkState.OPEN]
    assert [claimed(store, token, "mine") for _ in range(2)] == [order.id] * 2
    assert [seen("mine"), seen("other"), seen("")] == [LinkState.YOURS, *[LinkState.ELSEWHERE] * 2]
    for other in ("other", ""):
        with pytest.raises(OtherBrowser):
            claimed(store, token, other)
    assert claimed(store, token, "mine") == order.id


def test_of_many_browsers_at_once_one_wins(store: Store) -> None:
    _, order, token = asked(store)
    many = 8
    together = Barrier(many)

    def claim(number: int) -> str:
        together.wait(timeout=HANG)
        try:
            return claimed(store, token, f"browser {number}")
        except OtherBrowser:
            return "too late"

    with ThreadPoolExecutor(many) as threads:
        outcomes = list(threads.map(claim, range(many)))
    assert sorted(outcomes) == sorted([order.id] + ["too late"] * (many - 1))


def test_who_agrees_by_a_later_link_takes_over_and_an_earlier_one_takes_nothing_back(store: Store) -> None:
    book, order, first = asked(store)
    second, third = (a_link(book, order, NOW + hours * HOUR) for hours in (1, 2))
    claimed(store, first, "stranger")
    claimed(store, second, "holder", NOW + HOUR)
    with pytest.raises(AlreadyUsed, match="later link"):
        claimed(store, first, "stranger", NOW + HOUR)
    assert claimed(store, third, "holder", NOW + 2 * HOUR) == order.id, "and the later one may still be used"
    assert claimed(store, second, "holder", NOW + 2 * HOUR) == order.id, "one's own stays good"


def test_a_link_ends_when_the_policy_says(store: Store) -> None:
    _, _, token = asked(store)
    ends = NOW + timedelta(hours=OrderPolicy().link_hours)
    assert opened(store, token, ends - timedelta(seconds=1)).card == card(0)
    with pytest.raises(AlreadyUsed, match="time of this link"):
        opened(store, token, ends)
    with pytest.raises(AlreadyUsed, match="time of this link"):
        claimed(store, token, "browser", ends)


def test_a_closed_order_refuses(store: Store) -> None:
    book, order, token = asked(store)
    book.apply(order.id, Event.WITHDRAW, DESK, "asked in error", NOW + HOUR)
    with pytest.raises(AlreadyUsed, match="is closed"):
        opened(store, token, NOW + HOUR)
    with pytest.raises(AlreadyUsed, match="is closed"):
        claimed(store, token, "browser", NOW + HOUR)


def test_every_changed_letter_is_refused(store: Store) -> None:
    _, _, token = asked(store)
    for at, letter in enumerate(token):
        changed = token[:at] + ("A" if letter != "A" else "B") + token[at + 1 :]
        with pytest.raises(UnknownOrder):
            opened(store, changed, NOW)


@pytest.mark.parametrize(
    "token", ["", "x", "A" * LENGTH, "A" * (LENGTH + 4), "é" * LENGTH, "=" * LENGTH, "\x00"]
)
def test_nonsense_is_refused(store: Store, token: str) -> None:
    asked(store)
    with pytest.raises(UnknownOrder, match="hotline"):
        opened(store, token, NOW)


def test_another_key_signs_nothing_of_ours(store: Store) -> None:
    book, order, _ = asked(store)
    other = Links(b"another key, thirty-two bytes in all", OrderPolicy())
    token = book.transaction(lambda unit: other.make(unit.connection, order.id, NOW), NOW)
    with pytest.raises(UnknownOrder):
        opened(store, token, NOW)


def test_a_link_of_a_transaction_that_failed_is_refused(store: Store) -> None:
    book, order, _ = asked(store)

    def fail(unit: UnitOfWork) -> None:
        raise LookupError(LINKS.make(unit.connection, order.id, NOW))

    with pytest.raises(LookupError) as failed:
        book.transaction(fail, NOW)
    with pytest.raises(UnknownOrder):
        opened(store, str(failed.value), NOW)


def test_a_token_is_short_and_the_database_does_not_hold_it(store: Store) -> None:
    book, order, _ = asked(store)
    for _ in range(50):
        token = book.transaction(lambda unit: LINKS.make(unit.connection, order.id, NOW), NOW)
        assert len(token) == LENGTH == 44
        assert token[-1].isalnum()
        assert base64.urlsafe_b64decode(token)
        assert opened(store, token, NOW).id == order.id
    with store.reading() as connection:
        for row in connection.execute(select(table)).all():
            assert token not in str(row)


def test_the_address_keeps_the_token_from_servers() -> None:
    address = LINKS.address("TOKEN")
    assert address == "https://verify.operator.example/v#TOKEN"


def test_of_two_links_of_one_second_the_one_that_was_agreed_by_last_counts(store: Store) -> None:
    book, order, token = asked(store)
    later = a_link(book, order, NOW)
    claimed(store, token, "whoever has the first")
    with pytest.raises(AlreadyUsed):
        claimed(store, later, "the other")
    with store.reading() as connection, pytest.raises(AlreadyUsed):
        LINKS.open_in(connection, later, NOW)
    assert claimed(store, token, "whoever has the first") == order.id
