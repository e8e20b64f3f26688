"""Checks before any write: kind of database, version, and installation's secret."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, insert, inspect, select, update

import duanka.ledger.db.assessment.figures  # registers its tables
import duanka.ledger.db.assessment.listings  # and these
import duanka.ledger.db.casework.accounts  # and these
import duanka.ledger.db.casework.cases  # and these
import duanka.ledger.db.casework.clues  # and these
import duanka.ledger.db.casework.victims  # and these
import duanka.ledger.db.tables_holders  # and these
import duanka.ledger.db.tables_identity  # and these
import duanka.ledger.db.tables_people  # and these
import duanka.ledger.db.tables_sign_in  # and these
import duanka.ledger.db.tables_takes  # noqa: F401  # and these
from duanka.domain.errors import DuankaError
from duanka.domain.text import BilingualText
from duanka.ledger.db.tables import SCHEMA_VERSION, audit_head, metadata
from duanka.ledger.db.tables_installation import installation

GENESIS = "0" * 64

# Returns the key of the installation's seal, or several of which one fits (for a new database: the first); or raises
# a DuankaError. Its argument: whether the database is new.
SealKey = Callable[[bool], bytes | Sequence[bytes]]
RELEASE_0_1_0 = 0  # tables of that release, which carried no version number


class NotUsable(DuankaError):
    """A database that this version cannot use: foreign, other version or other secret."""


class OlderVersion(NotUsable):
    """An order database of an earlier version, which can be upgraded."""

    def __init__(self, name: str, version: int) -> None:
        super().__init__(
            f"{name} is an order database {version_words(version).en}; this Duanka needs version {SCHEMA_VERSION}:"
            " upgrade it with `duanka database upgrade` (docs/OPERATIONS.md); nothing was changed"
        )
        self.name, self.version = name, version


@dataclass(frozen=True)
class SecretKeys:
    """Keys of seal and audit trail, from one form of the secret (release 0.1.0 had another)."""

    installation: bytes
    audit: bytes


@dataclass(frozen=True)
class Upgraded:
    """Result of an upgrade. `copy`: of the database before it; None: on a server."""

    before: int
    copy: Path | None
    entries: int
    said: Sequence[BilingualText]


@dataclass(frozen=True)
class Upgrade:
    """Parameters of an upgrade. `keys`: returns those of each form of the secret, or raises.

    `run`: `upgrade_database` of `ledger.migrations`. `by`: who upgrades, for the audit trail. `say`: receives lines for
    people. `despite_faults`: reason to continue although the audit trail is invalid; empty: stop then.
    """

    run: Callable[[Connection, str, Upgrade, OlderVersion, Path | None], Upgraded]
    keys: Callable[[], Sequence[SecretKeys]]
    by: str
    say: Callable[[BilingualText], None]
    despite_faults: str = ""


def prepare(connection: Connection, name: str, seal_key: SealKey | None, *, may_write: bool) -> int | None:
    """Check the database, initialise a new one; return the index of the fitting key.

    None: not initialised. `name`: of the database, for errors. Without `may_write` nothing is written, so a new
    database stays uninitialised. `seal_key` None: the secret is not checked. NotUsable: this version cannot use it.
    """
    found = frozenset(inspect(connection).get_table_names())
    if not found:
        if may_write:
            _create(connection, _keys(seal_key, True)[0] if seal_key else None)
        return 0 if may_write else None
    number, seal = _identity(connection, name, found)
    if seal_key is None:
        return 0
    # Nothing depends on a secret yet.
    if not seal and connection.execute(select(audit_head.c.seq)).scalar_one() == 0:
        if may_write:
            key = _keys(seal_key, True)[0]
            connection.execute(update(installation).values(secret_seal=_seal(key, number)))
        return 0 if may_write else None
    return fitting_secret(name, number, seal, _keys(seal_key, False))


def fitting_secret(name: str, number: str, seal: str, keys: Sequence[bytes]) -> int:
    """Return the index of the key that sealed installation `number`; NotUsable: none."""
    for at, key in enumerate(keys):
        if seal and hmac.compare_digest(_seal(key, number), seal):
            return at
    raise NotUsable(
        f"the secret does not fit the order database {name}: set DUANKA_SECRET or DUANKA_SECRET_FILE to the one that"
        " it was made with (without them it is the file `secret` in the folder DUANKA_ORDERS); nothing was written"
    )


def _keys(seal_key: SealKey, is_new: bool) -> Sequence[bytes]:
    given = seal_key(is_new)
    return (given,) if isinstance(given, bytes) else given


def version_words(version: int) -> BilingualText:
    """Describe a version of the tables for people."""
    if version == RELEASE_0_1_0:
        return BilingualText("版本 0.1.0", "of release 0.1.0")
    return BilingualText(f"数据库版本 {version}", f"of version {version}")


def put_installation(connection: Connection, number: str, key: bytes | None, now: datetime) -> None:
    """Insert the row that identifies the installation."""
    row = {
        "id": 1,
        "schema_version": SCHEMA_VERSION,
        "installation_id": number,
        "secret_seal": _seal(key, number) if key else "",
        "created_at": now,
    }
    connection.execute(insert(installation).values(row))


def check(connection: Connection, name: str) -> None:
    """Raise NotUsable if the tables are not of this version; usable at any time."""
    _identity(connection, name, frozenset(inspect(connection).get_table_names()))


def _create(connection: Connection, key: bytes | None) -> None:
    metadata.create_all(connection)
    put_installation(connection, secrets.token_hex(16), key, datetime.now(UTC))
    connection.execute(insert(audit_head).values(id=1, seq=0, hash=GENESIS))


def _identity(connection: Connection, name: str, found: frozenset[str]) -> tuple[str, str]:
    """Return id and seal of an order database of this version; else NotUsable."""
    if installation.name not in found:
        if {"orders", "audit", "audit_head"} <= found:
            raise OlderVersion(name, RELEASE_0_1_0)
        raise NotUsable(
            f"{name} is no order database: it holds other tables ({', '.join(sorted(found)[:3])});"
            " give Duanka a database of its own (DUANKA_DATABASE_URL)"
        )
    columns = {column["name"] for column in inspect(connection).get_columns(installation.name)}
    if not columns >= set(installation.columns.keys()):
        raise NotUsable(
            f"{name} is no order database: its table `installation` is not ours (DUANKA_DATABASE_URL)"
        )
    row = connection.execute(select(installation)).first()
    if row is None:
        raise NotUsable(f"{name} has lost its row of `installation`; restore a backup (docs/OPERATIONS.md)")
    if row.schema_version > SCHEMA_VERSION:
        raise NotUsable(
            f"{name} is an order database of version {row.schema_version}; this Duanka knows version {SCHEMA_VERSION}:"
            " start a newer Duanka on it, or give another database (docs/OPERATIONS.md); nothing was changed"
        )
    if row.schema_version < SCHEMA_VERSION:
        raise OlderVersion(name, row.schema_version)
    if missing := frozenset(metadata.tables) - found:
        raise NotUsable(
            f"{name} lacks the table {min(missing)} of version {SCHEMA_VERSION}; restore a backup"
            " (docs/OPERATIONS.md)"
        )
    return row.installation_id, row.secret_seal


def _seal(key: bytes, number: str) -> str:
    return hmac.new(key, f"duanka installation {number}".encode(), hashlib.sha256).hexdigest()
