"""The order databases that tests take one after another are as new ones, whatever the one before did."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from sqlalchemy import inspect
from sqlalchemy.exc import DatabaseError

from duanka.domain.errors import DuankaError
from duanka.domain.order import Kind
from duanka.ledger.db.database import Store, in_words
from support.databases import Postgres, sqlite_order_database
from support.orders.books import NOW, book_on, card, delivered, demand, receive
from support.people import People


def _rows(url: str) -> dict[str, list[object]]:
    """All that the tables hold, where sequences stand, and who else is connected; without the installation's own id."""
    with psycopg.connect(url) as connection:
        names = [
            name
            for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ]
        found = {
            name: [
                row
                for (row,) in connection.execute(f"SELECT to_jsonb(t) - 'installation_id' FROM {name} AS t")
            ]
            for name in names
        }
        found["sequences"] = connection.execute(
            "SELECT sequencename, last_value FROM pg_sequences ORDER BY 1"
        ).fetchall()
        found["others"] = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
    connection.close()
    return found


def _installation(url: str) -> str:
    store = Store(url)
    with store.reading() as connection:
        number: str = connection.exec_driver_sql("SELECT installation_id FROM installation").scalar_one()
    store.close()
    return number


def _used(url: str, orders: int = 1) -> Store:
    store = Store(url)
    book = book_on(store)
    People(store, book.terms.trail)
    delivered(book)
    receive(book, [demand(number) for number in range(1, orders)], NOW)
    return store


@pytest.fixture
def server(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Postgres:
    """Without the order databases that other tests had."""
    monkeypatch.setattr(postgres, "_books", [])
    return postgres


@pytest.mark.parametrize("orders", [1, 400])
def test_a_book_on_a_server_is_as_new_for_the_next_one(server: Postgres, orders: int) -> None:
    with server.order_database() as url:
        new, number = _rows(url), _installation(url)
        store = _used(url, orders)
        assert len(_rows(url)["orders"]) == orders
        store.reading().__enter__()  # a test that does not end what it began holds locks
    with server.order_database() as again:
        assert again == url
        assert _rows(again) == new
        assert _installation(again) != number
        _used(again).close()
    store.close()


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE alarms",
        "ALTER TABLE notices RENAME TO away",
        "ALTER TABLE orders ALTER COLUMN card DROP NOT NULL",
        "CREATE TABLE x (y INTEGER)",
        "CREATE INDEX x ON notices (id)",
        "ALTER TABLE orders ADD CONSTRAINT x CHECK (card <> '')",
    ],
)
def test_a_book_whose_tables_were_changed_is_for_nobody_else(server: Postgres, change: str) -> None:
    with server.order_database() as url:
        with psycopg.connect(url) as connection:
            connection.execute(change)
        connection.close()
    with server.order_database() as other:
        assert other != url


def test_two_have_two_books_at_once(server: Postgres) -> None:
    with server.order_database() as one, server.order_database() as other:
        assert one != other


def test_a_copied_file_is_an_order_database_of_its_own(tmp_path: Path) -> None:
    one, other = (sqlite_order_database(tmp_path / "new", tmp_path / name) for name in ("a", "b"))
    _used(one).close()
    assert _installation(one) != _installation(other)
    store = Store(other)
    assert book_on(store).transaction(lambda unit: unit.open_order(card(0), Kind.VERIFICATION), NOW) is None
    store.close()


@pytest.mark.parametrize("begin", [0, 4096])
def test_a_damaged_file_is_called_so_with_the_next_step(begin: int, tmp_path: Path) -> None:
    file = tmp_path / "orders.sqlite"
    _used(f"sqlite:///{file}", 40).close()
    content = file.read_bytes()
    file.write_bytes(content[:begin] + b"?" * (len(content) - begin))
    with pytest.raises(DuankaError, match=r"is damaged .*restore the last backup"):
        Store(f"sqlite:///{file}", create=False)


def test_damage_that_a_statement_meets_is_called_so(tmp_path: Path) -> None:
    file = tmp_path / "orders.sqlite"
    _used(f"sqlite:///{file}", 400).close()
    store = Store(f"sqlite:///{file}", create=False)
    content = file.read_bytes()
    half = len(content) // 2
    file.write_bytes(content[:half] + b"?" * half)
    with pytest.raises(DatabaseError) as met:
        _read_all(store)
    assert "restore the last backup" in str(in_words(met.value))
    store.close()


def _read_all(store: Store) -> None:
    with store.reading() as connection:
        for table in inspect(connection).get_table_names():
            connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY 1").fetchall()
