"""Copies of the order book: one file, whole, for its owner alone, also while workers write."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from duanka.domain.authority import Permission, authorize
from duanka.domain.errors import DuankaError
from duanka.domain.order import Person
from duanka.domain.private_files import put_in_place
from duanka.orders.audit import Entry, Trail
from duanka.orders.store import Store

_PAGES = 4096  # copied at once: who writes meanwhile waits for no more than these


def back_up(store: Store, trail: Trail, file: Path, by: Person, why: str, now: datetime) -> int:
    """Write the whole order book to `file`, which must not be there; its size in bytes. It stays in the trail.

    NotTheirs: `by` may not. DuankaError: the book is on a server, which has its own way, or the file is there. OSError.
    """
    authorize(by, Permission.BACK_UP)
    if not store.embedded:
        raise DuankaError(
            "this order book is on a PostgreSQL server: back it up with `umask 077; pg_dump --format=custom --file FILE"
            " DATABASE_URL`, with the URL of DUANKA_DATABASE_URL (docs/OPERATIONS.md)"
        )
    if file.exists():
        raise DuankaError(f"{file} is there already; name another file, or move it away")
    with store.writing() as connection:
        trail.append(connection, [Entry(now, by, "book.backup", file.name[:40], why)])
    with (
        put_in_place(file) as aside,
        store.engine.connect() as connection,
        closing(sqlite3.connect(aside)) as copy,
    ):
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)  # noqa: S101  # the book is embedded
        raw.backup(copy, pages=_PAGES)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
    return file.stat().st_size
