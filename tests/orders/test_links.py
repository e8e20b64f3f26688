from __future__ import annotations

import base64
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import select

from books import DESK, HOUR, KEY, NOW, book_on, card, demand, verification
from duanka.domain.order import AlreadyUsed, Event, Order, UnknownOrder
from duanka.domain.order_policy import OrderPolicy
from duanka.orders.book import OrderBook
from duanka.orders.links import LENGTH, Links
from duanka.orders.store import Store
from duanka.orders.tables import links as table
from duanka.orders.turn import Turn

LINKS = Links(KEY, OrderPolicy())


def asked(store: Store) -> tuple[OrderBook, Order, str]:
    """A book with one order, and the link of its notice."""
    book = book_on(store)
    book.receive([demand()], NOW)
    order = verification(book)
    return book, order, book.turn(lambda turn: LINKS.make(turn.connection, order.id, NOW), NOW)


def test_who_saw_a_link_unused_and_comes_second_is_too_late(store: Store) -> None:
    _, order, token = asked(store)
    with ThreadPoolExecutor(1) as threads:
        with store.writing() as first:
            assert LINKS.use_in(first, token, NOW).id == order.id
            second = threads.submit(LINKS.use, store, token, NOW)
            end = time.monotonic() + 20
            while not store.embedded and not _waits(store):  # on SQLite it cannot even begin
                assert time.monotonic() < end
                time.sleep(0.01)
        with pytest.raises(AlreadyUsed):
            second.result(timeout=20)


def _waits(store: Store) -> bool:
    """Whether some transaction waits for a lock of another one."""
    with store.reading() as connection:
        return bool(connection.exec_driver_sql("SELECT count(*) FROM pg_locks WHERE NOT granted").scalar())


@pytest.mark.requirement("R1.5")
def test_a_holder_may_look_as_often_as_they_like_and_use_it_once(store: Store) -> None:
    _, order, token = asked(store)
    assert [LINKS.open_link(store, token, NOW).id for _ in range(3)] == [order.id] * 3
    assert LINKS.use(store, token, NOW).id == order.id
    with pytest.raises(AlreadyUsed, match="used before"):
        LINKS.use(store, token, NOW)
    with pytest.raises(AlreadyUsed, match="used before"):
        LINKS.open_link(store, token, NOW)


def test_of_many_at_once_one_wins(store: Store) -> None:
    _, order, token = asked(store)
    many = 8
    together = Barrier(many)

    def use(_: int) -> str:
        together.wait(timeout=20)
        try:
            return LINKS.use(store, token, NOW).id
        except AlreadyUsed:
            return "too late"

    with ThreadPoolExecutor(many) as threads:
        outcomes = list(threads.map(use, range(many)))
    assert sorted(outcomes) == sorted([order.id] + ["too late"] * (many - 1))


def test_a_link_ends_when_the_policy_says(store: Store) -> None:
    _, _, token = asked(store)
    ends = NOW + timedelta(hours=OrderPolicy().link_hours)
    assert LINKS.open_link(store, token, ends - timedelta(seconds=1)).card == card(0)
    for use in (LINKS.open_link, LINKS.use):
        with pytest.raises(AlreadyUsed, match="time of this link"):
            use(store, token, ends)


def test_a_closed_order_refuses(store: Store) -> None:
    book, order, token = asked(store)
    book.act(order.id, Event.WITHDRAW, DESK, "asked in error", NOW + HOUR)
    for use in (LINKS.open_link, LINKS.use):
        with pytest.raises(AlreadyUsed, match="over"):
            use(store, token, NOW + HOUR)


def test_every_changed_letter_is_refused(store: Store) -> None:
    _, _, token = asked(store)
    for at, letter in enumerate(token):
        changed = token[:at] + ("A" if letter != "A" else "B") + token[at + 1 :]
        with pytest.raises(UnknownOrder):
            LINKS.open_link(store, changed, NOW)


@pytest.mark.parametrize(
    "token", ["", "x", "A" * LENGTH, "A" * (LENGTH + 4), "é" * LENGTH, "=" * LENGTH, "\x00"]
)
def test_nonsense_is_refused(store: Store, token: str) -> None:
    asked(store)
    with pytest.raises(UnknownOrder, match="hotline"):
        LINKS.open_link(store, token, NOW)


def test_another_key_signs_nothing_of_ours(store: Store) -> None:
    book, order, _ = asked(store)
    other = Links(b"another key, thirty-two bytes in all", OrderPolicy())
    token = book.turn(lambda turn: other.make(turn.connection, order.id, NOW), NOW)
    with pytest.raises(UnknownOrder):
        LINKS.open_link(store, token, NOW)


def test_a_link_of_a_transaction_that_failed_is_refused(store: Store) -> None:
    book, order, _ = asked(store)

    def fail(turn: Turn) -> None:
        raise LookupError(LINKS.make(turn.connection, order.id, NOW))

    with pytest.raises(LookupError) as failed:
        book.turn(fail, NOW)
    with pytest.raises(UnknownOrder):
        LINKS.open_link(store, str(failed.value), NOW)


def test_a_token_is_short_and_the_database_does_not_hold_it(store: Store) -> None:
    book, order, _ = asked(store)
    for _ in range(50):
        token = book.turn(lambda turn: LINKS.make(turn.connection, order.id, NOW), NOW)
        assert len(token) == LENGTH == 44
        assert token[-1].isalnum()
        assert base64.urlsafe_b64decode(token)
        assert LINKS.open_link(store, token, NOW).id == order.id
    with store.reading() as connection:
        for row in connection.execute(select(table)).all():
            assert token not in str(row)


def test_the_address_keeps_the_token_from_servers() -> None:
    address = LINKS.address("TOKEN")
    assert address == "https://verify.operator.example/v#TOKEN"
