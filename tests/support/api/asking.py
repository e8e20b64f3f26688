"""A desk on both databases, its API served, and somebody of each role who asks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from duanka.domain.order import Role
from duanka.ledger.db.database import Store
from support.api.desks import Caller, TestDesk, callers, desk_on
from support.databases import sqlite_order_database

# for a test among others on both databases that asks what no database changes; see `one_store`
on_sqlite_alone = pytest.mark.parametrize("order_database_url", ["sqlite"], indirect=True)

Calling = Callable[[str | None], Caller]


def one_store(new_sqlite_order_database: Path, tmp_path: Path) -> Iterator[Store]:
    """An order database on SQLite alone, as the `store` of a file where no database matters: HTTP, pages, masks.

    What the API says of orders, checks and people is asked on both databases.
    """
    opened = Store(sqlite_order_database(new_sqlite_order_database, tmp_path / "orders.sqlite"))
    yield opened
    opened.close()


def own_desk(store: Store) -> TestDesk:
    return desk_on(store)


def own_calling(desk: TestDesk) -> Iterator[Calling]:
    with callers(desk.api()) as caller:
        yield caller


def own_people(desk: TestDesk, calling: Calling) -> Mapping[Role, Caller]:
    """Somebody of each role."""
    return {role: calling(key) for role, key in desk.given.items()}
