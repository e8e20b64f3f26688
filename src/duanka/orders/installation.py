"""Whether a database is an order book of ours, of this version and under this secret; checked before any write."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, inspect, select, update

import duanka.orders.tables_identity  # its tables are made with the others
import duanka.orders.tables_takes  # noqa: F401  # and these
from duanka.domain.errors import DuankaError
from duanka.orders.tables import SCHEMA_VERSION, audit_head, metadata
from duanka.orders.tables_installation import installation

GENESIS = "0" * 64

# Gives the key that the installation is sealed with, or raises a DuankaError; told whether the order book is new.
SealKey = Callable[[bool], bytes]


class NotUsable(DuankaError):
    """A database that this version may not use: not ours, another version, or under another secret."""


def prepare(connection: Connection, name: str, seal_key: SealKey | None, *, may_write: bool) -> bool:
    """Check the database, and make it ready where it is new; whether it is ready.

    `name`: the database, as an error names it. Without `may_write` nothing is written, and a new database is not
    ready. `seal_key` None: the secret is not checked. NotUsable where this version may not use the database.
    """
    found = frozenset(inspect(connection).get_table_names())
    if not found:
        if may_write:
            _create(connection, seal_key(True) if seal_key else None)
        return may_write
    number, seal = _identity(connection, name, found)
    if seal_key is None:
        return True
    if (
        not seal and connection.execute(select(audit_head.c.seq)).scalar_one() == 0
    ):  # nothing rests on a secret yet
        if may_write:
            connection.execute(update(installation).values(secret_seal=_seal(seal_key(True), number)))
        return may_write
    if not seal or not hmac.compare_digest(_seal(seal_key(False), number), seal):
        raise NotUsable(
            f"the secret does not fit the order book {name}: set DUANKA_SECRET or DUANKA_SECRET_FILE to the one that"
            " it was made with (without them it is the file `secret` in the folder DUANKA_ORDERS); nothing was written"
        )
    return True


def check(connection: Connection, name: str) -> None:
    """See that the tables are of this version, at any time after the start; NotUsable."""
    _identity(connection, name, frozenset(inspect(connection).get_table_names()))


def _create(connection: Connection, key: bytes | None) -> None:
    number = secrets.token_hex(16)
    metadata.create_all(connection)
    row = {
        "id": 1,
        "schema_version": SCHEMA_VERSION,
        "installation_id": number,
        "secret_seal": _seal(key, number) if key else "",
        "created_at": datetime.now(UTC),
    }
    connection.execute(insert(installation).values(row))
    connection.execute(insert(audit_head).values(id=1, seq=0, hash=GENESIS))


def _identity(connection: Connection, name: str, found: frozenset[str]) -> tuple[str, str]:
    """Id and seal of an order book of this version; NotUsable where it is anything else."""
    if installation.name not in found:
        if {"orders", "audit", "audit_head"} <= found:
            raise _of_another_version(name, "without a version", "an older")
        raise NotUsable(
            f"{name} is no order book: it holds other tables ({', '.join(sorted(found)[:3])});"
            " give Duanka a database of its own (DUANKA_DATABASE_URL)"
        )
    columns = {column["name"] for column in inspect(connection).get_columns(installation.name)}
    if not columns >= set(installation.columns.keys()):
        raise NotUsable(
            f"{name} is no order book: its table `installation` is not ours (DUANKA_DATABASE_URL)"
        )
    row = connection.execute(select(installation)).first()
    if row is None:
        raise NotUsable(f"{name} has lost its row of `installation`; restore a backup (docs/OPERATIONS.md)")
    if row.schema_version != SCHEMA_VERSION:
        age = "an older" if row.schema_version < SCHEMA_VERSION else "a newer"
        raise _of_another_version(name, f"of version {row.schema_version}", age)
    if missing := frozenset(metadata.tables) - found:
        raise NotUsable(
            f"{name} lacks the table {min(missing)} of version {SCHEMA_VERSION}; restore a backup"
            " (docs/OPERATIONS.md)"
        )
    return row.installation_id, row.secret_seal


def _seal(key: bytes, number: str) -> str:
    return hmac.new(key, f"duanka installation {number}".encode(), hashlib.sha256).hexdigest()


def _of_another_version(name: str, what: str, age: str) -> NotUsable:
    return NotUsable(
        f"{name} is an order book {what}; this Duanka needs version {SCHEMA_VERSION}: start {age} Duanka on it, or give"
        " another database (docs/OPERATIONS.md); nothing was changed"
    )
