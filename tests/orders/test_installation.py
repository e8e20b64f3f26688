"""A database says what it is: an order database of this version, under this secret; anything else is left untouched."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, inspect, text

from duanka.domain.errors import DuankaError
from duanka.ledger.db.database import NoOrderDatabase, Store
from duanka.ledger.db.installation import NotUsable
from duanka.ledger.db.tables import SCHEMA_VERSION
from support.orders.books import NOW, POLICE, book_on, card
from support.waiting import HANG

KEY, OTHER = b"k" * 32, b"o" * 32


@contextmanager
def opened(url: str, key: bytes | None = KEY, *, create: bool = True) -> Iterator[Store]:
    store = Store(url, (lambda _: key) if key else None, create=create)
    try:
        yield store
    finally:
        store.close()


def spoil(url: str, work: Callable[[Connection], object]) -> dict[str, list[tuple[object, ...]]]:
    """Do `work` by plain SQL; what every table holds then."""
    url = url.replace("postgresql:", "postgresql+psycopg:")
    engine = create_engine(url)
    with engine.begin() as connection:
        work(connection)
    held = contents(engine.connect())
    engine.dispose()
    return held


def contents(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
    with connection:
        names = inspect(connection).get_table_names()
        return {n: [tuple(r) for r in connection.execute(text(f'SELECT * FROM "{n}"'))] for n in names}


def test_a_new_book_is_of_this_version_and_opens_again(database_url: str) -> None:
    with opened(database_url) as store, store.reading() as connection:
        row = connection.execute(text("SELECT schema_version, installation_id FROM installation")).one()
        assert row.schema_version == SCHEMA_VERSION
    with opened(database_url) as store, store.reading() as connection:
        again = connection.execute(text("SELECT schema_version, installation_id FROM installation")).one()
    assert again == row


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (f"UPDATE installation SET schema_version = {SCHEMA_VERSION - 1}", "duanka database upgrade"),
        (f"UPDATE installation SET schema_version = {SCHEMA_VERSION + 1}", "start a newer Duanka"),
        ("DROP TABLE installation", "of release 0.1.0"),
        ("DELETE FROM installation", "lost its row"),
        ("DROP TABLE alarms", "lacks the table alarms"),
        ("ALTER TABLE installation RENAME COLUMN secret_seal TO x", "is not ours"),
    ],
)
def test_another_version_is_refused_in_one_line_and_left_as_it_is(
    database_url: str, statement: str, told: str
) -> None:
    with opened(database_url) as store:
        book_on(store).police_stop(card(0), "case 1", POLICE, "notice", NOW)
    before = spoil(database_url, lambda c: c.execute(text(statement)))
    for create in (True, False):
        with pytest.raises(NotUsable, match=told) as refused, opened(database_url, create=create):
            pass
        assert "\n" not in str(refused.value)
    assert spoil(database_url, lambda _: None) == before


def test_a_database_of_somebody_else_is_refused_and_left_as_it_is(database_url: str) -> None:
    before = spoil(database_url, lambda c: c.execute(text("CREATE TABLE bookings (id INTEGER)")))
    with pytest.raises(NotUsable, match="bookings"), opened(database_url):
        pass
    assert spoil(database_url, lambda _: None) == before


def test_not_a_byte_of_a_foreign_file_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "theirs.sqlite"
    theirs = sqlite3.connect(path, timeout=HANG)
    theirs.execute("CREATE TABLE x (id INTEGER)")
    theirs.close()
    before = path.read_bytes()
    with pytest.raises(NotUsable), opened(f"sqlite:///{path}"):
        pass
    assert path.read_bytes() == before
    (tmp_path / "text").write_text("no database " * 200)
    with pytest.raises(DuankaError, match="not a database"), opened(f"sqlite:///{tmp_path / 'text'}"):
        pass


def test_a_secret_that_does_not_fit_is_refused_before_anything_is_written(database_url: str) -> None:
    with opened(database_url):
        pass
    before = spoil(database_url, lambda _: None)
    with pytest.raises(NotUsable, match="DUANKA_SECRET_FILE") as refused, opened(database_url, OTHER):
        pass
    assert OTHER.decode() not in str(refused.value)
    assert spoil(database_url, lambda _: None) == before
    with opened(database_url):
        pass


def test_a_seal_that_was_taken_away_does_not_let_another_secret_in(database_url: str) -> None:
    with opened(database_url) as store:
        book_on(store).police_stop(card(0), "case 1", POLICE, "notice", NOW)
    spoil(database_url, lambda c: c.execute(text("UPDATE installation SET secret_seal = ''")))
    with pytest.raises(NotUsable, match="secret"), opened(database_url, OTHER):
        pass


def test_the_key_is_told_whether_the_book_is_new(database_url: str) -> None:
    told: list[bool] = []

    def key(is_new: bool) -> bytes:
        told.append(is_new)
        return KEY

    for _ in range(2):
        Store(database_url, key).close()
    assert told == [True, False]


def test_where_no_book_is_none_is_made_unless_it_is_asked_for(database_url: str) -> None:
    with pytest.raises(NoOrderDatabase, match="DUANKA_ORDERS"), opened(database_url, create=False):
        pass
    if database_url.startswith("sqlite"):
        assert not Path(database_url.removeprefix("sqlite:///")).exists()
        Path(database_url.removeprefix("sqlite:///")).touch()  # what a crash at the very beginning leaves
        with pytest.raises(NoOrderDatabase), opened(database_url, create=False):
            pass
    with opened(database_url):
        pass
    with opened(database_url, create=False):
        pass


@pytest.mark.parametrize(
    "url",
    ["mysql://x", "mysql+pymysql://x@y/z", "oracle://x", "mssql+pyodbc://x", "nonsense", "", "redis://a:b@c"],
)
def test_another_kind_of_database_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(DuankaError, match="postgresql://user:password@host/duanka") as refused:
        Store(url)
    assert "\n" not in str(refused.value)


def test_every_way_to_write_postgresql_takes_the_driver_that_is_there(database_url: str) -> None:
    if database_url.startswith("postgresql:"):
        for driver in (
            "postgresql",
            "postgres",
            "postgresql+psycopg2",
            "postgresql+asyncpg",
            "postgresql+psycopg",
        ):
            with opened(driver + database_url.removeprefix("postgresql")):
                pass
